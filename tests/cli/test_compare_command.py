"""`evaluate --protocol` and `compare` from end to end, with tiny networks and without MediaPipe."""

import json
import shutil

import pytest

from mamba_portrait.cli import judging, main
from mamba_portrait.learning.evaluation.judge import mesh, seconds, weights
from mamba_portrait.learning.evaluation.judge.protocols import PROTOCOLS

from ..learning.evaluation.judge.conftest import moving_film, write_film


@pytest.fixture
def listed(tmp_path, shipped_tiny, monkeypatch):
    """A manifest of two films of two people, without MediaPipe and EfficientNet, and with one run of the clock."""
    monkeypatch.setattr(mesh, "judge_python", lambda: None)
    monkeypatch.setattr(weights, "_packaged", dict)
    monkeypatch.setattr(seconds, "TIMES", 1)
    for seed, name in enumerate(("a", "b")):
        write_film(tmp_path / "truth" / f"{name}.mkv", moving_film(seed, 20))
    listed = tmp_path / "list.csv"
    listed.write_text("video,speaker,split\ntruth/a.mkv,set/a,test\ntruth/b.mkv,set/b,test\n", "utf8")
    return listed


def figures_in(folder):
    return json.loads((folder / "table.json").read_text("utf8"))


def test_the_protocols_of_the_command_line_are_those_there_are():
    assert judging.PROTOCOLS == tuple(PROTOCOLS)


def test_evaluate_makes_films_and_judges_them(listed, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["evaluate", "--out", str(out), "--manifest", str(listed), "--size", "64"]
    command += ["--protocol", "implicit-motion-gesture", "--films-shown", "1"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1] == str(out / "table.md")
    assert "S2G-MDDiffusion" in shown and "ours, voice" in shown and "img2img (s)" in shown
    assert sorted(path.name for path in (out / "films" / "voice").glob("*.mp4")) == ["a.mp4", "b.mp4"]
    assert [path.name for path in (out / "side_by_side").iterdir()] == ["a.mp4"]
    found = figures_in(out)
    assert found["figures"]["ours, video"]["psnr"]["count"] == 2
    assert found["figures"]["ours, voice"]["lse_d"] is None and found["missing"]["lmd"].startswith("MediaPipe")
    assert all(value > 0 for times in found["seconds"].values() for value in times.values())
    kept = out / "films" / "video" / "a.mp4"
    before = kept.stat().st_mtime_ns
    assert main([*command, "--no-seconds"]) == 0  # films are kept
    assert kept.stat().st_mtime_ns == before
    assert main([*command, "--seed", "3"]) == 2
    assert "films of other weights or settings" in capsys.readouterr().err


def test_compare_says_what_is_better(listed, tmp_path, capsys):
    shutil.copytree(tmp_path / "truth", tmp_path / "best")
    out = tmp_path / "out"
    for name, seed in (("a", 0), ("b", 1)):
        write_film(tmp_path / "still" / f"{name}.mp4", moving_film(seed, 20)[[0] * 20])
    methods = ["--method", f"still={tmp_path / 'still'}", "--method", f"best={tmp_path / 'best'}"]
    command = ["compare", "--out", str(out), "--manifest", str(listed), "--size", "64", *methods]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "best less still" in shown and "better" in shown
    found = figures_in(out)
    difference = found["differences"]["best less still"]["psnr"]
    assert difference["low"] > 10 and difference["noise"] is False
    assert main([*command, "--against", "best", "--by-speaker"]) == 0
    assert "still less best" in capsys.readouterr().out
    assert (out / "plots.png").exists() and (out / "samples.json").exists() and (out / "table.csv").exists()


def test_a_folder_of_weights_is_a_method(listed, tmp_path, tiny_weights):
    run = tmp_path / "run" / "weights"
    run.mkdir(parents=True)
    for path in tiny_weights.glob("renderer_*.safetensors"):
        shutil.copy(path, run)
    command = ["compare", "--out", str(tmp_path / "out"), "--manifest", str(listed), "--size", "64"]
    command += ["--method", f"run:1={run.parent}", "--method", f"run:2={run}", "--method", f"old={tmp_path / 'truth'}"]
    assert main([*command, "--drive", "voice"]) == 0
    found = figures_in(tmp_path / "out")
    assert set(found["figures"]["run"]["psnr"]["seeds"]) == {"1", "2"}
    assert (tmp_path / "out" / "films" / "run_1" / "voice" / "b.mp4").exists()


def test_what_is_wrong_is_told_before_the_work(listed, tmp_path, capsys):
    out = ["--out", str(tmp_path / "out"), "--size", "64"]
    assert main(["evaluate", *out, "--protocol", "actalker"]) == 2
    assert "--manifest FILE" in capsys.readouterr().err
    truth = f"{tmp_path / 'truth'}"
    for methods, words in (
        (["a=" + str(tmp_path / "none")], "no such folder of films"),
        ([truth], "NAME=FOLDER"),
        (["a=" + truth, "a=" + truth], "two methods have one name"),
        (["a=" + truth, "--against", "b"], "--against b is none of the methods"),
        (["a=" + truth, "--network", "vgg=x"], "no measure needs a network"),
        (["a=" + truth, "--split", "val"], "lists no clip of the split"),
    ):
        given = [part for method in methods[:1] for part in ("--method", method)] + methods[1:]
        given = ["--method", methods[0], "--method", methods[1]] if words.startswith("two") else given
        assert main(["compare", *out, "--manifest", str(listed), *given]) == 2
        assert words in capsys.readouterr().err
