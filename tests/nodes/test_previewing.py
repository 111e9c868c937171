"""Rendered frames are shown as they come, and how long all take is said before, or as soon as it can be told."""

import logging

import pytest
import torch

from mamba_portrait.nodes.values import previewing
from mamba_portrait.pipelines import forecast
from mamba_portrait.pipelines.forecast import Forecast


class Bar:
    def __init__(self, total):
        self.calls = []
        Bar.last = self

    def __call__(self, done, total, preview=None):
        self.calls.append((done, total, None if preview is None else float(preview.mean())))


@pytest.fixture
def clock(monkeypatch):
    now = {"time": 100.0}
    monkeypatch.setattr(previewing.time, "monotonic", lambda: now["time"])
    monkeypatch.setattr(previewing, "progress_bar", Bar)
    monkeypatch.setattr(forecast, "_paces", {})
    return now


def work(units, kind="kind", trial=None):
    return Forecast(f"Rendering: {units} frames", units, kind, trial)


def rendered(clock):
    for number in range(6):
        clock["time"] += 0.6
        yield torch.full((4, 8, 16, 3), number / 10)


def messages(caplog):
    return [record.message for record in caplog.records]


def test_frames_pass_unchanged_with_a_picture_twice_a_second(clock):
    parts = list(previewing.previewed((part for part in rendered(clock)), work(24)))
    assert [float(part.mean()) for part in parts] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])

    def fast():
        for part in rendered(clock):
            clock["time"] -= 0.3
            yield part

    list(previewing.previewed(fast(), work(24)))
    shown = [preview for *_, preview in Bar.last.calls]
    assert [value is not None for value in shown] == [True, False, True, False, True, False]
    assert [done for done, *_ in Bar.last.calls] == [4, 8, 12, 16, 20, 24]


def test_what_is_known_is_said_before_the_first_frame_and_once(clock, caplog):
    with caplog.at_level(logging.INFO):
        parts = previewing.previewed(rendered(clock), work(240, trial=lambda: 0.25))
        next(parts)
        assert messages(caplog) == ["Rendering: 240 frames, about 1 min."]
        list(parts)
    assert len(messages(caplog)) == 1


def test_an_unknown_pace_is_said_after_a_second_and_the_next_time_before(clock, caplog):
    with caplog.at_level(logging.INFO):
        list(previewing.previewed(rendered(clock), work(240)))
        assert messages(caplog) == ["Rendering: 240 frames.", "Rendering: 240 frames, about 36 s."]
        caplog.clear()
        parts = previewing.previewed(rendered(clock), work(40))
        next(parts)
    assert messages(caplog) == ["Rendering: 40 frames, about 6 s."]  # 24 took 3.6 s


def test_short_work_of_unknown_pace_is_said_once(clock, caplog):
    with caplog.at_level(logging.INFO):
        list(previewing.previewed(rendered(clock), work(24)))
    assert messages(caplog) == ["Rendering: 24 frames."]


def test_a_transparent_frame_is_shown_without_its_alpha(clock, monkeypatch):
    """A host writes previews as JPEG, which has none: one with alpha ends its connection to the page."""
    shown = []

    class Seen(Bar):
        def __call__(self, done, total, preview=None):
            shown.append(preview.shape)

    monkeypatch.setattr(previewing, "progress_bar", Seen)
    (part,) = previewing.previewed(iter([torch.ones(1, 8, 8, 4)]), work(1))
    assert part.shape[-1] == 4 and shown == [(8, 8, 3)]
