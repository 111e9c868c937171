"""The card's figures: they are what they say on cases that are known, and the report holds them all."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.datasets.tracks import load_tracks
from mamba_portrait.learning.evaluation.metrics import psnr
from mamba_portrait.learning.evaluation.reenactment import measure_reenactment
from mamba_portrait.learning.evaluation.report import FACES, evaluate, held_out_tracks, speaking_faces, table
from mamba_portrait.learning.evaluation.sheets import COMMANDS, motion_sheet, parameters_of, render_parameters
from mamba_portrait.learning.evaluation.voices import measure_lip_sync, measure_rendered_lip_sync
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer
from mamba_portrait.vocabulary import COUNT, INDEX


@pytest.fixture(scope="module")
def networks(tiny_weights):
    return (
        load_renderer(tiny_weights / "renderer_lite.safetensors"),
        load_motion_model(tiny_weights / "motion_lite.safetensors"),
    )


@pytest.fixture
def groups(drawn_clips):
    """Four groups of drawn pictures (4,2,4,3,S,S) in [0,1]."""
    return StillSet(drawn_clips).get(np.arange(4)).rgb.permute(0, 1, 2, 5, 3, 4).float() / 255


def test_copying_is_measured_as_copying(networks, drawn_clips, groups, monkeypatch):
    """A renderer that always keeps the photo as it is gains nothing over copying, wherever one looks."""

    def decode(self, source, appearance, motion):
        return SimpleNamespace(image=source.image.expand(len(motion), -1, -1, -1))

    monkeypatch.setattr(type(networks[0]), "decode", decode)
    figures = measure_reenactment(networks[0], StillSet(drawn_clips), groups=4, batch=3)
    own = groups[:, 0]
    copied = psnr(own[:, :1].expand(-1, 3, -1, -1, -1).flatten(0, 1), own[:, 1:].flatten(0, 1)).mean().item()
    assert figures["copy"] == pytest.approx(copied, abs=1e-3)
    assert [figures[f"gain_{driver}"] for driver in ("video", "twin", "written")] == pytest.approx([0, 0, 0])
    assert figures["mouth"] == figures["mouth_copy"] < figures["copy"] and figures["ssim"] == figures["ssim_copy"]
    assert figures["rest"] > 90


@torch.inference_mode()
def test_a_driver_is_told_by_its_change_from_its_first_picture(networks, drawn_clips, groups):
    """Driven by its own pictures or by its twin's, a portrait is compared with its own."""
    renderer, wanted = networks[0], {"video": [], "twin": [], "rest": []}
    for own, twin in groups:
        source = renderer.encode_source(own[:1])
        look = renderer.extract_appearance(source)
        for name, seen in (("video", own), ("twin", twin)):
            motion = renderer.encode_motion(seen)
            image = renderer.decode(source, look, source.motion + motion[1:] - motion[:1]).image
            wanted[name].append(psnr(image, own[1:]).mean().item())
        wanted["rest"].append(psnr(renderer.decode(source, look, source.motion).image, own[:1]).mean().item())
    figures = measure_reenactment(renderer, StillSet(drawn_clips), groups=4, batch=3)
    for name, values in wanted.items():
        assert figures[name] == pytest.approx(np.mean(values), abs=1e-4), name
    assert figures["gain_twin"] == pytest.approx(figures["twin"] - figures["copy"])


def test_a_perfect_voice_scores_one(networks, drawn_clips, monkeypatch):
    """With the true motion in the place of the model's, correlation and speeds are one, and the lag is zero."""
    renderer, model = networks
    tracks = held_out_tracks(drawn_clips)

    class Perfect:
        def __init__(self, audio):
            loud = audio.view(-1, 640).abs().amax(1)
            self.values = torch.zeros(len(loud), COUNT)
            self.values[:, INDEX["jaw"]] = loud / 9000 * 32768

    monkeypatch.setattr(
        "mamba_portrait.learning.evaluation.voices.motion_of_sound", lambda model, audio, *_: Perfect(audio)
    )
    monkeypatch.setattr(type(renderer), "read_parameters", lambda self, motion: motion)
    figures = measure_lip_sync(renderer, model, tracks, None)
    assert figures["jaw"] > 0.98 and figures["lag"] == 0 and figures["silence"] < 0.01
    assert figures["amplitude"] == pytest.approx(1, abs=0.1) and figures["velocity"] == pytest.approx(1, abs=0.1)


def test_faces_that_speak_are_measured_one_by_one(networks, drawn_clips, monkeypatch):
    """Faces that show the true jaw score one, a face that stands still scores nothing; each has a clip of its own."""
    renderer, tracks, spoken = networks[0], held_out_tracks(drawn_clips), []
    jaw = INDEX["jaw"]

    def speak(model, audio, appearance, seed):
        spoken.append(len(audio) // 640)
        return seed

    def render(renderer, source, appearance, number, settings):
        opening = torch.from_numpy(tracks[number % len(tracks)].values[:50, jaw].copy())
        level = opening if float(source) > 0.5 else torch.zeros(50)
        return [level[:, None, None, None].expand(-1, settings.size, settings.size, 3)]

    monkeypatch.setattr("mamba_portrait.learning.evaluation.voices.motion_of_sound", speak)
    monkeypatch.setattr("mamba_portrait.learning.evaluation.voices.render", render)
    monkeypatch.setattr("mamba_portrait.learning.evaluation.voices.encode_source", lambda renderer, photo: photo.mean())
    monkeypatch.setattr("mamba_portrait.learning.evaluation.voices.extract_appearance", lambda renderer, source: source)
    monkeypatch.setattr(type(renderer), "encode_motion", lambda self, pictures: pictures.mean((1, 2, 3)))
    monkeypatch.setattr(
        type(renderer),
        "read_parameters",
        lambda self, motion: torch.nn.functional.one_hot(torch.tensor(jaw), COUNT) * motion[:, None],
    )
    moving, still = torch.ones(8, 8, 3), torch.zeros(8, 8, 3)
    figures = measure_rendered_lip_sync(renderer, networks[1], tracks, [moving, moving, moving], seconds=2.0)
    assert figures == pytest.approx({"rendered_jaw": 1, "rendered_jaw_lowest": 1, "faces": 3}) and spoken == [50] * 3
    figures = measure_rendered_lip_sync(renderer, networks[1], tracks, [moving, still], seconds=2.0)
    assert figures == pytest.approx({"rendered_jaw": 0.5, "rendered_jaw_lowest": 0, "faces": 2})


def test_the_speaking_faces_are_different_people_drawn_by_seed(drawn_clips):
    stills = StillSet(drawn_clips)
    first, again, other = speaking_faces(stills), speaking_faces(stills), speaking_faces(stills, seed=1)
    assert len(first) == min(FACES, len(stills)) and first[0].shape[2] == 3 and len(speaking_faces(stills, 2)) == 2
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert len({float(face.sum()) for face in first}) == len(first)


def test_the_report_has_every_figure_and_the_sheets(networks, drawn_clips, tmp_path):
    seen = []
    figures = evaluate(
        *networks, corpus=drawn_clips, out=tmp_path, groups=3, clips=2, progress=lambda *step: seen.append(step)
    )
    assert json.loads((tmp_path / "figures.json").read_text()) == pytest.approx(figures, nan_ok=True)
    text = (tmp_path / "figures.md").read_text()
    assert text == table(figures) and f"{figures['rest']:.2f} | >= 38" in text and "voice" in text
    assert {name for name, _, _ in seen} == {"reenactment", "voices", "speaking faces"}
    faces = min(FACES, len(StillSet(drawn_clips)))
    assert f"in finished frames, mean of {faces} drawn faces | {figures['rendered_jaw']:.2f} |" in text
    sheet = cv2.imread(str(tmp_path / "commanded.jpg"))
    assert sheet.shape == (20 + 4 * 192, 192 * (1 + len(COMMANDS)), 3)
    assert cv2.imread(str(tmp_path / "driven.jpg")).shape[1] == 7 * 192


def test_only_voices_held_out_count(drawn_clips, tmp_path):
    assert [track.folder.name for track in held_out_tracks(drawn_clips)] == ["a", "b"]
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "c").symlink_to(drawn_clips / "clips" / "c")
    with pytest.raises(FileNotFoundError, match="training voices"):
        held_out_tracks(tmp_path)
    with pytest.raises(ValueError, match="drawn clips"):
        measure_lip_sync(None, None, [])
    assert len(load_tracks(drawn_clips, None)) == 3


def test_commands_are_parameters_and_rest_changes_nothing(networks):
    values = parameters_of({"jaw": 0.5, "yaw": -0.1})
    assert values[INDEX["jaw"]] == 0.5 and values.count_nonzero() == 2
    photo = torch.rand(3, 80, 80)
    still = render_parameters(networks[0], photo, parameters_of({})[None], 80)
    assert (still[0] - photo).abs().mean() < 0.03
    with pytest.raises(ValueError, match="corpus"):
        evaluate(*networks)


def test_a_sheet_needs_a_picture_format(networks, tmp_path):
    path = motion_sheet(networks[0], [torch.rand(3, 40, 40)], tmp_path / "sheet.png", size=48)
    assert cv2.imread(str(path)).shape == (20 + 48, 48 * (1 + len(COMMANDS)), 3)
    with pytest.raises((ValueError, cv2.error)):
        motion_sheet(networks[0], [torch.rand(3, 40, 40)], tmp_path / "sheet.txt", size=48)
    assert not (tmp_path / "sheet.txt").exists()
