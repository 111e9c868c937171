"""Mood and liveliness of speech, one control each, through the named parameters; manners are settings of both.

A mood is an expression that is held while the mouth speaks: it leaves out the parameters that open and close the lips.
Liveliness scales head, brows and gaze, which the voice does not determine as it determines lips. No torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..sampling.settings import Range

STRENGTH, LIVELINESS = Range(0.0, 1.5, step=0.05), Range(0.0, 2.0, step=0.05)

MOODS: dict[str, dict[str, float]] = {
    "neutral": {},
    # a felt smile: corners up, cheeks narrow the eyes
    "happy": {"smile": 0.55, "blink": 0.1, "brows": 0.12},
    # corners down, brows drawn together, heavy lids, eyes and head lowered
    "sad": {"smile": -0.4, "furrow": 0.45, "brows": -0.1, "blink": 0.14, "gaze_y": -0.08, "pitch": 4.0},
    # brows up, eyes wide, head back a little
    "surprised": {"brows": 0.8, "blink": -0.15, "pitch": -2.0},
}
"""Controls (controls.py) of each mood at strength 1."""


@dataclass(frozen=True)
class Manner:
    """A mood, its strength, and the liveliness."""

    mood: str
    strength: float
    liveliness: float


MANNERS: dict[str, Manner] = {
    "newsreader": Manner("neutral", 1.0, 0.45),
    "storyteller": Manner("happy", 0.35, 1.6),
    "cheerful": Manner("happy", 0.9, 1.3),
    "condolence": Manner("sad", 0.8, 0.55),
    "astonished": Manner("surprised", 0.9, 1.4),
}
"""Settings by name."""
