"""How well films are dubbed, measured by MediaPipe's face mesh.

    python -m mamba_portrait.learning.evaluation.dubbing FILM VOICE THIRD [FILM VOICE THIRD ...]

Each film gets the new voice, and silence; the third voice says what agreement with the film's own lips is chance.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...media.audio import load_audio
from ...media.mouth_region import MouthRegion
from ...media.photo import to_uint8
from ...media.video import probe_video, read_video
from ...model_loaders.checkpoint import load_motion_model, load_renderer
from ...networks.motion_model.model import MotionModel
from ...networks.renderer.model import Renderer
from ...pipelines.dub_plan import WEIGHTS, DubbingSettings, voice_parameters
from ...pipelines.dubbing import dub
from ...pipelines.face_reading import read_face
from ...pipelines.lips import OPENING
from ...pipelines.portrait import encode_source, extract_appearance
from ...pipelines.rendering import render
from ...pipelines.settings import RenderingSettings
from ...pipelines.speaking import prepare_voice
from ...pipelines.tracking import FaceTrack, track_face
from ..datasets.films import measure_lips
from .judge.mesh import MeshProcess, mesh_process, without_gaps
from .metrics import correlation, mean_of
from .real import SPEAKER, portrait_of
from .speaking import motion_of_sound

MOST = 100  # frames of each film
SIZE = RenderingSettings(size=256)


def measure_dubbing(
    renderer: Renderer, model: MotionModel, film: str | Path, voice: str | Path, third: str | Path, mesh: MeshProcess
) -> dict[str, float]:
    """One film: `outside`, the lowest PSNR of a frame outside of the mouth's region, before encoding (100 where nothing
    differs); `lips`, correlation of the dubbed lips with those that the voice gives a photo; `film`, with the film's
    own; `command`, of the opening that the new voice commands with the film's own, and `chance`, of a photo's lips for
    the third voice; `silent`, the part of the film's lip opening that is left where the new voice is silent;
    `jitter`, the box's largest move between frames, in pixels."""
    info = probe_video(film)

    def read():
        return islice(read_video(film, info.fps), MOST)

    track = track_face(read(), info.fps)
    face = read_face(renderer, read(), track)
    heard, other = (prepare_voice(*load_audio(path)).waveform[0] for path in (voice, third))
    motions = [motion_of_sound(model, sound, None) for sound in (heard, other, torch.zeros_like(heard))]
    command = voice_parameters(renderer, motions[0], track, DubbingSettings())[:, OPENING] @ WEIGHTS
    frames = torch.stack(list(read()))
    spoken, silent = (torch.cat(list(dub(renderer, read, track, face, m))) for m in (motions[0], motions[2]))
    lips = [_lips(mesh, pictures) for pictures in (frames, spoken, silent, *_on_a_photo(renderer, motions[:2]))]
    if any(curve is None for curve in lips):
        return {}
    length = min(map(len, lips))
    own, new, rest, photo, chance = (curve[:length] for curve in lips)
    return {
        "outside": _outside(frames, spoken, track),
        "lips": correlation(new, photo),
        "film": correlation(new, own),
        "command": correlation(command[:length], own),
        "chance": correlation(chance, own),
        "silent": correlation(rest, own) * float(rest.std() / own.std().clamp_min(1e-6)),
        "jitter": _jitter(track),
    }


def _on_a_photo(renderer: Renderer, motions: Sequence) -> list[Tensor]:
    source = encode_source(renderer, portrait_of(SPEAKER))
    appearance = extract_appearance(renderer, source)
    return [torch.cat(list(render(renderer, source, appearance, motion, SIZE))) for motion in motions]


def _lips(mesh: MeshProcess, pictures: Tensor) -> Tensor | None:
    points = without_gaps(mesh.landmarks(to_uint8(pictures)))
    return None if points is None else torch.from_numpy(measure_lips(points[..., :2])[0]).float()


def _outside(frames: Tensor, dubbed: Tensor, track: FaceTrack) -> float:
    lowest = 100.0
    for number, (own, new) in enumerate(zip(frames, dubbed, strict=True)):
        away = np.ones(own.shape[:2], bool)
        if track.seen(number):
            region = MouthRegion(track.marks(number), away.shape)
            away[region.rows, region.columns] = region.alpha == 0
        error = float((own - new).square().mean(-1)[torch.from_numpy(away)].mean())
        lowest = min(lowest, 100.0 if error < 1e-10 else -10 * math.log10(error))
    return lowest


def _jitter(track: FaceTrack) -> float:
    moves = [
        (shot.boxes[1:] - shot.boxes[:-1])[shot.seen[1:] & shot.seen[:-1]].abs().max()
        for shot in track.shots
        if (shot.seen[1:] & shot.seen[:-1]).any()
    ]
    return float(max(moves, default=0.0))


def main(arguments: Sequence[str]) -> None:
    """Print a line for each film, and the means."""
    renderer, model, rows = load_renderer(), load_motion_model(), []
    process = mesh_process()
    if process is None:
        raise SystemExit("MediaPipe is not installed: run `make judge` once.")
    with process as mesh, torch.inference_mode():
        for film, voice, third in zip(*[iter(arguments)] * 3, strict=True):
            rows.append(measure_dubbing(renderer, model, film, voice, third, mesh))
            print(Path(film).name, json.dumps({name: round(value, 3) for name, value in rows[-1].items()}), flush=True)
    print("mean", json.dumps({name: round(value, 3) for name, value in mean_of(rows).items()}))


if __name__ == "__main__":
    main(sys.argv[1:])
