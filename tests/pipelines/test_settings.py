"""Settings stand in one place: library, commands and nodes have the same defaults, ranges, choices and sentences."""

import math
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields

import pytest

from mamba_portrait.cli import main, parser
from mamba_portrait.cli.settings import chosen
from mamba_portrait.locales.build import own_schemas
from mamba_portrait.nodes.sample import SampleMotion
from mamba_portrait.pipelines.settings import Choice, RenderingSettings, SamplingSettings
from mamba_portrait.pipelines.writing import assemble

NAMES = [(kind, field.name) for kind in (SamplingSettings, RenderingSettings) for field in fields(kind)]
FLAGS = {
    "--seed": (SamplingSettings, "seed"),
    "--steps": (SamplingSettings, "steps"),
    "--solver": (SamplingSettings, "solver"),
    "--guidance": (SamplingSettings, "audio_guidance"),
    "--appearance-guidance": (SamplingSettings, "appearance_guidance"),
    "--mode": (SamplingSettings, "mode"),
    "--window": (SamplingSettings, "window"),
    "--overlap": (SamplingSettings, "overlap"),
    "--motion": (RenderingSettings, "mode"),
    "--gain": (RenderingSettings, "gain"),
    "--articulation": (RenderingSettings, "articulation"),
    "--size": (RenderingSettings, "size"),
    "--batch": (RenderingSettings, "batch"),
    "--quality": (RenderingSettings, "quality"),
}
ANIMATE = ["animate", "photo.jpg", "voice.wav", "-o", "out.mp4"]


def wrong_values(allowed) -> list:
    """Values just outside, and of another kind."""
    if isinstance(allowed, Choice):
        return ["sideways", None, 1]
    step = 1 if allowed.whole else 0.01
    kinds = [allowed.low + 0.5] if allowed.whole else [math.nan]
    return [allowed.low - step, allowed.high + step, *kinds, "12", True]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_a_wrong_value_is_one_sentence_with_name_range_and_value(kind, name):
    allowed = kind.allowed(name)
    for value in wrong_values(allowed):
        with pytest.raises(ValueError) as refused:
            kind(**{name: value})
        sentence = str(refused.value)
        assert sentence.startswith(f"{name} must be") and sentence.endswith(f"not {value!r}.")
        assert str(allowed) in sentence and "\n" not in sentence


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_defaults_and_limits_are_allowed(kind, name):
    allowed, default = kind.allowed(name), getattr(kind, name)
    ends = allowed.options if isinstance(allowed, Choice) else (allowed.low, allowed.high)
    for value in (default, *ends):
        others = {"window": 400} if value == 200 else {}
        assert getattr(kind(**{name: value, **others}), name) == value


def test_ranges_are_written_as_people_write_them():
    assert str(SamplingSettings.allowed("seed")) == "0 to 2^64 - 1"
    assert str(RenderingSettings.allowed("gain")) == "0 to 3"


def test_settings_do_not_change_and_need_no_torch():
    with pytest.raises(FrozenInstanceError):
        SamplingSettings().steps = 3
    code = "import sys, mamba_portrait.pipelines.settings; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_widgets_are_the_settings():
    """Whatever a node's widget is called like a setting has its default, range and choices."""
    seen = set()
    for node, kind in (
        ("MambaPortraitSampleMotion", SamplingSettings),
        ("MambaPortraitDecodeMotion", RenderingSettings),
        ("MambaPortraitAssembleVideo", RenderingSettings),
        ("MambaPortraitFramesToVideo", RenderingSettings),
        ("MambaPortraitFilmTwoPeople", RenderingSettings),
        ("MambaPortraitConversationMotion", SamplingSettings),
    ):
        for socket in own_schemas()[node].inputs:
            if socket.id in {field.name for field in fields(kind)} - {"size"}:
                allowed = kind.allowed(socket.id)
                assert socket.default == getattr(kind, socket.id), socket.id
                if isinstance(allowed, Choice):
                    assert tuple(socket.options) == allowed.options
                else:
                    assert (socket.min, socket.max) == (allowed.low, allowed.high), socket.id
                    assert socket.get_io_type() == ("INT" if allowed.whole else "FLOAT")
                seen.add((kind, socket.id))
    library_only = {(SamplingSettings, name) for name in ("eta", "mouth_noise", "mouth_lead")}
    assert seen == set(NAMES) - library_only - {(RenderingSettings, "size")}


def test_the_command_line_offers_the_settings():
    options = parser().parse_args(ANIMATE)
    assert chosen(options, SamplingSettings) == SamplingSettings()
    assert chosen(options, RenderingSettings) == RenderingSettings()
    for flag, (kind, name) in FLAGS.items():
        allowed = kind.allowed(name)
        value = allowed.options[-1] if isinstance(allowed, Choice) else allowed.high
        options = parser().parse_args([*ANIMATE, "--window", "400", flag, str(value)])
        assert getattr(chosen(options, kind), name) == value
    assert chosen(parser().parse_args([*ANIMATE, "--size", "photo"]), RenderingSettings).size is None


@pytest.mark.parametrize("flag", FLAGS)
def test_the_command_line_refuses_what_the_library_refuses(flag, capsys):
    allowed = FLAGS[flag][0].allowed(FLAGS[flag][1])
    value = "sideways" if isinstance(allowed, Choice) else allowed.high + 1
    with pytest.raises(SystemExit) as ended:
        main([*ANIMATE, flag, str(value)])
    assert ended.value.code == 2
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"argument {flag}: " in sentence and str(value) in sentence
    assert all(word in sentence for word in getattr(allowed, "options", (str(allowed),)))


def test_values_that_do_not_go_together_are_refused_before_any_work(capsys):
    assert main([*ANIMATE, "--mode", "overlap", "--window", "16"]) == 2
    assert "error: overlap must be smaller than window (16), not 20." in capsys.readouterr().err
    assert SamplingSettings(window=16).overlap == 20  # of no account in the other modes


def test_a_node_refuses_what_was_wired_to_it():
    for window, overlap, said in (
        (5, 0, "window must be a whole number from 8 to 400, not 5."),
        (9, 9, "overlap must"),
    ):
        assert SampleMotion.validate_inputs(window, overlap).startswith(said)
    values = dict(steps=0, solver="ddim", audio_guidance=1.0, appearance_guidance=1.0, mode="window", window=80)
    with pytest.raises(ValueError, match="'steps' is 0; it must be a whole number from 1 to 1000"):
        SampleMotion.execute(object(), object(), object(), seed=0, overlap=20, **values)


def test_a_film_of_impossible_quality_is_refused(tmp_path):
    with pytest.raises(ValueError, match="quality must be a whole number from 0 to 40, not 99"):
        assemble(tmp_path / "film.mp4", iter(()), 25, quality=99)
