"""Motion of a talking head beside articulation: pose, blinks, gaze, brows, smile, breath, in the style of a speaker.

Prosody sets their timing: nods and raised brows fall on accents, blinks and breaths on the boundaries of phrases, the
pitch of the head follows the intonation. Rates and profiles are the usual ones of the talking-head literature. A
speaker's style depends on pitch, pitch range and tempo, and on the voice itself, so that a model can infer it from
sound.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from ....vocabulary import FPS, INDEX
from ..speech.prosody import Prosody
from . import curves


@dataclass(frozen=True)
class MotionStyle:
    """How a speaker moves.

    gain: of head motion; nods, brows: share of the accents with a nod or raised brows; blinks: a second; openness,
    width: of the mouth, 1 is average; smile: habitual, 0..0.4; expressiveness: 0..1, how far accents raise the brows.
    """

    gain: float
    nods: float
    blinks: float
    openness: float
    width: float
    smile: float
    brows: float
    expressiveness: float


def motion_style(speaker: str, prosody: Prosody) -> MotionStyle:
    """The style of a speaker: in part from prosody (voices with more pitch range, faster ones move more), in part from
    a hash of the name."""
    digest = hashlib.sha256(f"style {speaker}".encode()).digest()
    own = np.frombuffer(digest[:28], np.uint32) / 2**31 - 1  # seven numbers, -1..1
    high = np.clip(np.log2(prosody.median_pitch / 140), -1, 1)
    lively = np.clip((prosody.pitch_range - 0.18) / 0.18, -1, 1)
    spoken = sum(end - start for start, end in prosody.phrases)
    tempo = np.clip(len(prosody.accents) / max(spoken, 0.5) / 1.6 - 1, -1, 1)
    return MotionStyle(
        gain=float(np.exp(0.35 * own[0] + 0.3 * lively + 0.1 * tempo)),
        nods=float(np.clip(0.4 + 0.2 * own[1] + 0.15 * lively, 0.1, 0.8)),
        blinks=float(0.25 * np.exp(0.4 * own[2] + 0.2 * tempo)),
        openness=float(np.clip(1 + 0.1 * own[3] + 0.05 * lively - 0.05 * tempo, 0.8, 1.15)),
        width=float(np.clip(1 + 0.15 * own[4] + 0.05 * high, 0.8, 1.2)),
        smile=float(np.clip(0.1 + 0.12 * own[5] + 0.08 * high, 0, 0.4)),
        brows=float(np.clip(0.3 + 0.2 * own[6] + 0.15 * lively, 0.05, 0.7)),
        expressiveness=float(0.5 + 0.5 * lively),
    )


def add_head_motion(mouth: np.ndarray, prosody: Prosody, style: MotionStyle, rng: np.random.Generator) -> np.ndarray:
    """Add everything but articulation to `mouth` (T, COUNT): returns a new (T, COUNT) float32.

    A clip begins at the rest pose, as motion sampled for a photograph does.
    """
    motion = mouth.astype(np.float64)
    frames = len(motion)
    _pose(motion, prosody, style, rng)
    _eyes(motion, prosody, style, rng)
    _brows(motion, prosody, style, rng)
    habit = style.smile * (1 + 0.5 * curves.smooth_noise(frames, 3.0, rng)) * curves.ease_in(frames, 0.6)
    rounded = 1 - 0.6 * motion[:, INDEX["pucker"]]
    for name, tilt in (("smile_left", 1.0), ("smile_right", 1 + 0.08 * rng.normal())):
        motion[:, INDEX[name]] += np.clip(habit * rounded * tilt, -0.15, 0.6)
    return motion.astype(np.float32)


def _pose(motion: np.ndarray, prosody: Prosody, style: MotionStyle, rng: np.random.Generator) -> None:
    """Slow drift of the head, nods on accents, a lift of the chin with the intonation, breath in the shoulders."""
    frames = len(motion)
    onset = curves.ease_in(frames, 0.8)
    speaking = 0.45 + 0.55 * curves.smooth(curves.speaking(frames, prosody), 0.6)
    yaw, pitch, roll = (size * style.gain * speaking * curves.smooth_noise(frames, tau, rng) for size, tau in
                        ((0.075, 1.6), (0.05, 1.3), (0.04, 1.8)))  # fmt: skip
    melody = curves.smooth(
        np.interp(np.arange(frames) / FPS, np.arange(len(prosody.pitch)) / 100, prosody.pitch_contour()), 0.25
    )
    pitch -= 0.10 * style.gain * speaking * (melody - melody.mean())
    for accent in prosody.accents:
        if rng.random() < style.nods:
            depth = style.gain * (0.025 + 0.06 * accent.strength) * (0.7 + 0.6 * rng.random())
            pitch += depth * curves.nod(frames, accent.time + 0.03 * rng.normal(), 0.2 + 0.08 * rng.random())
            roll += 0.25 * depth * rng.normal() * curves.raised_cosine(frames, accent.time, 0.3)
    for start, _ in prosody.phrases[1:]:  # a new phrase may take a new posture
        shift = 0.05 * style.gain * rng.normal(size=3)
        step = curves.smooth((np.arange(frames) / FPS > start - 0.1).astype(float), 0.3)
        yaw, pitch, roll = yaw + shift[0] * step, pitch + 0.6 * shift[1] * step, roll + 0.7 * shift[2] * step
    yaw, pitch, roll = (onset * np.clip(x, -limit, limit) for x, limit in ((yaw, 0.4), (pitch, 0.3), (roll, 0.25)))

    breath = onset * _breath(frames, prosody, rng)
    values = {
        "yaw": yaw, "pitch": pitch, "roll": roll,
        "shift_x": onset * (0.25 * yaw - 0.25 * roll + 0.015 * style.gain * curves.smooth_noise(frames, 2.5, rng)),
        "shift_y": onset * (-0.15 * pitch + 0.01 * style.gain * curves.smooth_noise(frames, 2.5, rng)) + 0.4 * breath,
        "shift_z": onset * (0.15 * pitch + 0.02 * style.gain * curves.smooth_noise(frames, 3.0, rng)),
        "shoulder_x": onset * (0.08 * yaw + 0.01 * style.gain * curves.smooth_noise(frames, 3.0, rng)),
        "shoulder_y": breath,
    }  # fmt: skip
    for name, curve in values.items():
        motion[:, INDEX[name]] = curve


def _eyes(motion: np.ndarray, prosody: Prosody, style: MotionStyle, rng: np.random.Generator) -> None:
    """Fixations on the camera that compensate for head rotation, saccades aside, blinks."""
    frames = len(motion)
    look = np.zeros((frames, 2))
    now, starts = rng.exponential(1.5), [start for start, _ in prosody.phrases]
    while now < frames / FPS:
        thinking = any(abs(now - start) < 0.5 for start in starts)
        aside = rng.random() < (0.4 if thinking else 0.2)
        target = rng.normal(size=2) * ((0.16, 0.10) if aside else (0.025, 0.02))
        look[int(now * FPS) :] = np.clip(target, (-0.35, -0.2), (0.35, 0.2))
        now += rng.exponential(0.6 if aside else 1.8) + 0.25
    # The vestibulo-ocular reflex: eyes turn against the head by nearly its angle, so that they stay on the target.
    motion[:, INDEX["gaze_x"]] = np.clip(look[:, 0] - 0.9 * motion[:, INDEX["yaw"]], -0.5, 0.5)
    motion[:, INDEX["gaze_y"]] = np.clip(look[:, 1] + 0.9 * motion[:, INDEX["pitch"]], -0.35, 0.35)

    times = [time for time in _poisson(frames / FPS, style.blinks, rng)]
    times += [end + 0.15 * rng.random() for _, end in prosody.phrases if rng.random() < 0.45]
    closed, last = np.zeros(frames), -1.0
    for time in sorted(times):
        if time - last > 0.35:
            closed, last = np.maximum(closed, _blink(frames, time, rng.uniform(0.12, 0.20))), time
    lids = 0.02 * curves.smooth_noise(frames, 2.0, rng) - 0.35 * motion[:, INDEX["gaze_y"]]  # lids follow the gaze
    for name in ("blink_left", "blink_right"):
        motion[:, INDEX[name]] = np.clip(lids + (1 - lids) * closed, -0.15, 1)


def _brows(motion: np.ndarray, prosody: Prosody, style: MotionStyle, rng: np.random.Generator) -> None:
    frames = len(motion)
    raised = 0.05 * curves.smooth_noise(frames, 2.0, rng)
    for accent in prosody.accents:
        if rng.random() < style.brows:
            size = (0.12 + 0.35 * accent.strength) * (0.6 + 0.6 * style.expressiveness)
            raised += size * curves.raised_cosine(frames, accent.time - 0.05, rng.uniform(0.35, 0.7))
    knit = np.maximum(0.08 * curves.smooth_noise(frames, 2.5, rng), 0) + 0.15 * rng.random() * np.maximum(-raised, 0)
    onset = curves.ease_in(frames, 0.4)
    for name in ("brow_left", "brow_right"):
        motion[:, INDEX[name]] = np.clip(onset * raised * (1 + 0.1 * rng.normal()), -0.4, 0.9)
    motion[:, INDEX["furrow"]] = np.clip(onset * knit, 0, 0.5)


def _breath(frames: int, prosody: Prosody, rng: np.random.Generator) -> np.ndarray:
    """Height of the shoulders (frames,): up before each phrase, down while it is spoken; a slow cycle in silence."""
    time = np.arange(frames) / FPS
    drive = 0.4 * np.sin(2 * np.pi * (0.25 * time + rng.random()))
    for start, _ in prosody.phrases:
        drive += curves.raised_cosine(frames, start - 0.1, 0.9)
    return 0.015 * rng.uniform(0.6, 1.4) * (curves.smooth(drive, 0.15) - drive.mean())


def _blink(frames: int, start: float, length: float) -> np.ndarray:
    """Closure of the lids (frames,), 0..1: closing takes 35 % of `length` seconds, opening half; at least one frame is
    fully closed."""
    time = (np.arange(frames) + 0.5) / FPS - start
    closing = np.clip(time / (length * 0.35), 0, 1)
    opening = np.clip((length - time) / (length * 0.5), 0, 1)
    closed = np.minimum(closing, opening)
    closed = closed * closed * (3 - 2 * closed)
    middle = int((start + 0.42 * length) * FPS)
    if middle < frames:
        closed[middle] = 1.0
    return closed


def _poisson(seconds: float, rate: float, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.random(rng.poisson(seconds * rate))) * seconds
