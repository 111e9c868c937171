"""Whatever a library raises ends a command with one sentence; with --debug it shows where."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from mamba_portrait import cli
from mamba_portrait.cli.faults import sentence
from mamba_portrait.host.headless.workflow import NodeError
from mamba_portrait.pipelines import rendering


def raised_by_a_library(kind: str) -> None:
    """What libraries raise for bad input."""
    if kind == "type":
        torch.zeros(2) + object()
    elif kind == "opencv":
        cv2.cvtColor(np.zeros((0, 0), np.uint8), cv2.COLOR_BGR2GRAY)
    elif kind == "shape":
        torch.zeros(2, 3) @ torch.zeros(2, 3)
    elif kind == "memory":
        np.empty(1 << 60, np.uint8)
    elif kind == "torch memory":
        torch.empty(1 << 55)
    elif kind == "key":
        {}["a"]
    elif kind == "overflow":
        int(float("inf"))


KINDS = ("type", "opencv", "shape", "memory", "torch memory", "key", "overflow")


@pytest.fixture
def failing(monkeypatch):
    """A function that makes `export` do something else; gives its options."""

    def fail(run) -> SimpleNamespace:
        options = SimpleNamespace(run=lambda options: run(), debug=False, command="export")
        monkeypatch.setattr(cli, "parser", lambda names: SimpleNamespace(parse_args=lambda arguments: options))
        return options

    return fail


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_a_library_is_one_sentence_and_a_status(kind, failing, capsys):
    options = failing(lambda: raised_by_a_library(kind))
    assert cli.main(["export"]) == cli.BAD_INPUT
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1 and told.endswith(".\n") and "Traceback" not in told
    assert "export" in told and (("not enough memory" in told) == ("memory" in kind))
    options.debug = True
    with pytest.raises(Exception) as shown:  # noqa: PT011 - any
        cli.main(["export"])
    assert shown.traceback[-1].name == "raised_by_a_library" or kind in ("opencv",)


def test_errors_of_ours_are_told_as_they_are():
    assert sentence(ValueError("a.wav is empty."), "animate") == "a.wav is empty."
    assert sentence(FileNotFoundError("no\n file."), "animate") == "no file."
    assert sentence(RuntimeError("no finder."), "animate") == "no finder."
    node = NodeError("node 3 (x): unsupported operand")
    node.__cause__ = TypeError("unsupported operand")
    assert sentence(node, "run").startswith("run ended with TypeError (unsupported operand): ")
    node.__cause__ = ValueError("x is 3.")
    assert sentence(node, "run") == "node 3 (x): unsupported operand"


def test_errors_of_the_system_name_the_file(tmp_path):
    for path, reason in ((tmp_path / ("x" * 300), "file name too long"), (tmp_path, "is a directory")):
        with pytest.raises(OSError) as raised:
            path.read_bytes()
        told = sentence(raised.value, "animate")
        assert reason in told and "Errno" not in told and len(told) < 200 and told.startswith("'/")


def test_nothing_half_written_is_left(tmp_path, monkeypatch, capsys, shipped_tiny, samples):
    (tmp_path / "photo.png").write_bytes(samples.picture(".png"))
    (tmp_path / "voice.wav").write_bytes(samples.wav(1, samples=16000))
    monkeypatch.setattr(rendering, "render", lambda *_, **__: raised_by_a_library("type"))
    arguments = [str(tmp_path / "photo.png"), str(tmp_path / "voice.wav"), "-o", str(tmp_path / "out.mp4")]
    assert cli.main(["animate", *arguments, "--finder", "whole"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: animate ended with ")
    assert {path.name for path in tmp_path.iterdir()} == {"photo.png", "voice.wav"}


@pytest.mark.parametrize("text", ["[]", "3", '{"1": 5}', '{"1": {"class_type": [], "inputs": {}}}', "[" * 9999,
                                  '{"1": {"class_type": "LoadImage", "inputs": 5}}', '{"1": 1' + "1" * 5000 + "}",
                                  '{"nodes": 1, "links": 2}', "\ud800".encode("utf-8", "surrogatepass")])  # fmt: skip
def test_what_is_no_workflow_is_told(text, tmp_path, capsys):
    path = tmp_path / "graph.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert cli.main(["run", str(path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1 and "ended with" not in told, told
