"""How far a person's lips open and widen: a change of the audio regression, solved on what the renderer's own encoder
sees in the film, and held to the base.

The encoder's keypoints of the inner lips tell the opening nearly as MediaPipe does (docs/personalise.md), and widths
well enough to say how far they go. The change is a ridge regression from the audio condition to the opening that the
base does not say. How firmly it is held is chosen on pieces that it was not solved on; where no change is surely better
there than the base, there is none. Then openings and widths are scaled so that in finished films of several of the
person's pictures, seen by the same keypoints, they go as far as in the person's own; widths only where those that are
seen agree with those that are said. Lips in silence stay the base's.
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
from ....pipelines.portrait import encode_source, extract_appearance
from ....pipelines.rendering import render
from ....pipelines.settings import RenderingSettings
from ....pipelines.speaking import Voice, extract_global_audio, extract_local_audio
from ....visemes.table import WIDE_OPENING, lips_of
from ....vocabulary import FPS, INDEX, LANDMARKS, SAMPLES_A_FRAME
from ...datasets.tracks import MOUTH
from ...evaluation.metrics import correlation, reach
from ..motion_model.ear import Moments
from .film import Piece

JAW = MOUTH.index(INDEX["jaw"])
OPENING = [MOUTH.index(INDEX[name]) for name in ("jaw", "upper_lip", "lower_lip")]
WIDTH = [MOUTH.index(INDEX[name]) for name in ("pucker", "spread")]
HELD = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""How firmly the change is held, in parts of the condition's variance; besides, no change at all."""
FOLDS = 8
SURE = 1.0  # standard errors over pieces by which one change must beat another, or none
LAGS = 4  # frames by which a film's sound may be early or late
QUIET = 25  # frames of silence around a piece, of which the middle ones say what the base does in silence
FARTHEST = (0.5, 2.0)  # factors on opening and width
RELIABLE = 0.3  # correlation of widths said with widths seen, from which on the latter are believed
ROUNDS = 2  # of filming and scaling
FILMED = 8  # pieces for each, spoken by a picture of their own: pictures differ in how far their lips go
THIRD = slice(1, None, 3)  # of their frames, which tell a reach as well as all do
GAP = ("upper_lip_inner", "lower_lip_inner"), ("mouth_left", "mouth_right"), ("left_eye_outer", "right_eye_outer")


@dataclass(frozen=True)
class Spoken:
    """A piece of T frames: audio condition x (T,inputs), that of silence (inputs,), mouth parameters (T,mouth) that the
    base says, and the opening and the width (T,2) that the encoder sees."""

    x: Tensor
    silence: Tensor
    told: Tensor
    seen: Tensor

    @property
    def opening(self) -> Tensor:
        """(T,) as it is seen."""
        return self.seen[:, 0]


@dataclass(frozen=True)
class Lips:
    """A solved change: of the regression's weight (mouth,inputs) and bias (mouth,); what it was held by (None: no
    change), correlations of the opening on pieces not solved on, of the base and with the change, by how many frames
    the lips are late behind the sound, and the factors on opening and width."""

    weight: Tensor
    bias: Tensor
    held: float | None
    base: float
    changed: float
    lag: int
    factors: tuple[float, float] = (1.0, 1.0)


def seen_lips(points: Tensor) -> Tensor:
    """Keypoints (T,P,2) of a piece -> (T,2) how far the inner lips are apart and how wide the mouth is, in the median
    distance of the eyes."""
    gap, width, eyes = (
        (points[:, LANDMARKS.index(a)] - points[:, LANDMARKS.index(b)]).norm(dim=1).float().cpu() for a, b in GAP
    )
    return torch.stack([gap, width], 1) / eyes.median().clamp_min(1e-6)


@torch.inference_mode()
def listen(model: MotionModel, pieces: Sequence[Piece], seen: Sequence[Tensor]) -> list[Spoken]:
    """What the base hears and says of pieces, beside the lips (T,2) that were seen in them."""
    spoken = []
    for piece, lips in zip(pieces, seen, strict=True):
        around = (QUIET * SAMPLES_A_FRAME, QUIET * SAMPLES_A_FRAME)
        voice = Voice(F.pad(piece.voice.waveform, around), piece.voice.frames + 2 * QUIET)
        condition = model.condition(extract_global_audio(model, voice), extract_local_audio(model, voice))[0].cpu()
        told = model.ear(condition.to(model.ear.weight)).cpu()
        x, quiet = condition[QUIET:-QUIET], condition[5 : QUIET - 5].mean(0)
        spoken.append(Spoken(x.clone(), quiet.clone(), told[QUIET:-QUIET].clone(), lips))
    return spoken


def solve_lips(spoken: Sequence[Spoken]) -> Lips:
    """The change that is best on pieces not solved on, not scaled yet."""
    lag = _lag(spoken)
    spoken = [_moved(one, lag) for one in spoken]
    told = [opening_of(one.told) for one in spoken]
    unit = _spread(told) / max(_spread([one.opening for one in spoken]), 1e-6)
    missing = [unit * one.opening - opening for one, opening in zip(spoken, told, strict=True)]
    count = min(FOLDS, len(spoken))
    folds = [list(range(number, len(spoken), count)) for number in range(count)]
    moments = [_moments([(spoken[i].x, missing[i]) for i in fold]) for fold in folds]
    base = _agreements(told, spoken)
    found: list[tuple[float, float, Tensor]] = []
    for ridge in HELD if count > 1 else ():
        changed = list(told)
        for out, fold in enumerate(folds):
            vector = _solved([part for number, part in enumerate(moments) if number != out], ridge)
            for i in fold:
                changed[i] = told[i] + spoken[i].x @ vector
        values = _agreements(changed, spoken)
        found.append((float(values.mean()), ridge, values))
    best, held, values = _firmest(found) if found else (0.0, None, base)
    more = values - base
    weight, bias = torch.zeros(spoken[0].told.shape[1], spoken[0].x.shape[1]), torch.zeros(spoken[0].told.shape[1])
    if held is None or float(more.mean()) <= _error(more):
        return Lips(weight, bias, None, float(base.mean()), float(base.mean()), lag)
    weight[JAW] = WIDE_OPENING * _solved(moments, held)
    return Lips(weight, -weight @ _silence(spoken), held, float(base.mean()), best, lag)


def _firmest(found: Sequence[tuple[float, float, Tensor]]) -> tuple[float, float, Tensor]:
    """Of changes (mean agreement, how firmly held, agreements) the firmest that is not surely worse than the best."""
    best = max(found, key=lambda one: one[0])
    return next(one for one in reversed(found) if best[0] - one[0] <= _error(best[2] - one[2]))


def _error(differences: Tensor) -> float:
    """What a mean over pieces must exceed to be sure."""
    return SURE * float(differences.std()) / len(differences) ** 0.5


def opening_of(mouth: Tensor) -> Tensor:
    """Mouth parameters (T,mouth) -> (T,) opening of the lips as in visemes/table.py."""
    return said_lips(mouth)[:, 0]


def said_lips(mouth: Tensor) -> Tensor:
    """Mouth parameters (T,mouth) -> (T,2) opening and width of the lips as in visemes/table.py."""
    whole = np.zeros((len(mouth), len(INDEX)), np.float32)
    whole[:, MOUTH] = mouth[:, : len(MOUTH)].numpy()
    return torch.from_numpy(lips_of(whole)).float()


def _silence(spoken: Sequence[Spoken]) -> Tensor:
    return torch.stack([one.silence for one in spoken]).mean(0)


def _lag(spoken: Sequence[Spoken]) -> int:
    """Frames by which the lips are late behind the base's."""

    def agreement(lag: int) -> float:
        moved = [_moved(one, lag) for one in spoken]
        return float(_agreements([opening_of(one.told) for one in moved], moved).mean())

    return max(range(-LAGS, LAGS + 1), key=lambda lag: (agreement(lag), -abs(lag)))


def _moved(one: Spoken, lag: int) -> Spoken:
    """The piece with what is seen moved by `lag` frames against what is heard."""
    count = len(one.x) - abs(lag)
    heard, seen = slice(max(-lag, 0), max(-lag, 0) + count), slice(max(lag, 0), max(lag, 0) + count)
    return Spoken(one.x[heard], one.silence, one.told[heard], one.seen[seen])


def _spread(curves: Sequence[Tensor]) -> float:
    """Deviation of curves, each about its own mean."""
    return float(torch.cat([curve - curve.mean() for curve in curves]).std())


def _agreements(curves: Sequence[Tensor], spoken: Sequence[Spoken]) -> Tensor:
    """Of each piece, the correlation of an opening (T,) with the one that was seen."""
    return torch.tensor([correlation(curve, one.opening) for curve, one in zip(curves, spoken, strict=True)])


def _moments(pieces: Sequence[tuple[Tensor, Tensor]]) -> Moments:
    """Of conditions and what is missing, each piece about its mean: a person's rest is not what is learnt."""
    moments = Moments(pieces[0][0].shape[1], 1)
    for x, missing in pieces:
        moments.add(x - x.mean(0), (missing - missing.mean())[:, None], 1.0)
    return moments


def _solved(parts: Sequence[Moments], ridge: float) -> Tensor:
    """Vector (width,) of the moments of several parts together."""
    whole = Moments(len(parts[0].x), 1)
    for part in parts:
        for name in ("weight", "x", "y", "xx", "xy"):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
    return whole.solve(ridge)[0][0].float()


def scale_lips(
    model: MotionModel,
    renderer: Renderer,
    solved: Lips,
    spoken: Sequence[Spoken],
    photos: Sequence[Tensor],
    rest: Tensor,
) -> Lips:
    """The change with the factors on opening and width, about what is said in silence, with which lips go as far as in
    the film. photos: one (H,W,3) in [0,1] of each piece. rest (mouth,): the parameters that the regression's zero
    stands for."""
    weight, bias = model.ear.weight.cpu(), model.ear.bias.cpu()
    picked = sorted({round(float(i)) for i in np.linspace(0, len(spoken) - 1, FILMED)})
    silence, factors, whole = _silence(spoken), np.ones(2), solved
    trusted = np.array([1.0, float(_widths_agree(spoken))])
    for _ in range(ROUNDS):
        steps = []
        for i in picked:
            mouth = spoken[i].x[THIRD] @ (weight + whole.weight).T + bias + whole.bias + rest
            filmed = _filmed(renderer, mouth, photos[i])
            steps.append([_farther(spoken[i].seen[:, n], filmed[:, n]) for n in range(2)])
        factors = np.clip(factors * np.exp(trusted * np.mean(steps, 0)), *FARTHEST)
        whole = _scaled(solved, weight, silence, factors)
    return whole


def _widths_agree(spoken: Sequence[Spoken]) -> bool:
    """Whether the widths that are seen are those that the base says, as well as they can be known from a voice."""
    return np.mean([correlation(said_lips(one.told)[:, 1], one.seen[:, 1]) for one in spoken]) > RELIABLE


def _farther(wanted: Tensor, found: Tensor) -> float:
    """Logarithm of how much farther one curve (T,) goes than another."""
    return float(np.log(max(reach(wanted), 1e-3) / max(reach(found), 1e-3)))


def _scaled(solved: Lips, weight: Tensor, silence: Tensor, factors: Sequence[float]) -> Lips:
    """A change that was not scaled, with factors on all of the opening and the width that are said, about silence."""
    more = torch.zeros_like(weight)
    for rows, factor in zip((OPENING, WIDTH), factors, strict=True):
        more[rows] = (float(factor) - 1) * (weight + solved.weight)[rows]
    whole = solved.weight + more
    return replace(solved, weight=whole, bias=-whole @ silence, factors=tuple(map(float, factors)))


@torch.inference_mode()
def _filmed(renderer: Renderer, mouth: Tensor, photo: Tensor) -> Tensor:
    """The lips (T,2) that the encoder sees in frames of a photo whose mouth follows parameters (T,mouth)."""
    parameters = mouth.new_zeros(len(mouth), len(INDEX))
    parameters[:, MOUTH] = mouth[:, : len(MOUTH)]
    device = next(renderer.parameters()).device
    values = renderer.motion_from_parameters(parameters.to(device)).float().cpu()
    motion = Motion(values, renderer.rest_motion().cpu(), FPS, renderer.motion_language)
    source, settings = encode_source(renderer, photo), RenderingSettings(size=max(64, renderer.config.motion_size))
    frames = render(renderer, source, extract_appearance(renderer, source), motion, settings)
    encoder = renderer.motion_encoder
    return seen_lips(
        torch.cat([encoder.encode_with_keypoints(part.permute(0, 3, 1, 2).to(device)).points for part in frames])
    )


def neutral_picture(piece: Piece, seen: Tensor) -> Tensor:
    """(S,S,3) in [0,1]: of a piece's frames the most neutral, by the parameters (T,24) seen in them."""
    return torch.from_numpy(piece.pictures[int(neutral_frames(seen)[0])]).float() / 255
