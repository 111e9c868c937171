"""Values as they stand in messages: on one line, without control characters and lone surrogates, and short."""

import math
from numbers import Integral, Real
from typing import Any

SHOWN = 60  # characters
LONGEST = 1 << 256  # whole numbers beyond it are not written out; Python refuses to from 4,300 digits on


def shown(value: Any) -> str:
    """A text, number, None, list, tuple or dict as Python writes it, cut; anything else by its type's name."""
    kind = f"a {type(value).__name__}"
    if isinstance(value, Integral) and abs(int(value)) > LONGEST:
        return f"a number of about {round(int(value).bit_length() * math.log10(2))} digits"
    if isinstance(value, str):
        value = value[: 2 * SHOWN]
    elif not isinstance(value, (Real, list, tuple, dict, type(None))):
        return kind
    try:
        text = ascii(value) if isinstance(value, (list, tuple, dict)) else repr(value)
    except (ValueError, RecursionError):  # a number too long to be written, lists too deep
        return kind
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
