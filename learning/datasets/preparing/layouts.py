"""Data sets as they lie after download, told by their file names. Those with published lists are in published.py."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..manifest import Entry, read_manifest
from .source import FILMS, PICTURES, SOUNDS, Layout, Source, clip_name, files_below, with_split

GRID_WORDS = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {letter: letter for letter in "abcdefghijklmnopqrstuvxyz"},
    dict(zip("z123456789", "zero one two three four five six seven eight nine".split(), strict=True)),
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)
CREMA_D_SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
RAVDESS_SENTENCES = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
MEAD_EMOTIONS = "angry|contempt|disgusted|fear|happy|neutral|sad|surprised"


def grid(folder: Path, **_) -> Layout:
    """GRID: films sN/*.mpg, anywhere below; N also from names sN_SENTENCE. Beside them, or in folders of their own,
    .align files, TextGrids and landmarks.npz. doubtful.txt names clips to leave out."""
    aligned = _by_speaker(files_below(folder, [".align"]))
    phones = _by_speaker(files_below(folder, [".textgrid"]))
    sources, notes = [], []
    doubtful = {
        line.split()[0] for file in folder.rglob("doubtful.txt") for line in file.read_text("utf8").splitlines() if line
    }
    for film in files_below(folder, FILMS):
        speaker, sentence = grid_speaker(film), film.stem[-6:].lower()
        said = grid_sentence(sentence)
        if not speaker or not said:
            notes.append(f"{film.relative_to(folder)} is not named as a sentence of GRID")
        elif film.stem not in doubtful:
            entry = Entry(
                film,
                None,
                f"grid/{speaker}",
                transcript=said,
                textgrid=phones.get((speaker, sentence)),
                landmarks=_landmarks(film),
            )
            name = clip_name("grid", speaker, sentence)
            sources.append(Source(name, with_split(entry), words=aligned.get((speaker, sentence))))
    return Layout(sources, notes)


def grid_speaker(path: Path) -> str:
    """sN of a file's name or of its nearest folder that ends so; empty where there is none."""
    for part in (path.stem.partition("_")[0], *reversed(path.parts[:-1])):
        if found := re.fullmatch(r"(?:.*_)?(s\d{1,2})", part):
            return found[1]
    return ""


def grid_sentence(code: str) -> str:
    """The six words of a clip's name, such as bbaf2n; empty where it is none."""
    if len(code) != 6 or any(letter not in words for letter, words in zip(code, GRID_WORDS, strict=True)):
        return ""
    return " ".join(words[letter] for letter, words in zip(code, GRID_WORDS, strict=True))


def _by_speaker(files: list[Path]) -> dict[tuple[str, str], Path]:
    return {(grid_speaker(file), file.stem[-6:].lower()): file for file in files}


def _landmarks(film: Path) -> Path | None:
    """The landmarks.npz beside a film, where it holds an array of the film's name."""
    file = film.parent / "landmarks.npz"
    if not file.is_file():
        return None
    if file not in _NAMES:
        with np.load(file) as arrays:
            _NAMES[file] = frozenset(arrays.files)
    return file if film.stem in _NAMES[file] else None


_NAMES: dict[Path, frozenset[str]] = {}


def crema_d(folder: Path, lists: Path, **_) -> Layout:
    """CREMA-D: VideoFlash/ACTOR_SENTENCE_EMOTION_LEVEL.flv with sound in AudioWAV; SentenceFilenames.csv names them."""
    sounds = {file.stem: file for file in files_below(folder, [".wav"])}
    films = {film.stem: film for film in files_below(folder, FILMS)}
    listed = _crema_d_names(lists)
    notes = [f"{name} is in SentenceFilenames.csv, but not here" for name in listed if name not in films]
    sources = []
    for name in sorted(films):
        found = re.fullmatch(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{1,2})", name)
        if not found or (listed and name not in listed):
            notes.append(f"{films[name].relative_to(folder)} is not a name of CREMA-D")
            continue
        actor, sentence, emotion, level = found.groups()
        scene = f"{emotion}-{level}"
        entry = Entry(films[name], sounds.get(name), f"crema-d/{actor}", scene, transcript=CREMA_D_SENTENCES[sentence])
        sources.append(Source(clip_name("crema-d", name), with_split(entry)))
    return Layout(sources, notes)


def _crema_d_names(lists: Path) -> list[str]:
    file = next(iter(sorted(lists.rglob("SentenceFilenames.csv"))), None)
    return re.findall(r'"(\d{4}_\w+)"', file.read_text("utf8")) if file else []


def ravdess(folder: Path, **_) -> Layout:
    """RAVDESS: Actor_NN/ seven numbers .mp4, of which speech (not song) with picture and sound (01) is taken."""
    sources, notes = [], []
    for film in files_below(folder, FILMS):
        if not re.fullmatch(r"\d\d(-\d\d){6}", film.stem):
            notes.append(f"{film.relative_to(folder)} is not a name of RAVDESS")
            continue
        modality, channel, emotion, level, sentence, take, actor = film.stem.split("-")
        if (modality, channel) == ("01", "01"):
            said = RAVDESS_SENTENCES.get(sentence, "")
            entry = Entry(film, None, f"ravdess/{actor}", f"{emotion}-{level}-{take}", transcript=said)
            sources.append(Source(clip_name("ravdess", film.stem), with_split(entry)))
    return Layout(sources, notes)


def mead(folder: Path, **_) -> Layout:
    """MEAD: M003/video/front/angry/level_1/001.mp4 with sound in M003/audio/angry/level_1/001.m4a; the view from the
    front is taken."""
    sounds = {_mead(file, folder)[:1] + _mead(file, folder)[2:]: file for file in files_below(folder, SOUNDS)}
    sources, notes = [], []
    for film in files_below(folder, FILMS):
        actor, view, emotion, level, number = _mead(film, folder)
        if not (actor and emotion and number):
            notes.append(f"{film.relative_to(folder)} is not a name of MEAD")
        elif view == "front":
            sound = sounds.get((actor, emotion, level, number))
            entry = Entry(film, sound, f"mead/{actor}", f"{emotion}-{level}-{view}")
            sources.append(Source(clip_name("mead", actor, view, emotion, level, number), with_split(entry)))
    return Layout(sources, notes)


def _mead(file: Path, folder: Path) -> tuple[str, str, str, str, str]:
    """Actor, view, emotion, level and number of a file, each empty where its path tells none."""
    path = "/" + "/".join(file.resolve().parts[-6:]).replace("_level", "/level")
    found = [
        re.search(pattern, path)
        for pattern in (
            r"[/_]([MW]\d{3})[/_]",
            r"[/_](front|down|top|(?:left|right)_\d\d)[/_]",
            rf"[/_]({MEAD_EMOTIONS})[/_]",
            r"level_(\d)",
            r"[/_](\d{3})\.\w+$",
        )
    ]
    return tuple(match[1] if match else "" for match in found)


def cmlr(folder: Path, lists: Path, **_) -> Layout:
    """CMLR: video/s1/DATE/section_N_START_END.mp4, sound and text in folders audio and text beside; train.csv, val.csv
    and test.csv are its split."""
    splits = {}
    for split in ("train", "val", "test"):
        for file in sorted(lists.rglob(f"{split}.csv")):
            splits |= {_cmlr(line): split for line in file.read_text("utf8").splitlines() if line.strip()}
    sounds = {_cmlr(file.as_posix()): file for file in files_below(folder, SOUNDS)}
    texts = {_cmlr(file.as_posix()): file for file in files_below(folder, [".txt"])}
    sources, notes = [], [] if splits else ["train.csv, val.csv and test.csv are not here: all of it is for training"]
    for film in files_below(folder, FILMS):
        key = _cmlr(film.as_posix())
        if not key or (splits and key not in splits):
            notes.append(f"{film.relative_to(folder)} is not in the lists of CMLR")
            continue
        lines = texts[key].read_text("utf8").splitlines() if key in texts else []
        entry = Entry(
            film,
            sounds.get(key),
            f"cmlr/{key[0]}",
            key[1],
            splits.get(key, "train"),
            lines[0].strip() if lines else "",
        )
        sources.append(Source(clip_name("cmlr", *key).replace(".", "-"), entry))
    return Layout(sources, notes)


def _cmlr(path: str) -> tuple[str, str, str]:
    """Speaker, date and section of a path or of a line of the lists, whichever separators it has."""
    found = re.search(r"(?:^|[/\s,\"])(s\d+)[/_](\d{8})[/_](section_\d+_[\d.]+?_[\d.]+?)(?:\.[a-z]\w*)?[\s,\"]*$", path)
    return tuple(found.groups()) if found else ()


def speech(folder: Path, **_) -> Layout:
    """Recordings SPEAKER-CHAPTER-UTTERANCE.flac, as LibriSpeech has them, with TextGrids or .trans.txt beside them."""
    said = {}
    for file in files_below(folder, [".txt"]):
        if file.name.endswith(".trans.txt"):
            said |= dict(line.split(" ", 1) for line in file.read_text("utf8").splitlines() if " " in line)
    sources, notes = [], []
    for file in files_below(folder, SOUNDS):
        if not re.fullmatch(r"\d+-\d+-\d+", file.stem):
            notes.append(f"{file.relative_to(folder)} is not named SPEAKER-CHAPTER-UTTERANCE")
            continue
        speaker, chapter, _ = file.stem.split("-")
        phones = file.with_suffix(".TextGrid")
        entry = Entry(
            None,
            file,
            f"librispeech/{speaker}",
            chapter,
            transcript=said.get(file.stem, ""),
            textgrid=phones if phones.is_file() else None,
        )
        sources.append(Source(clip_name("librispeech", file.stem), with_split(entry)))
    return Layout(sources, notes)


def blendshapes(folder: Path, **_) -> Layout:
    """FACEGOOD's takes: TAKE.flac with the mouth's weights in TAKE.npz (`weights`, `names`, `fps`)."""
    sources = []
    for file in files_below(folder, SOUNDS):
        weights = file.with_suffix(".npz")
        if weights.is_file():
            with np.load(weights) as arrays:
                fps = float(arrays["fps"])
            entry = Entry(None, file, f"facegood/{file.stem.split('_')[0]}", file.stem, labels=weights, fps=fps)
            sources.append(Source(clip_name("facegood", file.stem), entry))
    return Layout(sources)


def portraits(folder: Path, **_) -> Layout:
    """Photographs, each of another person."""
    entries = [with_split(Entry(file, None, f"portraits/{file.stem}")) for file in files_below(folder, PICTURES)]
    return Layout([Source(clip_name("portraits", entry.clip), entry) for entry in entries])


def corpus(folder: Path, **_) -> Layout:
    """The drawn corpus: clips with the curves of the head that speaks, some of them painted."""
    sources = []
    for file in sorted(folder.rglob("meta.json")):
        clip, meta = file.parent, json.loads(file.read_text("utf8"))
        video, labels = clip / "video.mp4", clip / "labels.npz"
        entry = Entry(
            video if video.is_file() else None,
            clip / "audio.wav",
            f"drawn/{meta['speaker']}",
            clip.name,
            meta.get("split", "train"),
            meta.get("text", ""),
            labels=labels if labels.is_file() else None,
        )
        sources.append(Source(clip_name(clip.name), entry))
    return Layout(sources)


def films(folder: Path, **_) -> Layout:
    """Any films: the nearest folder's name is the speaker, or the film's own where it lies in FOLDER itself."""
    sources = []
    for film in files_below(folder, FILMS):
        parts = film.relative_to(folder).with_suffix("").parts
        speaker = clip_name(*(parts[:-1] or parts))
        sound = next((s for s in map(film.with_suffix, SOUNDS) if s.is_file()), None)
        phones = film.with_suffix(".TextGrid")
        textgrid = phones if phones.is_file() else None
        entry = Entry(film, sound, f"{clip_name(folder.resolve().name)}/{speaker}", textgrid=textgrid)
        sources.append(Source(clip_name(*parts), with_split(entry)))
    return Layout(sources)


def listed(folder: Path, **_) -> Layout:
    """The clips of a list (learning/datasets/manifest.py)."""
    sources, names = [], set()
    for entry in read_manifest(folder):
        name = clip_name(entry.speaker, entry.clip, *([f"{entry.start:09.2f}"] if entry.start else []))
        if name in names:
            raise ValueError(f"{folder} lists {entry.clip} of {entry.speaker} twice; keep one of the lines.")
        names.add(name)
        sources.append(Source(name, entry))
    return Layout(sources)


LAYOUTS: dict[str, Callable[..., Layout]] = {
    "grid": grid,
    "crema-d": crema_d,
    "ravdess": ravdess,
    "mead": mead,
    "cmlr": cmlr,
    "speech": speech,
    "facegood": blendshapes,
    "portraits": portraits,
    "corpus": corpus,
    "films": films,
    "list": listed,
}
