"""What the mouth of a dubbed film does in every frame, and on which of the film's frames it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from ..media.motion import Motion, fitted_to
from ..media.motion_edit import resample_motion
from ..media.smoothing import smoothed
from ..networks.renderer.model import Renderer
from ..vocabulary import INDEX, REGIONS
from .lips import OPENING, PARTED
from .regions import motion_to_parameters
from .settings import DubbingSettings
from .tracking import FaceTrack, Shot

EASE = 0.16  # seconds in which the new mouth fades in and out beside frames that are left alone
SHORTEST = 0.2  # seconds from one key frame to the next
CLOSED_PART, CLOSED_ABOVE = 0.3, 0.1  # key frames: the least open part of a shot, and what is as closed as its closest
LOW = 0.1  # quantile of a shot's openings that stands for closed lips
SLOW = 0.4  # seconds, sigma: the smile stays the film's as far as it is slower than speech
STILL = 0.02  # seconds, sigma, over which the reading of the head is smoothed
MOUTH = [INDEX[name] for name in REGIONS["mouth"]]
SMILE = [INDEX["smile_left"], INDEX["smile_right"]]
SHAPE, ODD = [INDEX["pucker"], INDEX["press"]], 0.2  # a key frame's lips are neither rounded nor pressed, if possible
WEIGHTS = torch.tensor([1.0, 0.5, 0.5])  # of jaw, upper and lower lip in the opening of the mouth


def voice_parameters(renderer: Renderer, motion: Motion, track: FaceTrack, settings: DubbingSettings) -> Tensor:
    """What a voice's motion changes of the mouth in each frame of the film: (T,24), zero before and after it."""
    motion = resample_motion(fitted_to(motion, renderer), fps=Fraction(track.fps))
    rest = motion_to_parameters(renderer, motion.reference[None])
    change = settings.gain * (motion_to_parameters(renderer, motion.values) - rest)
    placed, first = torch.zeros(track.frames, change.shape[1]), round(settings.begin * track.fps)
    length = max(0, min(len(change), track.frames - first))
    placed[first : first + length] = change[:length]
    return placed


@dataclass(frozen=True, eq=False)
class ShotPlan:
    """How one shot is dubbed: its key frames in order, and the target (n,24) and weight (n,) of every frame."""

    shot: Shot
    keys: list[int]
    targets: Tensor
    weights: Tensor


def plan_shot(shot: Shot, parameters: Tensor, voice: Tensor, fps: float) -> ShotPlan | None:
    """None where the face is seen in no frame. parameters, voice: (n,24) of the shot."""
    seen = torch.isfinite(parameters[:, 0])
    if not seen.any():
        return None
    own = parameters[seen]
    base = own.median(0).values
    base[OPENING] = own[:, OPENING].quantile(LOW, 0).clamp(max=PARTED)
    at = seen.nonzero().flatten().numpy()
    filled = [np.interp(np.arange(len(seen)), at, column) for column in own.numpy().T]
    filled = torch.from_numpy(np.stack(filled, 1))
    targets = smoothed(filled, STILL * fps).float()
    targets[:, MOUTH] = base[MOUTH] + voice[:, MOUTH]
    targets[:, SMILE] = smoothed(filled[:, SMILE], SLOW * fps).float() + voice[:, SMILE]
    odd = (parameters[:, SHAPE].nan_to_num() - base[SHAPE]).abs().sum(1)
    opening = torch.where(seen, parameters[:, OPENING].nan_to_num() @ WEIGHTS + ODD * odd, torch.inf)
    return ShotPlan(shot, _keys(opening, fps), targets, _eased(seen, fps))


def _keys(opening: Tensor, fps: float) -> list[int]:
    """Numbers of the frames with closed lips, by the opening (n,), infinite where there is no face; at least one."""
    shown, apart = opening[opening.isfinite()], max(1, round(SHORTEST * fps))
    most = max(float(shown.quantile(CLOSED_PART)), float(shown.min()) + CLOSED_ABOVE)
    keys: list[int] = []
    for frame in opening.argsort().tolist():
        if opening[frame] > most:
            break
        if all(abs(frame - key) >= apart for key in keys):
            keys.append(frame)
    return sorted(keys)


def _eased(seen: Tensor, fps: float) -> Tensor:
    """(n,) bool -> (n,) weights: 0 where it is False, rising to 1 within EASE seconds beside such frames."""
    absent = (~seen).nonzero().flatten()
    if not len(absent):
        return torch.ones(len(seen))
    distance = (torch.arange(len(seen))[:, None] - absent[None]).abs().amin(1)
    x = (distance / (EASE * fps + 1)).clamp(max=1)
    return x * x * (3 - 2 * x)
