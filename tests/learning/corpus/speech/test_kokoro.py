"""Kokoro's engine with a network of a few lines in place of its own: what it is fed, and what its durations become."""

import json

import numpy as np
import pytest

from mamba_portrait.learning.corpus.speech import engines, kokoro, kokoro_phones
from mamba_portrait.learning.corpus.speech.engines import ProsodySettings
from mamba_portrait.learning.corpus.speech.kokoro_phones import RATE, phones_of_words, timed
from mamba_portrait.visemes.phones import SILENCE, VOWELS
from mamba_portrait.visemes.speaking import espeak_library
from mamba_portrait.vocabulary import SAMPLE_RATE

PHONES = "bˈAt, ɑ ma."
# Of the silence before, b, ˈ, A, t, ",", " ", ɑ, " ", m, a, "." and the silence after, in units of 25 ms:
LONG = [8, 4, 2, 6, 4, 6, 2, 8, 2, 4, 6, 4, 8]


def sound(seconds: float, *silences: tuple[float, float]) -> np.ndarray:
    """Noise at RATE with silences from .. to, in seconds."""
    audio = 0.1 * np.random.default_rng(0).normal(size=round(seconds * RATE)).astype(np.float32)
    for start, end in silences:
        audio[round(start * RATE) : round(end * RATE)] = 0
    return audio


class Network:
    """A session whose sound is noise between two silences, 25 ms times LONG."""

    def run(self, outputs, fed):
        assert outputs == ["audio", kokoro.DURATIONS]
        self.fed = fed
        assert fed["tokens"].shape == (1, len(LONG))
        return [sound(0.025 * sum(LONG), (0, 0.17), (0.52, 0.7), (1.5, 9))[None], np.array([LONG], np.float32)]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The network; it and two voices, whose styles are 1 and 2, are installed in `tmp_path`."""
    (tmp_path / "styles").mkdir()
    (tmp_path / "kokoro.onnx").touch()
    (tmp_path / "vocabulary.json").write_text(json.dumps({c: i + 1 for i, c in enumerate(sorted(set(PHONES)))}))
    rows = np.repeat(np.arange(kokoro.LONGEST, dtype=np.float32)[:, None], kokoro.WIDTH, 1)
    for i, name in enumerate(("af_one", "bm_two")):
        (rows + 1000 * (i + 1)).tofile(tmp_path / "styles" / f"{name}.bin")
    network = Network()
    monkeypatch.setenv(kokoro.VARIABLE, str(tmp_path))
    monkeypatch.setattr(kokoro.importlib.util, "find_spec", lambda name: name in ("onnxruntime", "hibari"))
    monkeypatch.setattr(kokoro, "_network", lambda place: network)
    monkeypatch.setattr(kokoro, "phones_of_words", lambda words, language: PHONES if words != "-" else "")
    return network


def test_boundaries_are_moved_by_what_begins_there():
    marks = timed("pama", np.array([8, 4, 4, 4, 4, 8]), sound(0.8, (0, 0.15), (0.55, 0.8)))
    assert [symbol for _, _, symbol in marks] == ["", "p", "a", "m", "a", ""]
    assert [start for start, _, _ in marks[2:5]] == pytest.approx([0.26, 0.34, 0.46])  # .3 - .04, .4 - .06, .5 - .04
    assert all(a[1] == b[0] for a, b in zip(marks, marks[1:], strict=False))


def test_pauses_are_where_it_is_quiet():
    """The last phone before a pause is counted through it; a stop after one is held before its burst."""
    marks = timed("sa, pa", np.array([8, 4, 16, 2, 2, 4, 6, 8]), sound(1.25, (0, 0.15), (0.45, 0.75), (1.1, 1.25)))
    kinds = [symbol for _, _, symbol in marks]
    assert kinds == ["", "s", "a", "", "p", "a", ""]
    edges = {i: (start, end) for i, (start, end, _) in enumerate(marks)}
    assert edges[0][1] == pytest.approx(0.15, abs=0.01) and edges[2][1] == pytest.approx(0.45, abs=0.01)
    assert edges[3][1] == edges[4][0] == pytest.approx(0.75 - kokoro_phones.CLOSURE, abs=0.01)
    assert edges[5][1] == pytest.approx(1.1, abs=0.01) and edges[6][1] == pytest.approx(1.25)


def test_a_mark_without_quiet_is_no_pause_and_a_stop_begins_with_its_silence():
    marks = timed(
        "sa, ma pa", np.array([8, 4, 6, 2, 2, 4, 6, 2, 4, 6, 8]), sound(1.3, (0, 0.15), (0.71, 0.85), (1.15, 1.3))
    )
    assert [symbol for _, _, symbol in marks] == ["", "s", "a", "m", "a", "p", "a", ""]
    assert marks[5][0] == pytest.approx(0.71, abs=0.01)  # .765 by the network


def test_stress_length_and_letters():
    marks = timed("bˈAtː", np.array([8, 4, 4, 4, 4, 4, 8]), sound(0.9, (0, 0.15), (0.65, 0.9)))
    assert [symbol for _, _, symbol in marks] == ["", "b", "eɪ", "tː", ""]
    assert marks[2][0] == pytest.approx(0.3 - 0.04)  # with its stress


def test_a_text_is_spoken(installed):
    speech = engines.ENGINES["kokoro"]("bait, a ma", "en-us/af_one*0.25+bm_two*0.75", ProsodySettings(rate=1.2))
    fed = installed.fed
    assert fed["tokens"][0, 0] == fed["tokens"][0, -1] == 0 and (fed["tokens"][0, 1:-1] > 0).all()
    assert fed["speed"] == pytest.approx([1.2])
    assert fed["style"].shape == (1, 256) and fed["style"][0] == pytest.approx(1750 + len(PHONES) - 1)
    assert speech.audio.dtype == np.float32 and np.abs(speech.audio).max() <= 1
    held = kokoro_phones.CLOSURE  # of the b, before it is heard
    assert speech.duration == pytest.approx(1.5 - 0.17 + held + 2 * kokoro.PLAYBACK, abs=0.02)
    kinds = [phone.kind for phone in speech.phones]
    assert kinds == [SILENCE, "p", "e", "I", "t", SILENCE, "a", "p", "a", SILENCE]
    assert speech.phones[1].start == pytest.approx(kokoro.PLAYBACK, abs=0.01)
    assert speech.phones[-1].end == pytest.approx(speech.duration, abs=1e-3)


def test_it_is_there_only_with_its_files_and_packages(installed, tmp_path, monkeypatch):
    assert "kokoro" in engines.available_engines()
    assert engines.kokoro.installed_styles() == {"af_one", "bm_two"}
    monkeypatch.setattr(kokoro.importlib.util, "find_spec", lambda name: name == "onnxruntime" or None)
    assert "kokoro" not in engines.available_engines()
    monkeypatch.undo()
    monkeypatch.setenv(kokoro.VARIABLE, str(tmp_path / "nothing"))
    assert "kokoro" not in engines.available_engines()
    with pytest.raises(RuntimeError, match="nothing.*make voices"):
        kokoro.say("hello", "en-us/af_heart")


def test_what_it_cannot_say_is_named(installed):
    with pytest.raises(ValueError, match="af_three"):
        kokoro.say("hello", "en-us/af_three")
    with pytest.raises(ValueError, match="1 to 510 phones"):
        kokoro.say("-", "en-us/af_one")
    with pytest.raises(ValueError, match="sum to more than 0"):
        kokoro.say("hello", "en-us/af_one*0+bm_two*0")


@pytest.mark.skipif(espeak_library() is None, reason="espeak-ng is not installed")
def test_other_languages_are_written_by_espeak():
    assert phones_of_words("la città", "it") == "la ʧitːˈa"
    assert phones_of_words("me, tú", "es") == "mˈe, tˈu" or phones_of_words("me, tú", "es") == "me, tˈu"
    with pytest.raises(RuntimeError, match="voice xx"):
        phones_of_words("hello", "xx")


@pytest.mark.skipif(not kokoro.installed_styles(), reason="Kokoro is not installed (make voices)")
@pytest.mark.parametrize(
    ("voice", "sentence"),
    [
        ("en-us/am_eric*0.6+af_kore*0.4", "Bob put a cup upon the paper, and Peter copied a happy baboon."),
        ("es/ef_dora", "Papá compró una copa para Pepe, y un papel para Ana."),
    ],
)
def test_times_are_those_of_the_sound(voice, sentence):
    """Vowels are louder than closed lips where the labels say so, and less so 60 ms earlier or later."""
    speech = engines.say_kokoro(sentence, voice, ProsodySettings())
    level = np.log(np.convolve(speech.audio**2, np.full(160, 1 / 160), "same") + 1e-6)

    def contrast(moved: float) -> float:
        places = {kind: [round(((p.start + p.end) / 2 + moved) * SAMPLE_RATE) for p in speech.phones if p.kind in kinds]
                  for kind, kinds in (("vowel", VOWELS), ("lips", "p"))}  # fmt: skip
        heard = {kind: level[np.clip(at, 0, len(level) - 1)].mean() for kind, at in places.items()}
        return heard["vowel"] - heard["lips"]

    assert contrast(0) > 1 and contrast(0) > max(contrast(-0.06), contrast(0.06))
