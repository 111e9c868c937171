"""Clips of real voices for stage 2: films with the lips that were seen, recordings with those of the viseme table.

    python -m mamba_portrait.learning.training.motion_model.real_lips --films FOLDER ... --speech FOLDER ... --out DIR

FOLDERs of films are as `learning/datasets/films.py` reads them; those of recordings hold NAME.wav or NAME.flac and
NAME.TextGrid, and what stands before the first "-" of a name is the speaker; either may be a list of clips
(learning/datasets/manifest.py). Who is held out of every training (learning/datasets/splits.py) is left out. A clip is
what the corpus draws too (learning/corpus/tracks.py): sound, and the parameters of a head that says it. The head's own
motion is drawn from the voice, as in the corpus; the mouth is what this adds. Finished clips are kept, so that a run
that was stopped goes on.
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
from ....sampling.settings import Range
from ....visemes.phones import SILENCE, Phone
from ....visemes.table import lip_parameters, lips_of, mouth_parameters
from ....visemes.textgrid import read_phones
from ....vocabulary import FPS, INDEX, SAMPLE_RATE, SAMPLES_A_FRAME
from ...corpus.acting.performance import add_head_motion, motion_style
from ...corpus.speech.engines import Utterance
from ...corpus.speech.prosody import analyse
from ...corpus.tracks import write_clip
from ...datasets.films import Film, read_films, rest_of
from ...datasets.manifest import SUFFIXES as LISTS
from ...datasets.manifest import clip_of, read_manifest
from ...datasets.splits import held_out

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
            path = out / f"film_{speaker.replace('/', '-')}_{film.name}"
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


@dataclass(frozen=True)
class Recording:
    """A voice without a picture, and its phones."""

    path: Path
    phones: Path
    speaker: str


def read_recordings(folders: Sequence[str | Path]) -> list[Recording]:
    """The recordings with phones of folders and lists of clips, but for speakers held out of every training."""
    found = []
    for folder in map(Path, folders):
        if folder.suffix.lower() in LISTS:
            entries = [entry for entry in read_manifest(folder) if entry.split != "test" and entry.textgrid]
            found += [Recording(entry.sound, entry.textgrid, entry.speaker) for entry in entries]
            continue
        files = (file for file in sorted(folder.iterdir()) if file.suffix.lower() in RECORDINGS)
        found += [Recording(file, file.with_suffix(".TextGrid"), file.stem.split("-")[0]) for file in files]
    return [
        one for one in sorted(found, key=lambda one: one.path)
        if one.phones.is_file() and not held_out(one.speaker, clip_of(one.path))
    ]  # fmt: skip


def write_recordings(recordings: Sequence[Recording], out: Path) -> list[Path]:
    """Clips of recordings, whose mouths do what the viseme table says of their phones."""
    written = []
    speakers = sorted({one.speaker for one in recordings})
    for one in tqdm(recordings, desc="recordings", unit="clip"):
        path = out / f"speech_{clip_of(one.path)}"
        written.append(path)
        if (path / "meta.json").exists():
            continue
        phones = read_phones(one.phones)
        frames = int(phones[-1].end * FPS)
        split = "val" if speakers.index(one.speaker) % VALIDATION == 0 else "train"
        meta = {"speaker": f"speech-{one.speaker}", "split": split}
        _write(path, Utterance(_sound(one.path, frames), phones), mouth_parameters(phones, frames), meta)
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
    parser.add_argument("--films", nargs="*", default=[], metavar="FOLDER", help="films with landmarks; or lists")
    parser.add_argument("--speech", nargs="*", default=[], metavar="FOLDER", help="recordings and TextGrids; or lists")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="SPEAKER", help="people on film to leave out")
    parser.add_argument(
        "--sound-late", type=Range(-10.0, 10.0).read, default=0.0, help="seconds by which the films' sound is late"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="clips are written under its folder clips")
    options = parser.parse_args(arguments)
    out = Path(options.out) / "clips"
    out.mkdir(parents=True, exist_ok=True)
    written = write_recordings(read_recordings(options.speech), out)
    if options.films:
        films = read_films(options.films, options.leave_out, training=True)
        spoken = sum(json.loads((clip / "meta.json").read_text("utf8"))["frames"] for clip in written)
        weight = spoken * FILMS_SHARE / (1 - FILMS_SHARE) or sum(len(film.opening) for film in films)
        written += write_films(films, out, options.sound_late, weight)
    print(f"{len(written)} clips in {out}")


if __name__ == "__main__":
    main()
