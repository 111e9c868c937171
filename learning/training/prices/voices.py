"""Figures of a motion model a clip, paired between models: held-out voices, and the motion that is sampled for them."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ....networks.motion_model.mamba_global import GlobalAudio
from ....networks.motion_model.model import MotionModel
from ....networks.renderer.model import Renderer
from ....sampling.settings import SamplingSettings
from ....sampling.windows import sample_motion
from ....visemes.table import lips_of
from ....vocabulary import FPS, INDEX
from ...datasets.tracks import MOUTH, Track
from ...evaluation.gestures import gestures_of, near_stress
from ...evaluation.metrics import best_lag, reach, reach_ratios, speed_ratios
from ...evaluation.voices import FOLLOWED

TOGETHER = 16  # pieces that are heard at once
FRAMES = 60  # of each piece of a clip: shorter ones are left out
LAGS = 2  # frames either way
LEAST_OPENING = 0.05  # of a wide mouth, from the 10th to the 90th percentile
SAMPLED = SamplingSettings(mouth_lead=0.0, mouth_noise=1.0)  # the paper's sampling: nothing leads the mouth
LED = SamplingSettings()  # of half bodies, whose denoiser says nothing: the regression leads mouth and arms


@torch.inference_mode()
def measure_voices(
    renderer: Renderer, model: MotionModel, tracks: list[Track], pieces: int, sampled: int
) -> dict[str, list[float]]:
    """Of at most `pieces` pieces of 2.4 s: {metric: one value a piece}. heard_lips, heard_reach: correlation of the
    mouth's parameters with the truth (best lag), and how far lips open over the truth's, as the audio regression has
    them; these are left out for a model without one. lips, reach, velocity, acceleration: the same of sampled motion,
    on `sampled` of the pieces, with the jaw's speeds over the truth's; ms: processor time of a sampled frame. NaN
    where the true mouth hardly opens. ValueError where no clip is long enough."""
    cut = [(track, start) for track in tracks if track.drawn for start in range(0, len(track.values) - FRAMES, FRAMES)]
    if not cut:
        raise ValueError(f"the held-out voices have no clip of {FRAMES / FPS} s: draw some with `corpus --clips`")
    cut = cut[:: max(1, len(cut) // pieces)][:pieces]
    every, rows = max(1, len(cut) // sampled), {}
    for first in range(0, len(cut), TOGETHER):
        here = cut[first : first + TOGETHER]
        audio = np.stack([track.audio(start, start + FRAMES) for track, start in here])
        audio = torch.from_numpy(audio).to(model.motion_mean.device)
        heard, local = model.extract_global(audio), model.extract_local(audio)
        for i, (track, start) in enumerate(here):
            truth, number = torch.from_numpy(track.rows(start, start + FRAMES).copy()), first + i
            own = GlobalAudio(heard.style[i : i + 1], heard.frames[i : i + 1]), local[i : i + 1]
            row = _regressed(model, *own, truth) if model.config.regression else {}
            if number % every == 0 and number // every < sampled:
                row |= _sampled(renderer, model, *own, truth, number)
            for name, value in row.items():
                rows.setdefault(name, []).append(value)
    return rows


def measure_gestures(renderer: Renderer, model: MotionModel, tracks: list[Track], clips: int) -> dict[str, list[float]]:
    """Of at most `clips` clips of half bodies: {metric: one value a clip}. beats: part of the hands' beats near a
    stressed vowel, beats_gain: less that with other clips' voices; hand_reach, div, tgd: see `gestures_of`."""
    found = gestures_of(renderer, model, tracks, clips=clips)
    own, others = near_stress(found.made, found.vowels, found.ends).T
    rest = {name: [row[name] for row in found.values] for name in ("hand_reach", "div", "tgd")}
    return {"beats": own.tolist(), "beats_gain": (own - others).tolist()} | rest


def _regressed(model: MotionModel, heard: GlobalAudio, local: Tensor, truth: Tensor) -> dict[str, float]:
    """Metrics of one piece as the audio regression has it."""
    read = truth.clone()
    read[:, MOUTH] = model.predict_mouth(heard, local)[0, :, : len(MOUTH)].float().cpu()
    return {f"heard_{name}": value for name, value in _lips(read, truth).items()}


def _sampled(
    renderer: Renderer, model: MotionModel, heard: GlobalAudio, local: Tensor, truth: Tensor, seed: int
) -> dict[str, float]:
    """Metrics of one piece as sampled."""
    began = time.process_time()
    sampling = LED if renderer.config.arms else SAMPLED
    motion = sample_motion(model, heard, local, None, replace(sampling, seed=seed), frames=FRAMES)
    spent = time.process_time() - began
    read = renderer.read_parameters(motion).float().cpu()
    return _lips(read, truth) | _speeds(read, truth) | {"ms": 1000 * spent / FRAMES}


def _lips(read: Tensor, truth: Tensor) -> dict[str, float]:
    """lips: mean correlation of the mouth's parameters that move; reach: how far lips open, over the truth's."""
    moving = [INDEX[name] for name in FOLLOWED if float(truth[:, INDEX[name]].std()) > 1e-3]
    values = [best_lag(read[:, i], truth[:, i], LAGS)[0] for i in moving]
    curves = [torch.from_numpy(lips_of(x.numpy())) for x in (read, truth)]
    opens = reach(curves[1][:, 0]) > LEAST_OPENING
    return {
        "lips": sum(values) / len(values) if values and opens else math.nan,
        "reach": reach_ratios(*curves)["reach"] if opens else math.nan,
    }


def _speeds(read: Tensor, truth: Tensor) -> dict[str, float]:
    """velocity, acceleration: standard deviation of the jaw's differences over the truth's."""
    jaw, true_jaw = read[:, INDEX["jaw"]], truth[:, INDEX["jaw"]]
    moves = reach(true_jaw) > LEAST_OPENING
    speeds = speed_ratios(jaw, true_jaw)
    return {name: speeds[name] if moves else math.nan for name in ("velocity", "acceleration")}
