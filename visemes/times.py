"""What is said when: read from a Praat TextGrid, subtitles, or the time stamps of a speech synthesiser, as phones."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..messages import shown
from ..vocabulary import SAMPLE_RATE
from .phones import SILENCE, Phone
from .speaking import espeak_library, phones_of_text
from .textgrid import Interval, decoded, phones_of_intervals, phones_of_tier, read_tiers

LARGEST = 32 << 20  # bytes of a file
LONGEST = 4 * 3600.0  # seconds
QUIET = 1e-3  # of a line's loudest 20 ms, in energy: 30 dB; what is quieter at its edges is not speech
GAP = 0.03  # seconds of silence between lines that count as a pause

STARTS = ("start", "begin", "start_time", "startTime", "xmin", "from", "start_s")
ENDS = ("end", "stop", "end_time", "endTime", "xmax", "to", "end_s")
PHONES = ("phone", "phoneme", "symbol")
WORDS = ("word", "text", "token", "label", "value")

_ARROW = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})\s*-->\s*(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})")
_STAMP = re.compile(r"<(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})>")
_TAG = re.compile(r"<[^>]*>|\{[^}]*\}|&[a-z]+;|\[[^\]]*\]|♪")


@dataclass(frozen=True)
class Times:
    """phones: of a file that holds them; lines: words or sentences, where it holds none."""

    phones: tuple[Phone, ...] = ()
    lines: tuple[Interval, ...] = ()

    @property
    def end(self) -> float:
        """Seconds."""
        return max([phone.end for phone in self.phones] + [end for _, end, _ in self.lines])


def read_times(data: bytes, name: str, phone_set: str = "auto") -> Times:
    """The content of a TextGrid, an SRT or VTT, or a JSON with times. `name` stands in messages.

    ValueError, one sentence, for other content, and for times that are negative or beyond four hours."""
    if len(data) > LARGEST:
        raise ValueError(f"{name} has {len(data) >> 20} MB, and times of speech take at most {LARGEST >> 20}.")
    text = decoded(data, name).strip()
    if text.startswith("File type"):
        found = _of_textgrid(text, name, phone_set)
    elif text[:1] in "[{" and text:
        found = _of_json(text, name, phone_set)
    elif "-->" in text:
        found = Times(lines=tuple(_subtitles(text)))
    else:
        raise ValueError(f"{name} holds no times: give a Praat TextGrid, an SRT, a VTT, or a JSON of words or phones.")
    if not found.phones and not found.lines:
        raise ValueError(f"{name} holds no phones and no words with times.")
    edges = [edge for phone in found.phones for edge in (phone.start, phone.end)]
    edges += [edge for start, end, _ in found.lines for edge in (start, end)]
    if min(edges) < 0 or max(edges) > LONGEST:
        raise ValueError(f"{name} has times outside of 0 to {LONGEST:g} seconds: give times in seconds from the start.")
    return found


def phones_of(times: Times, language: str = "en-us", sound: np.ndarray | None = None) -> tuple[Phone, ...]:
    """The phones, in order and without gaps. Lines of text are spoken by espeak-ng in `language`, and what it says is
    stretched over each line's time: of that, with the sound (N,) at 16 kHz, the part that is not silence.

    RuntimeError where text is to be spoken and espeak-ng is not installed."""
    if times.phones:
        return times.phones
    if espeak_library() is None:
        raise RuntimeError(
            "These times are of words, and turning words into phones needs espeak-ng: install the package espeak-ng, "
            "or give a TextGrid with a tier of phones."
        )
    phones: list[Phone] = []
    for start, end, text in sorted(times.lines):
        if sound is not None:
            start, end = _loud_part(sound, start, end)
        start = max(start, phones[-1].end if phones else 0.0)
        said = phones_of_text(text, language) if end > start else ()
        if not said:
            continue
        before = phones[-1].end if phones else 0.0
        if start - before > GAP:
            phones.append(Phone(before, start, SILENCE))
        factor = (end - start) / said[-1].end
        phones += [phone.moved(start, factor) for phone in said]
    if not phones:
        raise ValueError("Nothing in the text can be spoken: give words, and the language they are in.")
    return (*phones, Phone(phones[-1].end, max(times.end, phones[-1].end) + 0.5, SILENCE))


def _loud_part(sound: np.ndarray, start: float, end: float) -> tuple[float, float]:
    """The times between which a part of the sound is not silence; as they are for a silent one."""
    step = SAMPLE_RATE // 50
    part = sound[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
    energy = np.square(part[: len(part) // step * step].astype(np.float64)).reshape(-1, step).mean(1)
    if not len(energy) or energy.max() < 1e-10:
        return start, end
    loud = np.flatnonzero(energy > QUIET * energy.max())
    return start + loud[0] / 50, start + (loud[-1] + 1) / 50


def _of_textgrid(text: str, name: str, phone_set: str) -> Times:
    """Phones, or else the words of a tier of that name."""
    tiers = read_tiers(text, name)
    words = next((rows for key, rows in tiers.items() if key.lower().split(" - ")[-1].strip() == "words"), None)
    try:
        return Times(phones_of_tier(tiers, name, phone_set))
    except ValueError:
        if not words:
            raise
    return Times(lines=tuple((start, end, word) for start, end, word in words if word.strip()))


def _seconds(hours: str | None, minutes: str, seconds: str, parts: str) -> float:
    return 3600 * int(hours or 0) + 60 * int(minutes) + int(seconds) + int(parts.ljust(3, "0")) / 1000


def _subtitles(text: str) -> Iterable[Interval]:
    """Lines of SRT and VTT; words where a VTT has times inside its lines."""
    marks = list(_ARROW.finditer(text))
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        start, end = _seconds(*mark.groups()[:4]), _seconds(*mark.groups()[4:])
        block = text[mark.end() : following.start() if following else len(text)]
        block = block.split("\n", 1)[-1] if "\n" in block else ""
        block = re.split(r"\n\s*\n", block, maxsplit=1)[0]
        stamps = list(_STAMP.finditer(block))
        cuts = [start, *(_seconds(*stamp.groups()) for stamp in stamps), end]
        begins, ends = [0, *(stamp.end() for stamp in stamps)], [*(stamp.start() for stamp in stamps), None]
        parts = [block[a:b] for a, b in zip(begins, ends, strict=True)]
        for begin, stop, said in zip(cuts, cuts[1:], parts, strict=False):
            if (words := " ".join(_TAG.sub(" ", said).split())) and stop > begin:
                yield begin, stop, words


def _of_json(text: str, name: str, phone_set: str) -> Times:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        try:  # a JSON object a line
            told = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{name} is no JSON: {shown(str(error))}.") from error
    phones: list[Interval] = []
    words: list[Interval] = []
    _collect(told, phones, words, name, 0)
    if phones:
        return Times(phones_of_intervals(sorted(phones), phone_set))
    return Times(lines=tuple(words))


def _collect(told: Any, phones: list, words: list, name: str, depth: int) -> None:
    """Gather what has times, from the innermost objects: words in segments count, not the segments themselves."""
    if depth > 12:
        return
    if isinstance(told, dict) and isinstance(told.get("tiers"), dict):  # Montreal Forced Aligner's JSON
        for key, tier in told["tiers"].items():
            place = {"phones": phones, "words": words}.get(str(key).lower().split(" - ")[-1])
            rows = tier.get("entries") if isinstance(tier, dict) else None
            if place is not None and isinstance(rows, list):
                place += [_row(*row[:3], name) for row in rows if isinstance(row, list) and len(row) > 2]
    elif isinstance(told, dict) and isinstance(told.get("characters"), list):
        words += _of_characters(told, name)
    elif isinstance(told, list):
        for item in told:
            _collect(item, phones, words, name, depth + 1)
    elif isinstance(told, dict):
        known, before = len(phones) + len(words), told.get("alignment") or told.get("normalized_alignment")
        for item in [before] if before else told.values():
            if isinstance(item, (list, dict)):
                _collect(item, phones, words, name, depth + 1)
        if len(phones) + len(words) == known:
            _own(told, phones, words, name)


def _own(told: dict, phones: list, words: list, name: str) -> None:
    """What one object says: a phone or words with its start, and its end or duration."""
    start = next((told[key] for key in STARTS if key in told), None)
    end = next((told[key] for key in ENDS if key in told), None)
    if end is None and "duration" in told and start is not None:
        end = _number(start, name) + _number(told["duration"], name)
    for keys, place in ((PHONES, phones), (WORDS, words)):
        said = next((told[key] for key in keys if isinstance(told.get(key), str)), None)
        if said is not None and said.strip() and start is not None and end is not None:
            place.append(_row(start, end, said, name))
            return


def _of_characters(told: dict, name: str) -> list[Interval]:
    """Words of letters with times each, as some services give them."""
    starts, ends = (told.get(f"character_{edge}_times_seconds") or () for edge in ("start", "end"))
    rows = [_row(a, b, str(letter), name) for letter, a, b in zip(told["characters"], starts, ends, strict=False)]
    words: list[Interval] = []
    inside = False
    for start, end, letter in rows:
        if letter.isspace():
            inside = False
        elif inside:
            words[-1] = (words[-1][0], end, words[-1][2] + letter)
        else:
            words.append((start, end, letter))
            inside = True
    return [word for word in words if any(map(str.isalnum, word[2]))]


def _row(start: Any, end: Any, said: Any, name: str) -> Interval:
    return _number(start, name), _number(end, name), str(said)


def _number(value: Any, name: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} has {shown(value)} where a time in seconds should be.")
    return number
