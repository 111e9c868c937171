"""Measures on real files, with detectors of known answers in place of MediaPipe's."""

import json
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.learning.evaluation import films, real, speakers
from mamba_portrait.learning.evaluation.face_mesh import BONE, CORNERS, LIPS, MESH, lips_of
from mamba_portrait.learning.evaluation.films import measure_films, reenact_film
from mamba_portrait.learning.evaluation.finding import measure_finder, overlaps
from mamba_portrait.learning.evaluation.metrics import best_lag
from mamba_portrait.learning.evaluation.real import (
    ASSETS,
    PICTURES,
    RealFiles,
    evaluate_real,
    files_of,
    portrait_of,
    real_table,
)
from mamba_portrait.learning.evaluation.speakers import (
    TalkingHead,
    commanded_opening,
    loudness,
    measure_speakers,
    read_speaker,
)
from mamba_portrait.media.photo import load_photo, save_image, to_uint8
from mamba_portrait.media.video import VideoWriter, read_video
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer
from mamba_portrait.visemes.table import LIP_PER_JAW, WIDE_OPENING
from mamba_portrait.vocabulary import COUNT, INDEX

PORTRAITS = ("portrait.jpg", "portrait_2.jpg")
BOXES = {"portrait.jpg": (176.8, 82.6, 272.7, 178.5), "portrait_2.jpg": (171.4, 146.9, 365.8, 341.4)}


def brightness_mesh(picture):
    """A face mesh whose mouth opens with the brightness of the picture's middle; it finds no face in black pictures."""
    level = picture[picture.shape[0] // 2, picture.shape[1] // 2].mean() / 255
    if level < 0.02:
        return None
    points = np.full((478, 2), 0.5, np.float32)
    for i, place in enumerate(MESH.values()):
        points[place] = (0.3 + 0.03 * i, 0.4)
    points[BONE[0]], points[BONE[1]] = (0.5, 0.0), (0.5, 1.0)
    for upper, lower in LIPS:
        points[upper], points[lower] = (0.5, 0.5), (0.5, 0.5 + level)
    points[CORNERS[0]], points[CORNERS[1]] = (0.4 - level / 4, 0.5), (0.6 + level / 4, 0.5)
    return points


@pytest.fixture(scope="module")
def curve() -> torch.Tensor:
    """Two seconds of an opening, 0.2 .. 0.8."""
    time = torch.arange(50) / 25
    return 0.5 + 0.2 * torch.sin(2 * np.pi * 2.3 * time) + 0.1 * torch.sin(2 * np.pi * 5.1 * time + 1)


def flat_frames(levels: torch.Tensor) -> torch.Tensor:
    return levels[:, None, None, None].expand(-1, 64, 64, 3)


@pytest.fixture(scope="module")
def film(tmp_path_factory, curve):
    """A film whose mouth opens as its sound is loud."""
    path = tmp_path_factory.mktemp("talks") / "someone.mp4"
    tone = torch.sin(torch.arange(50 * 640) * 0.4) * (2 * curve).exp().repeat_interleave(640) / 10
    with VideoWriter(path, fps=25, audio=(tone, 16_000)) as writer:
        writer.write(flat_frames(curve))
    return path


def test_a_film_gives_the_lips_and_the_sound(film, curve):
    speaker = read_speaker(film, brightness_mesh)
    assert speaker.name == "someone" and speaker.audio.shape == (640 * len(speaker.opening),)
    assert np.corrcoef(speaker.opening[:49], curve[:49])[0, 1] > 0.99
    assert np.corrcoef(loudness(speaker.audio)[:49], curve[:49])[0, 1] > 0.9
    assert len(read_speaker(film, brightness_mesh, seconds=1.0).opening) == 25
    assert read_speaker(film, lambda picture: None) is None


def test_lips_that_follow_late_are_judged_at_their_lag(film, curve, monkeypatch, tmp_path):
    late = torch.roll(curve, 2)
    monkeypatch.setattr(speakers, "animate_portrait", lambda *_: TalkingHead(late, flat_frames(late)))
    figures = measure_speakers(None, None, [film], None, brightness_mesh, out=tmp_path)["someone"]
    assert figures["lips"] > 0.98 and figures["lag"] == 2 and figures["rendered"] > 0.98
    assert figures["width"] > 0.98 and figures["reach"] == pytest.approx(figures["own_reach"], rel=0.05)
    assert figures["width_reach"] == pytest.approx(figures["reach"] / 2, rel=0.05)
    assert figures["loudness"] > 0.9 and (tmp_path / "someone.mp4").is_file()
    assert measure_speakers(None, None, [film], None, lambda picture: None) == {}


def test_half_of_the_opening_is_half_the_reach(film, curve, monkeypatch):
    half = 0.5 * curve
    monkeypatch.setattr(speakers, "animate_portrait", lambda *_: TalkingHead(half, flat_frames(half)))
    each = measure_speakers(None, None, [film], None, brightness_mesh)
    assert each["someone"]["rendered"] > 0.98
    assert real._speakers(each)["reach_ratio"] == pytest.approx(0.5, rel=0.05)


def test_the_commanded_opening_is_that_of_the_visemes():
    motion = torch.zeros(1, COUNT)
    gap, teeth = WIDE_OPENING, 0.3
    motion[0, INDEX["jaw"]] = gap * (1 - teeth)
    motion[0, INDEX["upper_lip"]] = gap * teeth * 0.4 / LIP_PER_JAW
    motion[0, INDEX["lower_lip"]] = gap * teeth * 0.6 / LIP_PER_JAW
    assert commanded_opening(motion).item() == pytest.approx(gap)


def test_films_are_compared_with_their_first_frame(tmp_path, monkeypatch):
    photo = load_photo(ASSETS / "portrait.jpg")[:256, :400]
    moving = torch.stack([photo.roll(shift, 1) for shift in (0, 4, 8, 12)])
    path = tmp_path / "moving.mp4"
    with VideoWriter(path, fps=Fraction(25, 4), crf=8) as writer:
        writer.write(moving)
    monkeypatch.setattr(films, "reenact_film", lambda renderer, film: film)
    figures, rows = measure_films(None, [path])
    assert figures["moving"]["driven"] > 90 and figures["moving"]["copy"] < 30
    assert rows[0].shape == (7, 3, films.SIZE, films.SIZE)
    monkeypatch.setattr(films, "reenact_film", lambda renderer, film: film[:1].expand_as(film))
    assert measure_films(None, [path])[0]["moving"]["gain"] == pytest.approx(0)


def test_a_film_is_re_enacted_from_its_first_frame(tiny_weights):
    renderer = load_renderer(tiny_weights / "renderer_lite.safetensors")
    film = torch.rand(3, 64, 64, 3)
    made = reenact_film(renderer, film)
    assert made.shape == film.shape and (made[0] - film[0]).abs().mean() < 0.03


def test_overlaps_of_boxes():
    boxes = np.float32([[0, 0, 2, 2], [10, 10, 12, 12]])
    assert overlaps(boxes, np.float32([[0, 0, 2, 1]])).ravel().tolist() == pytest.approx([0.5, 0])
    assert overlaps(boxes, np.zeros((0, 4), np.float32)).shape == (2, 0)


def test_the_finder_is_counted_against_the_judge(tmp_path):
    wall = save_image(tmp_path / "wall.png", torch.full((200, 300, 3), 0.5))
    files = [ASSETS / name for name in PORTRAITS]
    seen = iter(np.float32([[BOXES[name]] for name in PORTRAITS]))
    figures = measure_finder(files, [wall], lambda picture: next(seen))
    assert [figures[name]["found"] for name in PORTRAITS] == [1, 1] and figures["wall.png"] == {"false": 0}
    far = measure_finder(files[:1], [files[1]], lambda picture: np.float32([[0, 400, 90, 490]]))
    assert far["portrait.jpg"] == {"faces": 1, "found": 0, "more": 1} and far["portrait_2.jpg"]["false"] >= 1
    none = measure_finder(files[:1], [], lambda picture: np.zeros((0, 4), np.float32))
    assert none["portrait.jpg"] == {"faces": 0, "found": 0, "more": 1}


def test_everything_at_once(tiny_weights, film, tmp_path, monkeypatch):
    monkeypatch.setattr(real, "VOICE_SECONDS", 0.4)
    renderer = load_renderer(tiny_weights / "renderer_lite.safetensors")
    model = load_motion_model(tiny_weights / "motion_lite.safetensors")
    photo, wall = ASSETS / PORTRAITS[0], save_image(tmp_path / "wall.png", torch.full((200, 300, 3), 0.5))
    files = RealFiles([photo, wall], [film], [film], [photo], [wall])
    judge = lambda picture: np.float32([BOXES[PORTRAITS[0]]])  # noqa: E731
    figures = evaluate_real(renderer, model, files, tmp_path, mesh=brightness_mesh, boxes=judge)
    assert json.loads(json.dumps(figures)).keys() == {"speakers", "portraits", "videos", "finder"}
    assert figures["finder"]["mean"]["found"] == 1 and figures["finder"]["mean"]["false"] == 0
    assert figures["portraits"]["mean"]["count"] == 1 and figures["portraits"]["each"]["wall.png"] == {}
    assert figures["videos"]["each"] == {}  # its first frame shows no face
    spoken, own = (
        speakers._without_gaps([lips_of(brightness_mesh, to_uint8(picture)) for picture in read_video(path)])[:, 0]
        for path in (tmp_path / "speakers" / "someone.mp4", film)
    )
    assert figures["speakers"]["mean"]["rendered"] == pytest.approx(best_lag(spoken, own[: len(spoken)])[0], abs=1e-4)
    text = real_table(figures)
    assert "| real speakers | 1 | >= 6 |" in text and "| face finder: part of MediaPipe's faces found | 1.00 |" in text
    assert cv2.imread(str(tmp_path / "spoken.jpg")).shape[1] == 8 * 256
    assert (tmp_path / "portraits.jpg").is_file()


def test_folders_stand_for_the_files_in_them(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [p.name for p in files_of([tmp_path], PICTURES)] == ["a.png", "b.JPG"]
    assert files_of([tmp_path / "b.JPG", tmp_path], PICTURES)[0].name == "b.JPG" and files_of([], PICTURES) == []
    with pytest.raises(FileNotFoundError, match="nowhere"):
        files_of([tmp_path / "nowhere"], PICTURES)
    with pytest.raises(FileNotFoundError, match="ends in .mp4"):
        files_of([tmp_path], (".mp4",))


def test_the_speaking_portrait_ships():
    assert portrait_of(real.SPEAKER).shape[2] == 3 and real.VOICE.is_file()


def test_the_command_needs_something_to_measure(shipped_tiny, tmp_path, capsys):
    assert main(["evaluate", "--out", str(tmp_path), "--no-drawn", "--no-voice"]) == 2
    assert "real files" in capsys.readouterr().err
    assert main(["evaluate", "--out", str(tmp_path), "--no-drawn", "--videos", str(tmp_path / "none.mp4")]) == 2
    assert "none.mp4" in capsys.readouterr().err
