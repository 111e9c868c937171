"""Who is held out of every training: fitting visemes, training, personalising. They judge, and do nothing else.

`splits.json` holds the rules, by data set; a speaker's name is DATASET/NAME, such as grid/s33 or librispeech/103.

    held_out         these speakers
    one_clip_in      of these speakers one clip in so many, by a hash of the clip's name
    one_speaker_in   one speaker in so many, by a hash of the name

The 80 speakers of LibriSpeech are the 13 that no weights of ours have heard, and of the other 228 of the clips at hand
those whose SHA-256 of "librispeech/NAME" comes first.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("splits.json")
SPLITS = ("train", "val", "test")
TEST = "test"
CLIP = 6  # letters of a sentence of GRID, at the end of a clip's name


class HeldOutError(ValueError):
    """Somebody who judges was to be trained on."""


@lru_cache(maxsize=1)
def rules() -> dict[str, dict]:
    """The rules of splits.json by data set."""
    return json.loads(FILE.read_text("utf8"))


def qualified(speaker: str, clip: str = "") -> str:
    """DATASET/NAME of a speaker whose data set is not told: s1 .. s34 are GRID's, and so is a name beneath "film-";
    numbers are LibriSpeech's where the clip is named SPEAKER-CHAPTER-UTTERANCE. Other names stay as they are."""
    bare = re.sub(r"^(film|speech)-", "", speaker)
    if re.fullmatch(r"s([1-9]|[12]\d|3[0-4])", bare):
        return f"grid/{bare}"
    if re.fullmatch(r"\d+", bare) and re.search(rf"(^|_){bare}-\d+-\d+", clip):
        return f"librispeech/{bare}"
    return speaker


def held_out(speaker: str, clip: str = "") -> bool:
    """Whether a speaker, or this clip of his (a file's name without suffix), is kept from all training."""
    dataset, _, name = qualified(speaker, clip).partition("/")
    rule = rules().get(dataset, {})
    if name in rule.get("held_out", ()):
        return True
    if name in rule.get("one_clip_in", {}) and clip:
        return _drawn(f"{dataset}/{name}/{clip[-CLIP:]}", rule["one_clip_in"][name])
    return bool(name) and "one_speaker_in" in rule and _drawn(f"{dataset}/{name}", rule["one_speaker_in"])


def split_of(speaker: str, clip: str = "") -> str:
    """ "test" for what is held out, else "train"."""
    return TEST if held_out(speaker, clip) else "train"


def check_training(speaker: str, clip: str = "", source: str | Path = "") -> None:
    """Raise HeldOutError where training would see somebody who judges. `source` tells where that was asked for."""
    if held_out(speaker, clip):
        who = qualified(speaker, clip)
        dataset, _, name = who.partition("/")
        who = f"clip {clip} of {who}" if name in rules()[dataset].get("one_clip_in", {}) else who
        where = f"{source}: " if source else ""
        raise HeldOutError(
            f"{where}{who} is held out of every training, to judge by; leave it out, or give it the split '{TEST}'."
        )


def _drawn(name: str, count: int) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % count == 0
