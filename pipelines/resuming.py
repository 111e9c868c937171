"""Films that are made in pieces, so that one that was broken off goes on where it was.

Every piece is a film of its own without sound, whose pictures are put together without encoding them again. A film is
always made so: with and without a break the frames are the same (x264 does not give the same bytes twice). Parts of
batches are the same too, as pieces end where parts end.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..files import CannotWrite
from ..media.alpha_video import AlphaVideoWriter
from ..media.mixed_sound import MixedSound
from ..media.sound_file import SoundFile
from ..unfinished import Unfinished
from .rendering import frames_a_part
from .settings import RenderingSettings
from .writing import for_film, writer_of

LEAST = 100  # frames in a piece: each begins with a key frame, which x264 would write every 250


def piece_length(part: int = 1) -> int:
    """Frames in a piece, of which so many are in each part that is rendered at once."""
    return -(-LEAST // part) * part


def rendered_length(renderer: nn.Module, settings: RenderingSettings) -> int:
    """`piece_length` of what `rendering.render` gives."""
    return piece_length(frames_a_part(renderer, settings))


def film_key(*values: Any) -> str:
    """What a film depends on -> its hash: tensors, networks with their weights, settings, numbers and text, in nests
    of sequences and dataclasses."""
    digest = hashlib.sha256(f"{torch.__version__} {torch.get_num_threads()}".encode())
    for value in values:
        _add(digest, value)
    return digest.hexdigest()


def _add(digest, value: Any) -> None:
    if isinstance(value, Tensor):
        digest.update(f"{value.dtype}{tuple(value.shape)}{value.device}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    elif isinstance(value, nn.Module):
        for name, tensor in value.state_dict().items():
            digest.update(name.encode())
            _add(digest, tensor)
    elif dataclasses.is_dataclass(value):
        digest.update(type(value).__name__.encode())
        for field in dataclasses.fields(value):
            _add(digest, getattr(value, field.name))
    elif isinstance(value, (list, tuple)):
        digest.update(f"{len(value)} of".encode())
        for part in value:
            _add(digest, part)
    else:
        digest.update(f"{type(value).__name__} {value!r};".encode())


def assemble_in_pieces(
    path: str | Path,
    frames_from: Callable[[int], Iterable[Tensor]],
    fps: Fraction,
    work: Unfinished,
    *,
    waveform: Tensor | None = None,
    rate: int | None = None,
    sound: SoundFile | MixedSound | None = None,
    mark: bool = False,
    quality: int = RenderingSettings.quality,
) -> Path:
    """`writing.assemble` of frames that are made from any piece on. frames_from(n) gives the batches from frame n on;
    it is called once, with the number of frames that are finished. work: `with Unfinished(...)` around the call."""
    RenderingSettings.check("quality", quality)
    path, audio = Path(path), sound if waveform is None else (waveform, rate)
    kind = writer_of(path)
    suffix = path.suffix if kind is AlphaVideoWriter else ".mp4"  # which keeps time stamps exactly
    with kind(path, fps=fps, audio=audio) as film:
        for piece in work.pieces:
            film.append(piece)
        pictures = _pictures(frames_from(film.frames))
        for first in pictures:
            with _told_of(path), kind(work.place(suffix), fps=fps, mark=mark, crf=quality, piece=True) as piece:
                for picture in chain([first], pictures):
                    piece.write(for_film(picture, kind.channels))
                    if piece.frames == work.length:
                        break
            with _told_of(path):
                work.add(piece.path)
            film.append(piece.path)
    return path


def _pictures(batches: Iterable[Tensor]) -> Iterator[Tensor]:
    for batch in batches:
        yield from batch


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """What cannot be written of a piece is told of the film."""
    try:
        yield
    except CannotWrite as error:
        sentence = f"{path.name} cannot be written in {path.parent.absolute()}: {error.remedy}."
        raise CannotWrite(sentence, error.remedy) from error
