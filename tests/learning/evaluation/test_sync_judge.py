"""The sync judge: shapes, shifts, the mouth's picture, a film's score."""

import numpy as np
import pytest
import torch

from mamba_portrait.learning.evaluation.sync.judge import judge, judge_film, load_sync_judge
from mamba_portrait.learning.evaluation.sync.mouths import _cut, find_mouths
from mamba_portrait.learning.evaluation.sync.network import MOUTH, SyncConfig, SyncNetwork, by_shift
from mamba_portrait.media.photo import load_photo
from mamba_portrait.model_loaders.checkpoint import WEIGHTS, save_checkpoint
from mamba_portrait.vocabulary import SAMPLES_A_FRAME

SMALL = SyncConfig(width=16, channels=(4, 8, 8, 8), mels=16)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SyncNetwork(SMALL).eval().requires_grad_(False)


def test_every_mouth_meets_every_sound(network):
    cosines = network(torch.rand(2, 9, *MOUTH), torch.randn(2, 9 * SAMPLES_A_FRAME))
    assert cosines.shape == (2, 9, 9) and float(cosines.abs().max()) <= 1 + 1e-5


def test_light_of_the_picture_says_nothing(network):
    mouths, sound = torch.rand(1, 9, *MOUTH), torch.randn(1, 9 * SAMPLES_A_FRAME)
    darker = network(0.4 * mouths + 0.1, sound)
    assert torch.allclose(network(mouths, sound), darker, atol=1e-4)


def test_by_shift_reads_diagonals():
    cosines = torch.arange(16.0).view(1, 4, 4)
    shifted = by_shift(cosines, 1)[0]
    assert torch.equal(shifted[1], torch.tensor([4.0, 5.0, 6.0]))
    assert shifted[0, 0].isnan() and shifted[3, 2].isnan()


@pytest.mark.parametrize("late", [-4, 0, 3])
def test_offset_is_the_diagonal_of_the_largest_cosines(late):
    class Shifted(torch.nn.Module):
        def forward(self, mouths, sound):
            frames = mouths.shape[1]
            rows, columns = torch.meshgrid(torch.arange(frames), torch.arange(frames), indexing="ij")
            return (columns - rows == late).float()[None] * 0.8

    found = judge(Shifted(), torch.rand(60, *MOUTH), torch.zeros(60 * SAMPLES_A_FRAME))
    assert found.offset == late
    assert found.score == pytest.approx(0.8 if late == 0 else 0.0)
    assert found.confidence == pytest.approx(0.8)


def test_short_clip_is_judged_over_the_shifts_it_has(network):
    found = judge(network, torch.rand(6, *MOUTH), torch.randn(6 * SAMPLES_A_FRAME))
    assert len(found.curve) == 11 and found.curve.isfinite().all()


def test_mouth_is_cut_upright_at_one_size():
    """A bar drawn along the line of the eyes lies level in the cut, whatever the tilt and the size."""
    import cv2

    for eyes, tilt in ((40.0, 0.0), (40.0, 0.4), (160.0, -0.3)):
        picture = np.zeros((600, 600), np.uint8)
        along = np.array([np.cos(tilt), np.sin(tilt)]) * eyes * 0.4
        ends = [tuple(int(v) for v in np.round(np.array([300, 300]) + way * along)) for way in (-1, 1)]
        cv2.line(picture, *ends, 255, max(2, int(eyes / 12)))
        cut = _cut(picture, 300, 300, eyes, tilt).astype(float)
        rows = (cut * np.arange(MOUTH[0])[:, None]).sum(0)[20:44] / np.maximum(cut.sum(0)[20:44], 1e-9)
        assert rows.std() < 0.6, (eyes, tilt)
        assert abs(rows.mean() - (MOUTH[0] / 2 - 0.12 * MOUTH[1] / 1.5)) < 1.5
        bright = np.flatnonzero(cut.max(0) > 100)
        assert abs((bright[-1] - bright[0]) - 0.8 * MOUTH[1] / 1.5) < 4


def test_mouths_of_a_portrait_are_found_and_none_where_there_is_no_face():
    photo = load_photo(WEIGHTS.parent / "assets" / "portrait_2.jpg")
    mouths = find_mouths([photo] * 7)
    assert mouths.shape == (7, *MOUTH) and torch.equal(mouths[0], mouths[6])
    assert float(mouths[0].std()) > 0.02
    assert find_mouths([torch.rand(96, 96, 3)] * 7) is None


def test_checkpoint_comes_back_and_other_kinds_are_refused(network, tmp_path):
    path = save_checkpoint(tmp_path / "judge.safetensors", network, "sync_judge", SMALL)
    again = load_sync_judge(path)
    mouths, sound = torch.rand(1, 9, *MOUTH), torch.randn(1, 9 * SAMPLES_A_FRAME)
    assert torch.allclose(network(mouths, sound), again(mouths, sound), atol=5e-3)
    with pytest.raises(ValueError, match="holds a face finder, not a sync judge"):
        load_sync_judge(WEIGHTS / "face_finder.safetensors")


def test_film_without_a_face_has_no_score(network, tmp_path):
    from mamba_portrait.media.video import VideoWriter

    with VideoWriter(tmp_path / "noise.mp4", fps=25, audio=(torch.zeros(1, 8000), 16000)) as writer:
        writer.write(torch.rand(12, 96, 96, 3))
    assert judge_film(network, tmp_path / "noise.mp4") is None


def test_shipped_judge_finds_by_how_much_a_sound_was_moved():
    """On a film of ours, two seconds at a time; another moment's sound scores lower than its own."""
    from mamba_portrait.media.audio import load_audio
    from mamba_portrait.media.video import read_video
    from mamba_portrait.pipelines.speaking import prepare_voice

    film = WEIGHTS.parent / "docs" / "greeting.mp4"
    network = load_sync_judge(WEIGHTS / "sync_judge.safetensors")
    mouths = find_mouths(read_video(film, 25, max_frames=80))
    sound = prepare_voice(*load_audio(film)).waveform[0]
    own = judge(network, mouths[15:65], sound[15 * SAMPLES_A_FRAME :], 12)
    for late in (-4, 3, 5):
        moved = judge(network, mouths[15:65], sound[(15 - late) * SAMPLES_A_FRAME :], 12)
        assert abs(moved.offset - own.offset - late) <= 1
        assert moved.score < own.score - 0.1
    assert abs(own.offset) <= 1


@pytest.mark.parametrize("values", [{"width": 0}, {"channels": [8, "x"]}, {"mels": 40.5}, {"depth": 3}])
def test_impossible_configs_are_told(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        SyncConfig.from_dict(SMALL.to_dict() | values)
