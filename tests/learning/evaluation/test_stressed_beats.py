"""Beats near stressed vowels: found in hands that beat in time, not in hands that beat at any time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.learning.corpus.tracks import write_wave
from mamba_portrait.learning.datasets.tracks import load_tracks
from mamba_portrait.learning.evaluation.gestures import beats, beats_with_stress, measure_gestures, share_near
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.vocabulary import ARMS, COUNT

UP = [COUNT + i for i, parameter in enumerate(ARMS) if parameter.name.endswith("_up")]
STRESSED = [np.sort(np.random.default_rng(seed).uniform(0.5, 9.5, 8)) for seed in range(12)]


def hands(times: np.ndarray, depth: float = 0.2) -> np.ndarray:
    """Ten seconds of held hands that go down at these times."""
    at = np.arange(250)[:, None] / 25
    height = 0.8 - depth * np.exp(-(((at - times) / 0.08) ** 2)).sum(1)
    parameters = np.zeros((250, COUNT + len(ARMS)), np.float32)
    parameters[:, UP] = height[:, None]
    return parameters


def test_beats_are_the_lowest_points_of_strokes():
    assert beats(hands(np.array([1.0, 3.0, 6.0]))) == pytest.approx([1.0, 3.0, 6.0], abs=0.04)
    assert len(beats(hands(np.array([1.0, 3.0]), depth=0.02))) == 0


def test_only_near_vowels_count():
    assert share_near(np.array([1.0, 2.0, 3.0]), np.array([1.15, 2.5]), 10.0) == pytest.approx(1 / 3)
    assert np.isnan(share_near(np.array([]), np.array([1.0]), 10.0))


def test_beats_in_time_are_told_from_beats_at_any_time():
    ends = [10.0] * len(STRESSED)
    in_time = beats_with_stress([beats(hands(times)) for times in STRESSED], STRESSED, ends)
    assert in_time["beats_near"] > 0.9 and in_time["beats_low"] > 0.2
    moved = STRESSED[1:] + STRESSED[:1]
    out_of_time = beats_with_stress([beats(hands(times)) for times in moved], STRESSED, ends)
    assert out_of_time["beats_low"] < 0 < out_of_time["beats_high"] or out_of_time["beats_gain"] < 0.1


def test_figures_of_a_model(tmp_path, tiny_config, tiny_motion_config):
    renderer = Renderer(replace(tiny_config, arms=len(ARMS))).eval()
    model = MotionModel(tiny_motion_config, renderer.motion_language).eval()
    for number in range(2):
        folder = tmp_path / "clips" / f"{number}"
        folder.mkdir(parents=True)
        write_wave(folder / "audio.wav", 0.1 * np.sin(np.arange(250 * 640) * 0.1))
        phones = np.arange(0, 10, 0.25)
        kinds = np.array(["a", "p"] * (len(phones) // 2))
        np.savez(
            folder / "labels.npz", parameters=hands(STRESSED[number]), phone_start=phones, phone_end=phones + 0.25,
            phone_class=kinds,
        )  # fmt: skip
        (folder / "meta.json").write_text('{"split": "test", "augmented": false}')
    with torch.inference_mode():
        figures = measure_gestures(renderer, model, load_tracks(tmp_path, None), clips=2)
    assert figures["div_true"] > 0 and np.isfinite([figures["div"], figures["tgd"], figures["hand_reach"]]).all()
    assert figures["true_beats_a_second"] == pytest.approx(0.8, abs=0.2)
