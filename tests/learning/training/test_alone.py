"""Two trainings in one folder: the second is refused in a sentence, at once; after kill -9 the next one begins."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from mamba_portrait import locks
from mamba_portrait.cli import main
from mamba_portrait.learning.training.alone import LOCK, only_training_in
from mamba_portrait.learning.training.loop import Every, Plan
from mamba_portrait.learning.training.motion_model.train import train_stage2
from mamba_portrait.learning.training.recipe import Recipe
from mamba_portrait.learning.training.renderer.train import train_stage1

# A training with a worker process of its own, as data loaders have, which outlives it for a while.
TRAINING = """
import os, sys, time
from mamba_portrait.learning.training.alone import only_training_in
with only_training_in(sys.argv[1]):
    if os.fork() == 0:
        time.sleep(300)
        os._exit(0)
    print("begun", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def training(tmp_path):
    """Another process that trains in tmp_path / run."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING, str(tmp_path / "run")], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout.readline() == b"begun\n"
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="forks and kills as POSIX does")
def test_a_second_training_is_refused_and_after_a_kill_begins_at_once(tmp_path, training, capsys):
    folder = tmp_path / "run"
    refused = rf"Another training \(process {training.pid} on .+\) is at work in {folder}: wait"
    with pytest.raises(ValueError, match=refused), only_training_in(folder):
        raise AssertionError
    for stage in ("stage1", "stage2", "all"):
        assert main(["train", stage, "--data", str(tmp_path), "--out", str(folder), "--device", "cpu"]) == 2
        told = capsys.readouterr().err.strip().splitlines()[-1]
        assert told.startswith("error: ") and str(folder) in told and "at work in" in told
    training.kill()
    training.wait()
    with only_training_in(folder):
        assert (folder / LOCK).exists()
    assert not list(folder.iterdir())


@pytest.mark.parametrize("train", [train_stage1, train_stage2])
def test_within_one_process_too(tmp_path, train):
    with only_training_in(tmp_path), pytest.raises(ValueError, match=r"Another training \(process \d+ on .+\)"):
        train(tmp_path, tmp_path, Plan(steps=1))


def test_a_folder_made_for_nothing_is_removed(tmp_path):
    with pytest.raises(FileNotFoundError):
        train_stage1(tmp_path / "none", tmp_path / "run", Plan(steps=1))
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    with only_training_in(tmp_path / "run"):
        pass
    assert (tmp_path / "run").exists()


def test_a_disk_without_locks_is_told_and_used(tmp_path, monkeypatch, caplog):
    def none(number):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(locks, "_lock", none)
    with only_training_in(tmp_path / "run"):
        assert "cannot be locked" in caplog.text


@pytest.mark.parametrize("given", ["0", "-3", "nan", "inf", "soon"])
def test_the_time_between_checkpoints_is_a_positive_number(capsys, given):
    with pytest.raises(SystemExit):
        main(["train", "stage1", "--data", ".", "--out", "x", "--checkpoint-every", given])
    assert "--checkpoint-every" in capsys.readouterr().err


@pytest.mark.parametrize("stage", ["stage1", "stage2", "actalker", "all"])
def test_the_time_between_checkpoints_reaches_the_run(tmp_path, monkeypatch, stage):
    if stage == "actalker":
        pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
    found = []
    monkeypatch.setattr(Plan, "__post_init__", lambda plan: found.append(plan.saves.seconds))
    order = ["train", stage, "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--checkpoint-every", "7.5"]
    if stage == "all":
        recipe = Recipe(tmp_path, tmp_path, checkpoint_every=7.5)
        assert recipe.run(1.0).saves == Every(seconds=7.5)
        monkeypatch.setattr(
            "mamba_portrait.learning.training.recipe.train_all", lambda *a, **k: found.append(k["checkpoint_every"])
        )
    main([*order, "--device", "cpu"])
    assert 7.5 in found
