"""Synthesise talking clips without pictures: speech, and the motion of the head that speaks it, to train stage 2.

A clip is the folder OUT/clips/<name> with audio.wav (16 kHz mono, 16 bit), labels.npz (`parameters` (T, 24) float32,
of half bodies (T, 34); `phone_start`, `phone_end` in seconds, `phone_class`) and meta.json; once painted, also
video.mp4, and meta.json says whether it shows gesturing hands (`hands`). Clips are independent and reproducible: with
the same voices installed, clip i of a seed is the same whatever was drawn before it, so an interrupted run is continued
by starting it again.
"""

import json
import wave
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...files import whole_folder
from ...visemes.phones import SILENCE, Phone
from ...visemes.table import mouth_parameters
from ...vocabulary import FPS, SAMPLE_RATE, SAMPLES_A_FRAME
from .acting import half_body
from .acting.performance import add_head_motion, motion_style
from .speech import augment, text, voices
from .speech.engines import ENGINES, ProsodySettings, Utterance
from .speech.prosody import analyse
from .speech.voices import Voice

SHORTEST, LONGEST = 3.0, 10.0
"""Seconds of a clip."""

_ATTEMPTS = 20
_PROSODY_RANGES = (0.8, 1.25), (0.25, 0.8), (0.25, 0.9)  # rate, pitch, pitch range


def draw_tracks(
    out: str | Path,
    clips: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    *,
    first: int = 0,
    splits: tuple[str, ...] | None = None,
    framing: str = "head",
    engines: Sequence[str] = (),
) -> list[Path]:
    """Write clips first..first+clips-1 of a seed under out/clips and return their folders; complete ones are kept.

    splits: voices of these only, as for a corpus of held-out voices; processes with disjoint ranges may share a folder.
    framing: of `vocabulary.FRAMINGS`. engines: of `engines.ENGINES`, those that speak, all if empty; the others' voices
    are heard behind them only.
    progress(done, clips) is called after each. Raises RuntimeError when no speech engine is installed, or none with
    such voices, ValueError for a negative number of clips.
    """
    if clips < 0:
        raise ValueError(f"The number of clips must not be negative, not {clips}.")
    available = tuple(v for v in voices.installed() if splits is None or voices.split_of(v.speaker) in splits)
    if not available:
        raise RuntimeError(f"no installed voice is of the splits {', '.join(splits)}: install flite or festival voices")
    if engines:
        available = tuple(v if v.engine in engines else replace(v, share=0.0) for v in available)
        if not any(v.share for v in available):
            raise RuntimeError(f"{' and '.join(engines)} cannot speak here: install it, or name another engine")
    folder = Path(out) / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for index in range(first, first + clips):
        path = folder / f"voice_{seed}_{index:06d}"
        if not (path / "meta.json").exists():
            write_clip(path, *synthesise_clip(available, seed, index, framing))
        written.append(path)
        if progress:
            progress(index + 1 - first, clips)
    return written


def synthesise_clip(
    available: tuple[Voice, ...], seed: int, index: int, framing: str = "head"
) -> tuple[Utterance, np.ndarray, dict]:
    """One clip: speech with its augmented sound, motion (T, 24) or (T, 34) of a half body, and the content of
    meta.json. T = samples / 640. framing: of `vocabulary.FRAMINGS`; voice and head are the same in each."""
    rng = np.random.default_rng([seed, index])
    shares = np.array([voice.share for voice in available])
    voice = available[rng.choice(len(available), p=shares / shares.sum())]
    clean, spoken, language = _synthesise_speech(voice, rng)
    frames = len(clean.audio) // SAMPLES_A_FRAME
    prosody = analyse(clean)
    style = motion_style(voice.speaker, prosody)
    mouth = mouth_parameters(clean.phones, frames, openness=style.openness, width=style.width)
    motion = add_head_motion(mouth, prosody, style, rng)
    if framing == "half":
        arms = half_body.gesticulate(prosody, style, frames, half_body.arm_generator(seed, index))
        motion = np.concatenate([motion, arms], 1)
    changed = bool(rng.random() < augment.SHARE)
    if changed:
        heard = augment.augment(clean.audio, rng, _babble(available, rng))
    else:
        heard = augment.set_level(clean.audio + 2e-4 * rng.normal(size=len(clean.audio)), float(rng.uniform(-28, -17)))
    meta = {
        "speaker": voice.speaker,
        "voice": voice.name,
        "engine": voice.engine,
        "language": language,
        "text": spoken,
        "fps": str(FPS),
        "frames": frames,
        "split": voices.split_of(voice.speaker),
        "seed": [seed, index],
        "augmented": changed,
        "licence": voices.OUTPUT_LICENCE,
    }
    if framing != "head":
        meta["framing"] = framing
    return Utterance(heard, clean.phones), motion, meta


def _synthesise_speech(voice: Voice, rng: np.random.Generator) -> tuple[Utterance, str, str]:
    """One or two sentences of a voice with pauses around them, SHORTEST to LONGEST seconds, a whole number of frames;
    their text and language code."""
    language = voice.languages[rng.integers(len(voice.languages))]
    name = voices.name_in_engine(voice, language, rng)
    for _ in range(_ATTEMPTS):
        prosody = ProsodySettings(*(float(rng.uniform(*limits)) for limits in _PROSODY_RANGES))
        speed = float(np.exp(rng.uniform(-0.2, 0.2))) if rng.random() < augment.SHARE else 1.0
        sentences = [text.sentence(rng, language) for _ in range(rng.choice([1, 2], p=[0.55, 0.45]))]
        parts = [augment.change_speed(ENGINES[voice.engine](words, name, prosody), speed) for words in sentences]
        if any(sum(phone.kind != SILENCE for phone in part.phones) < 5 for part in parts):
            continue
        pauses = [_pause(rng, 0.3), *(_pause(rng, 0.5) for _ in parts[1:]), _pause(rng, 0.4)]
        speech = augment.join(parts, pauses)
        if SHORTEST <= speech.duration <= LONGEST:
            return _whole_frames(speech), " ".join(sentences), language
    raise RuntimeError(
        f"The voice {name!r} of {voice.engine} gave no clip of {SHORTEST}-{LONGEST} s in {_ATTEMPTS} attempts."
    )


def _pause(rng: np.random.Generator, mean: float) -> float:
    """Seconds of a pause: 0 in 30 %, mostly short, in 10 % long enough for the lips to close."""
    kind = rng.random()
    return 0.0 if kind < 0.3 else float(rng.exponential(mean)) if kind < 0.9 else float(rng.uniform(1.5, 2.8))


def _whole_frames(speech: Utterance) -> Utterance:
    """The speech, padded with silence to a whole number of frames."""
    audio = np.pad(speech.audio, (0, -len(speech.audio) % SAMPLES_A_FRAME))
    end, whole = speech.phones[-1].end, len(audio) / SAMPLE_RATE
    return Utterance(audio, speech.phones + ((Phone(end, whole, SILENCE),) if end < whole else ()))


def _babble(available: tuple[Voice, ...], rng: np.random.Generator) -> np.ndarray:
    """Two other voices at once (N,); empty when espeak-ng, the one engine fast enough, is not available."""
    quick = [voice for voice in available if voice.engine == "espeak-ng"]
    said = []
    for _ in range(2 if quick else 0):
        voice = quick[rng.integers(len(quick))]
        said.append(ENGINES[voice.engine](text.sentence(rng), f"en-us+{voice.name}", ProsodySettings()).audio)
    length = min((len(audio) for audio in said), default=0)
    return np.sum([audio[:length] for audio in said], 0) if length else np.zeros(0, np.float32)


def write_wave(path: Path, audio: np.ndarray, rate: int = SAMPLE_RATE) -> None:
    """Write audio (N,) float in [-1, 1] as 16-bit mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(audio, -1, 1) * 32767).round().astype("<i2").tobytes())


def read_clip(folder: str | Path) -> tuple[Utterance, np.ndarray, dict]:
    """Speech, motion (T, 24) or (T, 34) and meta.json of a clip, as `synthesise_clip` gives them, sound rounded to 16
    bits."""
    folder = Path(folder)
    with wave.open(str(folder / "audio.wav")) as file:
        audio = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32767
    with np.load(folder / "labels.npz") as labels:
        motion = labels["parameters"]
        phones = zip(*(labels[f"phone_{name}"].tolist() for name in ("start", "end", "class")), strict=True)
        speech = Utterance(audio, tuple(Phone(*phone) for phone in phones))
    return speech, motion, json.loads((folder / "meta.json").read_text("utf8"))


def write_clip(path: Path, speech: Utterance, motion: np.ndarray, meta: dict) -> None:
    """Write a clip's folder `path`, which is whole or absent."""
    with whole_folder(path) as part:
        write_wave(part / "audio.wav", speech.audio)
        np.savez(
            part / "labels.npz",
            parameters=motion,
            phone_start=np.array([phone.start for phone in speech.phones], np.float32),
            phone_end=np.array([phone.end for phone in speech.phones], np.float32),
            phone_class=np.array([phone.kind for phone in speech.phones]),
        )
        (part / "meta.json").write_text(json.dumps(meta, ensure_ascii=False, indent=1), "utf8")
