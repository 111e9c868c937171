"""Training the sync judge: what it learns from, and that it learns."""

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.evaluation.sync.judge import judge, load_sync_judge
from mamba_portrait.learning.evaluation.sync.network import MOUTH, SyncConfig, SyncNetwork
from mamba_portrait.learning.training.loop import Plan
from mamba_portrait.learning.training.sync_judge.clips import MouthClip, read_clips, window
from mamba_portrait.learning.training.sync_judge.task import SyncSchedule, SyncTask, _among_shifts
from mamba_portrait.learning.training.sync_judge.train import drawn_of, films_of, train_sync_judge
from mamba_portrait.vocabulary import SAMPLES_A_FRAME

SMALL = SyncConfig(width=16, channels=(8, 8, 8, 8), mels=16)


def toy_clip(seed: int, frames: int = 60) -> MouthClip:
    """A mouth that is open, as a dark bar, wherever the sound is loud."""
    rng = np.random.default_rng(seed)
    opened = np.repeat(rng.random(frames // 3 + 1) < 0.5, 3)[:frames]
    mouths = np.full((frames, *MOUTH), 180, np.uint8)
    mouths[opened, 16:32, 16:48] = 20
    loud = np.repeat(opened, SAMPLES_A_FRAME)
    sound = (rng.standard_normal(len(loud)) * np.where(loud, 6000, 60)).astype(np.int16)
    return MouthClip(f"person {seed}", mouths, sound)


def test_batch_follows_from_its_slice():
    task = SyncTask(SyncNetwork(SMALL), [[toy_clip(0)], [toy_clip(1)]], SyncSchedule(batch=4, frames=50))

    def of(samples):
        return next(task.batches(iter([BatchSlice(3, 7, samples, 4)])))

    whole, last = of(range(4)), of(range(2, 4))
    assert whole[0].shape == (4, 50, *MOUTH) and whole[1].shape == (4, 50 * SAMPLES_A_FRAME)
    assert all(torch.equal(a[2:], b) for a, b in zip(whole, last, strict=True))


def test_loss_is_small_only_where_shift_0_is_best():
    frames, sharpness = 60, torch.tensor(3.0)
    right = torch.eye(frames)[None]
    late = torch.roll(right, 2, dims=2)
    for spread in (1, 9):
        assert float(_among_shifts(right, spread, sharpness)) < 0.1
        assert float(_among_shifts(late, spread, sharpness)) > 3.0


def test_group_without_a_long_clip_is_refused():
    with pytest.raises(ValueError, match="no clip of 50 frames"):
        SyncTask(SyncNetwork(SMALL), [[toy_clip(0)], [toy_clip(1, 30)]], SyncSchedule())


def test_toy_mouths_are_learnt_and_offsets_recovered(tmp_path):
    clips = [toy_clip(seed) for seed in range(6)]
    plan = Plan(steps=45, seed=1, report=lambda _: None)
    schedule = SyncSchedule(batch=4, frames=50, rate=4e-3)
    path = train_sync_judge([clips[:3], clips[3:]], tmp_path / "judge.safetensors", tmp_path, plan, config=SMALL,
                            schedule=schedule)  # fmt: skip
    network = load_sync_judge(path)
    right = 0
    for number, late in enumerate((-5, -2, 0, 3, 5)):
        mouths, sound = window(toy_clip(100 + number, 90), 20, 50), window(toy_clip(100 + number, 90), 20 - late, 50)
        right += judge(network, mouths[0], sound[1]).offset == late
    assert right >= 4


def test_films_are_chosen_by_speaker_and_cut_once(tmp_path, monkeypatch):
    (tmp_path / "grid").mkdir()
    for name in ("s30_a.mkv", "s33_b.mkv", "s31_c.mkv", "notes.txt"):
        (tmp_path / "grid" / name).touch()
    assert [name for _, name in films_of([tmp_path / "grid"], ["s33"], [])] == ["s30", "s31"]
    assert [name for _, name in films_of([tmp_path / "grid"], ["s33"], ["s31"])] == ["s31"]
    (tmp_path / "drawn/clips/one").mkdir(parents=True)
    (tmp_path / "drawn/clips/one/video.mp4").touch()
    assert [name for _, name in drawn_of([tmp_path / "drawn"])] == ["drawn/one"]


def test_late_sound_is_moved(tmp_path, monkeypatch):
    from mamba_portrait.learning.training.sync_judge import clips as module
    from mamba_portrait.media.video import VideoWriter

    film = tmp_path / "film.mkv"
    click = torch.zeros(1, 30 * SAMPLES_A_FRAME)
    click[0, 9600] = 0.9
    with VideoWriter(film, fps=25, audio=(click, 16000)) as writer:
        writer.write(torch.rand(30, 64, 64, 3))
    monkeypatch.setattr(module, "find_mouths", lambda frames: torch.rand(len(list(frames)), *MOUTH))
    there, moved = (read_clips([(film, "x")], tmp_path / "cache", late)[0] for late in (0.0, 0.025))
    first, second = (int(np.abs(clip.sound.astype(int)).argmax()) for clip in (there, moved))
    assert first - second == 400 and len(moved.mouths) == 29
    monkeypatch.setattr(module, "find_mouths", None)  # the second reading is from the cache
    again = read_clips([(film, "x")], tmp_path / "cache")[0]
    assert np.array_equal(again.mouths, there.mouths)
