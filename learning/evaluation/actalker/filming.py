"""Films of an ACTalker for samples that are judged: the first frame, driven by the clip's pictures or by its sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....media.faces import find_face
from ....networks.actalker.model import ACTalker
from ....pipelines.actalker.driving import encode_driving_stream
from ....pipelines.actalker.follower import Follower
from ....pipelines.actalker.masks import face_masks, five_points, mouth_box
from ....pipelines.actalker.stages import decode, encode_identity, encode_voice, sample
from ....pipelines.writing import assemble
from ....vocabulary import ACTALKER_FPS, FPS, SAMPLE_RATE
from ..judge.filming import QUALITY, check_same, fingerprint
from ..judge.protocols import VIDEO
from ..judge.samples import Sample, read_sound, read_truth


def actalker_film(
    model: ACTalker,
    frames: np.ndarray,
    sound: Tensor | None,
    drive: str,
    steps: int = 25,
    seed: int = 0,
) -> Iterator[Tensor]:
    """Pictures (n, H, W, 3) in [0,1] at 12.5 frames a second of the first of `frames` (T, S, S, 3) uint8 at 25, driven
    by all of them (drive "video") or by their sound (640 * T,) at 16 kHz ("voice").

    The face is found by the pack's finder. Raises ValueError where there is none.
    """
    pictures = torch.from_numpy(frames).float() / 255
    face = find_face(pictures[0])
    masks = face_masks(tuple(frames.shape[1:3]), [face.box], [mouth_box(face.box, five_points(face))])
    identity = encode_identity(model, pictures[0], face.box, masks.face)
    if drive == VIDEO:
        sources = {"driving": encode_driving_stream(model, pictures, Fraction(FPS), Follower())}
    else:
        sources = {"voice": encode_voice(model, sound)}
    yield from decode(model, sample(model, identity, **sources, masks=masks, steps=steps, seed=seed))


def make_actalker_films(
    model: ACTalker,
    samples: Sequence[Sample],
    folder: str | Path,
    drive: str,
    size: int,
    steps: int = 25,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """FOLDER/NAME.mp4 for each sample, as `judge.filming.make_films` makes those of our own networks."""
    folder = Path(folder)
    check_same(folder, {"weights": [fingerprint(model)], "size": size, "steps": steps})
    for number, clip in enumerate(samples):
        path = folder / f"{clip.name}.mp4"
        if not path.exists():
            frames = read_truth(clip, size)
            sound = read_sound(clip, len(frames))
            if drive == VIDEO or sound is not None:
                heard = {} if sound is None else {"waveform": sound[None], "rate": SAMPLE_RATE}
                made = actalker_film(model, frames, sound, drive, steps)
                assemble(path, made, Fraction(ACTALKER_FPS), quality=QUALITY, **heard)
        if progress is not None:
            progress(number + 1, len(samples))
    return folder
