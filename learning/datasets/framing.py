"""Whether a corpus shows what a network is for: heads, or half bodies."""

from __future__ import annotations

from pathlib import Path

from ...vocabulary import COUNT, FRAMINGS


def check_framing(place: str | Path, parameters: int, arms: int) -> None:
    """ValueError where a corpus was drawn with so many parameters, and the renderer names so many of arms."""
    if parameters != COUNT + arms:
        drawn, own = ("heads", "half bodies") if parameters == COUNT else ("half bodies", "heads")
        raise ValueError(
            f"{place} shows {drawn}, and this renderer is for {own}: draw with `corpus --framing "
            f"{FRAMINGS[parameters == COUNT]}`, or take another renderer."
        )
