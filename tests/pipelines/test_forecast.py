"""What a work is and how long it takes is told before it, from the last work of its kind or from a trial."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from mamba_portrait.media.motion import Motion
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer
from mamba_portrait.pipelines import forecast, portrait, rendering, speaking
from mamba_portrait.pipelines.forecast import Forecast, length, of_rendering, of_sampling, size
from mamba_portrait.pipelines.settings import RenderingSettings, SamplingSettings


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(forecast, "_paces", {})


@pytest.fixture(scope="module")
def portrayed(tiny_weights):
    """What `of_rendering` and `render` take of a portrait of 64 pixels and 100 frames."""
    renderer = load_renderer(tiny_weights / "renderer_lite.safetensors")
    source = portrait.encode_source(renderer, torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0)))
    rest = renderer.rest_motion().detach()
    names = (renderer.motion_language, renderer.motion_encoder_id)
    motion = Motion(rest.repeat(100, 1), rest, Fraction(25), *names)
    return renderer, source, portrait.extract_appearance(renderer, source), motion


@pytest.fixture(scope="module")
def speech(tiny_weights):
    """What `of_sampling` and `generate_motion` take of a voice of 200 frames."""
    model = load_motion_model(tiny_weights / "motion_lite.safetensors")
    voice = speaking.prepare_voice(torch.randn(1, 640 * 200, generator=torch.Generator().manual_seed(0)), 16000)
    return model, speaking.extract_global_audio(model, voice), speaking.extract_local_audio(model, voice), None


@pytest.fixture
def clock(monkeypatch):
    now = {"time": 0.0}
    monkeypatch.setattr(forecast.time, "perf_counter", lambda: now["time"])
    return now


def slow(monkeypatch, clock, seconds_a_batch, made):
    """`rendering.render` takes so long for each batch."""
    work = rendering.render

    def timed(*values, **more):
        for part in work(*values, **more):
            clock["time"] += seconds_a_batch * (10 if not made else 1)  # the very first also prepares
            made.append(len(part))
            yield part

    monkeypatch.setattr(rendering, "render", timed)


def test_a_film_is_told_before_it_by_a_trial_whose_first_round_does_not_count(portrayed, clock, monkeypatch):
    made = []
    slow(monkeypatch, clock, 0.8, made)
    told = of_rendering(*portrayed, RenderingSettings(batch=4, size=128))
    torch.set_num_threads(1)
    assert told.text() == "Rendering, about 20 s: 100 frames of 128x128, 4 at once, about 91 MB of memory."
    assert sum(made) == 8  # two batches
    assert told.text().startswith("Rendering, about 20 s:") and sum(made) == 8


def test_the_pace_of_the_last_film_is_taken_and_another_size_has_its_own(portrayed, clock, monkeypatch):
    told = of_rendering(*portrayed, RenderingSettings(batch=4, size=128))
    parts = iter([torch.zeros(60, 1), torch.zeros(40, 1)])
    for _ in told.timed(parts):
        clock["time"] += 30.0
    monkeypatch.setattr(rendering, "render", lambda *_, **__: pytest.fail("a trial"))
    *values, motion = portrayed
    short = of_rendering(*values, replace(motion, values=motion.values[:50]), RenderingSettings(batch=4, size=128))
    assert short.text().startswith("Rendering, about 30 s:")
    other = of_rendering(*values, replace(motion, values=motion.values[:99]), RenderingSettings(batch=4, size=64))
    assert other.seconds() is None and other.text().startswith(
        "Rendering: 99 frames"
    )  # too short for a trial, and nothing known


def test_a_film_that_is_broken_off_leaves_no_pace(portrayed):
    told = of_rendering(*portrayed, RenderingSettings(size=128))
    parts = told.timed(iter([torch.zeros(4, 1)] * 25))
    next(parts)
    parts.close()
    assert told.kind not in forecast._paces


def test_windows_and_steps_of_a_voice_are_counted_as_they_are_sampled(speech, clock):
    settings, calls, said = SamplingSettings(steps=12, window=80), [], []

    def step(done, total):
        clock["time"] += 0.5
        calls.append(total)

    told = of_sampling(*speech, settings)
    with told.told(said.append):
        assert len(said) == 1 and "200 frames (8.0 s) in 3 windows of 12 steps" in said[0]
        speaking.generate_motion(*speech, settings, progress=step)
    assert told.units == len(calls) == calls[0] and forecast._paces[told.kind] == pytest.approx(0.5)
    assert of_sampling(*speech, settings).text().startswith("Sampling, about 18 s:")


def test_a_voice_has_a_trial_of_one_window(speech, clock, monkeypatch):
    asked = []
    generate = speaking.generate_motion

    def watched(*values, progress, **more):
        asked.append(values[2].shape[1])

        def step(done, total):
            clock["time"] += 2.0 if done == 1 else 0.25
            progress(done, total)

        return generate(*values, progress=step, **more)

    monkeypatch.setattr(speaking, "generate_motion", watched)
    assert of_sampling(*speech, SamplingSettings(steps=12, window=80)).text().startswith("Sampling, about 9 s:")
    assert asked == [72]  # and the silence before it: one window
    assert of_sampling(*speech, SamplingSettings(steps=2, window=40)).seconds() is None and len(asked) == 1


def test_the_trial_changes_neither_motion_nor_frames(speech, portrayed):
    settings = SamplingSettings(steps=12)
    before = speaking.generate_motion(*speech, settings).values
    assert of_sampling(*speech, settings).seconds() > 0
    assert torch.equal(speaking.generate_motion(*speech, settings).values, before)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "1 s"), (8.4, "8 s"), (59.6, "1 min"), (83, "1 min 20 s"), (1234, "21 min"), (7500, "2 h 5 min")],
)
def test_seconds_are_rounded(seconds, told):
    assert length(seconds) == told
    assert Forecast("Work", "2 things", 2, "kind", lambda: seconds / 2).text() == f"Work, about {told}: 2 things."


def test_memory_is_rounded():
    assert size(3e5) == "1 MB" and size(1.38e8) == "138 MB" and size(2.26e9) == "2.3 GB"
