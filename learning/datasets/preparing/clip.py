"""One clip: read, judged, cut to its square, and written as a folder that appears only when it is complete.

NAME/video.mp4      25 frames a second, square, with its sound
NAME/audio.wav      16 kHz mono, 640 samples a frame
NAME/meta.json      where it is from: speaker, scene, split, source, start, square, and what preparing it cost
NAME/phones.TextGrid, landmarks.npy     where the source has them, in the clip's own time and pixels
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ....files import whole_file
from ....media.audio import sound_begin, write_wav
from ....media.crop import Crop, cut, resize
from ....media.photo import to_uint8
from ....media.sound_file import SoundFile, film_sound
from ....media.video import VideoInfo, VideoWriter, probe_video, read_video
from ....vocabulary import FPS, SAMPLE_RATE, SAMPLES_A_FRAME
from ..films import read_landmarks
from . import textgrids
from .faces import Filters, Rejected, Track, cuts, face_square, half_body_square, judge, look
from .part import part_of_film
from .source import Source

FRAMINGS = ("auto", "face", "half-body")
EVERY = 5  # frames between those in which the face is looked for
THUMBNAIL, PICTURE = 48, 128  # pixels: to find cuts, and for the report
CRF = 16
ATTEMPTS = 3  # of a clip that ends its process

Sync = Callable[[Path, Path], float]
"""A prepared video.mp4 and audio.wav -> how many frames the sound is late; to be pickled, so a function of a module."""


@dataclass(frozen=True)
class Settings:
    """How clips are prepared. framing "auto": the data set's own window where it publishes one, else the face."""

    framing: str = "auto"
    size: int = 256
    filters: Filters = field(default_factory=Filters)
    sync: Sync | None = None


@dataclass(frozen=True)
class Film:
    """What a first look at a clip's pictures gave."""

    info: VideoInfo
    frames: int  # at 25 a second
    track: Track
    cuts: list[int]


def prepare_clip(source: Source, out: Path, settings: Settings) -> dict | None:
    """Prepare a clip under out/clips; its meta.json. None where it was rejected: out/rejected has the reason.

    Finished clips are left as they are. A clip that ended its process ATTEMPTS times is rejected. Raises OSError where
    a disk is full or a film is gone: nothing is said of the clip then."""
    final, began = out / "clips" / source.name, time.process_time()
    if (final / "meta.json").exists():
        return json.loads((final / "meta.json").read_text("utf8"))
    if (out / "rejected" / f"{source.name}.json").exists():
        return None
    partial = final.with_name(f".{source.name}.part")
    try:
        _begin(partial)
        try:
            meta = _write(source, partial, out, settings)
        except ValueError as error:  # a full disk, or one that is gone, is no clip's fault
            raise Rejected(f"cannot be read: {' '.join(str(error).split())}") from error
        meta["cpu_seconds"] = round(time.process_time() - began, 3)
        (partial / "meta.json").write_text(json.dumps(meta, ensure_ascii=False, indent=1), "utf8")
        os.replace(partial, final)
        return meta
    except Rejected as reason:
        spent = round(time.process_time() - began, 3)
        facts = {"reason": str(reason), "film": str(source.entry.video or source.entry.audio), "cpu_seconds": spent}
        facts |= {"start": source.entry.start, "speaker": source.entry.speaker, "split": source.entry.split}
        with whole_file(out / "rejected" / f"{source.name}.json") as file:
            file.write_text(json.dumps(facts, ensure_ascii=False, indent=1), "utf8")
        return None
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # only a kill leaves it


def _begin(partial: Path) -> None:
    """An empty folder for a clip, that knows how often it was begun."""
    file = partial / "attempts"
    attempts = int(file.read_text() or 0) + 1 if file.is_file() else 1
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    if attempts > ATTEMPTS:
        raise Rejected(f"cannot be read: it ended the process {ATTEMPTS} times")
    file.write_text(str(attempts))


def _write(source: Source, folder: Path, out: Path, settings: Settings) -> dict:
    """Write all files of a clip but meta.json, and return what that is to hold. Raises Rejected."""
    entry, frames, square = source.entry, None, None
    if entry.video is not None:
        info = probe_video(entry.video)
        with part_of_film(entry.video, float(info.zero), entry.start, entry.seconds) as part:
            film = _first_look(part, info, source, out)
            frames = film.frames
            sound = _sound(source, part, film.info, frames)
            square = _square(source, film, settings)
            _write_film(part, source, film, square, sound, folder / "video.mp4", out, settings)
    else:
        sound = _sound(source, entry.audio, None, None)
        frames = len(sound) // SAMPLES_A_FRAME
        sound = sound[: frames * SAMPLES_A_FRAME]
    _check_sound(sound, settings.filters)
    write_wav(folder / "audio.wav", torch.from_numpy(sound)[None], SAMPLE_RATE)
    if settings.sync is not None and entry.video is not None:
        offset = settings.sync(folder / "video.mp4", folder / "audio.wav")
        if abs(offset) > settings.filters.offset:
            raise Rejected(f"out of sync: the sound is {offset:+.1f} frames late")
    _write_phones(source, folder / "phones.TextGrid", frames / FPS)
    if entry.landmarks is not None and square is not None:
        np.save(folder / "landmarks.npy", _landmarks(source, film.info.fps, frames, square, settings.size))
    (folder / "attempts").unlink()
    return _meta(source, frames, square)


def _meta(source: Source, frames: int, square: tuple[int, int, int] | None) -> dict:
    entry = source.entry
    return {
        "speaker": entry.speaker,
        "scene": entry.scene,
        "split": entry.split,
        "text": entry.transcript,
        "fps": str(FPS),
        "frames": int(frames),
        "augmented": False,
        "source": (entry.video or entry.audio).name,
        "start": entry.start,
        "square": square and [int(number) for number in square],
    }


def _first_look(part: Path, info: VideoInfo, source: Source, out: Path) -> Film:
    """Count a clip's frames, find its face in some, and its cuts. Its first frame is kept for the report."""
    thumbnails = []

    def some() -> Iterator[np.ndarray]:
        for number, frame in enumerate(_frames(part, info, source)):
            step = max(1, max(frame.shape[:2]) // THUMBNAIL)
            thumbnails.append(frame[::step, ::step].numpy().copy())
            if number % EVERY == 0:
                picture = to_uint8(frame)
                if not number:
                    save_picture(out, source.name, picture)
                yield picture

    track = look(some())
    return Film(info, len(thumbnails), track, cuts(np.stack(thumbnails)) if thumbnails else [])


def _frames(part: Path, info: VideoInfo, source: Source) -> Iterator[Tensor]:
    most = None if source.entry.seconds is None else round(source.entry.seconds * FPS)
    return read_video(part, FPS, start=source.entry.start, max_frames=most, zero=info.zero)


def _square(source: Source, film: Film, settings: Settings) -> tuple[int, int, int]:
    """Judge a clip's pictures; left, top and side of its square."""
    if film.frames < settings.filters.seconds * FPS:
        raise Rejected(f"too short: {film.frames / FPS:.2f} s")
    if film.cuts:
        raise Rejected(
            f"cut: at {film.cuts[0] / FPS:.2f} s" + (f" and {len(film.cuts) - 1} more" * (len(film.cuts) > 1))
        )
    judge(film.track, settings.filters)
    width, height = film.info.width, film.info.height
    if settings.framing == "half-body":
        return half_body_square(film.track, width, height)
    if settings.framing == "auto" and source.window is not None:
        ready = source.window.height is not None and width == height  # was cut already
        return (0, 0, height) if ready else source.window.pixels(width, height)
    return face_square(film.track, width, height)


def _write_film(
    part: Path,
    source: Source,
    film: Film,
    square: tuple[int, int, int],
    sound: np.ndarray,
    path: Path,
    out: Path,
    settings: Settings,
) -> None:
    left, top, side = square
    crop, middle = Crop(left, top, side, film.info.height, film.info.width), film.frames // 2
    voice = (torch.from_numpy(sound), SAMPLE_RATE)
    with VideoWriter(path, fps=FPS, audio=voice, crf=CRF, generated=False) as writer:
        for number, frame in enumerate(_frames(part, film.info, source)):
            picture = to_uint8(resize(cut(frame, crop, None), settings.size, settings.size))
            writer.write(picture)
            if number == middle:
                save_picture(out, source.name, picture)


def _sound(source: Source, part: Path, info: VideoInfo | None, frames: int | None) -> np.ndarray:
    """(frames * 640,) float32 of a clip's sound, silence where it ends; all of it where frames is None."""
    entry = source.entry
    seconds = entry.seconds if frames is None else frames / FPS
    try:
        if entry.audio is not None:
            sound = SoundFile(entry.audio, -Fraction(entry.start), seconds)
        elif part == entry.video:
            sound = film_sound(part, info.zero, entry.start, seconds)
        else:
            begin = sound_begin(part)
            late = Fraction(0) if begin is None else begin - info.zero - Fraction(entry.start)
            sound = SoundFile(part, late, seconds)
        samples = sound.mono_16k()[0].numpy() if sound is not None else np.zeros(0, np.float32)
    except ValueError as error:
        raise Rejected(f"no sound: {' '.join(str(error).split())}") from error
    if frames is None:
        return samples.astype(np.float32)
    samples = samples[: frames * SAMPLES_A_FRAME]
    return np.pad(samples, (0, frames * SAMPLES_A_FRAME - len(samples))).astype(np.float32)


def _check_sound(sound: np.ndarray, filters: Filters) -> None:
    block = SAMPLE_RATE // 10
    if len(sound) < filters.seconds * SAMPLE_RATE:
        raise Rejected(f"too short: {len(sound) / SAMPLE_RATE:.2f} s")
    power = np.square(sound[: len(sound) // block * block].reshape(-1, block)).mean(1).max()
    level = 10 * np.log10(max(float(power), 1e-12))
    if level < filters.loudness:
        raise Rejected(f"silent: {level:.0f} dB at the loudest, {filters.loudness:.0f} are asked for")


def _write_phones(source: Source, path: Path, seconds: float) -> None:
    tiers = textgrids.read_tiers(source.entry.textgrid) if source.entry.textgrid else {}
    if source.words and "words" not in tiers:
        tiers = {"words": textgrids.read_align(source.words)} | tiers
    if tiers:
        part = textgrids.part_of(tiers, source.entry.start, seconds)
        path.write_text(textgrids.written(part, seconds), "utf8")


def _landmarks(source: Source, fps: Fraction, frames: int, square: tuple[int, int, int], size: int) -> np.ndarray:
    """Landmarks (T,K,2 or 3) float16, to an eighth of a pixel, in the clip's frames and pixels."""
    points = read_landmarks(source.entry).astype(np.float32)
    rate = source.entry.fps or float(fps)
    rows = np.floor((source.entry.start + (np.arange(frames) + 0.5) / FPS) * rate + 1e-6).astype(int)
    left, top, side = square
    points = points[np.clip(rows, 0, len(points) - 1)]
    points[..., :2] -= (left, top)
    return (points * (size / side)).astype(np.float16)


def save_picture(out: Path, name: str, picture: np.ndarray) -> None:
    """Keep a picture (H,W,3) uint8 for the report, PICTURE pixels high."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (max(1, round(width * PICTURE / height)), PICTURE), interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    with whole_file(out / "pictures" / f"{name}.jpg") as file:
        file.write_bytes(encoded.tobytes())
