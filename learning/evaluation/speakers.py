"""Lip sync with real voices: correlation with the lips of the filmed speakers.

The ground truth is the opening of a speaker's inner lips, measured in the film by the face mesh. Sound and picture of a
film may be offset, so each curve is compared at its best lag, one for the whole clip.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...media.audio import load_audio
from ...media.photo import to_uint8
from ...media.video import read_video
from ...networks.motion_model.model import MotionModel
from ...networks.renderer.model import Renderer
from ...pipelines.portrait import encode_source, extract_appearance
from ...pipelines.rendering import render
from ...pipelines.settings import RenderingSettings
from ...pipelines.speaking import prepare_voice
from ...pipelines.writing import assemble
from ...visemes.table import LIP_PER_JAW, PUCKER_PARTS
from ...vocabulary import FPS, INDEX, SAMPLE_RATE, SAMPLES_A_FRAME
from .face_mesh import FaceMesh, lips_of
from .metrics import best_lag, correlation, reach
from .speaking import motion_of_sound

SECONDS = 8.0  # of each clip
SEEN = 0.9  # part of the frames in which the mesh must find a face
RENDERING = RenderingSettings(size=256)
QUIETEST = 1e-6  # of the loudest frame's energy: 60 dB


@dataclass(frozen=True)
class Speaker:
    """A filmed voice: sound (N,) at 16 kHz, N = 640 * T; opening of the inner lips and width of the mouth (T,) at 25
    fps."""

    name: str
    audio: Tensor
    opening: Tensor
    width: Tensor


def read_speaker(path: str | Path, mesh: FaceMesh, seconds: float = SECONDS) -> Speaker | None:
    """The first seconds of a film of one speaking person; None where the mesh loses the face or there is no sound."""
    path = Path(path)
    frames = read_video(path, FPS, max_frames=round(seconds * FPS))
    lips = _without_gaps([lips_of(mesh, to_uint8(frame)) for frame in frames])
    try:
        voice = prepare_voice(*load_audio(path))
    except ValueError:
        return None
    if lips is None:
        return None
    length = min(len(lips), voice.frames)
    return Speaker(path.stem, voice.waveform[0, : length * SAMPLES_A_FRAME], *lips[:length].T)


def _without_gaps(values: list[tuple[float, float] | None]) -> Tensor | None:
    """(T,2) with frames in which no face was seen filled in between their neighbours; None if there are too many."""
    seen = [i for i, value in enumerate(values) if value is not None]
    if not seen or len(seen) < SEEN * len(values):
        return None
    known = np.array([values[i] for i in seen])
    return torch.from_numpy(np.stack([np.interp(range(len(values)), seen, column) for column in known.T], 1)).float()


def loudness(audio: Tensor) -> Tensor:
    """(T,) log energy of each frame of sound (640 * T,), clipped 60 dB below the loudest frame's."""
    energy = audio.view(-1, SAMPLES_A_FRAME).double().square().mean(1)
    return energy.clamp_min(QUIETEST * energy.max().clamp_min(1e-12)).log().float()


def commanded_opening(parameters: Tensor) -> Tensor:
    """Motion (T,24) -> (T,) opening between the inner lips in units of the jaw, as the corpus makes it."""
    lips = parameters[:, INDEX["upper_lip"]] + parameters[:, INDEX["lower_lip"]]
    return parameters[:, INDEX["jaw"]] + LIP_PER_JAW * lips + PUCKER_PARTS * parameters[:, INDEX["pucker"]]


@dataclass(frozen=True)
class TalkingHead:
    """A portrait animated with a voice: the opening commanded by its motion (T,), and frames (T,H,W,3) in [0,1]."""

    opening: Tensor
    frames: Tensor


@torch.inference_mode()
def animate_portrait(renderer: Renderer, model: MotionModel, photo: Tensor, audio: Tensor) -> TalkingHead:
    """Animate a square portrait (H,W,3) in [0,1] with sound (640 * T,) at 16 kHz, as `animate` does."""
    source = encode_source(renderer, photo)
    appearance = extract_appearance(renderer, source)
    motion = motion_of_sound(model, audio, appearance)
    parameters = renderer.read_parameters(motion.values.to(model.motion_mean.device)).float().cpu()
    frames = torch.cat(list(render(renderer, source, appearance, motion, RENDERING)))
    return TalkingHead(commanded_opening(parameters), frames)


def measure_speakers(
    renderer: Renderer,
    model: MotionModel,
    films: Sequence[str | Path],
    photo: Tensor,
    mesh: FaceMesh,
    *,
    out: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, float]]:
    """For each film of a speaking person, correlation with the measured lips at the best lag of: `lips`, the opening
    commanded by the voice; `rendered`, the opening that the mesh sees in the finished video of a portrait (H,W,3);
    `loudness`; `width`, as `rendered`, of the mouth's width. `lag` is that of `lips`, in frames. `reach` and
    `width_reach` say how far opening and width go in the finished video, `own_reach` and `own_width_reach` in the film.
    Films without a face or a sound are left out.

    out: a folder for the videos; None keeps none.
    """
    figures = {}
    for number, film in enumerate(films):
        speaker = read_speaker(film, mesh)
        if speaker is not None:
            head = animate_portrait(renderer, model, photo, speaker.audio)
            lips, lag = best_lag(head.opening, speaker.opening)
            seen = _finished(head.frames, speaker, mesh, out)
            figures[speaker.name] = {
                "lips": lips,
                "loudness": best_lag(loudness(speaker.audio), speaker.opening)[0],
                "lag": float(lag),
                **(_seen_lips(seen, speaker) if seen is not None else {"rendered": math.nan}),
            }
        if progress is not None:
            progress(number + 1, len(films))
    return figures


def _seen_lips(seen: Tensor, speaker: Speaker) -> dict[str, float]:
    """Correlations and reach of lips (T,2) seen in a finished video."""
    opening, width = seen.T
    return {
        "rendered": best_lag(opening, speaker.opening)[0],
        "width": best_lag(width, speaker.width)[0],
        "reach": reach(opening),
        "own_reach": reach(speaker.opening),
        "width_reach": reach(width),
        "own_width_reach": reach(speaker.width),
    }


def _finished(frames: Tensor, speaker: Speaker, mesh: FaceMesh, out: str | Path | None) -> Tensor | None:
    """(T,2) opening and width seen in finished frames: in the video as written, where there is a folder for it."""
    pictures = frames
    if out is not None:
        path = Path(out) / f"{speaker.name}.mp4"
        assemble(path, [frames], Fraction(FPS), waveform=speaker.audio[None], rate=SAMPLE_RATE)
        pictures = read_video(path)
    return _without_gaps([lips_of(mesh, to_uint8(picture)) for picture in pictures])


def measure_talking_portrait(
    renderer: Renderer,
    model: MotionModel,
    photo: Tensor,
    audio: Tensor,
    mesh: FaceMesh,
    shown: int = 8,
) -> tuple[dict[str, float], Tensor]:
    """One portrait (H,W,3) speaking: `voice`, correlation of the opening that the mesh sees in its frames with the one
    that the voice commanded (empty where no face is seen); and `shown` frames (shown,3,S,S) from first to last."""
    head = animate_portrait(renderer, model, photo, audio)
    seen = _without_gaps([lips_of(mesh, picture) for picture in to_uint8(head.frames)])
    picked = torch.linspace(0, len(head.frames) - 1, shown).round().long()
    figures = {} if seen is None else {"voice": correlation(seen[:, 0], head.opening)}
    return figures, head.frames[picked].movedim(-1, 1)
