import numpy as np
import pytest

from mamba_portrait.visemes.phones import CLASSES, VOWELS, Phone, classes
from mamba_portrait.visemes.table import VISEMES, lip_parameters, lips_of, mouth_parameters, pause_opening
from mamba_portrait.vocabulary import COUNT, FPS, INDEX

LIPS = [INDEX[name] for name in ("jaw", "upper_lip", "lower_lip")]


def phones(*kinds: str, length: float = 0.1, start: float = 0.0) -> list[Phone]:
    return [Phone(start + i * length, start + (i + 1) * length, kind) for i, kind in enumerate(kinds)]


def frame(time: float) -> int:
    return int(time * FPS)


def test_every_class_has_a_viseme():
    assert set(VISEMES) == set(CLASSES)


@pytest.mark.parametrize("length", [0.03, 0.045, 0.06, 0.11])
@pytest.mark.parametrize("openness", [0.8, 1.0, 1.2])
def test_lips_meet_in_every_closure(length, openness):
    said = phones(*("a p a f ae p O p E f i").split(), length=length)
    motion = mouth_parameters(said, frame(said[-1].end) + 1, openness=openness)
    moments = (np.arange(len(motion)) + 0.5) / FPS
    for phone in said:
        if phone.kind in ("p", "f"):
            nearest = np.abs(moments - (phone.start + phone.end) / 2).argmin()
            assert np.all(motion[nearest, LIPS] == 0)


def test_open_vowels_open_the_jaw_and_rounded_ones_hardly():
    middle = {}
    for vowel in VOWELS:
        motion = mouth_parameters(phones("sil", "t", vowel, "t", "sil", length=0.2), 25)
        middle[vowel] = motion[frame(0.5)]
    assert 0.5 <= middle["a"][INDEX["jaw"]] <= 0.65
    assert middle["E"][INDEX["jaw"]] > middle["i"][INDEX["jaw"]] > middle["o"][INDEX["jaw"]]
    for rounded in ("u", "U", "y"):
        assert middle[rounded][INDEX["jaw"]] < 0.15
        assert middle[rounded][INDEX["pucker"]] > 0.15
    assert middle["i"][INDEX["spread"]] > 0.2 > middle["a"][INDEX["spread"]]


def test_closure_of_p_presses_and_l_raises_the_tongue():
    motion = mouth_parameters(phones("a", "p", "a", "l", "a", length=0.12), 15)
    assert motion[frame(0.18), INDEX["press"]] > 0.4
    assert motion[frame(0.42), INDEX["tongue"]] > 0.6
    assert motion[frame(0.06), INDEX["press"]] < 0.02


def test_coarticulation_rounds_a_consonant_before_a_rounded_vowel():
    before_u, before_i = (lips_of(mouth_parameters(phones("s", kind, length=0.12), 6))[1, 1] for kind in "ui")
    assert before_u < before_i - 0.1


def test_pause_rule_numbers():
    time = np.arange(0, 3.001, 0.01)
    opening = pause_opening(time, 3.0)
    assert opening[0] == pytest.approx(0.28) and 0.05 < opening[6] < 0.12  # one time constant (0.06 s)
    assert np.all(opening[20:230] == 0)  # closed at rest
    assert opening[-10] == pytest.approx(0.28)  # parted again to breathe in
    assert np.all(pause_opening(time, 3.0, first=True)[:200] == 0)
    assert np.all(pause_opening(time, 3.0, last=True)[20:] == 0)


def test_a_short_pause_is_held_open_and_a_longer_one_less():
    time = np.arange(0, 0.35, 0.01)
    assert pause_opening(time, 0.35) == pytest.approx(np.full(35, 0.28))
    middle = [float(pause_opening(0.25, length)) for length in (0.4, 0.5, 0.6, 0.8)]
    assert middle == sorted(middle, reverse=True) and middle[0] > 0.25 and middle[-1] < 0.05


def test_lips_are_at_rest_soon_after_the_last_word():
    said = [*phones("t", "a", "t", "i"), Phone(0.4, 1.4, "sil")]
    opening = lips_of(mouth_parameters(said, 35))[:, 0]
    assert opening[:10].max() > 0.3 and opening[frame(0.7) :].max() < 0.03


def test_lips_written_as_parameters_are_read_again():
    opening, width = np.linspace(0.3, 1, 9), np.linspace(-0.8, 0.8, 9)
    written = lip_parameters(opening, width)
    assert lips_of(written) == pytest.approx(np.stack([opening, width], 1), abs=1e-6)
    assert not lip_parameters(np.full(3, -0.2), np.zeros(3)).any()  # closed lips do not close further


def test_lips_stay_parted_in_a_short_pause_and_close_in_a_long_one():
    short = [*phones("t", "a"), Phone(0.2, 0.6, "sil"), *phones("a", "t", start=0.6)]
    assert mouth_parameters(short, 20)[frame(0.4), INDEX["jaw"]] > 0.12
    long = [*phones("t", "a"), Phone(0.2, 3.2, "sil"), *phones("a", "t", start=3.2)]
    assert np.abs(mouth_parameters(long, 85)[frame(2.2)]).max() < 1e-3


def test_parameters_stay_in_range_and_are_deterministic():
    rng = np.random.default_rng(0)
    said = phones(*rng.choice(CLASSES, size=60), length=0.07)
    motion = mouth_parameters(said, 105, openness=1.15, width=1.2)
    assert motion.shape == (105, COUNT) and motion.dtype == np.float32
    assert motion.min() >= 0 and motion.max() <= 1
    assert np.array_equal(motion, mouth_parameters(said, 105, openness=1.15, width=1.2))


def test_no_phones_is_the_rest_pose():
    assert not mouth_parameters([], 5).any()


@pytest.mark.parametrize(
    ("symbol", "phone_set", "expected"),
    [
        ("aɪ", "ipa", ["a", "I"]),
        ("t͡ʃ", "ipa", ["t", "S"]),
        ("b", "ipa", ["p"]),
        ("(en)", "ipa", ["sil"]),
        ("oy", "arpabet", ["O", "I"]),
        ("dZ", "sampa", ["t", "S"]),
        ("o1", "sampa", ["o"]),
        ("@:", "finnish", ["ae"]),
        ("r~", "czech", ["S"]),
        ("tt", "russian", ["t"]),
        ("pau", "arpabet", ["sil"]),
    ],
)
def test_phone_sets(symbol, phone_set, expected):
    assert classes(symbol, phone_set) == expected


def test_unknown_phone_set_is_named():
    with pytest.raises(ValueError, match="klingon"):
        classes("a", "klingon")
