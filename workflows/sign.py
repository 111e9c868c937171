"""Draws the pictures of the pack's page in a registry: assets/icon.png, square, and assets/banner.jpg, 21:9.

    python -m mamba_portrait.workflows.sign

Both are frames of the first workflow. Run it after new weights.
"""

import tempfile

import numpy as np

from ..media.photo import save_image
from ..nodes.examples import ASSETS
from .pictures import Made, Picture, cell, make, wave

ICON = 400  # the registry's most
BANNER = (540, 1260)
WAVE = 90


def icon(made: Made) -> Picture:
    """The face as it speaks, the voice below."""
    (frame,) = made.frames(made.moments(0.75), ICON)
    return np.concatenate([cell(frame, ICON - WAVE, ICON), wave(WAVE, ICON)])


def banner(made: Made) -> Picture:
    """Three moments side by side, the voice below."""
    height, width = BANNER
    frames = made.frames(made.moments(0.05, 0.75, 0.97), height)
    return np.concatenate([np.concatenate([cell(f, height - WAVE, width // 3) for f in frames], 1), wave(WAVE, width)])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = make("talking_portrait", folder)
        for name, picture in (("icon.png", icon(made)), ("banner.jpg", banner(made))):
            print(save_image(ASSETS / name, picture))
