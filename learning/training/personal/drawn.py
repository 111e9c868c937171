"""Films of one drawn person who speaks with one voice, both held out from training: a whole minute to learn from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ....media.audio import load_audio
from ....media.picture import unit_range
from ....media.video import VideoWriter
from ....vocabulary import FPS
from ...corpus.clips import ClipRasterizer
from ...corpus.speech.voices import installed, split_of
from ...corpus.tracks import synthesise_clip, write_clip
from ...evaluation.report import SEED

HELD_OUT = ("val", "test")


def draw_person(folder: str | Path, number: int, seconds: float, size: int) -> list[Path]:
    """FOLDER/drawnNUMBER_CLIP.mkv of the drawn person of a number, so many seconds or a little more in all; those that
    are there are kept. RuntimeError without an installed voice that was held out."""
    voices = [voice for voice in installed() if voice.share > 0 and split_of(voice.speaker) in HELD_OUT]
    if not voices:
        raise RuntimeError("no installed voice is held out from training: install flite or festival voices")
    voice = replace(voices[number % len(voices)], share=1.0)
    folder, rasterizer, films, length = Path(folder), ClipRasterizer(size), [], 0.0
    folder.mkdir(parents=True, exist_ok=True)
    while length < seconds:
        speech, motion, meta = synthesise_clip((voice,), SEED + 1 + number, len(films))
        film, clip = folder / f"drawn{number}_{len(films):03d}.mkv", folder / "clips" / f"{len(films):03d}"
        if not film.exists():
            if not clip.exists():
                write_clip(clip, speech, motion, meta)
            with VideoWriter(film, fps=FPS, audio=load_audio(clip / "audio.wav")) as writer:
                for frame in rasterizer.clip(SEED + 1 + number, motion):
                    writer.write(unit_range(frame))
        films.append(film)
        length += len(motion) / FPS
    return films
