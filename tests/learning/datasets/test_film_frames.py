"""Plain films as training data: any list of clips, and drawn stills with their labels hidden."""

import json
import tarfile

import numpy as np
import pytest
import torch

from mamba_portrait.learning.datasets.film_frames import FRAMES, FilmFrames, PlainStills, stacked
from mamba_portrait.learning.datasets.manifest import Entry, write_manifest
from mamba_portrait.learning.datasets.splits import HeldOutError
from mamba_portrait.learning.training.renderer.train_films import Source
from mamba_portrait.media.video import VideoWriter


def film(path, light, frames=40, size=(48, 64), fps=20):
    """Each frame of an even grey that grows lighter from `light` on."""
    with VideoWriter(path, fps=fps) as writer:
        for number in range(frames):
            writer.write(torch.full((*size, 3), light + 0.2 * number / frames))
    return path


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """A list of two people: one clip of a dark one, three of a light one."""
    folder = tmp_path_factory.mktemp("films")
    entries = [Entry(video=film(folder / "dark.mp4", 0.1), speaker="ann")]
    entries += [Entry(video=film(folder / f"light{i}.mp4", 0.6), speaker="bob", start=0.5) for i in range(3)]
    return write_manifest(folder / "list.csv", entries)


def test_a_clip_is_spread_over_its_length_and_square(films):
    frames = FilmFrames(films, 32)
    clip = frames.frames(frames.people["ann"][0])
    assert clip.shape == (16, 32, 32, 3) and clip.dtype == np.uint8  # 8 of the 20 pictures of each of two seconds
    light = clip.mean((1, 2, 3)) / 255
    assert light[0] == pytest.approx(0.1, abs=0.03) and light[-1] == pytest.approx(0.29, abs=0.03)
    later = frames.frames(frames.people["bob"][0])
    assert len(later) == 12 and later[0].mean() / 255 == pytest.approx(0.65, abs=0.03)  # from its start on


def test_people_weigh_the_same_and_a_seed_gives_the_same(films):
    frames = FilmFrames(films, 16)
    samples = [frames.sample(np.random.default_rng(i), 4) for i in range(60)]
    dark = sum(sample.frames.mean() < 128 for sample in samples)
    assert 20 <= dark <= 40 and len(frames) == 4
    again = FilmFrames(films, 16).sample(np.random.default_rng(7), 4)
    assert np.array_equal(again.frames, samples[7].frames)
    assert len(np.unique(samples[0].frames.mean((1, 2, 3)))) == 4 and samples[0].twin is None


def test_memory_is_bounded(films):
    frames = FilmFrames(films, 16, memory=20_000)
    for i in range(30):
        frames.sample(np.random.default_rng(i), 2)
    assert frames._used <= 20_000 and frames._used == sum(clip.nbytes for clip in frames._kept.values())


def test_a_long_film_gives_no_more_frames_than_a_short_one(tmp_path):
    long = film(tmp_path / "long.mp4", 0.3, frames=120, size=(32, 32), fps=5)
    listed = write_manifest(tmp_path / "list.csv", [Entry(video=long, speaker="ann")])
    frames = FilmFrames(listed, 16)
    clip = frames.frames(frames.people["ann"][0])
    assert FRAMES - 2 <= len(clip) <= FRAMES and clip[-1].mean() > clip[0].mean() + 40  # to the end of 24 seconds


def test_sound_alone_is_no_film(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    listed = write_manifest(tmp_path / "list.csv", [Entry(audio=tmp_path / "a.wav", speaker="ann")])
    with pytest.raises(ValueError, match="has no films"):
        FilmFrames(listed, 16)


def test_stills_without_labels_have_twins(drawn_discs):
    plain = PlainStills(drawn_discs, 32)
    samples = [plain.sample(np.random.default_rng(i), 4) for i in range(3)]
    frames, twins = stacked(samples)
    assert frames.shape == twins.shape == (3, 4, 32, 32, 3) and not np.array_equal(frames, twins)
    backdrop = np.abs(frames[..., 0, :, :].astype(int) - twins[..., 0, :, :])
    assert backdrop.max() < 3  # the same picture but for who is in it
    with pytest.raises(ValueError, match="5 frames of a drawn person"):
        plain.sample(np.random.default_rng(0), 5)


def prepared(root, name, speaker, split="train", light=0.3):
    """A clip as `prepare` leaves it."""
    folder = root / "clips" / name
    folder.mkdir(parents=True)
    film(folder / "video.mp4", light)
    (folder / "meta.json").write_text(json.dumps({"source": "x.mp4", "speaker": speaker, "split": split}), "utf8")


def test_prepared_clips_are_read_in_their_folders_and_in_tars(tmp_path):
    prepared(tmp_path / "a", "one", "set/ann", light=0.1)
    prepared(tmp_path / "a", "two", "set/bob", light=0.6)
    prepared(tmp_path / "a", "judged", "set/cy", split="test")
    (tmp_path / "b").mkdir()
    with tarfile.open(tmp_path / "b" / "clips.tar", "w") as tar:
        for file in sorted((tmp_path / "a" / "clips").glob("*/*")):
            tar.add(file, f"{file.parent.name}.{file.name}")
    in_folders, in_tar = FilmFrames(tmp_path / "a", 16), FilmFrames(tmp_path / "b", 16)
    assert sorted(in_folders.people) == sorted(in_tar.people) == ["set/ann", "set/bob"]
    for seed in range(4):
        one, other = (frames.sample(np.random.default_rng(seed), 4) for frames in (in_folders, in_tar))
        assert np.array_equal(one.frames, other.frames)
    assert list(FilmFrames(tmp_path / "b", 16, "test").people) == ["set/cy"]
    assert not isinstance(Source(str(tmp_path / "b")).frames(16), PlainStills)


def test_prepared_clips_of_who_is_held_out_are_refused(tmp_path):
    prepared(tmp_path, "grid_s33_bbac1s", "grid/s33")
    with pytest.raises(HeldOutError, match="grid/s33 is held out"):
        FilmFrames(tmp_path, 16)
