"""Speech synthesizers that give the time of each phone: espeak-ng, flite, festival, kokoro.

They are needed to make training data only. espeak-ng is called through its shared library (its command line gives no
phone times), flite and festival are run as programs, kokoro is a network (`kokoro.py`). Only their outputs are kept.
"""

import functools
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from ....visemes.phones import Phone, split_classes
from ....visemes.speaking import espeak_library, speak, stops_at_their_closures
from ....vocabulary import SAMPLE_RATE
from . import kokoro

RECORDED_DELAY = 0.010
"""Seconds added to the labels of flite and festival, whose sound comes 5-15 ms later."""


@dataclass(frozen=True)
class Utterance:
    """audio (N,) float32 in [-1, 1] at 16 kHz, and its phones in order of time (a phone alignment)."""

    audio: np.ndarray
    phones: tuple[Phone, ...]

    @property
    def duration(self) -> float:
        return len(self.audio) / SAMPLE_RATE


@dataclass(frozen=True)
class ProsodySettings:
    """rate: of speaking, 1 is the voice's own; pitch, and pitch_range about its mean: 0..1, 0.5 is the voice's own."""

    rate: float = 1.0
    pitch: float = 0.5
    pitch_range: float = 0.5


# --- espeak-ng --------------------------------------------------------------------------------------------------------


def say_espeak(text: str, voice: str, prosody: ProsodySettings) -> Utterance:
    """Speak with espeak-ng. voice: "language" or "language+variant", such as "en-us+f3"."""
    spoken = speak(text, voice, 175 * prosody.rate, 100 * prosody.pitch, 100 * prosody.pitch_range)
    audio = _to_rate(spoken.samples, spoken.rate)
    ends = [time for time, _ in spoken.starts[1:]] + [len(audio) / SAMPLE_RATE]
    marks = [(start, end, symbol) for (start, symbol), end in zip(spoken.starts, ends, strict=True)]
    return _speech(audio, stops_at_their_closures(audio, SAMPLE_RATE, marks), "ipa")


# --- flite and festival ----------------------------------------------------------------------------------------------


def say_flite(text: str, voice: str, prosody: ProsodySettings) -> Utterance:
    """Speak with flite. voice: a name of `flite -lv`."""
    program = _program("flite")
    mean = {"slt": 180, "rms": 100, "awb": 120, "kal16": 110}.get(voice, 120) * 2 ** (prosody.pitch - 0.5)
    settings = (f"duration_stretch={1 / prosody.rate:.3f}", f"int_f0_target_mean={mean:.0f}",
                f"int_f0_target_stddev={40 * prosody.pitch_range:.0f}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        command = [program, "-voice", voice, *(part for s in settings for part in ("--setf", s)), "-psdur", "-t", text]
        output = _call([*command, "-o", str(path)], f"flite, voice {voice}").stdout.decode("utf8", "ignore")
        audio = _read(path)
    marks, start = [], 0.0
    for item in output.split():
        symbol, _, end = item.rpartition(":")
        marks.append((start, float(end), symbol))
        start = float(end)
    return _speech(audio, marks, "arpabet", RECORDED_DELAY)


HEAP = "1000000"
"""Lisp cells of festival: its default of ten million takes longer to clear than a sentence takes to speak."""

FESTIVAL_VOICES: dict[str, tuple[str, str]] = {
    "cmu_us_slt_arctic_hts": ("arpabet", "utf8"),
    "kal_diphone": ("arpabet", "utf8"),
    "ked_diphone": ("arpabet", "utf8"),
    "lp_diphone": ("sampa", "latin1"),
    "pc_diphone": ("sampa", "latin1"),
    "upc_ca_ona_hts": ("sampa", "utf8"),
    "suo_fi_lj_diphone": ("finnish", "latin1"),
    "hy_fi_mv_diphone": ("finnish", "latin1"),
    "czech_dita": ("czech", "latin2"),
    "czech_machac": ("czech", "latin2"),
    "czech_ph": ("czech", "latin2"),
    "czech_krb": ("czech", "latin2"),
    "msu_ru_nsh_clunits": ("russian", "utf8"),
}
"""Festival voices whose phones are known here: name -> (phone set, text encoding)."""


def say_festival(text: str, voice: str, prosody: ProsodySettings) -> Utterance:
    """Speak with festival. voice: a key of FESTIVAL_VOICES. Pitch is the voice's own, rate where it cannot be set."""
    program = _program("festival")
    if voice not in FESTIVAL_VOICES:
        raise ValueError(f"festival's voice {voice!r} has unknown phones; choose {', '.join(FESTIVAL_VOICES)}.")
    phone_set, encoding = FESTIVAL_VOICES[voice]
    spoken = text.replace('"', "").replace("\\", "")
    with tempfile.TemporaryDirectory() as folder:
        path, labels, script = (Path(folder) / name for name in ("speech.wav", "speech.lab", "speech.scm"))
        script.write_bytes(
            f"(voice_{voice})\n(Parameter.set 'Duration_Stretch {1 / prosody.rate:.3f})\n"
            f'(set! u (Utterance Text "{spoken}"))\n(utt.synth u)\n'
            f'(utt.save.wave u "{path}" \'riff)\n(utt.save.segs u "{labels}")\n'.encode(encoding, "ignore")
        )
        _call([program, "--heap", HEAP, "-b", str(script)], f"festival, voice {voice}")
        audio = _read(path)
        lines = [line.split() for line in labels.read_text("latin1").splitlines()]
    marks, start = [], 0.0
    for fields in lines:
        if len(fields) >= 3 and fields[0] != "#":
            marks.append((start, float(fields[0]), fields[2]))
            start = float(fields[0])
    return _speech(audio, marks, phone_set, RECORDED_DELAY)


@functools.cache
def installed_voices(engine: str) -> frozenset[str]:
    """Names of the voices of "flite", "festival" or "kokoro"; empty when it is not installed."""
    if engine == "kokoro":
        return kokoro.installed_styles()
    if not shutil.which(engine):
        return frozenset()
    if engine == "flite":
        listed = _call(["flite", "-lv"], "flite").stdout.decode().partition(":")[2]
        return frozenset(listed.split())
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "voices.scm"
        script.write_text("(print (voice.list))\n")
        return frozenset(
            _call(["festival", "--heap", HEAP, "-b", str(script)], "festival").stdout.decode().strip("()\n ").split()
        )


# --- kokoro -----------------------------------------------------------------------------------------------------------


def say_kokoro(text: str, voice: str, prosody: ProsodySettings) -> Utterance:
    """Speak with kokoro. voice: as `kokoro.say` has it. Its pitch cannot be set."""
    samples, marks = kokoro.say(text, voice, prosody.rate)
    return _speech(_to_rate(samples, kokoro.RATE), marks, "ipa")


# --- shared ----------------------------------------------------------------------------------------------------------


ENGINES: dict[str, Callable[[str, str, ProsodySettings], Utterance]] = {
    "espeak-ng": say_espeak,
    "flite": say_flite,
    "festival": say_festival,
    "kokoro": say_kokoro,
}


def available_engines() -> tuple[str, ...]:
    """Engines that can be used on this machine."""
    found = {"espeak-ng": espeak_library(), "flite": shutil.which("flite"), "festival": shutil.which("festival")}
    found["kokoro"] = kokoro.installed_styles()
    return tuple(name for name in ENGINES if found[name])


def require_engines() -> tuple[str, ...]:
    """available_engines(), or a RuntimeError that says what to install."""
    engines = available_engines()
    if not engines:
        raise RuntimeError(
            "No speech engine is installed. Install at least one: on Debian or Ubuntu, "
            "`apt install espeak-ng flite festival festvox-us-slt-hts festvox-kallpc16k`."
        )
    return engines


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise RuntimeError(f"{name} is not installed; install the package {name}.")
    return path


def _call(command: list[str], what: str) -> subprocess.CompletedProcess:
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{what} failed: {done.stderr.decode('utf8', 'ignore').strip()[:200] or 'no message'}.")
    return done


def _read(path: Path) -> np.ndarray:
    if not path.exists():
        raise RuntimeError("The speech engine wrote no sound; the text may have no word that the voice can say.")
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
        return _to_rate(samples, file.getframerate())


def _to_rate(samples: np.ndarray, rate: int) -> np.ndarray:
    if rate == SAMPLE_RATE or not len(samples):
        return samples
    common = int(np.gcd(rate, SAMPLE_RATE))
    return resample_poly(samples, SAMPLE_RATE // common, rate // common).astype(np.float32)


def _speech(audio: np.ndarray, marks: list[tuple[float, float, str]], phone_set: str, delay: float = 0.0) -> Utterance:
    held = [mark for mark in marks if mark[1] - mark[0] > 1e-4]
    return Utterance(audio, tuple(phone.moved(delay) for mark in held for phone in split_classes(*mark, phone_set)))
