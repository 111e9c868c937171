"""Self-reenactment of real films from their first frame, compared with a copy of that frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from ...media.crop import resize
from ...media.faces import NoFaceError
from ...media.video import read_video
from ...networks.renderer.model import Renderer
from ...pipelines.framing import frame_video
from ...pipelines.portrait import encode_driving_video, encode_source, extract_appearance
from ...pipelines.rendering import render
from ...pipelines.settings import RenderingSettings
from ...vocabulary import FPS
from .metrics import psnr

SECONDS, RATE = 8.0, Fraction(FPS, 4)  # of each film, and the frames a second that are compared
SIZE = 256


def read_film(path: str | Path, seconds: float = SECONDS, rate: Fraction = RATE) -> Tensor | None:
    """(T,SIZE,SIZE,3) in [0,1] around the face of the first frame, as `reenact` crops it; None where none is found."""
    try:
        _, pictures = frame_video(read_video(path, rate, max_frames=round(seconds * rate)))
    except NoFaceError:
        return None
    return torch.stack([resize(picture, SIZE, SIZE) for picture in pictures])


@torch.inference_mode()
def reenact_film(renderer: Renderer, film: Tensor) -> Tensor:
    """Square frames (T,S,S,3) rendered from the first frame of a film and the motion of all."""
    source = encode_source(renderer, film[0])
    motion = encode_driving_video(renderer, film, RATE)
    settings = RenderingSettings(size=film.shape[1])
    frames = render(renderer, source, extract_appearance(renderer, source), motion, settings)
    return torch.cat(list(frames))


def measure_films(
    renderer: Renderer,
    films: Sequence[str | Path],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[dict[str, dict[str, float]], list[Tensor]]:
    """For each film, PSNR in dB: `driven` of the first frame with the film's motion, `copy` of the first frame itself,
    and `gain`, their difference; and for a sheet, rows (7,3,S,S) of the first frame and three pairs of the film's frame
    and the rendered one. Films without a face in the first frame are left out."""
    figures, rows = {}, []
    for number, path in enumerate(films):
        film = read_film(path)
        if film is not None and len(film) > 1:
            made = reenact_film(renderer, film)
            truth, ours = film[1:].movedim(-1, 1), made[1:].movedim(-1, 1)
            driven = float(psnr(ours, truth).mean())
            copied = float(psnr(film[:1].movedim(-1, 1).expand_as(truth), truth).mean())
            figures[Path(path).stem] = {"driven": driven, "copy": copied, "gain": driven - copied}
            rows.append(_row(film, made))
        if progress is not None:
            progress(number + 1, len(films))
    return figures, rows


def _row(film: Tensor, made: Tensor, pairs: int = 3) -> Tensor:
    """(1 + 2 * pairs,3,S,S): the frames that differ most from the first, spread over the film."""
    apart = (film - film[0]).square().flatten(1).mean(1)
    parts = torch.arange(1, len(film)).chunk(pairs)
    picked = [int(part[apart[part].argmax()]) for part in parts]
    return torch.stack([film[0], *(frames[i] for i in picked for frames in (film, made))]).movedim(-1, 1)
