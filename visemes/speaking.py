"""Phones of a text in any of espeak-ng's languages, with the times at which espeak-ng speaks them.

Its library (GPL) is loaded by a program of its own, `espeak.py`; only what it says is used.
"""

import ctypes
import ctypes.util
import functools
import json
import subprocess
import sys
from dataclasses import dataclass

import numpy as np

from . import espeak
from .phones import Phone, split_classes

STOP_RELEASE = 0.025
"""Seconds from the burst of espeak-ng's p and b to the end of the phone, measured on its English and German."""
LONGEST = 5000  # characters spoken at once
SECONDS = 120  # to wait for espeak-ng


@dataclass(frozen=True)
class Spoken:
    """samples (N,) float32 in [-1, 1] at `rate` Hz; starts: (seconds, symbol of IPA) of each phone, in order."""

    samples: np.ndarray
    rate: int
    starts: list[tuple[float, str]]


@functools.cache
def espeak_library() -> str | None:
    """Path of libespeak-ng, or None when it does not load."""
    path = ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1"
    try:
        ctypes.CDLL(path)
    except OSError:
        return None
    return path


def speak(text: str, voice: str, speed: float = 175, pitch: float = 50, pitch_range: float = 50) -> Spoken:
    """Speak with espeak-ng. voice: "language" or "language+variant", such as "en-us+f3"; speed in words a minute.

    RuntimeError where it is not installed or fails, ValueError for a voice that it has not."""
    library = espeak_library()
    if library is None:
        raise RuntimeError("espeak-ng is not installed; install the package espeak-ng.")
    numbers = (str(round(value)) for value in (speed, pitch, pitch_range))
    command = [sys.executable, "-I", "-S", espeak.__file__, library, voice, *numbers]
    done = subprocess.run(command, input=text.encode("utf8"), capture_output=True, timeout=SECONDS, check=False)
    if done.returncode == espeak.NO_VOICE:
        raise ValueError(f"espeak-ng has no voice {voice!r}; `espeak-ng --voices` lists them.")
    if done.returncode != 0:
        raise RuntimeError(f"espeak-ng, voice {voice}, failed: {done.stderr.decode('utf8', 'ignore').strip()[-200:]}")
    head, _, samples = done.stdout.partition(b"\n")
    told = json.loads(head)
    sound = np.frombuffer(samples, "<i2").astype(np.float32) / 32768
    return Spoken(sound, told["rate"], [(float(start), symbol) for start, symbol in told["phones"]])


def stops_at_their_closures(
    audio: np.ndarray, rate: int, marks: list[tuple[float, float, str]]
) -> list[tuple[float, float, str]]:
    """Move the marks of stops to their closures. espeak-ng marks a voiceless stop late, without the silence of its
    closure, and counts the release as part of every stop.

    The start of a voiceless stop is moved back over the silence before it, by up to 120 ms; the end of p and b is moved
    back by STOP_RELEASE.
    """
    step, wide = rate // 200, rate // 100  # every 5 ms, over 10 ms
    power = np.convolve(audio**2, np.full(wide, 1 / wide), "same")[::step]
    quiet = np.sqrt(power) < 0.004
    result: list[tuple[float, float, str]] = []
    for start, end, symbol in marks:
        before = result[-1] if result else None
        if before and symbol[:1] in ("p", "t", "k", "c", "q"):
            i = first = min(int(start * 200) - 1, len(quiet) - 1)
            while i > 0 and first - i < 24 and quiet[i]:
                i -= 1
            if first - i >= 3:
                start = max(before[0] + 0.01, start - (first - i) / 200)
        elif before and before[2][:1] in ("p", "b"):
            start -= min(STOP_RELEASE, 0.5 * (before[1] - before[0]))
        if before:
            result[-1] = (before[0], min(before[1], start), before[2])
        result.append((start, end, symbol))
    return result


@functools.lru_cache(maxsize=4096)
def phones_of_text(text: str, voice: str) -> tuple[Phone, ...]:
    """The phones of a text from its first sound to its last, in seconds from the first, as espeak-ng speaks them; empty
    where nothing is said. Errors as `speak`."""
    if len(text) > LONGEST:
        raise ValueError(f"A line of the text has {len(text)} characters, more than {LONGEST}: divide it by times.")
    spoken = speak(text, voice)
    if not spoken.starts:
        return ()
    ends = [start for start, _ in spoken.starts[1:]] + [len(spoken.samples) / spoken.rate]
    marks = [(start, end, symbol) for (start, symbol), end in zip(spoken.starts, ends, strict=True)]
    marks = stops_at_their_closures(spoken.samples, spoken.rate, marks)
    phones = [phone for mark in marks if mark[1] > mark[0] + 1e-4 for phone in split_classes(*mark, "ipa")]
    heard = [i for i, phone in enumerate(phones) if phone.kind != "sil"]
    if not heard:
        return ()
    inner = phones[heard[0] : heard[-1] + 1]
    return tuple(phone.moved(-inner[0].start) for phone in inner)
