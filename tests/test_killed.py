"""kill -9 at any time: no half file under the asked name, and what is left is gone after the next run; the work of
others who still live, here or on another machine, stays."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mamba_portrait import files
from mamba_portrait.files import LEFT_ALONE, MACHINE, PARTIAL, remove_leftovers, whole_file

WRITER = """
import sys, time
from pathlib import Path
import numpy as np, torch
from safetensors.torch import save_file
from mamba_portrait.files import whole_file, whole_folder
from mamba_portrait.learning.training.run import save_atomically
from mamba_portrait.media.video import VideoWriter

folder, count = Path(sys.argv[1]), int(sys.argv[2])
frame = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
sound = np.zeros(16000, np.float32)
print("begun", flush=True)
for turn in range(count):
    with VideoWriter(folder / "film.mp4", fps=25, audio=(sound, 16000)) as film:
        for _ in range(25):
            film.write(frame)
    tensors = {"x": torch.full((1 << 18,), float(turn))}
    with whole_file(folder / "weights.safetensors") as part:
        save_file(tensors, part)
    save_atomically(folder / "stage.pt", tensors)
    with whole_file(folder / "array.npy") as part, open(part, "wb") as file:
        np.save(file, tensors["x"].numpy())
    with whole_folder(folder / "clip") as part:
        (part / "audio.wav").write_bytes(bytes(1 << 20))
        (part / "meta.json").write_text("{}")
"""
OTHER = "00000000"  # another machine
NAMES = {"film.mp4", "weights.safetensors", "stage.pt", "array.npy", "clip"}


def start(folder: Path, count: int) -> subprocess.Popen:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(count)], stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"begun\n"
    return writer


def check_whole(folder: Path) -> None:
    """Every file under an asked name can be read."""
    import av
    import numpy as np
    import torch
    from safetensors.torch import load_file

    readers = {
        "film.mp4": lambda path: sum(1 for _ in av.open(str(path)).decode(video=0)) == 25,
        "weights.safetensors": lambda path: len(load_file(path)["x"]) == 1 << 18,
        "stage.pt": lambda path: len(torch.load(path)["x"]) == 1 << 18,
        "array.npy": lambda path: len(np.load(path)) == 1 << 18,
        "clip": lambda path: (path / "meta.json").is_file() and (path / "audio.wav").stat().st_size == 1 << 20,
    }
    for path in folder.iterdir():
        if path.name in NAMES:
            assert readers[path.name](path), path.name
        else:
            assert PARTIAL.fullmatch(path.name), path.name
    assert {path.name for path in folder.rglob("*.mp4")} <= {"film.mp4"}


def killed(folder: Path, times: int) -> int:
    """How often something was left."""
    left = 0
    for _ in range(times):
        writer = start(folder, 10**6)
        time.sleep(random.uniform(0.0, 0.6))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        check_whole(folder)
        there = {path.name for path in folder.iterdir()} - NAMES
        assert len(there) <= 1
        left += len(there)
    done = start(folder, 1)
    assert done.wait(60) == 0
    check_whole(folder)
    assert {path.name for path in folder.iterdir()} == NAMES
    return left


@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_killed_at_any_time_leaves_whole_files_and_the_next_run_removes_the_rest(tmp_path):
    killed(tmp_path, 3)


@pytest.mark.long
@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_killed_forty_times(tmp_path):
    assert killed(tmp_path, 40) > 20


def leftover(folder: Path, machine: str, age: float = 0.0, lock: bool = True) -> Path:
    """What a killed process leaves."""
    path = folder / f".film.mp4.{machine}{random.getrandbits(24):06x}.part"
    path.mkdir(parents=True)
    (path / "content").write_bytes(b"half")
    if lock:
        (path / "lock").touch()
    for file in (*path.iterdir(), path):
        os.utime(file, (time.time() - age,) * 2)
    return path


@pytest.mark.parametrize("lock", [True, False])  # killed before the lock was made
@pytest.mark.parametrize(
    ("machine", "age", "stays"),
    [(MACHINE, 0, False), (OTHER, 0, True), (OTHER, LEFT_ALONE - 60, True), (OTHER, LEFT_ALONE + 60, False)],
)
def test_leftovers_of_the_dead_are_removed(tmp_path, machine, age, stays, lock):
    path = leftover(tmp_path, machine, age, lock)
    with whole_file(tmp_path / "other.txt") as part:
        part.write_text("x")
    assert path.exists() == stays


def test_what_is_not_ours_stays(tmp_path):
    mark = MACHINE + "0a1b2c"
    kept = [tmp_path / name for name in (".film.mp4.part", f"film.mp4.{mark}.part", f".a.{mark}.part", f".b.{mark}")]
    elsewhere = leftover(tmp_path / "elsewhere", MACHINE)
    for path in kept:
        path.write_text("x")  # files, not folders
    (tmp_path / f".link.{mark}.part").symlink_to(elsewhere)
    remove_leftovers(tmp_path)
    assert all(path.exists() for path in kept) and elsewhere.exists()


def test_work_of_a_run_that_lives_stays(tmp_path):
    code = "import sys\nfrom mamba_portrait.files import whole_file\n"
    code += "with whole_file(sys.argv[1]) as part:\n part.write_text('x')\n print('begun', flush=True)\n input()\n"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a.txt")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    other.stdout.readline()
    with whole_file(tmp_path / "b.txt") as part:  # in this process too, on the same name too
        part.write_text("y")
        files._searched.clear()
        with whole_file(tmp_path / "b.txt") as again:
            again.write_text("z")
    assert sum(bool(PARTIAL.fullmatch(path.name)) for path in tmp_path.iterdir()) == 1
    other.communicate(b"\n", timeout=60)
    assert (tmp_path / "a.txt").read_text() == "x" and (tmp_path / "b.txt").read_text() == "y"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "b.txt"]


def test_many_writers_and_searches_at_once_lose_nothing(tmp_path):
    failed = []

    def write(number: int) -> None:
        try:
            for turn in range(40):
                files._searched.clear()
                with whole_file(tmp_path / f"{number}.txt") as part:
                    part.write_text(str(turn))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and sorted(path.name for path in tmp_path.iterdir()) == [f"{i}.txt" for i in range(6)]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"39"}
