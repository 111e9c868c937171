"""Clips of real voices for stage 2: films with the lips that were seen, recordings with those of the viseme table.

    python -m mamba_portrait.learning.training.motion_model.real_lips --films FOLDER ... --speech FOLDER ... --out DIR

FOLDERs of films are as `learning/datasets/films.py` reads them; those of recordings hold NAME.wav or NAME.flac and
NAME.TextGrid, and what stands before the first "-" of a name is the speaker. A clip is what the corpus draws too
(learning/corpus/tracks.py): sound, and the parameters of a head that says it. The head's own motion is drawn from the
voice, as in the corpus; the mouth is what this adds. Finished clips are kept, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ....media.audio import load_audio, to_mono_16k
from ....visemes.phones import SILENCE, Phone
from ....visemes.table import lip_parameters, lips_of, mouth_parameters
from ....vocabulary import FPS, INDEX, SAMPLE_RATE, SAMPLES_A_FRAME
from ...corpus.acting.performance import add_head_motion, motion_style
from ...corpus.speech.engines import Utterance
from ...corpus.speech.prosody import analyse
from ...corpus.speech.textgrid import read_phones
from ...corpus.tracks import write_clip
from ...datasets.films import Film, read_films, rest_of

RECORDINGS = (".wav", ".flac")
FILMS_SHARE = 0.35  # of what is drawn from films and recordings together
VALIDATION = 20  # every so many-th speaker of recordings is kept from training


@dataclass(frozen=True)
class Person:
    """What turns a person's lips into the table's units: rest, and measured spread over that of the table for the same
    phones; each of opening and width."""

    rest: tuple[float, float]
    gain: tuple[float, float]

    @classmethod
    def of(cls, films: Sequence[Film], phones: Sequence[Sequence[Phone]]) -> Person:
        rest = rest_of(films, [first_sound(said) for said in phones])
        ruled = np.concatenate(
            [lips_of(mouth_parameters(said, len(film.opening))) for film, said in zip(films, phones, strict=True)]
        )
        seen = np.concatenate([np.stack([film.opening, film.width], 1) for film in films])
        opening, width = seen.std(0) / np.maximum(ruled.std(0), 1e-6)
        return cls(rest, (float(opening), float(width)))

    def lips(self, film: Film) -> np.ndarray:
        """(T,2) opening, 1 a wide "a" and 0 rest or closed, and width, -1 rounded .. 1 spread."""
        opening = np.maximum(film.opening - self.rest[0], 0) / self.gain[0]
        return np.stack([opening, (film.width - self.rest[1]) / self.gain[1]], 1)


def first_sound(phones: Sequence[Phone]) -> float:
    """Seconds before the first phone that is not silence."""
    return next((phone.start for phone in phones if phone.kind != SILENCE), 0.0)


def write_films(films: Sequence[Film], out: Path, sound_late: float, weight: float) -> list[Path]:
    """Clips of films, whose mouths open and widen as was seen; press and tongue are the table's. The sound is moved to
    where the picture has it. All together they are drawn as often as `weight` frames of drawn clips, a person as often
    as the root of his clips."""
    written = []
    counts = Counter(film.speaker for film in films)
    roots = {speaker: count**0.5 for speaker, count in counts.items()}  # a network learns fourteen clips by heart
    for speaker in tqdm(counts, desc="films", unit="speaker"):
        own = [film for film in films if film.speaker == speaker]
        said = [[phone.moved(-sound_late) for phone in read_phones(film.phones)] for film in own]
        person = Person.of(own, said)
        for film, phones in zip(own, said, strict=True):
            path = out / f"film_{speaker}_{film.path.stem}"
            written.append(path)
            if (path / "meta.json").exists():
                continue
            opening, width = person.lips(film).T
            ruled = mouth_parameters(phones, len(opening))
            mouth = lip_parameters(opening, width)
            for name in ("press", "tongue"):
                mouth[:, INDEX[name]] = ruled[:, INDEX[name]]
            audio = _sound(film.path, len(opening), round(sound_late * SAMPLE_RATE))
            share = weight * roots[speaker] / sum(roots.values()) / (counts[speaker] * len(opening))
            _write(path, Utterance(audio, tuple(phones)), mouth, {"speaker": f"film-{speaker}", "share": share})
    return written


def write_recordings(files: Sequence[Path], out: Path) -> list[Path]:
    """Clips of recordings, whose mouths do what the viseme table says of their phones."""
    written = []
    speakers = sorted({file.stem.split("-")[0] for file in files})
    for file in tqdm(files, desc="recordings", unit="clip"):
        path = out / f"speech_{file.stem}"
        written.append(path)
        if (path / "meta.json").exists():
            continue
        speaker, phones = file.stem.split("-")[0], read_phones(file.with_suffix(".TextGrid"))
        frames = int(phones[-1].end * FPS)
        split = "val" if speakers.index(speaker) % VALIDATION == 0 else "train"
        meta = {"speaker": f"speech-{speaker}", "split": split}
        _write(path, Utterance(_sound(file, frames), phones), mouth_parameters(phones, frames), meta)
    return written


def _sound(file: Path, frames: int, skip: int = 0) -> np.ndarray:
    """(frames * 640,) of a file's sound without its first `skip` samples, silence where it ends."""
    audio = to_mono_16k(*load_audio(file)).reshape(-1).numpy()[skip:][: frames * SAMPLES_A_FRAME]
    return np.pad(audio, (0, frames * SAMPLES_A_FRAME - len(audio))).astype(np.float32)


def _write(path: Path, speech: Utterance, mouth: np.ndarray, meta: dict) -> None:
    """A clip whose head moves as the corpus makes heads move to this voice."""
    rng = np.random.default_rng(list(path.name.encode()))
    prosody = analyse(speech)
    motion = add_head_motion(mouth, prosody, motion_style(meta["speaker"], prosody), rng)
    facts = {"fps": str(FPS), "frames": len(motion), "split": "train", "augmented": False, "source": path.name}
    write_clip(path, speech, motion, facts | meta)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Turn films and recordings of real voices into clips for stage 2.")
    parser.add_argument("--films", nargs="*", default=[], metavar="FOLDER", help="films, landmarks.npz, TextGrids")
    parser.add_argument("--speech", nargs="*", default=[], metavar="FOLDER", help="recordings and TextGrids")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="SPEAKER", help="people on film to leave out")
    parser.add_argument("--sound-late", type=float, default=0.0, help="seconds by which the films' sound is late")
    parser.add_argument("--out", required=True, metavar="DIR", help="clips are written under its folder clips")
    options = parser.parse_args(arguments)
    out = Path(options.out) / "clips"
    out.mkdir(parents=True, exist_ok=True)
    recordings = sorted(
        file for folder in options.speech for file in Path(folder).iterdir()
        if file.suffix.lower() in RECORDINGS and file.with_suffix(".TextGrid").is_file()
    )  # fmt: skip
    written = write_recordings(recordings, out)
    if options.films:
        films = read_films(options.films, options.leave_out)
        spoken = sum(json.loads((clip / "meta.json").read_text("utf8"))["frames"] for clip in written)
        weight = spoken * FILMS_SHARE / (1 - FILMS_SHARE) or sum(len(film.opening) for film in films)
        written += write_films(films, out, options.sound_late, weight)
    print(f"{len(written)} clips in {out}")


if __name__ == "__main__":
    main()
