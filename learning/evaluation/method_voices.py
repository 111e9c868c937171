"""Conformance probes of stage 2: one estimate of the clean motion, at a noise level where sampling begins to decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...networks.motion_model.mamba_global import GlobalAudio
from ...networks.motion_model.model import MotionModel
from ...networks.renderer.model import Renderer
from ...sampling.schedule import NoiseSchedule
from ...sampling.settings import SamplingSettings
from ...vocabulary import COUNT
from ..datasets.stills import StillSet
from ..datasets.tracks import MOUTH, Track
from .method_findings import Finding, finding, replaced_rows

LEVEL = 0.9  # of the noise schedule's steps: little but noise is left of the motion
WINDOW = 40  # frames; shorter clips are left out
SEED = 5
BY_FRAME = ("Mamba-g: prosody", "Mamba-l")  # their output differs from frame to frame

UNITS = {"mouth": "r", "others": "r"}
TITLES = {
    "mouth": "mouth parameters: correlation",
    "others": "other parameters: correlation",
    "motion": "all 768 numbers: error, of their variance",
    "seam": "first step after the previous frames: error, of the mean square of steps",
}


@dataclass(frozen=True)
class Conditions:
    """What the motion model is told about N clips, and the truth."""

    style: Tensor
    prosody: Tensor  # (N,W,global_width)
    local: Tensor  # (N,W,local_width)
    appearance: Tensor  # (N,A)
    history: Tensor  # (N,4,768) normalised
    motion: Tensor  # (N,W,768) normalised


@torch.inference_mode()
def probe_motion_model(renderer: Renderer, model: MotionModel, stills: StillSet, tracks: list[Track]) -> list[Finding]:
    """One finding a branch of the motion model, over clips of at least WINDOW frames. ValueError for fewer than two."""
    tracks = [track for track in tracks if track.drawn and len(track.values) >= WINDOW + model.config.history]
    if len(tracks) < 2:
        raise ValueError(f"probes replace a clip's by another's: {len(tracks)} clips of 1.8 s are too few, draw more")
    given = _conditions(renderer, model, stills, tracks)
    readout = renderer.parameters_of_motion.reader.weight.T
    measure = _Measure(model, readout)
    base = measure(given)
    found = []
    for branch, metric, there, change in _branches(model):
        if there:
            ways = ("mean", "other", "frame") if branch in BY_FRAME else ("mean", "other")
            replaced = {how: measure(change(given, how))[metric] for how in ways}
            found.append(finding(branch, TITLES[metric], UNITS.get(metric, ""), base[metric], replaced))
    return found


def _branches(model: MotionModel) -> list[tuple[str, str, bool, Callable[[Conditions, str], Conditions]]]:
    config = model.config

    def of(*names: str) -> Callable[[Conditions, str], Conditions]:
        return lambda given, how: replace(given, **{name: _replaced(getattr(given, name), how) for name in names})

    return [
        ("Mamba-g: style", "others", config.mamba_global, of("style")),
        ("Mamba-g: prosody", "others", config.mamba_global, of("prosody")),
        ("Mamba-l", "mouth", config.mamba_local, of("local")),
        ("F_A in stage 2", "motion", config.appearance, of("appearance")),
        ("history", "seam", True, of("history")),
    ]


def _replaced(values: Tensor, how: str) -> Tensor:
    """(N,...) of the clips' mean, of another clip, or (N,W,...) of the same clip a second earlier or later."""
    return values.roll(WINDOW // 2, 1) if how == "frame" else replaced_rows(values, how, 1)


def _conditions(renderer: Renderer, model: MotionModel, stills: StillSet, tracks: list[Track]) -> Conditions:
    past, device = model.config.history, model.motion_mean.device
    length = WINDOW + past
    audio = torch.from_numpy(np.stack([track.audio(0, length) for track in tracks])).to(device)
    parameters = torch.from_numpy(np.stack([track.rows(0, length) for track in tracks])).to(device)
    motion = model.normalise(renderer.motion_from_parameters(parameters).float())
    sources = stills.get(np.arange(len(tracks)) % len(stills)).rgb[:, 0, 0].to(device)
    pictures = sources.permute(0, 3, 1, 2).float() / 255
    appearance = torch.cat(
        [renderer.extract_appearance(renderer.encode_source(p)) for p in pictures.split(8)]  # lent to the clips
    ).float()
    heard = model.extract_global(audio).window(past, length)
    local = model.extract_local(audio)[:, past:]
    return Conditions(heard.style, heard.frames, local, appearance, motion[:, :past], motion[:, past:])


class _Measure:
    """Errors (N,) of the sampler's estimate under given conditions, with the same noise for all."""

    def __init__(self, model: MotionModel, readout: Tensor):
        self.model, self.schedule = model, NoiseSchedule(model.config.timesteps, model.config.snr_shift)
        self.readout = readout * model.motion_std[:, None]  # (768,24), of normalised motion
        self.others = [i for i in range(COUNT) if i not in MOUTH]

    def __call__(self, given: Conditions) -> dict[str, Tensor]:
        model, truth = self.model, given.motion
        noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(SEED)).to(truth)
        t = torch.full((len(truth),), int(LEVEL * model.config.timesteps), device=truth.device)
        noisy = self.schedule.add_noise(truth, noise, t)
        heard = GlobalAudio(given.style, given.prosody)
        predicted = model.denoise(noisy, t, heard, given.local, given.appearance, given.history)
        x0 = self.schedule.to_x0(predicted.float(), noisy, t, model.config.prediction)
        x0 = model.lead_mouth(x0, model.predict_mouth(heard, given.local), SamplingSettings.mouth_lead)
        error, read, true = x0 - truth, x0 @ self.readout, truth @ self.readout
        steps = truth.diff(dim=1).square().mean()
        return {
            "mouth": _correlation(read[..., MOUTH], true[..., MOUTH]),
            "others": _correlation(read[..., self.others], true[..., self.others]),
            "motion": error.square().mean((1, 2)) / (truth - truth.mean((0, 1))).square().mean(),
            "seam": error[:, 0].square().mean(1) / steps,
        }


def _correlation(read: Tensor, true: Tensor) -> Tensor:
    """(N,): mean over the parameters that move in a clip of the correlation of their curves (N,W,P)."""
    a, b = (x - x.mean(1, keepdim=True) for x in (read, true))
    scale = a.square().sum(1).sqrt() * b.square().sum(1).sqrt()
    return torch.where(scale > 1e-6, (a * b).sum(1) / scale.clamp_min(1e-6), torch.nan).nanmean(1)
