"""The parts of a renderer's training: what is learnt when, at which size, and for which share of the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Part:
    """One part of the schedule: what is learnt, at which size, for which share of the time."""

    name: str  # "space" and "motion" learn the motion space and its encoder, "appearance" F_A; any other name to render
    share: float
    size: int
    groups: int  # groups a batch: 8 pictures each for motion, 3 driven frames each for rendering
    rate: float
    written: float = 0.5  # share driven by written motion instead of pictures
    joint: bool = False  # the motion encoder learns on with the renderer
    adversarial: bool = False  # L_adv takes part (late: on blurred pictures it only teaches noise)


SCHEDULE = (
    Part("space", 0.01, 128, 1, 1e-3),
    Part("motion", 0.20, 128, 6, 1e-3),
    Part("coarse", 0.54, 128, 6, 8e-4, written=1.0),  # flow and masks first, at a quarter of the cost
    Part("fine", 0.25, 256, 3, 3e-4),
)

MATTE = Part("matte", 1.0, 128, 8, 2e-3)
"""On demand, and by itself: it holds the rest of the renderer."""
PORTRAITS = Part("portraits", 1.0, 256, 3, 1.5e-4)
"""Likewise, of the decoder."""

# On a GPU small steps wait for their launch: large batches, and time enough for the paper's other two losses.
GPU_SCHEDULE = (
    Part("space", 0.02, 128, 1, 1e-3),
    Part("motion", 0.15, 128, 64, 1.2e-3),
    Part("coarse", 0.40, 128, 64, 1e-3, written=0.8),
    Part("fine", 0.24, 256, 24, 6e-4, joint=True),
    Part("finish", 0.19, 256, 24, 3e-4, joint=True, adversarial=True),
)

BY_NAME = (Part("appearance", 0.1, 128, 32, 5e-4),)
"""Parts that are learnt where they are named: who somebody is, of people drawn in several scenes."""

GENTLER = 0.3
"""Share of the rates with which weights go on that were trained to their end. At the full rate the loss of ours rose by
two thirds at once, and 60 of the run's minutes went into getting back; once it never came back."""


def going_on(schedule: tuple[Part, ...]) -> tuple[Part, ...]:
    """The schedule for weights that were trained before: their space stays, and the rates are GENTLER."""
    return tuple(replace(part, rate=part.rate * GENTLER) for part in schedule if part.name != "space")


def printed(schedule: tuple[Part, ...]) -> tuple[Part, ...]:
    """The schedule with L_adv in all parts that learn to render: the paper's objective has it from the start."""
    return tuple(replace(part, adversarial=part.name not in ("space", "motion")) for part in schedule)


def chosen(schedule: tuple[Part, ...], names: Sequence[str], by_name: tuple[Part, ...] = ()) -> tuple[Part, ...]:
    """The named parts, of the schedule or before it of `by_name`, with all of the time between them; the schedule as it
    is for no names."""
    for alone in (MATTE, PORTRAITS):
        if list(names) == [alone.name]:
            return (alone,)
    known = (*by_name, *schedule)
    if unknown := set(names) - {part.name for part in known}:
        known = ", ".join(part.name for part in known)
        raise ValueError(f"There is no part {', '.join(sorted(unknown))} in this schedule: choose of {known}.")
    if not names:
        return schedule
    kept = [part for part in known if part.name in names]
    whole = sum(part.share for part in kept)
    return tuple(replace(part, share=part.share / whole) for part in kept)
