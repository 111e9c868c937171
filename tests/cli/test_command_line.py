"""The commands are there, explain themselves with examples, and stay light until they work."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mamba_portrait.cli import COMMANDS, main, parser
from mamba_portrait.media.photo import load_photo, save_image


def shown_help(capsys, *command):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([*command, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_examples_that_it_takes(name, capsys):
    shown = shown_help(capsys, name)
    assert shown.startswith(f"usage: python -m mamba_portrait {name} ")
    examples = [shlex.split(line)[3:] for line in shown.split("examples:")[1].strip().splitlines()]
    assert examples and examples[0][0] == name
    for example in examples:
        assert callable(parser().parse_args(example).run)


@pytest.mark.parametrize("stage", ["stage1", "stage2", "all", "actalker"])
def test_every_training_has_help(stage, capsys):
    shown = shown_help(capsys, "train", stage)
    assert shown.startswith(f"usage: python -m mamba_portrait train {stage} ")
    assert "--data DIR" in shown and "--out DIR" in shown


def test_help_imports_no_torch():
    code = "import sys; from mamba_portrait.cli import parser; parser(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_module_runs_as_a_program():
    shown = subprocess.run([sys.executable, "-m", "mamba_portrait", "--version"], capture_output=True, text=True)
    assert shown.returncode == 0 and shown.stdout.startswith("mamba-portrait ")


def test_a_workflow_runs_with_changed_inputs(tmp_path, capsys):
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "none.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "copy"}},
    }
    (tmp_path / "graph.json").write_text(json.dumps(graph))
    picture = save_image(tmp_path / "given.png", torch.rand(6, 9, 3))
    folders = ["--input-dir", str(tmp_path), "--output-dir", str(tmp_path / "out")]
    changes = ["--set", "LoadImage.image=given.png", "--set", "2.filename_prefix=deep/other"]
    assert main(["run", str(tmp_path / "graph.json"), *folders, *changes]) == 0
    [saved] = (tmp_path / "out").rglob("*.png")
    assert saved.parent.name == "deep" and saved.name.startswith("other")
    assert torch.equal(load_photo(saved), load_photo(picture))
    assert capsys.readouterr().out.splitlines()[-1] == str(saved)
    assert main(["run", str(tmp_path / "graph.json"), *folders]) == 2
    assert "none.png" in capsys.readouterr().err


def test_run_names_a_workflow_that_is_not_there_and_a_change_that_is_none(tmp_path, capsys):
    assert main(["run", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["run", "x.json", "--set", "seed"])
    assert "NODE.INPUT=VALUE" in capsys.readouterr().err


def test_corpus_says_what_is_missing(tmp_path, capsys):
    assert main(["corpus", "--out", str(tmp_path)]) == 2
    assert "--stills, --clips or --sheet" in capsys.readouterr().err


def test_export_refuses_what_is_no_run(tmp_path: Path, capsys):
    (tmp_path / "run.pt").write_bytes(b"nothing")
    assert main(["export", str(tmp_path / "run.pt"), "-o", str(tmp_path / "out.safetensors")]) == 2
    assert "run.pt" in capsys.readouterr().err
    assert not (tmp_path / "out.safetensors").exists()
