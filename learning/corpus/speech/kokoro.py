"""Kokoro-82M, natural synthetic voices: sound and phone times of a text, from files that `make voices` puts together.

The network (Apache-2.0, ONNX) is run by onnxruntime. Its durations of phones are made an output of the graph; they are
corrected to the sound by `kokoro_phones`. The folder is named by MAMBA_PORTRAIT_VOICES, else it is voices/ of the pack.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
from pathlib import Path

import numpy as np

from .kokoro_phones import RATE, phones_of_words, timed

FOLDER = Path(__file__).parents[3] / "voices"
VARIABLE = "MAMBA_PORTRAIT_VOICES"
MODEL, VOCABULARY, STYLES = "kokoro.onnx", "vocabulary.json", "styles"
DURATIONS = "/encoder/Round_output_0"
"""Tensor of the graph: frames of each token, (1, tokens) float."""

LONGEST = 510  # tokens that the network takes, without the two at the ends
WIDTH = 256  # of a style
PLAYBACK = 0.05
"""Seconds of silence left before and after the speech; the network adds about 0.3 and 0.5."""


def folder() -> Path:
    """Where the network and the voices lie."""
    return Path(os.environ.get(VARIABLE) or FOLDER)


def installed_styles() -> frozenset[str]:
    """Names of the voices, such as "af_heart"; empty where the files, onnxruntime or hibari-tts are missing."""
    place = folder()
    if not all((place / name).is_file() for name in (MODEL, VOCABULARY)):
        return frozenset()
    if not all(importlib.util.find_spec(name) for name in ("onnxruntime", "hibari")):
        return frozenset()
    return frozenset(path.stem for path in (place / STYLES).glob("*.bin"))


def say(text: str, voice: str, rate: float = 1.0) -> tuple[np.ndarray, list[tuple[float, float, str]]]:
    """Sound (N,) float32 in [-1, 1] at RATE, and (start, end, symbol of IPA) of its phones in seconds, "" a pause.

    voice: LANGUAGE/STYLE or a blend LANGUAGE/STYLE*WEIGHT+STYLE*WEIGHT, such as "en-us/af_heart*0.6+am_eric*0.4"; the
    language is en-us, en-gb, or one of espeak-ng's. rate: of speaking, 0.5..2. RuntimeError where it is not installed,
    ValueError for a text without phones or longer than LONGEST, or a voice that is not there.
    """
    language, _, styles = voice.rpartition("/")
    vocabulary = _vocabulary(folder())
    phones = [mark for mark in phones_of_words(text, language or "en-us") if mark in vocabulary]
    if not 0 < len(phones) <= LONGEST:
        raise ValueError(f"kokoro speaks 1 to {LONGEST} phones at once; this text has {len(phones)}: {text[:60]!r}")
    tokens = np.array([[0, *(vocabulary[phone] for phone in phones), 0]], np.int64)
    fed = {"tokens": tokens, "style": style_of(styles, len(phones))[None], "speed": np.array([rate], np.float32)}
    audio, durations = _network(folder()).run(["audio", DURATIONS], fed)
    return _trimmed(audio.reshape(-1), timed(phones, durations.reshape(-1), audio.reshape(-1)))


def style_of(styles: str, phones: int) -> np.ndarray:
    """(256,) style for a text of so many phones: of one voice, or the weighted mean of those of a blend."""
    parts = [part.partition("*") for part in styles.split("+")]
    weights = np.array([float(weight or 1) for _, _, weight in parts])
    if not weights.sum() > 0:
        raise ValueError(f"The weights of the blend {styles!r} must sum to more than 0.")
    rows = np.stack([_styles(folder(), name)[min(phones, LONGEST) - 1] for name, _, _ in parts])
    return (weights / weights.sum()).astype(np.float32) @ rows


def _trimmed(audio: np.ndarray, marks: list) -> tuple[np.ndarray, list]:
    """Without the silence before and after the speech, but for PLAYBACK."""
    said = [mark for mark in marks if mark[2]]
    begin = max(said[0][0] - PLAYBACK, 0.0)
    end = min(said[-1][1] + PLAYBACK, len(audio) / RATE)
    first = round(begin * RATE)
    cut = audio[first : round(end * RATE)].clip(-1, 1).astype(np.float32)
    length, begin = len(cut) / RATE, first / RATE
    moved = [(max(a - begin, 0.0), min(b - begin, length), symbol) for a, b, symbol in marks]
    return cut, [mark for mark in moved if mark[1] > mark[0]]


@functools.cache
def _network(place: Path):
    if not installed_styles():
        raise RuntimeError(
            f"kokoro is not installed: its files are looked for in {place}, with the packages onnxruntime and "
            "hibari-tts; `make voices` fetches them."
        )
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.log_severity_level = 3
    return onnxruntime.InferenceSession(str(place / MODEL), settings, providers=["CPUExecutionProvider"])


@functools.cache
def _vocabulary(place: Path) -> dict[str, int]:
    _network(place)
    return json.loads((place / VOCABULARY).read_text("utf8"))


@functools.cache
def _styles(place: Path, name: str) -> np.ndarray:
    path = place / STYLES / f"{name}.bin"
    if name not in installed_styles():
        raise ValueError(f"kokoro has no voice {name!r} in {path.parent}.")
    return np.fromfile(path, "<f4").reshape(LONGEST, WIDTH)
