"""Times of phones and words, from every form in which they come."""

import json
import subprocess
import sys

import numpy as np
import pytest

from mamba_portrait.visemes import speaking, times
from mamba_portrait.visemes.phones import SILENCE, Phone, phone_set_of
from mamba_portrait.visemes.textgrid import phones_of_intervals, read_phones
from mamba_portrait.visemes.times import Times, phones_of, read_times
from mamba_portrait.vocabulary import SAMPLE_RATE

from .test_textgrid import text_grid

SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
1
<exists>
2
"TextTier"
"clicks"
0
1
1
0.5
"x"
"IntervalTier"
"ann - phones"
0
1
3
0 .25 ""
.25 .5 "M"
.5 1 "OW1"
"""


def read(text: str, **more) -> Times:
    return read_times(text.encode("utf8"), "times", **more)


def kinds(found: Times) -> list[str]:
    return [phone.kind for phone in found.phones]


def test_praats_short_form_and_utf16_are_read(tmp_path):
    for encoding in ("utf8", "utf-16"):
        file = tmp_path / "a.TextGrid"
        file.write_bytes(SHORT.encode(encoding))
        assert [phone.kind for phone in read_phones(file)] == [SILENCE, "p", "o", "U"]
        assert read_phones(file)[1] == Phone(0.25, 0.5, "p")


def test_the_phone_set_is_found():
    assert phone_set_of(["AH0", "sil", "B", "spn", ""]) == "arpabet"
    assert phone_set_of(["b", "aɪ", ""]) == "ipa" and phone_set_of(["b", "a"]) == "ipa"


def test_glides_of_diphthongs_in_ipa_become_vowels_and_glides_of_their_own_stay():
    said = phones_of_intervals([(0, 0.2, "aj"), (0.2, 0.4, "ow"), (0.4, 0.5, "w"), (0.5, 0.6, "sil"), (0.6, 1, "spn")])
    assert [phone.kind for phone in said] == ["a", "I", "o", "U", "w", SILENCE, "schwa"]


def test_overlapping_intervals_are_cut():
    said = phones_of_intervals([(0, 0.5, "B"), (0.4, 0.7, "AA1"), (0.1, 0.2, "T")], "arpabet")
    assert said == (Phone(0, 0.5, "p"), Phone(0.5, 0.7, "a"))


@pytest.mark.parametrize(
    "told",
    [
        [{"phone": "m", "start": 0.2, "end": 0.3}, {"phoneme": "ɑ", "start": 0.3, "duration": 0.2}],
        {"tiers": {"ann - phones": {"type": "interval", "entries": [[0.2, 0.3, "m"], [0.3, 0.5, "ɑ"]]}}},
        {
            "result": {
                "phonemes": [{"symbol": "m", "begin": "0.2", "stop": 0.3}, {"symbol": "ɑ", "xmin": 0.3, "to": 0.5}]
            }
        },
    ],
)
def test_phones_of_json(told):
    found = read(json.dumps(told))
    assert (
        kinds(found) == ["p", "a"] and found.phones[0].start == pytest.approx(0.2) and found.end == pytest.approx(0.5)
    )
    if isinstance(told, list):  # an object a line
        assert read("\n".join(map(json.dumps, told))) == found


def test_words_of_json_count_before_their_segments():
    words = [{"word": " hi", "start": 0.1, "end": 0.4}, {"word": "you", "start": 0.5, "end": 0.9}]
    assert read(
        json.dumps({"text": "hi you", "segments": [{"start": 0, "end": 2, "text": "hi you", "words": words}]})
    ) == (Times(lines=((0.1, 0.4, " hi"), (0.5, 0.9, "you"))))
    letters = {"characters": list("hi, y"), "character_start_times_seconds": [0, 1, 2, 3, 4]}
    letters["character_end_times_seconds"] = [1, 2, 3, 4, 5]
    assert read(json.dumps({"audio": "x", "alignment": letters})).lines == ((0, 3, "hi,"), (4, 5, "y"))


def test_subtitles_are_read():
    srt = "1\n00:00:01,500 --> 00:00:02,000\n<i>Hello</i>\nthere\n\n2\n01:00:00,000 --> 01:00:01,000\nBye\n"
    assert read(srt) == read(srt.replace("\n", "\r\n"))
    assert read(srt).lines == ((1.5, 2.0, "Hello there"), (3600, 3601, "Bye"))
    vtt = "WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:03.000 align:start\n[music] My <00:02.000>baby\n"
    assert read(vtt).lines == ((1.0, 2.0, "My"), (2.0, 3.0, "baby"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "holds no times"),
        ("", "holds no times"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "holds no phones and no words"),
        ('[{"word": "a", "start": -1, "end": 2}]', "outside of 0 to 14400"),
        ('[{"word": "a", "start": 0, "end": 1e9}]', "outside of 0 to 14400"),
        ('[{"word": "a", "start": "x", "end": 2}]', "'x' where a time"),
        ('[{"phone": "a", "start": 0, "end": NaN}]', "where a time"),
        ('File type = "ooTextFile"\nObject class = "Pitch"', "is no TextGrid"),
        (SHORT[:150], "is no TextGrid"),
    ],
)
def test_what_holds_no_times_is_told_in_one_sentence(text, message):
    with pytest.raises(ValueError, match=message) as told:
        read(text)
    assert "\n" not in str(told.value) and str(told.value).endswith(".")
    with pytest.raises(ValueError, match="no text in UTF-8"):
        read_times(b"\xff\x00\xfa", "times")


def test_a_textgrid_with_words_alone_gives_words():
    assert read(text_grid((0, 1, "B"), tier="syllables")).lines == ((0, 1, 'say "hi"'),)


def test_words_without_espeak_are_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(times, "espeak_library", lambda: None)
    with pytest.raises(RuntimeError, match="needs espeak-ng: install the package espeak-ng"):
        phones_of(Times(lines=((0, 1, "hello"),)))
    assert phones_of(Times(phones=(Phone(0, 1, "a"),))) == (Phone(0, 1, "a"),)


needs_espeak = pytest.mark.skipif(speaking.espeak_library() is None, reason="espeak-ng is not installed")


@needs_espeak
def test_words_fill_their_times_and_pauses_lie_between():
    said = phones_of(Times(lines=((2.0, 3.0, "a map"), (0.5, 1.5, "my baby"))))
    assert [phone.start for phone in said[1:]] == pytest.approx([phone.end for phone in said[:-1]])
    assert said[0] == Phone(0.0, 0.5, SILENCE)
    pause = next(phone for phone in said if phone.kind == SILENCE and phone.start > 1)
    assert (pause.start, pause.end) == (pytest.approx(1.5), pytest.approx(2.0))
    assert [phone.kind for phone in said].count("p") == 5  # m b b, m p


@needs_espeak
def test_words_are_spoken_where_the_sound_is_not_silent():
    sound = np.zeros(4 * SAMPLE_RATE, np.float32)
    sound[SAMPLE_RATE : 2 * SAMPLE_RATE] = 0.1 * np.sin(np.arange(SAMPLE_RATE))
    said = phones_of(Times(lines=((0.0, 4.0, "my baby"),)), "en-us", sound)
    heard = [phone for phone in said if phone.kind != SILENCE]
    assert heard[0].start == pytest.approx(1.0, abs=0.03) and heard[-1].end == pytest.approx(2.0, abs=0.03)


@needs_espeak
def test_other_languages_are_spoken_and_unknown_ones_refused():
    assert [p.kind for p in phones_of(Times(lines=((0, 1, "Mutter"),)), "de")][:2] == ["p", "U"]
    with pytest.raises(ValueError, match="no voice"):
        phones_of(Times(lines=((0, 1, "a"),)), "xx-zz")


def test_visemes_import_no_pytorch():
    code = "import sys, mamba_portrait.visemes.times; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
