"""Kokoro's voices and their blends as speakers of the corpus."""

import numpy as np
import pytest

from mamba_portrait.cli import corpus
from mamba_portrait.learning.corpus import tracks
from mamba_portrait.learning.corpus.speech import engines, voices
from mamba_portrait.learning.corpus.speech.engines import Utterance
from mamba_portrait.learning.corpus.speech.voices import Voice, kokoro_voices, name_in_engine, split_of
from mamba_portrait.visemes.phones import Phone

STYLES = frozenset(
    "af_nicole af_heart af_bella am_eric bm_george em_alex pm_alex jm_kumo jf_gongitsune if_sara".split()
)
HELD_OUT = {"kokoro-nicole": "val", "kokoro-kumo": "val", "kokoro-gongitsune": "test"}


def test_blends_are_of_voices_that_are_trained_on():
    made = kokoro_voices(STYLES, True)
    assert {voice.speaker: split_of(voice.speaker) for voice in made if split_of(voice.speaker) != "train"} == HELD_OUT
    blends = [voice for voice in made if "+" in voice.speaker]
    assert len(blends) >= 10 and len({voice.speaker for voice in made}) == len(made) - 1  # em_alex is pm_alex
    for voice in blends:
        parts = [part.split("*") for part in voice.name.split("+")]
        assert sum(float(weight) for _, weight in parts) == pytest.approx(1, abs=0.02)
        assert len({name[3:] for name, _ in parts}) == len(parts) in (2, 3)
        assert voice.speaker == "+".join(sorted(f"kokoro-{name[3:]}" for name, _ in parts))
        assert voice.languages == ("en",)
    assert sum(voice.share for voice in made) == pytest.approx(1)
    assert made == kokoro_voices(STYLES, True)


def test_a_blend_of_several_splits_has_none():
    assert split_of("kokoro-heart+kokoro-bella") == "train"
    with pytest.raises(ValueError, match="several splits"):
        split_of("kokoro-heart+kokoro-nicole")


def test_languages_need_espeak():
    languages = {voice.name: voice.languages for voice in kokoro_voices(STYLES, True)}
    assert languages["em_alex"] == ("en", "es") and languages["pm_alex"] == ("en", "pt")
    assert languages["if_sara"] == ("en", "it") and languages["jm_kumo"] == languages["af_heart"] == ("en",)
    assert {voice.languages for voice in kokoro_voices(STYLES, False)} == {("en",)}


def test_few_voices_are_not_blended():
    assert [voice.name for voice in kokoro_voices(frozenset(["af_heart", "am_eric"]), True)] == ["af_heart", "am_eric"]


@pytest.mark.parametrize(
    ("engine", "name", "language", "told"),
    [
        ("kokoro", "bm_george", "en", "en-gb/bm_george"),
        ("kokoro", "af_heart*0.6+bm_george*0.4", "en", "en-us/af_heart*0.6+bm_george*0.4"),
        ("kokoro", "pm_alex", "pt", "pt-br/pm_alex"),
        ("espeak-ng", "f3", "de", "de+f3"),
        ("flite", "slt", "en", "slt"),
    ],
)
def test_what_an_engine_is_told(engine, name, language, told):
    assert name_in_engine(Voice("x", engine, name, (language,), 1.0), language, np.random.default_rng(0)) == told


def test_the_command_names_all_engines():
    assert tuple(engines.ENGINES) == corpus.ENGINES


def test_named_engines_alone_speak(tmp_path, monkeypatch):
    def speak(words, name, prosody):
        audio = 0.1 * np.sin(np.arange(4 * 16000) / 20).astype(np.float32)
        return Utterance(audio, tuple(Phone(i / 10, (i + 1) / 10, "ap"[i % 2]) for i in range(40)))

    both = Voice("one", "flite", "slt", ("en",), 1.0), Voice("two", "kokoro", "af_two", ("en",), 1.0)
    monkeypatch.setattr(voices, "installed", lambda: both)
    monkeypatch.setattr(tracks, "ENGINES", {"flite": speak, "kokoro": speak})
    for engine, speaker in (("flite", "one"), ("kokoro", "two")):
        folders = tracks.draw_tracks(tmp_path / engine, 4, seed=1, engines=(engine,))
        assert {tracks.read_clip(folder)[2]["speaker"] for folder in folders} == {speaker}
    with pytest.raises(RuntimeError, match="festival cannot speak here"):
        tracks.draw_tracks(tmp_path, 1, seed=1, engines=("festival",))
