"""Every option of every command that is a number refuses, in one sentence, what is none or out of its range."""

import argparse
import math
import re
from pathlib import Path

import pytest

import mamba_portrait
from mamba_portrait.cli import main, parser
from mamba_portrait.cli.film import SCALE, SHIFT
from mamba_portrait.cli.options import box
from mamba_portrait.learning.training import film_recipe
from mamba_portrait.nodes.crop import PortraitCrop

TEXTS = ("nan", "NaN", "-nan", "inf", "-inf", "Infinity", "1e400", "-1e400", "", " ", "x", "0x10", "1,5", "9" * 5000)


def leaves(node: argparse.ArgumentParser, name: str = ""):
    """(command, its options) of all commands."""
    inner = [action for action in node._actions if isinstance(action, argparse._SubParsersAction)]
    for action in inner:
        for word, child in action.choices.items():
            yield from leaves(child, f"{name} {word}".strip())
    if not inner:
        yield name, [action for action in node._actions if action.nargs != 0]


OPTIONS = [(command, action) for command, actions in leaves(parser()) for action in actions]
NUMBERS = [(command, action) for command, action in OPTIONS if hasattr(action.type, "allowed")]


def refused(capsys, command: str, action, text: str) -> str:
    """The line with which a command refuses an option."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([*command.split(), f"{action.option_strings[0]}={text}"])
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_every_number_has_a_range():
    assert len(NUMBERS) > 50
    for command, action in OPTIONS:
        assert action.type not in (int, float, complex), f"{command} {action.dest}: use options.number"
        if action.type is None:
            assert not isinstance(action.default, (int, float)) or isinstance(action.default, bool), action.dest


@pytest.mark.parametrize(("command", "action"), NUMBERS, ids=lambda x: getattr(x, "dest", x))
def test_what_is_no_number_in_the_range_is_refused_and_the_limits_are_not(command, action, capsys):
    allowed = action.type.allowed
    assert math.isfinite(allowed.low) and math.isfinite(allowed.high)
    outside = [allowed.low - 1, allowed.high * 2 + 1, 10**30, -(10**30)]
    for text in (*TEXTS, *map(str, outside)):
        told = refused(capsys, command, action, text)
        assert f"argument {'/'.join(action.option_strings)}: must be a " in told and len(told) < 300, told
    for value in (allowed.low, allowed.high):
        assert action.type(str(value)) == value
    if action.default is not None:
        assert action.type(str(action.default)) == action.default


@pytest.mark.parametrize("text", ["nan,0,1,1", "0,0,inf,1", "0,0,1e9,1", "1,2,3", "a,b,c,d", "", "1,2,3,4,5"])
def test_a_box_of_no_numbers_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        box(text)
    assert box("1,2.5,3,-4") == (1, 2.5, 3, -4)


def test_the_crop_has_one_range_in_commands_and_nodes():
    inputs = {socket.id: socket for socket in PortraitCrop.define_schema().inputs}
    assert (inputs["scale"].min, inputs["scale"].max) == (SCALE.low, SCALE.high)
    assert (inputs["shift"].min, inputs["shift"].max) == (SHIFT.low, SHIFT.high)


@pytest.mark.parametrize("value", ["NaN", "1e999", "[" * 5000, "9" * 5000, "\\ud800", "null"])
def test_a_value_set_in_a_workflow_is_refused_in_one_sentence(value, capsys):
    arguments = ["run", "workflows/api/talking_portrait.json", "--set", f"MambaPortraitAssembleVideo.gain={value}"]
    assert main(arguments) == 2
    told = capsys.readouterr().err.strip()
    assert told.startswith("error: node ") and "gain" in told and "\n" not in told and len(told) < 300


def test_scripts_of_developers_have_ranges_too():
    """No `python -m mamba_portrait....` takes a number as it comes."""
    package = Path(mamba_portrait.__file__).parent
    for folder in ("learning", "locales", "workflows"):
        for path in (package / folder).rglob("*.py"):
            assert not re.search(r"add_argument\([^)]*type=(int|float)\b", path.read_text(encoding="utf-8")), path


def test_a_script_refuses_a_wrong_number_in_a_sentence(capsys):
    for text in ("nan", "x", "5000", "9" * 5000):
        with pytest.raises(SystemExit):
            film_recipe.main(["--out", "nowhere", "--size", text, "list.json"])
        assert "argument --size: must be a whole number from 16 to 4096, not" in capsys.readouterr().err
