"""A person's film as pieces to learn from: shots with one face and a voice, cut to the face, 25 frames a second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....media.audio import to_mono_16k
from ....media.crop import Crop, cut, resize
from ....media.photo import to_uint8
from ....media.sound_file import film_sound
from ....media.video import probe_video, read_video
from ....pipelines.speaking import Voice
from ....vocabulary import FPS, SAMPLE_RATE, SAMPLES_A_FRAME
from ...datasets.manifest import SUFFIXES as LISTS
from ...datasets.manifest import read_manifest
from ...datasets.preparing.faces import CUT, Filters, Rejected, Track, face_square, judge, look
from ...datasets.preparing.source import FILMS, files_below

LONGEST = 180.0  # seconds of all films together that are read
SHORTEST = 8.0  # seconds that are needed at least
PIECE = 3.0  # seconds of a piece, at most; a last one of less than a second is left out
EVERY = 5  # frames between those in which the face is looked for
THUMBNAIL = 32  # pixels
LOUDNESS = -55.0  # dB of full scale, of the loudest tenth of a second, at least

WANTED = {
    "no face": "film one person who looks at the camera",
    "two faces": "have one person in the picture, or cut the film to them",
    "small face": "come nearer to the camera, or give a sharper film",
    "turned away": "film one person who looks at the camera",
    "moves too far": "hold the camera still",
}
"""What helps, by the reasons of `preparing.faces.judge`."""

Frames = Callable[[], Iterator[Tensor]]
Progress = Callable[[float], None]
"""Called with the part of the work that is done, 0 to 1; it may raise to cancel."""


@dataclass(frozen=True)
class Film:
    """A film that can be read several times: frames (H,W,3) in [0,1] at 25 a second, and its sound (N,) at 16 kHz, None
    where it has none."""

    name: str
    frames: Frames
    sound: Tensor | None


@dataclass(frozen=True)
class Piece:
    """Seconds of one shot: pictures (T,S,S,3) uint8 of the face, and the voice of the same frames."""

    name: str
    pictures: np.ndarray
    voice: Voice


def open_films(places: Sequence[str | Path]) -> list[Film]:
    """The films of files, folders and lists of clips (manifest.py). FileNotFoundError for what is not there; ValueError
    for files that are no films, and for a list of several people."""
    films: list[Film] = []
    for place in map(Path, places):
        if place.is_dir():
            found = files_below(place, FILMS)
            if not found:
                raise ValueError(f"The folder {place} holds no film ({', '.join(FILMS[:4])} ...).")
            films += [film_of_file(file) for file in found]
        elif place.suffix.lower() in LISTS:
            entries = [entry for entry in read_manifest(place) if entry.split != "test" and entry.video is not None]
            people = sorted({entry.speaker for entry in entries})
            if len(people) != 1:
                told = f"{len(people)} people ({', '.join(people[:3])} ...)" if people else "no film to train on"
                raise ValueError(f"{place} lists {told}: give a list of the films of one person.")
            films += [film_of_file(entry.video, entry.start, entry.seconds) for entry in entries]
        else:
            films.append(film_of_file(place))
    return films


def film_of_file(file: Path, start: float = 0.0, seconds: float | None = None) -> Film:
    """A file from `start` on, `seconds` long (None: to its end). Raises as `probe_video`."""
    info = probe_video(file)
    sound = film_sound(file, info.zero, start, min(seconds or LONGEST, LONGEST)) if info.has_audio else None
    most = round(min(seconds or LONGEST, LONGEST) * FPS)

    def read() -> Iterator[Tensor]:
        return islice(read_video(file, FPS, start, most, info.zero), most)

    return Film(file.name, read, None if sound is None else sound.mono_16k()[0])


def film_of_frames(name: str, frames: Frames, fps: Fraction, audio: tuple[Tensor, int] | None) -> Film:
    """Frames (H,W,3) in [0,1] of any rate, and a waveform (C,N) with its rate."""

    def read() -> Iterator[Tensor]:
        wanted, most = 0, round(LONGEST * FPS)
        for number, frame in enumerate(frames()):
            while int(wanted * fps / FPS) <= number and wanted < most:
                yield frame
                wanted += 1
            if wanted >= most:
                return

    return Film(name, read, None if audio is None else to_mono_16k(*audio).reshape(-1))


def read_pieces(films: Sequence[Film], size: int, progress: Progress | None = None) -> tuple[list[Piece], list[str]]:
    """Pieces of `size` pixels, and a sentence about each film that has none. ValueError where all of them together are
    too short, with the first of these sentences where that is why."""
    pieces: list[Piece] = []
    faults: list[str] = []
    for number, film in enumerate(films):
        try:
            pieces += pieces_of(film, size, LONGEST - _seconds(pieces), partial(_part, progress, number, len(films)))
        except ValueError as fault:
            faults.append(str(fault))
        _part(progress, number, len(films), 1.0)
        if _seconds(pieces) >= LONGEST - 1:
            break
    if _seconds(pieces) < SHORTEST:
        if not pieces and faults:
            raise ValueError(faults[0])
        raise ValueError(
            f"{films[0].name if len(films) == 1 else 'The films'} {'has' if len(films) == 1 else 'have'} "
            f"{_seconds(pieces):.1f} s with one face and a voice, which is too short: {SHORTEST:.0f} s are needed, and "
            "a minute is better."
        )
    return pieces, faults


def _seconds(pieces: Sequence[Piece]) -> float:
    return sum(len(piece.pictures) for piece in pieces) / FPS


def _part(progress: Progress | None, number: int, count: int, done: float) -> None:
    if progress is not None:
        progress((number + min(done, 1.0)) / count)


def _counted(frames: Iterable[Tensor], begin: float, count: float, tell: Progress) -> Iterator[Tensor]:
    """Frames as they are; now and then `tell` hears how many there were of `count`, from the part `begin` on."""
    for number, frame in enumerate(frames):
        if number % EVERY == 0:
            tell(begin + min(number / count, 1.0) / 2)
        yield frame


def pieces_of(film: Film, size: int, seconds: float = LONGEST, tell: Progress = lambda done: None) -> list[Piece]:
    """Pieces of one film, `seconds` at most. ValueError where there are none."""
    if film.sound is None:
        raise ValueError(f"{film.name} has no sound: a person's lips are learnt from a film with their voice.")
    if _level(film.sound) < LOUDNESS:
        raise ValueError(f"{film.name} is silent: a person's lips are learnt from a film with their voice.")
    length = max(1.0, len(film.sound) / SAMPLES_A_FRAME)
    shots = list(_shots(_counted(film.frames(), 0.0, length, tell)))
    frames, fault, pieces = _counted(film.frames(), 0.5, length, tell), "", []
    for first, count, track in shots:
        pictures = islice(frames, count)
        try:
            if count < FPS:
                raise Rejected(f"too short: {count / FPS:.2f} s")
            judge(track, Filters())
        except Rejected as reason:
            fault = fault or str(reason)
            for _ in pictures:  # the next shot begins after them
                pass
            continue
        square = _square(pictures, track, size, round(seconds * FPS) - sum(len(piece.pictures) for piece in pieces))
        pieces += _cut_up(film, square, first)
    if not pieces:
        reason = fault.split(":")[0]
        help_ = WANTED.get(reason)
        raise ValueError(
            f"{film.name} cannot be learnt from ({fault}): {help_}."
            if help_
            else f"{film.name} is too short: {SHORTEST:.0f} s are needed, and a minute is better."
        )
    return pieces


def _level(sound: Tensor) -> float:
    """dB of the loudest tenth of a second."""
    block = SAMPLE_RATE // 10
    blocks = sound[: len(sound) // block * block].reshape(-1, block).double()
    power = float(blocks.square().mean(1).max()) if len(blocks) else 0.0
    return float(10 * np.log10(max(power, 1e-12)))


def _shots(frames: Iterable[Tensor]) -> Iterator[tuple[int, int, Track]]:
    """First frame, count of frames, and the face in them, of each stretch without a cut."""
    for _, shot in groupby(_numbered(frames), key=lambda one: one[0]):
        numbers: list[int] = []
        track = look(_some(shot, numbers))
        yield numbers[0], len(numbers), track


def _some(shot: Iterable[tuple[int, int, Tensor]], numbers: list[int]) -> Iterator[np.ndarray]:
    """Every EVERY-th frame of a shot as (H,W,3) uint8; `numbers` gets those of all frames."""
    for _, number, frame in shot:
        if len(numbers) % EVERY == 0:
            yield to_uint8(frame)
        numbers.append(number)


def _numbered(frames: Iterable[Tensor]) -> Iterator[tuple[int, int, Tensor]]:
    """(shot, number, frame) of all frames."""
    shot, before = 0, None
    for number, frame in enumerate(frames):
        step = max(1, max(frame.shape[:2]) // THUMBNAIL)
        small = frame[::step, ::step]
        if before is not None and (small.shape != before.shape or float((small - before).abs().mean()) > CUT):
            shot += 1
        before = small.clone()
        yield shot, number, frame


def _square(frames: Iterable[Tensor], track: Track, size: int, most: int) -> np.ndarray:
    """(T,size,size,3) uint8 of the face's square in a shot's frames, the first `most` of them; all frames are read."""
    pictures, crop = [], None
    for frame in frames:
        if len(pictures) >= most:
            continue
        if crop is None:
            height, width = frame.shape[:2]
            left, top, side = face_square(track, width, height)
            crop = Crop(left, top, side, height, width)
        pictures.append(to_uint8(resize(cut(frame[None], crop, None), size, size)[0]))
    return np.stack(pictures) if pictures else np.zeros((0, size, size, 3), np.uint8)


def _cut_up(film: Film, pictures: np.ndarray, first: int) -> list[Piece]:
    """A shot in pieces of about the same length, with their sound."""
    if len(pictures) < FPS:
        return []
    pieces = []
    for numbers in np.array_split(np.arange(len(pictures)), max(1, round(len(pictures) / (PIECE * FPS)))):
        begin, count = (first + int(numbers[0])) * SAMPLES_A_FRAME, len(numbers) * SAMPLES_A_FRAME
        sound = film.sound[begin : begin + count]
        sound = torch.nn.functional.pad(sound, (0, count - len(sound)))
        pieces.append(Piece(f"{film.name}_{len(pieces):03d}", pictures[numbers], Voice(sound[None], len(numbers))))
    return pieces
