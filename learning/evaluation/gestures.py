"""Evaluation of the gestures of half bodies: whether hands beat with the voice's stress, and how diverse motion is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.signal import find_peaks

from ...networks.motion_model.model import MotionModel
from ...networks.renderer.model import Renderer
from ...vocabulary import ARMS, COUNT, FPS
from ..corpus.speech.prosody import analyse
from ..corpus.tracks import read_clip
from ..datasets.tracks import Track
from .judge.motion import diversity, temporal_distance
from .method_findings import interval
from .metrics import mean_of
from .speaking import motion_of_sound

NEAR = 0.2  # s between a beat and the middle of a stressed vowel
STROKE = 0.05  # decimetres: the least depth of a downward stroke that counts as a beat
HEIGHTS = [COUNT + i for i, parameter in enumerate(ARMS) if parameter.name.endswith("_up")]


def beats(parameters: np.ndarray) -> np.ndarray:
    """Times (n,) in s of the lowest points of strokes of the hands (their mean height) in parameters (T,34)."""
    return find_peaks(-parameters[:, HEIGHTS].mean(1), prominence=STROKE)[0] / FPS


def share_near(times: np.ndarray, vowels: np.ndarray, end: float) -> float:
    """Part of the times before `end` that lie within NEAR of a vowel; NaN without any."""
    times = times[times < end]
    if not len(times) or not len(vowels):
        return float("nan")
    return float((np.abs(times[:, None] - vowels).min(1) <= NEAR).mean())


def near_stress(times: Sequence[np.ndarray], vowels: Sequence[np.ndarray], ends: Sequence[float]) -> np.ndarray:
    """(clips,2): the part of each clip's beats within NEAR of a stressed vowel of its own voice, and the mean of that
    with every other clip's voice; both NaN where one of them is not known."""
    rows = np.full((len(times), 2), np.nan)
    for i, beaten in enumerate(times):
        near = share_near(beaten, vowels[i], ends[i])
        shuffled = [share_near(beaten, vowels[j], ends[j]) for j in range(len(times)) if j != i]
        if np.isfinite(near) and np.isfinite(shuffled).any():
            rows[i] = near, np.nanmean(shuffled)
    return rows


def beats_with_stress(
    times: Sequence[np.ndarray], vowels: Sequence[np.ndarray], ends: Sequence[float], seed: int = 0
) -> dict[str, float]:
    """`beats_near`: mean over clips of the part of beats within NEAR of a stressed vowel of their own voice;
    `beats_shuffled`: of those of every other clip's voice; `beats_gain`: the difference, and its 95 % interval."""
    rows = near_stress(times, vowels, ends)
    rows = rows[np.isfinite(rows[:, 0])]
    if not len(rows):
        return {}
    gain, low, high = interval(torch.from_numpy(rows[:, 0] - rows[:, 1]), seed)
    return {
        "beats_near": float(rows[:, 0].mean()),
        "beats_shuffled": float(rows[:, 1].mean()),
        "beats_gain": gain,
        "beats_low": low,
        "beats_high": high,
        "beats_clips": len(rows),
        "beats_a_second": float(sum(map(len, times)) / sum(ends)),
    }


@dataclass(frozen=True)
class Gestures:
    """What was measured of each clip."""

    made: list[np.ndarray] = field(default_factory=list)  # times of beats
    drawn: list[np.ndarray] = field(default_factory=list)  # of those of the drawn arms
    vowels: list[np.ndarray] = field(default_factory=list)  # times of stressed vowels
    ends: list[float] = field(default_factory=list)  # seconds
    values: list[dict[str, float]] = field(default_factory=list)


@torch.inference_mode()
def gestures_of(
    renderer: Renderer,
    model: MotionModel,
    tracks: Sequence[Track],
    *,
    clips: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> Gestures:
    """Of the motion that drawn voices command: beats, and as values DIV and TGD of the protocols in motion's 768
    numbers (`div`, `div_true`, `tgd`), and how far the hands' height varies, over the truth (`hand_reach`).

    Only clips whose sound was not changed, in which the stressed vowels can be found."""
    picked, found = [track for track in tracks if track.drawn and not track.augmented][:clips], Gestures()
    for number, track in enumerate(picked):
        speech, truth, _ = read_clip(track.folder)
        motion = motion_of_sound(model, torch.from_numpy(track.audio(0, len(truth))), None, seed=number)
        written = renderer.motion_from_parameters(torch.from_numpy(truth))
        read = renderer.read_parameters(motion.values).numpy()
        found.made.append(beats(read))
        found.drawn.append(beats(truth))
        found.vowels.append(np.array([accent.time for accent in analyse(speech).accents]))
        found.ends.append(len(truth) / FPS)
        found.values.append(
            {
                "div": diversity(motion.values),
                "div_true": diversity(written),
                "tgd": temporal_distance(motion.values, written),
                "hand_reach": float(read[:, HEIGHTS].std() / max(truth[:, HEIGHTS].std(), 1e-3)),
            }
        )
        if progress is not None:
            progress(number + 1, len(picked))
    return found


def measure_gestures(
    renderer: Renderer,
    model: MotionModel,
    tracks: Sequence[Track],
    *,
    clips: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """`beats_with_stress` of `gestures_of` clips, the same of the drawn arms as `true_...`, and means of the values."""
    found = gestures_of(renderer, model, tracks, clips=clips, progress=progress)
    if not found.values:
        return {}
    made, drawn = (beats_with_stress(times, found.vowels, found.ends) for times in (found.made, found.drawn))
    return made | {f"true_{name}": value for name, value in drawn.items()} | mean_of(found.values)
