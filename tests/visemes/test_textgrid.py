import pytest

from mamba_portrait.visemes.phones import SILENCE
from mamba_portrait.visemes.textgrid import read_phones


def text_grid(*phones: tuple[float, float, str], tier: str = "phones") -> str:
    """A TextGrid in Praat's long form with a tier of words before that of the phones."""
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 1\n'
    head += "tiers? <exists>\nsize = 2\nitem []:\n"
    tiers = [("words", [(0, 1, 'say ""hi""')]), (tier, list(phones))]
    for number, (name, intervals) in enumerate(tiers, 1):
        head += f'    item [{number}]:\n        class = "IntervalTier"\n        name = "{name}"\n'
        head += f"        xmin = 0\n        xmax = 1\n        intervals: size = {len(intervals)}\n"
        for i, (start, end, said) in enumerate(intervals, 1):
            head += f"        intervals [{i}]:\n            xmin = {start}\n            xmax = {end}\n"
            head += f'            text = "{said}"\n'
    return head


def test_phones_are_read_as_classes_without_gaps(tmp_path):
    file = tmp_path / "a.TextGrid"
    file.write_text(text_grid((0, 0.2, ""), (0.2, 0.3, "B"), (0.3, 0.5, "AY1"), (0.6, 1, "NG")), "utf8")
    phones = read_phones(file)
    assert [phone.kind for phone in phones] == [SILENCE, "p", "a", "I", SILENCE, "k"]
    assert [phone.end for phone in phones[:-1]] == pytest.approx([phone.start for phone in phones[1:]])
    assert phones[2].end == pytest.approx(0.4) and phones[-1].end == 1


def test_a_file_without_phones_is_refused(tmp_path):
    file = tmp_path / "words.TextGrid"
    file.write_text(text_grid((0, 1, "B"), tier="syllables"), "utf8")
    with pytest.raises(ValueError, match='no tier "phones"'):
        read_phones(file)
    file.write_text(text_grid(), "utf8")
    with pytest.raises(ValueError, match="no intervals"):
        read_phones(file)
