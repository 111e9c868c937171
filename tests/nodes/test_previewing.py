"""Rendered frames are shown as they come, and how long they take is said once."""

import logging

import pytest
import torch

from mamba_portrait.nodes.values import previewing


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
    return now


def test_frames_pass_unchanged_with_a_picture_twice_a_second_and_one_estimate(clock, caplog):
    def rendered():
        for number in range(6):
            clock["time"] += 0.3
            yield torch.full((4, 8, 16, 3), number / 10)

    with caplog.at_level(logging.INFO):
        parts = list(previewing.previewed(rendered(), 240, "Rendering"))
    assert [float(part.mean()) for part in parts] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    shown = [preview for *_, preview in Bar.last.calls]
    assert [value is not None for value in shown] == [True, False, True, False, True, False]
    assert [done for done, *_ in Bar.last.calls] == [4, 8, 12, 16, 20, 24]
    assert [r.message for r in caplog.records] == ["Rendering: 240 frames of 16x8, about 18 s."]


def test_short_work_says_nothing(clock, caplog):
    with caplog.at_level(logging.INFO):
        list(previewing.previewed(iter([torch.zeros(1, 8, 8, 3)] * 3), 3, "Rendering"))
    assert not caplog.records


def test_a_transparent_frame_is_shown_without_its_alpha(clock):
    """A host writes previews as JPEG, which has none: one with alpha ends its connection to the page."""
    shown = []

    class Seen(Bar):
        def __call__(self, done, total, preview=None):
            shown.append(preview.shape)

    previewing.progress_bar = Seen
    (part,) = previewing.previewed(iter([torch.ones(1, 8, 8, 4)]), 1, "Rendering")
    assert part.shape[-1] == 4 and shown == [(8, 8, 3)]
