"""The controls of expressions by name, key frames and presets, and how they are written. No torch.

A control moves one parameter of vocabulary.py, or the same parameter of both sides; head rotation is in degrees.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..messages import shown
from ..sampling.settings import Range
from ..vocabulary import MOTION

LONGEST = Range(0.0, 36_000.0)  # seconds of a time in a text
EXPRESSION, DEGREES, SHIFT = Range(-1.0, 1.0, step=0.05), Range(-30.0, 30.0, step=0.5), Range(-0.3, 0.3, step=0.01)
GAZE = {"gaze_x": Range(-0.6, 0.6, step=0.02), "gaze_y": Range(-0.4, 0.4, step=0.02)}
TURNS = ("yaw", "pitch", "roll")
BOTH = {
    name: (f"{one}_left", f"{one}_right") for name, one in (("smile", "smile"), ("brows", "brow"), ("blink", "blink"))
}


@dataclass(frozen=True)
class Control:
    """What a control moves: `parameters` of vocabulary.py, each by the value times `unit`; `allowed`: its range."""

    parameters: tuple[str, ...]
    allowed: Range
    unit: float = 1.0


def _control(name: str, framing: bool) -> Control:
    if name in TURNS:
        return Control((name,), DEGREES, math.pi / 180)
    return Control((name,), SHIFT if framing else GAZE.get(name, EXPRESSION))


CONTROLS: dict[str, Control] = {
    **{name: Control(parameters, EXPRESSION) for name, parameters in BOTH.items()},
    **{parameter.name: _control(parameter.name, parameter.framing) for parameter in MOTION},
}
"""The controls by name: one for both corners of the mouth, brows and lids, and one for every parameter."""

Keys = dict[str, list[tuple[float, float]]]
"""Key frames of each control: (seconds, value), in order of time."""

PRESETS: dict[str, str] = {
    # Two sinks of the head, the second smaller, and a slight rise before: a nod of agreement takes about a second.
    "nod": "0: pitch=0; .12: pitch=-1.5; .38: pitch=8; .62: pitch=0; .85: pitch=5; 1.2: pitch=0",
    "shake": "0: yaw=0; .25: yaw=-7; .55: yaw=7; .85: yaw=-5; 1.2: yaw=0",
    # A felt smile raises the cheeks, which narrows the eyes, and takes half a second to form.
    "smile": "0: smile=0, blink=0, brows=0; .55: smile=.7, blink=.12, brows=.1; 2.4: smile=.7, blink=.12, brows=.1; "
    "3.1: smile=0, blink=0, brows=0",
    # One lid shuts; cheek, corner of the mouth and brow of its side go with it.
    "wink": "0: blink_left=0, smile_left=0, brow_left=0; .14: blink_left=1, smile_left=.45, brow_left=-.25; "
    ".34: blink_left=1, smile_left=.45, brow_left=-.25; .62: blink_left=0, smile_left=0, brow_left=0",
    # Lids shut in .1 s and open in .2 s, as of people.
    "blink": "0: blink=0; .1: blink=1; .13: blink=1; .33: blink=0",
    # The eyes arrive first, the head follows, and on the way back the eyes lead again.
    "look aside": "0: gaze_x=0; .1: yaw=0; .12: gaze_x=.42; .5: yaw=11, gaze_x=.3; 1.5: yaw=11, gaze_x=.3; "
    "1.62: gaze_x=-.1; 2: yaw=0; 2.05: gaze_x=0",
    "surprise": "0: brows=0, blink=0, jaw=0; .2: brows=.9, blink=-.14, jaw=.22; 1: brows=.8, blink=-.12, jaw=.18; "
    "1.7: brows=0, blink=0, jaw=0",
}
"""Key frames by name; each begins and ends at rest. "idle" is computed (idle.py)."""
IDLE = "idle"
PRESET_NAMES = (*PRESETS, IDLE)


def read_values(text: str) -> dict[str, float]:
    """`smile=.5, jaw=.2` -> values by control. ValueError, in one sentence, for anything else."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise ValueError(f"{shown(part)} is not NAME=VALUE, such as smile=0.5.")
        if name not in CONTROLS:
            raise ValueError(f"There is no control {shown(name)}; there are {', '.join(CONTROLS)}.")
        found[name] = read_number(number, name, CONTROLS[name].allowed)
    if not found:
        raise ValueError(f"{shown(text)} names no control: write NAME=VALUE, such as smile=0.5.")
    return found


def read_keys(text: str) -> Keys:
    """Lines, or parts between semicolons, of `SECONDS: NAME=VALUE, ...` -> key frames. ValueError for anything else."""
    keys: Keys = {}
    for line in filter(None, (line.strip() for line in re.split(r"[;\n]", text))):
        time, colon, values = line.partition(":")
        if not colon:
            raise ValueError(f"{shown(line)} is no key frame: write SECONDS: NAME=VALUE, such as 1.5: smile=0.5.")
        seconds = read_number(time.strip(), "The time of a key frame", LONGEST)
        for name, value in read_values(values).items():
            keys.setdefault(name, []).append((seconds, value))
    return {name: sorted(points) for name, points in keys.items()}


def read_number(text: str, name: str, allowed: Range) -> float:
    try:
        value = float(text)
    except ValueError:
        value = text
    if fault := allowed.fault(value):
        raise ValueError(f"{name} {fault}.")
    return value


def last_key(keys: Keys) -> float:
    """Seconds of the last key frame; 0 without any."""
    return max((points[-1][0] for points in keys.values()), default=0.0)
