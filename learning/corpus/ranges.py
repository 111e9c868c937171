"""The range in which the corpus draws each motion parameter: the source of `drawn` in vocabulary.py.

    python -m mamba_portrait.learning.corpus.ranges

Stills and talking clips are distributed differently, and a corpus mixes them in any ratio. The range is the union of
the two, so that it does not depend on the mixture. Only parameters are sampled, no pictures are drawn.
"""

import argparse

import numpy as np

from ...vocabulary import PARAMETERS
from .acting.expressions import random_group, twin_pose
from .speech import voices
from .tracks import synthesise_clip

PERCENTILES = (0.1, 99.9)
GROUPS, CLIPS = 50_000, 400
"""Sizes of the sample behind vocabulary.py: 400,000 faces of stills, and about 60,000 frames of clips."""


def still_parameters(groups: int, seed: int = 0) -> np.ndarray:
    """Parameters (8 * groups, 24) of the frames of so many groups of stills: two people, four frames each."""
    rng = np.random.default_rng(seed)
    people = []
    for _ in range(groups):
        states = random_group(rng)
        people += [states, twin_pose(rng, states)]
    return np.concatenate(people)


def clip_parameters(clips: int, seed: int = 0) -> np.ndarray:
    """Parameters (frames, 24) of so many talking clips. espeak-ng alone speaks them, so that the figures do not depend
    on the other voices of a machine; raises RuntimeError where it is not installed."""
    available = tuple(voice for voice in voices.installed() if voice.engine == "espeak-ng")
    if not available:
        raise RuntimeError("the ranges of talking clips are measured with espeak-ng: install it (Debian: espeak-ng)")
    return np.concatenate([synthesise_clip(available, seed, index)[1] for index in range(clips)])


def drawn_ranges(*samples: np.ndarray) -> np.ndarray:
    """(24, 2): low and high percentile of each parameter, the outermost of samples (n, 24)."""
    low, high = np.array([np.percentile(sample, PERCENTILES, axis=0) for sample in samples]).transpose(1, 0, 2)
    return np.stack([low.min(0), high.max(0)], 1)


def main(arguments: list[str] | None = None) -> None:
    """Print the ranges as vocabulary.py holds them."""
    argparse.ArgumentParser(description="Measure the range in which the corpus draws each parameter.").parse_args(
        arguments
    )
    ranges = drawn_ranges(still_parameters(GROUPS), clip_parameters(CLIPS)).round(2) + 0.0  # no -0
    for name, (low, high) in zip(PARAMETERS, ranges.tolist(), strict=True):
        print(f"{name}: ({low}, {high})")


if __name__ == "__main__":
    main()
