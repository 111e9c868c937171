"""A person's lips: a change of the audio regression, solved on what the renderer's own encoder reads in the film, and
held to the base.

The change is a ridge regression from the audio condition to what the base does not say. How firmly it is held is chosen
on pieces that it was not solved on; where no change is better there than the base, there is none. Lips in silence
stay those of the base. Then openings and widths are scaled so that lips in the finished film, read by the same encoder,
go as far as in the person's own: what the encoder misreads and the renderer does not show takes part on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....media.motion import Motion
from ....networks.motion_model.model import MotionModel
from ....networks.renderer.model import Renderer
from ....pipelines.neutral import neutral_frames
from ....pipelines.portrait import (
    Voice,
    encode_motions,
    encode_source,
    extract_appearance,
    extract_global_audio,
    extract_local_audio,
    render,
)
from ....pipelines.settings import RenderingSettings
from ....visemes.table import lips_of
from ....vocabulary import FPS, INDEX, SAMPLES_A_FRAME
from ...datasets.tracks import MOUTH
from ...evaluation.metrics import correlation, reach
from ..motion_model.ear import Moments
from .film import Piece

OPENING, WIDTH = ("jaw", "upper_lip", "lower_lip"), ("pucker", "spread")
LEARNT = [MOUTH.index(INDEX[name]) for name in (*OPENING, *WIDTH)]
"""Rows of the regression that a film teaches: what the encoder reads well enough (docs/method.md)."""
HELD = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
"""How firmly the change is held, in parts of the condition's variance; besides, no change at all."""
FOLDS = 8
SURE = 2.0  # standard errors over pieces by which a change must beat none
LAGS = 4  # frames by which a film's sound may be early or late
QUIET = 25  # frames of silence around a piece, of which the middle ones say what the base does in silence
FARTHEST = (0.5, 2.0)  # factors on opening and width
ROUNDS = 2  # of filming and scaling
FILMED = 150  # frames for each


@dataclass(frozen=True)
class Spoken:
    """A piece of T frames: audio condition x (T,width), that of silence (width,), mouth parameters (T,mouth) that the
    base says and that the encoder sees."""

    x: Tensor
    silence: Tensor
    told: Tensor
    seen: Tensor


@dataclass(frozen=True)
class Lips:
    """A solved change: of the regression's weight (mouth,width) and bias (mouth,); what it was held by (None: no
    change), the factors on opening and width, correlations of the lips on pieces not solved on, of the base and with
    the change, and by how many frames the sound was late."""

    weight: Tensor
    bias: Tensor
    held: float | None
    factors: tuple[float, float]
    base: float
    changed: float
    lag: int


@torch.inference_mode()
def listen(model: MotionModel, pieces: Sequence[Piece], seen: Sequence[Tensor]) -> list[Spoken]:
    """What the base hears and says of pieces, beside the parameters (T,24) that were seen in them."""
    spoken = []
    for piece, parameters in zip(pieces, seen, strict=True):
        around = (QUIET * SAMPLES_A_FRAME, QUIET * SAMPLES_A_FRAME)
        voice = Voice(F.pad(piece.voice.waveform, around), piece.voice.frames + 2 * QUIET)
        condition = model.condition(extract_global_audio(model, voice), extract_local_audio(model, voice))[0].cpu()
        told = model.ear(condition.to(model.ear.weight)).cpu()
        x, quiet = condition[QUIET:-QUIET], condition[5 : QUIET - 5].mean(0)
        spoken.append(Spoken(x.clone(), quiet.clone(), told[QUIET:-QUIET].clone(), parameters[:, MOUTH].clone()))
    return spoken


def solve_lips(spoken: Sequence[Spoken]) -> Lips:
    """The change that is best on pieces not solved on, not scaled yet."""
    lag = _lag(spoken)
    spoken = [_moved(one, lag) for one in spoken]
    folds = [list(range(n, len(spoken), min(FOLDS, len(spoken)))) for n in range(min(FOLDS, len(spoken)))]
    moments = [_moments([spoken[i] for i in fold]) for fold in folds]
    base = _agreements([(one.told, one.seen) for one in spoken])
    found: list[tuple[float, float, Tensor]] = []
    for ridge in HELD if len(folds) > 1 else ():
        pairs = [(one.told, one.seen) for one in spoken]
        for out, fold in enumerate(folds):
            matrix = _solved([m for n, m in enumerate(moments) if n != out], ridge)
            for i in fold:
                pairs[i] = spoken[i].told + _said(matrix, spoken[i].x), spoken[i].seen
        values = _agreements(pairs)
        found.append((float(values.mean()), ridge, values))
    changed, held, values = max(found, default=(0.0, None, base), key=lambda one: one[0])
    more = values - base
    if held is None or float(more.mean()) <= SURE * float(more.std()) / len(more) ** 0.5:
        changed, held = float(base.mean()), None
    rows, width = spoken[0].told.shape[1], spoken[0].x.shape[1]
    weight, bias = torch.zeros(rows, width), torch.zeros(rows)
    if held is not None:
        weight[LEARNT] = _solved(moments, held).float()
        bias = -weight @ torch.stack([one.silence for one in spoken]).mean(0)
    return Lips(weight, bias, held, (1.0, 1.0), float(base.mean()), changed, lag)


def _lag(spoken: Sequence[Spoken]) -> int:
    """Frames by which the lips are late behind the base's."""
    return max(
        range(-LAGS, LAGS + 1),
        key=lambda lag: (float(_agreements([_pair(one, lag) for one in spoken]).mean()), -abs(lag)),
    )


def _pair(one: Spoken, lag: int) -> tuple[Tensor, Tensor]:
    moved = _moved(one, lag)
    return moved.told, moved.seen


def _moved(one: Spoken, lag: int) -> Spoken:
    """The piece with what is seen moved by `lag` frames against what is heard."""
    count = len(one.x) - abs(lag)
    heard, seen = slice(max(-lag, 0), max(-lag, 0) + count), slice(max(lag, 0), max(lag, 0) + count)
    return Spoken(one.x[heard], one.silence, one.told[heard], one.seen[seen])


def _moments(pieces: Sequence[Spoken]) -> Moments:
    """What is missing in what the base says, each piece about its mean: a person's rest is not what is learnt."""
    moments = Moments(pieces[0].x.shape[1], len(LEARNT))
    for one in pieces:
        missing = (one.seen - one.told)[:, LEARNT]
        moments.add(one.x - one.x.mean(0), missing - missing.mean(0), 1.0)
    return moments


def _solved(parts: Sequence[Moments], ridge: float) -> Tensor:
    """Matrix (learnt,width) of the moments of several parts together."""
    whole = Moments(len(parts[0].x), len(parts[0].y))
    for part in parts:
        whole.weight += part.weight
        for name in ("x", "y", "xx", "xy"):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
    return whole.solve(ridge)[0]


def _said(matrix: Tensor, x: Tensor) -> Tensor:
    """(T,mouth) that a change adds."""
    added = x.new_zeros(len(x), len(MOUTH))
    added[:, LEARNT] = (x.double() @ matrix.T).float()
    return added


def lips(mouth: Tensor) -> Tensor:
    """Mouth parameters (T,mouth) -> (T,2) opening and width as in visemes/table.py."""
    whole = np.zeros((len(mouth), len(INDEX)), np.float32)
    whole[:, MOUTH] = mouth[:, : len(MOUTH)].numpy()
    return torch.from_numpy(lips_of(whole)).float()


def _agreements(pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Of each piece, told and seen, the mean correlation of opening and of width."""
    curves = (zip(lips(told).T, lips(seen).T, strict=True) for told, seen in pairs)
    return torch.tensor([sum(correlation(a, b) for a, b in each) / 2 for each in curves])


def scale_lips(
    model: MotionModel, renderer: Renderer, solved: Lips, spoken: Sequence[Spoken], photo: Tensor, rest: Tensor
) -> Lips:
    """The change with factors on opening and width, about what is said in silence, with which lips on a photo (H,W,3)
    in [0,1] go as far as seen in the film. rest (mouth,): the parameters that the regression's zero stands for."""
    wanted = _reach(torch.cat([one.seen - one.seen.mean(0) for one in spoken])[:FILMED])
    silence = torch.stack([one.silence for one in spoken]).mean(0)
    weight, bias = model.ear.weight.cpu(), model.ear.bias.cpu()
    factors = np.ones(2)
    for _ in range(ROUNDS):
        change = _scaled(solved, weight, bias, silence, tuple(factors))
        x = torch.cat([one.x for one in spoken])[:FILMED]
        mouth = x @ (weight + change.weight).T + bias + change.bias + rest
        found = _reach(_filmed(renderer, mouth, photo))
        factors = np.clip(factors * wanted / np.maximum(found, 1e-3), *FARTHEST)
    return _scaled(solved, weight, bias, silence, (float(factors[0]), float(factors[1])))


def _scaled(solved: Lips, weight: Tensor, bias: Tensor, silence: Tensor, factors: tuple[float, float]) -> Lips:
    """A change that was not scaled, with factors on opening and width of all that is said, about silence."""
    scale = torch.ones(len(bias))
    for names, factor in ((OPENING, factors[0]), (WIDTH, factors[1])):
        scale[[MOUTH.index(INDEX[name]) for name in names]] = factor
    more = (scale - 1)[:, None] * (weight + solved.weight)
    whole = solved.weight + more
    return replace(solved, weight=whole, bias=-whole @ silence, factors=factors)


def _reach(mouth: Tensor) -> np.ndarray:
    """(2,) how far opening and width go."""
    return np.array([reach(curve) for curve in lips(mouth).T])


@torch.inference_mode()
def _filmed(renderer: Renderer, mouth: Tensor, photo: Tensor) -> Tensor:
    """Mouth parameters (T,mouth) as the encoder reads them in frames of the photo that it moves."""
    parameters = mouth.new_zeros(len(mouth), len(INDEX))
    parameters[:, MOUTH] = mouth[:, : len(MOUTH)]
    device = next(renderer.parameters()).device
    values = renderer.motion_from_parameters(parameters.to(device)).float().cpu()
    motion = Motion(values, renderer.rest_motion().cpu(), FPS, renderer.motion_language)
    source = encode_source(renderer, photo)
    settings = RenderingSettings(size=max(64, renderer.config.motion_size))
    frames = (frame for part in render(renderer, source, extract_appearance(renderer, source), motion, settings)
              for frame in part)  # fmt: skip
    return renderer.read_parameters(encode_motions(renderer, frames).to(device)).float().cpu()[:, MOUTH]


def neutral_picture(pieces: Sequence[Piece], seen: Sequence[Tensor]) -> Tensor:
    """(S,S,3) in [0,1]: of all frames the most neutral, by parameters (T,24) seen in each piece."""
    pictures = np.concatenate([piece.pictures for piece in pieces])
    return torch.from_numpy(pictures[int(neutral_frames(torch.cat(list(seen)))[0])]).float() / 255
