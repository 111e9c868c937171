"""Films judged against the truth, with stand-ins for the detectors."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.films import CORNERS, EYES, LIPS
from mamba_portrait.learning.evaluation.judge import judging
from mamba_portrait.learning.evaluation.judge.judging import Judge
from mamba_portrait.learning.evaluation.judge.measures import ALWAYS, MEASURES, shown
from mamba_portrait.learning.evaluation.judge.motion import MIDLINE, SIDES
from mamba_portrait.learning.evaluation.judge.run import ALONE, judge_methods, method_of, write_rows
from mamba_portrait.learning.evaluation.judge.samples import films_in, read_frames, read_samples, read_sound, read_truth
from mamba_portrait.learning.evaluation.judge.weights import Networks
from mamba_portrait.learning.evaluation.sync.judge import Sync
from mamba_portrait.media.audio import write_wav
from mamba_portrait.model_loaders.checkpoint import load_renderer


class DiscMesh:
    """Landmarks whose lips open as high as the dark disc of the films is."""

    def landmarks(self, frames):
        points = np.zeros((len(frames), 478, 3), np.float32)
        for left, right in SIDES:
            points[:, left, 0], points[:, right, 0] = 16, 48
        for i, (high, low) in enumerate(MIDLINE):
            points[:, high, 1], points[:, low, 1] = 10 * i, 10 * i + 10
        assert EYES[1] == SIDES[0][1]
        column = frames[:, :, 32].mean(-1) < 70
        points[:, LIPS[0], 1], points[:, LIPS[1], 1] = 40, 40 + column.sum(1)
        points[:, CORNERS[1], 0] = 20 + np.arange(len(frames)) % 7
        return points


class Brightness:
    """Features of a batch of pictures in the place of a network's: means of their quarters."""

    def __call__(self, pictures):
        return torch.nn.functional.adaptive_avg_pool2d(pictures, 2).flatten(1)


@pytest.fixture
def judge(shipped_tiny):
    judge = Judge(Networks(), DiscMesh(), load_renderer().eval())
    judge.tools["efficientnet"] = Brightness()
    return judge


@pytest.fixture
def samples(judged_set):
    return read_samples(judged_set / "list.csv")


def test_the_nearer_films_are_better_in_every_respect(judge, judged_set, samples):
    methods = [method_of(f"{name}={judged_set / name}", samples) for name in ("near", "far")]
    steps = []
    verdict = judge_methods(judge, samples, methods, 64, lambda *step: steps.append(step))
    assert steps[-1] == ("judging", 3, 3)
    near, far = (verdict.judged[name].means(verdict.truth) for name in ("near", "far"))
    for name, measure in MEASURES.items():
        if name in ALWAYS:
            assert math.isfinite(near[name]), name
        if name in ALWAYS and measure.better != "truth" and name not in ("headpose", "lmd_mouth", "lips_width"):
            assert (near[name] > far[name]) == (measure.better == "up"), name
    assert near["lips"] > 0.95 and near["headpose"] == 0 and near["lips_width"] == pytest.approx(1)
    assert len(verdict.judged["near"].rows) == 3 and len(verdict.judged["far"].rows) == 2
    assert set(verdict.truth.rows["a_1"]) <= set(ALONE) and "psnr" not in verdict.truth.rows["a_1"]
    assert verdict.missing["lse_d"] == "syncnet" and "frechet_frames" not in verdict.missing


def test_the_truth_itself_is_perfect(judge, judged_set, samples):
    verdict = judge_methods(judge, samples, [method_of(f"same={judged_set / 'truth'}", samples)], 64)
    found = verdict.judged["same"].means(verdict.truth)
    perfect = {"psnr": 100, "ssim": 1, "headpose": 0, "lmd": 0, "lips": 1, "lips_lag": 0, "lips_reach": 1, "tgd": 0,
               "frechet_frames": 0, "frechet_changes": 0, "width_reach": 1, "lips_now": 1}  # fmt: skip
    assert {name: found[name] for name in perfect} == pytest.approx(perfect, abs=1e-4)
    for name in ("div", "flow_change", "closures"):
        truth = [row[name] for row in verdict.truth.rows.values()]
        assert found[name] == pytest.approx(sum(truth) / len(truth))


def test_what_is_missing_is_not_computed_and_never_zero(judged_set, samples, tmp_path):
    judge = Judge(Networks())
    lacking = judge.missing()
    assert set(lacking) == {name for name in MEASURES if name not in ("psnr", "ssim", "flow_change", "flow_variance")}
    verdict = judge_methods(judge, samples, [method_of(f"near={judged_set / 'near'}", samples)], 64)
    assert set(verdict.judged["near"].means(verdict.truth)) == {"psnr", "ssim", "flow_change", "flow_variance"}
    assert shown("lse_d", None) == "not computed" and shown("lse_d", math.nan) == "-" and shown("lse_d", 0.0) == "0.000"
    write_rows(verdict, tmp_path)
    assert (tmp_path / "samples.json").is_file() and not (tmp_path / "features.npz").exists()


def test_networks_on_faces_see_the_face(judge, judged_set, samples, monkeypatch):
    """Identity, pose, expression and sync from crops around the box that our finder gives."""
    seen = {}
    monkeypatch.setattr(judging, "face_box", lambda frames: np.float32([16, 16, 48, 48]))

    def embed(faces):
        seen["face"] = faces.shape
        return torch.nn.functional.normalize(faces.mean((2, 3)), dim=1)

    def codes(faces):
        seen["emoca"] = faces.shape
        return faces.mean((2, 3)), faces.mean((2, 3)) - 0.5

    def sync(network, faces, sound):
        seen["sync"] = (faces.shape, len(sound))
        return {"lse_d": 9.0, "lse_c": 2.0, "lse_offset": 0.0}

    monkeypatch.setattr(judging, "measure_sync", sync)
    judge.tools |= {"arcface": embed, "emoca": codes, "syncnet": None, "i3d": lambda clips: clips.mean((2, 3, 4)),
                    "inception": Brightness()}  # fmt: skip
    judge.tools["sync_judge"] = None
    monkeypatch.setattr(judging, "find_mouths", lambda frames: torch.stack(list(frames)))
    monkeypatch.setattr(
        judging, "judge_sync", lambda network, mouths, sound: Sync(-2, 0.25, float(len(mouths)), torch.zeros(1))
    )
    verdict = judge_methods(judge, samples[:2], [method_of(f"near={judged_set / 'near'}", samples)], 64)
    found = verdict.judged["near"].means(verdict.truth)
    assert [found[name] for name in ("sync_score", "sync_confidence", "sync_offset")] == [0.25, 30, -2]
    assert verdict.truth.rows["a_1"]["sync_offset"] == -2
    assert seen["face"][1:] == (3, 32, 32) and seen["emoca"][1:] == (3, 40, 40)
    assert seen["sync"] == ((30, 3, 224, 224), 30 * 640)
    assert found["identity"] > 0.99 and found["expression"] > 0.9 and 0 < found["pose_emoca"] < 0.05
    assert (found["lse_d"], found["lse_c"]) == (9, 2) and "lse_offset" not in found
    assert 0 <= found["fid"] < 0.01
    assert 0 <= found["fvd"] < 0.01  # a clip of 16 frames of each film
    assert {"lpips_alex", "lpips_vgg"} == set(judge.missing())


def test_samples_are_named_and_cut_as_the_list_says(judged_set, tmp_path, samples):
    assert [sample.name for sample in samples] == ["a_1", "a_2", "b_1"]
    assert [sample.name for sample in read_samples(judged_set / "list.csv", most=2)] == ["a_1", "b_1"]
    film = judged_set / "truth" / "a_1.mkv"
    listed = tmp_path / "cuts.csv"
    listed.write_text(f"video,speaker,split,start,seconds\n{film},s,test,0.2,0.4\n{film},s,test,0.6,0.4\n")
    first, second = read_samples(listed)
    assert (first.name, second.name) == ("a_1_0.20", "a_1_0.60")
    whole = read_frames(film, 64)
    assert np.array_equal(read_truth(first, 64), whole[5:15]) and np.array_equal(read_truth(second, 64), whole[15:25])
    assert torch.allclose(read_sound(second, 10), read_sound(samples[0], 30)[15 * 640 : 25 * 640], atol=1e-3)
    whole = read_sound(samples[0], 30)
    write_wav(tmp_path / "own.wav", whole[None], 16000)  # a sound of its own, beside the film
    listed.write_text(f"video,audio,speaker,split,start,seconds\n{film},own.wav,s,test,0.6,0.4\n")
    [cut] = read_samples(listed)
    assert torch.allclose(read_sound(cut, 10), whole[15 * 640 : 25 * 640], atol=1e-3)
    assert read_sound(cut, 20)[15 * 640 :].abs().max() == 0  # silence after its end
    listed.write_text(f"video,speaker,split\n{film},s,test\n{film},t,test\n")
    with pytest.raises(ValueError, match="two films named a_1_0.00"):
        read_samples(listed)


def test_phones_are_those_of_the_clip(judge, judged_set, tmp_path):
    """A clip that begins 0.5 s into its film has the film's phones half a second earlier."""
    film, textgrid = judged_set / "truth" / "a_1.mkv", judged_set / "a_1.TextGrid"
    found = {}
    for name, row in (("whole", f"{film},s,test,{textgrid},0,1.2"), ("cut", f"{film},s,test,{textgrid},0.48,0.48")):
        (tmp_path / "list.csv").write_text(f"video,speaker,split,textgrid,start,seconds\n{row}\n")
        [sample] = read_samples(tmp_path / "list.csv")
        frames = read_truth(sample, 64)
        seen = judge.observe(frames, None)
        opening = seen.landmarks[:, LIPS[1], 1] - 40
        near = slice(12, 15) if name == "whole" else slice(0, 3)  # frames within 60 ms of the middle of b, 0.55 s
        found[name] = judge.compare(seen, seen, sample)["closures"]
        assert found[name] == pytest.approx(opening[near].min() / np.quantile(opening, 0.9), abs=1e-4)
    assert math.isfinite(found["cut"])


def test_films_that_cannot_be_judged_are_told(judged_set, samples, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder of films"):
        films_in(tmp_path / "none", samples)
    with pytest.raises(FileNotFoundError, match="no film named as a clip of the manifest, such as a_1.mp4"):
        films_in(tmp_path, samples)
    with pytest.raises(ValueError, match="NAME=FOLDER"):
        method_of(str(judged_set / "near"), samples)
    method = method_of(f"near:7={judged_set / 'near'}", samples)
    assert (method.name, method.seed, method.label) == ("near", "7", "near (7)")
    from mamba_portrait.media.video import VideoWriter

    wide: Path = tmp_path / "wide.mp4"
    with VideoWriter(wide, fps=25) as writer:
        writer.write(np.zeros((2, 48, 64, 3), np.uint8))
    with pytest.raises(ValueError, match="wide.mp4 is 64x48: films that are judged are square"):
        read_frames(wide, 64)


def test_a_film_without_sound_has_none(tmp_path, judged_set):
    from mamba_portrait.media.video import VideoWriter

    film = tmp_path / "mute.mp4"
    with VideoWriter(film, fps=25) as writer:
        writer.write(np.zeros((3, 64, 64, 3), np.uint8))
    (tmp_path / "list.csv").write_text("video,speaker,split\nmute.mp4,s,test\n")
    [sample] = read_samples(tmp_path / "list.csv")
    assert read_sound(sample, 3) is None


def test_a_face_box_is_the_median_over_the_film():
    from mamba_portrait.learning.evaluation.real import SPEAKER
    from mamba_portrait.media.photo import load_photo, to_uint8

    photo = to_uint8(load_photo(SPEAKER))
    box = judging.face_box(np.stack([photo, np.zeros_like(photo), photo]))
    assert box[2] - box[0] > 100 and box[0] > 100
    assert judging.face_box(np.zeros((2, 64, 64, 3), np.uint8)) is None
