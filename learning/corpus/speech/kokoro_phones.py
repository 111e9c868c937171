"""What Kokoro is told to say, a string of phones, and when it says each.

English phones are written by hibari-tts, those of other languages by espeak-ng; some characters stand for two phones
(`LETTERS`). The network gives a duration to every character, stress marks and spaces too. Held against an aligner of
real speech (its own error on people is 2 ms), its boundaries come late: by 40 ms before vowels, by 60 ms before
consonants, alike in ten voices and at all rates; and the last phone before a pause is counted to the end of the pause.
"""

from __future__ import annotations

import functools
import itertools
import re
import shutil
import subprocess

import numpy as np

from ....visemes.phones import VOWELS, classes

RATE = 24000
FRAME = 0.025  # seconds of a unit of duration
LATE = {True: 0.040, False: 0.060}  # seconds by which vowels, and consonants, begin before their tokens
SHORTEST = 0.015  # seconds of a phone
QUIET = 0.03  # of the 95th percentile of the root mean square over 10 ms
STEP = RATE // 200  # samples: 5 ms
PAUSE = 0.06  # seconds of quiet at a punctuation mark that are a pause
CLOSURE = 0.07  # seconds before the burst that a stop after a pause is held, and the longest that one is begun earlier
BREAK = 0.15  # seconds of quiet between words that are a pause

LETTERS = {
    "A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ", "T": "d", "ᵊ": "ə", "ʧ": "tʃ", "ʤ": "dʒ",
    "ʦ": "ts", "ʣ": "dz", "ʨ": "tɕ", "ʥ": "dʑ", "ꭧ": "tʂ",
}  # fmt: skip
"""Characters of the vocabulary that are not IPA for one sound, in IPA; T is the flap of "water"."""

TIED = {ipa: letter for letter, ipa in LETTERS.items() if letter not in "Tᵊ"}
_STRESS, _AFTER = "ˈˌ", "ːʰʲ\u0303"
_PUNCTUATION = ";:,.!?—…"
_SILENT = _PUNCTUATION + ' ()"“”'
_VOICELESS = "ptkcqʈ"
_STOPS = _VOICELESS + "bdɡɟɖ"


def phones_of_words(text: str, language: str) -> str:
    """A text in Kokoro's characters. language: en-us, en-gb, or one of espeak-ng's."""
    if language in ("en-us", "en-gb"):
        return _english(language == "en-gb")(text)
    pieces = re.split(f"([{re.escape(_PUNCTUATION)}])", text)
    return "".join(f"{piece} " if piece in _PUNCTUATION else _espeak(piece, language) for piece in pieces).strip()


@functools.cache
def _english(british: bool):
    from hibari.g2p import G2P

    return G2P(british=british)


def _espeak(text: str, language: str) -> str:
    """Phones of words without punctuation, affricates and diphthongs as one character where there is one."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise RuntimeError(f"kokoro needs espeak-ng for the phones of {language!r}; install the package espeak-ng.")
    command = [program, "-q", "--ipa", "--tie=^", "-v", language, "--stdin"]
    done = subprocess.run(command, input=text.encode("utf8"), capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"espeak-ng, voice {language}, failed: {done.stderr.decode('utf8', 'ignore').strip()[:200]}")
    said = " ".join(re.sub(r"\([^)]*\)", "", done.stdout.decode("utf8")).split())
    for ipa, letter in TIED.items():
        said = said.replace(f"{ipa[0]}^{ipa[1]}", letter)
    return said.replace("^", "").replace("-", "").replace("g", "ɡ").replace("r.", "ɽ")


def timed(phones: list[str] | str, durations: np.ndarray, audio: np.ndarray) -> list[tuple[float, float, str]]:
    """(start, end, symbol) of each phone in seconds, "" of pauses.

    phones: n characters; durations (n + 2,): units of 25 ms of each, and of the silence before and after; audio (N,) at
    RATE, where pauses are found.
    """
    edges = np.concatenate([[0.0], np.cumsum(durations)]) * FRAME
    units = _units(list(phones))
    starts = [_start(units, edges, i) for i in range(1, len(units))]
    bounds = np.concatenate([[0.0], starts, [len(audio) / RATE]])
    symbols = [symbol for symbol, _, _ in units]
    return _by_sound(list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), symbols, strict=True)), audio)


def _units(phones: list[str]) -> list[tuple[str, int, int]]:
    """(symbol, first, last + 1) of tokens that are one phone, " " between words, or "" at punctuation and the ends.

    Stress marks belong to the phone after them, marks of length and nasality to the one before."""
    units: list[tuple[str, int, int]] = [("", 0, 1)]
    first = None
    for i, character in enumerate(phones, 1):
        symbol, begin, end = units[-1]
        if character in _STRESS:
            first = i if first is None else first
        elif character in _AFTER:
            units[-1] = (symbol + character, begin, i + 1)
        elif character in _SILENT:
            kind = " " if character == " " else ""
            if symbol in ("", " "):
                units[-1] = ("" if kind == "" else symbol, begin, i + 1)
            else:
                units.append((kind, i, i + 1))
        else:
            units.append((LETTERS.get(character, character), i if first is None else first, i + 1))
            first = None
    if units[-1][0] in ("", " "):
        return [*units[:-1], ("", units[-1][1], len(phones) + 2)]
    return [*units, ("", len(phones) + 1, len(phones) + 2)]


def _start(units: list[tuple[str, int, int]], edges: np.ndarray, i: int) -> float:
    """Seconds at which unit i begins."""
    symbol, first, _ = units[i]
    before = units[i - 1]
    begin = edges[first]
    if before[0] == " ":  # the time between two words is halved
        begin -= 0.5 * (edges[before[2]] - edges[before[1]])
    elif symbol == " ":
        begin += 0.5 * (edges[units[i][2]] - edges[first])
        symbol = units[i + 1][0]
    return max(begin - LATE[not symbol or classes(symbol, "ipa")[0] in VOWELS], 0.0)


def _by_sound(marks: list, audio: np.ndarray) -> list[tuple[float, float, str]]:
    """The marks with pauses where the sound is quiet, without those that are none, and with voiceless stops from where
    it falls quiet."""
    quiet = quiet_runs(audio)
    result: list[list] = []
    for start, end, symbol in marks:
        if result:
            start = max(start, result[-1][0] + (SHORTEST if result[-1][2] not in ("", " ") else 0.0))
            result[-1][1] = start
        result.append([start, max(end, start), symbol])
    for i, mark in enumerate(result):
        if mark[2] in ("", " "):
            _settle_pause(mark, result[i - 1] if i else None, result[i + 1] if i + 1 < len(result) else None, quiet)
    held = [mark for mark in result if mark[1] - mark[0] > 1e-4]
    for before, mark in itertools.pairwise(held):
        if before[2] and mark[2] and mark[2][0] in _VOICELESS:
            before[1] = mark[0] = max(_closing(mark[0], quiet), before[0] + SHORTEST)
    return [tuple(mark) for mark in held]


def _closing(start: float, quiet: list[tuple[float, float]]) -> float:
    """Where the quiet begins in which a stop begins, or with which it ends."""
    return next((a for a, b in quiet if a < start <= b + SHORTEST and start - a < CLOSURE), start)


def _settle_pause(mark: list, before: list | None, after: list | None, quiet: list[tuple[float, float]]) -> None:
    """Give a mark between words the longest quiet there, or no time; its neighbours end and begin where it does."""
    low = before[0] + SHORTEST if before else 0.0
    high = after[1] if after else mark[1]
    runs = [(max(a, low), min(b, high)) for a, b in quiet if min(b, high) > max(a, low)]
    start, end = max(runs, key=lambda run: run[1] - run[0], default=(mark[0], mark[0]))
    if end - start < (BREAK if mark[2] else PAUSE):
        start = end = 0.5 * (mark[0] + mark[1])  # both neighbours share its time
    elif after and after[2][:1] in _STOPS:
        end = max(start, end - CLOSURE)
    mark[:] = start, end, ""
    if before:
        before[1] = start
    if after:
        after[0] = end


def quiet_runs(audio: np.ndarray) -> list[tuple[float, float]]:
    """(start, end) in seconds of the stretches of audio (N,) at RATE that are quiet."""
    power = np.convolve(audio.astype(np.float64) ** 2, np.full(2 * STEP, 0.5 / STEP), "same")[::STEP]
    level = np.sqrt(power.clip(0))
    quiet = np.concatenate([[False], level < QUIET * np.percentile(level, 95), [False]])
    edges = np.flatnonzero(quiet[1:] != quiet[:-1])
    return [(a * STEP / RATE, b * STEP / RATE) for a, b in zip(edges[::2], edges[1::2], strict=True)]
