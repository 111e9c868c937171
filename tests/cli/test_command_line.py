"""The commands are there, explain themselves with examples, and stay light until they work."""

import subprocess
import sys
from pathlib import Path

import pytest

from mamba_portrait.cli import COMMANDS, main, parser


@pytest.mark.parametrize(
    "command", [[name] for name in COMMANDS] + [["train", "stage1"], ["train", "stage2"], ["train", "all"]]
)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([*command, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert len(command) > 1 or f"mamba_portrait {command[0]} " in shown and "examples:" in shown


def test_help_imports_no_torch():
    code = "import sys; from mamba_portrait.cli import parser; parser(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_module_runs_as_a_program():
    shown = subprocess.run([sys.executable, "-m", "mamba_portrait", "--version"], capture_output=True, text=True)
    assert shown.returncode == 0 and shown.stdout.startswith("mamba-portrait ")


def test_a_workflow_runs_with_changed_inputs(tmp_path, capsys):
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
