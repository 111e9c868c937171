"""Clips in tar files are read as those in folders are, by the trainers and by the library webdataset."""

import json
import tarfile

import numpy as np
import pytest

from mamba_portrait.learning.corpus.tracks import write_wave
from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.datasets.clip_files import INDEX, TarClip, beside, clips_of, index_of, local_file
from mamba_portrait.learning.datasets.shards import pack
from mamba_portrait.learning.datasets.tracks import TrackBatches, load_tracks


def write_clip(folder, seed: int, frames: int = 90) -> None:
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    write_wave(folder / "audio.wav", rng.uniform(-0.5, 0.5, frames * 640).astype(np.float32))
    np.savez(folder / "labels.npz", parameters=rng.standard_normal((frames, 24)).astype(np.float32))
    (folder / "meta.json").write_text(json.dumps({"speaker": f"set/p{seed}", "split": "train"}), "utf8")


@pytest.fixture
def folder(tmp_path):
    for seed in range(5):
        write_clip(tmp_path / "a" / "clips" / f"clip_{seed}", seed)
    return tmp_path / "a"


def by_hand(folder, tar_file) -> None:
    """The clips of a folder in a tar, as any tar program writes them."""
    with tarfile.open(tar_file, "w") as tar:
        for clip in sorted((folder / "clips").iterdir()):
            for file in sorted(clip.iterdir()):
                tar.add(file, f"./{clip.name}.{file.name}")


def same_batches(one, other) -> None:
    for step in range(3):
        batches = [TrackBatches(load_tracks(root))[BatchSlice(7, step, range(4), 4)] for root in (one, other)]
        assert all(np.array_equal(a, b) for a, b in zip(*(batch[:2] for batch in batches), strict=True))


def test_a_training_sees_the_same_windows_in_a_tar(folder, tmp_path):
    (tmp_path / "b").mkdir()
    by_hand(folder, tmp_path / "b" / "clips.tar")
    assert [clip.name for clip in clips_of(tmp_path / "b")] == [f"clip_{seed}" for seed in range(5)]
    same_batches(folder, tmp_path / "b")


def test_files_of_a_tar(folder, tmp_path):
    by_hand(folder, tmp_path / "all.tar")
    clip = clips_of(tmp_path)[1]
    assert isinstance(clip, TarClip) and len({clip, clips_of(tmp_path)[1]}) == 1
    given = (folder / "clips/clip_1/audio.wav").read_bytes()
    with (clip / "audio.wav").open("rb") as file:
        assert file.read(10) == given[:10] and file.seek(-5, 2) == len(given) - 5 and file.read() == given[-5:]
        assert file.seek(len(given) + 9) and file.read() == b""
    with local_file(clip / "audio.wav") as path:
        assert path.read_bytes() == given
    assert not path.exists()
    assert not (clip / "video.mp4").exists()
    with pytest.raises(FileNotFoundError, match="holds no video.mp4"):
        (clip / "video.mp4").open()
    assert beside(clip, "motion.npy") == tmp_path / "made" / "clip_1" / "motion.npy"


def test_what_was_made_of_a_clip_lies_beside_its_tar(folder, tmp_path):
    for clip in (folder / "clips").iterdir():
        (clip / "labels.npz").unlink()
    by_hand(folder, tmp_path / "all.tar")
    with pytest.raises(FileNotFoundError):
        load_tracks(tmp_path)
    path = beside(clips_of(tmp_path)[2], "motion.npy")
    path.parent.mkdir(parents=True)
    np.save(path, np.ones((90, 768), np.float16))
    (track,) = load_tracks(tmp_path)
    assert track.folder.name == "clip_2" and track.values.shape == (90, 768) and not track.drawn


def test_a_folder_goes_before_a_tar(folder, tmp_path):
    by_hand(folder, folder / "all.tar")
    assert all(not isinstance(clip, TarClip) for clip in clips_of(folder))
    (folder / "clips/clip_3/meta.json").unlink()
    assert [isinstance(clip, TarClip) for clip in clips_of(folder)] == [False, False, False, True, False]


def test_a_file_that_is_no_tar_is_told(tmp_path):
    (tmp_path / "bad.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(ValueError, match="bad.tar cannot be read as a tar"):
        clips_of(tmp_path)


def test_packing_goes_on_and_webdataset_reads_it(folder):
    webdataset = pytest.importorskip("webdataset")
    names = [f"clip_{seed}" for seed in range(5)]
    first = pack(folder, names[:3], 250_000, "001-of-001")
    assert len(first) == 2  # two clips of 124 kB each in the first
    assert pack(folder, names[:3], 250_000, "001-of-001") == []
    second = pack(folder, names, 250_000, "001-of-001")
    assert [path.name for path in first + second] == [f"001-of-001-{i:06d}.tar" for i in range(3)]
    for path in first + second:
        kept = index_of(path)
        path.with_name(path.name + INDEX).unlink()
        assert index_of(path) == kept
    shards = [str(path) for path in first + second]
    read = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert [sample["__key__"] for sample in read] == names
    assert read[1]["audio.wav"] == (folder / "clips/clip_1/audio.wav").read_bytes()
    assert json.loads(read[4]["meta.json"])["speaker"] == "set/p4"
    (folder / "shards").rename(folder.parent / "packed")
    same_batches(folder, folder.parent / "packed")


def test_without_the_library_packing_is_refused(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "webdataset", None)
    with pytest.raises(ImportError, match="pip install webdataset"):
        pack(folder, ["clip_0"], 1_000_000, "001-of-001")
