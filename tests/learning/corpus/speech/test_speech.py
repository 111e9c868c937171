import json
import wave

import numpy as np
import pytest

from mamba_portrait.files import MACHINE
from mamba_portrait.learning.corpus.acting.performance import add_head_motion, motion_style
from mamba_portrait.learning.corpus.speech import engines, text, voices
from mamba_portrait.learning.corpus.speech.engines import ProsodySettings
from mamba_portrait.learning.corpus.speech.prosody import Prosody, analyse
from mamba_portrait.learning.corpus.tracks import draw_tracks
from mamba_portrait.visemes.phones import SILENCE, Phone
from mamba_portrait.vocabulary import COUNT, INDEX, SAMPLE_RATE

needs_engine = pytest.mark.skipif(not engines.available_engines(), reason="no speech engine is installed")
EXAMPLES = {
    "espeak-ng": "en-us+f3",
    "flite": "slt",
    "festival": "cmu_us_slt_arctic_hts",
    "kokoro": "en-us/af_heart",
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    out = tmp_path_factory.mktemp("voices")
    return out, draw_tracks(out, 3, seed=4)


@pytest.mark.parametrize("engine", EXAMPLES)
def test_engine_speaks_with_timed_phones(engine):
    if engine not in engines.available_engines():
        pytest.skip(f"{engine} is not installed")
    if engine != "espeak-ng" and EXAMPLES[engine].rpartition("/")[2] not in engines.installed_voices(engine):
        pytest.skip(f"{engine} has no voice {EXAMPLES[engine]}")
    speech = engines.ENGINES[engine]("Papa opened the big window.", EXAMPLES[engine], ProsodySettings())
    assert 1 < speech.duration < 4 and speech.audio.dtype == np.float32
    kinds = [phone.kind for phone in speech.phones if phone.kind != SILENCE]
    assert kinds[:4] == ["p", "a", "p", kinds[3]] and kinds.count("p") >= 4
    starts = [phone.start for phone in speech.phones]
    assert starts == sorted(starts) and speech.phones[-1].end < speech.duration + 0.1
    # Lips are closed where there is less sound: the second p against the vowel after it.
    closure, vowel = [phone for phone in speech.phones if phone.kind != SILENCE][2:4]
    spans = [slice(int(p.start * SAMPLE_RATE), int(p.end * SAMPLE_RATE)) for p in (closure, vowel)]
    level = [np.abs(speech.audio[span]).mean() for span in spans]
    assert level[0] < 0.7 * level[1]


@needs_engine
def test_clip_on_disk(drawn):
    for path in drawn[1]:
        meta = json.loads((path / "meta.json").read_text("utf8"))
        assert {"speaker", "engine", "language", "text", "split", "licence"} <= set(meta) and meta["fps"] == "25"
        with wave.open(str(path / "audio.wav")) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (SAMPLE_RATE, 1, 2)
            samples = file.getnframes()
        labels = np.load(path / "labels.npz")
        motion = labels["parameters"]
        assert motion.shape == (int(samples * 25 / SAMPLE_RATE + 0.5), COUNT) and motion.dtype == np.float32
        assert 3 <= samples / SAMPLE_RATE <= 10.1
        assert np.isfinite(motion).all() and np.abs(motion).max() <= 1
        assert 0.2 < motion[:, INDEX["jaw"]].max() < 0.8
        assert np.abs(motion[0, INDEX["yaw"] : INDEX["roll"] + 1]).max() < 0.02  # begins at rest
        assert len(labels["phone_start"]) == len(labels["phone_end"]) == len(labels["phone_class"])


@needs_engine
def test_drawing_again_gives_the_same_and_keeps_what_is_there(drawn, tmp_path):
    out, paths = drawn
    left = tmp_path / "clips" / f".voice_4_000001.{MACHINE}0a1b2c.part"  # by an interrupted run
    (left / "content").mkdir(parents=True)
    for before, after in zip(paths, draw_tracks(tmp_path, 3, seed=4), strict=True):
        for name in ("audio.wav", "meta.json"):
            assert (before / name).read_bytes() == (after / name).read_bytes()
        assert np.array_equal(np.load(before / "labels.npz")["parameters"], np.load(after / "labels.npz")["parameters"])
    stamps = [(path / "meta.json").stat().st_mtime_ns for path in paths]
    draw_tracks(out, 3, seed=4)
    assert stamps == [(path / "meta.json").stat().st_mtime_ns for path in paths]
    assert not list((tmp_path / "clips").glob(".*"))


def test_missing_engines_are_named(monkeypatch):
    monkeypatch.setattr(engines, "available_engines", lambda: ())
    with pytest.raises(RuntimeError, match="espeak-ng"):
        engines.require_engines()
    monkeypatch.setattr(engines.shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="flite is not installed"):
        engines.say_flite("hello", "slt", ProsodySettings())


def test_split_is_by_speaker_and_near_ninety_five_five():
    splits = [voices.split_of(f"someone {i}") for i in range(4000)]
    assert splits == [voices.split_of(f"someone {i}") for i in range(4000)]
    assert splits.count("train") / 4000 == pytest.approx(0.9, abs=0.02)
    assert splits.count("val") / 4000 == pytest.approx(0.05, abs=0.015)


def test_sentences():
    rng = np.random.default_rng(1)
    for language in text.LANGUAGES:
        written = [text.sentence(rng, language) for _ in range(20)]
        assert all(len(words) > 8 for words in written) and len(set(written)) > 3
    with pytest.raises(ValueError, match="xx"):
        text.sentence(rng, "xx")


def tone(pitch: float) -> Prosody:
    """Prosody of two seconds of vowels sung at one pitch."""
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    audio = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6)).astype(np.float32) * 0.1
    return analyse(engines.Utterance(audio, tuple(Phone(i / 10, (i + 1) / 10, "a") for i in range(20))))


@pytest.mark.parametrize("pitch", [90.0, 150.0, 240.0])
def test_pitch_is_found(pitch):
    assert tone(pitch).median_pitch == pytest.approx(pitch, rel=0.03)


def test_performance_leaves_the_speaking_mouth_alone():
    prosody = tone(140.0)
    mouth = np.zeros((50, COUNT), np.float32)
    mouth[:, INDEX["jaw"]] = np.linspace(0, 0.5, 50)
    style = motion_style("someone", prosody)
    assert style == motion_style("someone", prosody) != motion_style("someone else", prosody)
    motion = add_head_motion(mouth, prosody, style, np.random.default_rng(0))
    speech = [INDEX[n] for n in ("jaw", "pucker", "spread", "press", "upper_lip", "lower_lip", "tongue")]
    assert np.array_equal(motion[:, speech], mouth[:, speech])
    assert np.array_equal(motion, add_head_motion(mouth, prosody, style, np.random.default_rng(0)))


def test_blinks_close_the_eyes_about_every_four_seconds():
    silent = Prosody(np.zeros(6000), np.zeros(6000), (), ())
    style = motion_style("someone", tone(140.0))
    motion = add_head_motion(np.zeros((1500, COUNT), np.float32), silent, style, np.random.default_rng(3))
    closed = motion[:, INDEX["blink_left"]] > 0.95
    blinks = np.count_nonzero(closed[1:] & ~closed[:-1])
    assert 0.4 * style.blinks * 60 < blinks < 1.8 * style.blinks * 60
    speed = np.abs(np.diff(motion[:, INDEX["yaw"]])).max()
    assert speed < 0.06  # radians a frame: heads do not jerk
