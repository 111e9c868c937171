"""Where nothing can be written is said before the work, and a disk that fills up while it lasts, in one sentence."""

import errno
import os
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mamba_portrait.cli import main
from mamba_portrait.files import CannotWrite, check_folder, check_place, whole_file, writing
from mamba_portrait.learning.training.run import save_atomically
from mamba_portrait.media.audio import write_wav
from mamba_portrait.media.photo import save_image
from mamba_portrait.media.video import VideoWriter

UNWRITABLE = Path("/proc")  # for everybody, root too
LIMIT = 1 << 17  # bytes of a file, in place of a full disk


@pytest.fixture
def full():
    """No file becomes larger than LIMIT; NumPy, PyTorch, safetensors and FFmpeg meet it as they meet a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def film(path: Path) -> None:
    noise = np.random.default_rng(0)
    with VideoWriter(path, fps=25, audio=(noise.normal(0, 0.1, 32000).astype(np.float32), 16000)) as writer:
        for _ in range(50):
            writer.write(noise.integers(0, 256, (1, 128, 128, 3), dtype=np.uint8))


def array(path: Path) -> None:
    with whole_file(path) as partial, open(partial, "wb") as file:
        np.save(file, np.zeros(1 << 18))


def tensors(path: Path) -> None:
    with whole_file(path) as partial:
        save_file({"x": torch.zeros(1 << 18)}, partial)


WRITERS = {
    "film.mp4": film,
    "film.mkv": film,
    "array.npy": array,
    "weights.safetensors": tensors,
    "stage1.pt": lambda path: save_atomically(path, {"x": torch.zeros(1 << 18)}),
    "sound.wav": lambda path: write_wav(path, torch.zeros(1 << 18), 16000),
    "picture.png": lambda path: save_image(path, torch.rand(400, 400, 3)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_fills_up_is_one_sentence_and_leaves_the_old_file(tmp_path, full, name):
    path = tmp_path / name
    path.write_bytes(b"older")
    with pytest.raises(CannotWrite, match=rf"^{name} cannot be written in {tmp_path}: [^.]+\.$"):
        WRITERS[name](path)
    assert os.listdir(tmp_path) == [name] and path.read_bytes() == b"older"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "x"), "the disk is full"),
        (OSError(errno.EROFS, "x"), "it can only be read"),
        (OSError("1572864 requested and 1048512 written"), "the disk is full"),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0"), "the disk is full"),
        (PermissionError(errno.EACCES, "x", "/a/b/c"), "you may not write there"),
    ],
)
def test_what_libraries_say_of_a_full_disk_becomes_the_asked_name(error, sentence):
    with pytest.raises(CannotWrite, match=f"^c.pt cannot be written in /a/b: {sentence}"), writing("/a/b/c.pt"):
        raise error


@pytest.mark.parametrize("error", [ValueError("x"), PermissionError(errno.EACCES, "x", "/etc/y"), RuntimeError("x")])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as raised, writing("/a/b/c.pt"):
        raise error
    assert raised.value is error


def test_places_are_checked_and_left_as_they_were(tmp_path):
    assert (
        check_place(tmp_path / "new" / "deep" / "a.mp4") and check_folder(tmp_path / "new") and check_folder(tmp_path)
    )
    (tmp_path / "file").write_bytes(b"x")
    assert check_place(tmp_path / "file").read_bytes() == b"x" and os.listdir(tmp_path) == ["file"]
    with pytest.raises(ValueError, match="is a folder; give the name of a file, such as"):
        check_place(tmp_path)
    with pytest.raises(ValueError, match="is a file; name a folder"):
        check_folder(tmp_path / "file")
    with pytest.raises(CannotWrite, match=f"^Nothing can be written in {tmp_path}/file/run: it lies in a file"):
        check_folder(tmp_path / "file" / "run")
    with pytest.raises(CannotWrite, match=f"a.mp4 cannot be written in {tmp_path}/file: it lies in a file"):
        check_place(tmp_path / "file" / "a.mp4")
    with pytest.raises(CannotWrite, match="the name is too long"):
        check_place(tmp_path / ("a" * 300))
    with pytest.raises(ValueError, match="is not a name that a file can have"):
        check_place("a\0b")
    with pytest.raises(CannotWrite, match="a.mp4 cannot be written in /proc: you may not write there"):
        check_place(UNWRITABLE / "a.mp4")


def test_a_full_disk_is_seen_before_the_work(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(CannotWrite, match="a.mp4 cannot be written in"):
            check_place(tmp_path / "a.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("animate none.jpg none.wav -o OUT/a.mp4", "a.mp4"),
        ("animate none.jpg none.wav -o a.mp4 --save-motion OUT/m.safetensors", "m.safetensors"),
        ("reenact none.jpg none.mp4 -o OUT/a.mp4", "a.mp4"),
        ("export none.pt -o OUT/w.safetensors", "w.safetensors"),
        ("corpus --out OUT --clips 1", ""),
        ("corpus --out . --sheet OUT/sheet.png", "sheet.png"),
        ("train stage1 --data . --out OUT", ""),
        ("train stage2 --data . --out OUT", ""),
        ("train all --data . --out OUT", ""),
        ("train actalker --data . --out OUT", ""),
        ("convert-actalker . -o OUT/x.safetensors", "x.safetensors"),
    ],
)
def test_commands_say_it_before_they_read_anything(tmp_path, monkeypatch, capsys, command, name):
    monkeypatch.chdir(tmp_path)
    Path("taken").write_bytes(b"x")
    for folder, reason in (("/proc/none", "you may not write there"), ("taken", "taken")):
        assert main(command.replace("OUT", folder).split()) == 2
        told = capsys.readouterr().err.strip().splitlines()[-1]
        assert (
            told.startswith("error: ") and reason in told and (name in told or "taken" in told) and "Errno" not in told
        )
    assert os.listdir(tmp_path) == ["taken"]


@pytest.mark.parametrize("command", ["animate none.jpg none.wav -o a.mp4", "reenact none.jpg none.mp4 -o a.mp4"])
def test_a_folder_in_the_place_of_the_film_is_told(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    Path("a.mp4").mkdir()
    assert main(command.split()) == 2
    assert "a.mp4 is a folder; give the name of a file" in capsys.readouterr().err
