"""What stays beside a head that has moved: pictures around the outline of drawn people, against how they are drawn.

A photo shows nothing of what a head covers, so a ghost of hair and ear may stay where it was."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...networks.renderer.model import Renderer
from ...vocabulary import BACKGROUND, COUNT
from .metrics import mean_of
from .reenactment import masked_psnr
from .sheets import parameters_of, render_parameters

POSES: dict[str, dict[str, float]] = {
    "turned": {"yaw": 0.35},
    "turned_back": {"yaw": -0.35},
    "tilted": {"roll": 0.25},
    "tilted_back": {"roll": -0.25},
}
BAND = 0.08  # of the picture: how far from the outline


@torch.inference_mode()
def measure_outline(renderer: Renderer, people: int = 24, seed: int = 900, size: int = 256) -> dict[str, float]:
    """Mean PSNR in dB of the background in a band around people turned by .35 and tilted by .25 radians: `outline`,
    and `outline_copy`, that of the photo as it is. Needs the drawing of heads (OpenGL)."""
    from ..corpus.drawing.rasterizer import HeadRasterizer
    from ..corpus.drawing.scene import random_scene
    from ..corpus.person.identity import random_identity

    rasterizer, rows = HeadRasterizer(size), []
    poses = torch.stack([parameters_of(pose) for pose in POSES.values()])
    for person in range(people):
        rng = np.random.default_rng([seed, person])
        rasterizer.set_scene(random_scene(rng, random_identity(rng), size))
        photo, _ = _drawn(rasterizer, torch.zeros(COUNT))
        images = render_parameters(renderer, photo, poses, size)
        for pose, image in zip(poses, images, strict=True):
            truth, background = _drawn(rasterizer, pose)
            band = around(background)[None, None].float()
            if float(band.sum()) < 50:  # a head that fills the picture
                continue
            drawn = (masked_psnr(shown[None], truth[None], band) for shown in (image, photo))
            rows.append(dict(zip(("outline", "outline_copy"), drawn, strict=True)))
    return mean_of(rows)


def around(background: Tensor) -> Tensor:
    """Background (H,W) bool -> the part of it within BAND of the person, (H,W) bool."""
    reach = round(BAND * len(background))
    person = (~background).float()[None, None]
    return (F.max_pool2d(person, 2 * reach + 1, 1, reach)[0, 0] > 0) & background


def _drawn(rasterizer, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """A person's picture (3,S,S) in [0,1] with parameters (24,), and where the background is (S,S) bool."""
    picture, label, *_ = rasterizer.draw(parameters.numpy())
    image = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
    background = torch.from_numpy(label[..., 3].astype(np.int64) == BACKGROUND).float()[None, None]
    sized = F.interpolate(background, image.shape[-2:], mode="bilinear", align_corners=False)[0, 0]
    return image, sized > 0.99
