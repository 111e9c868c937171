"""What stays beside a head that has moved: pictures around the outline of drawn people, against how they are drawn.

A photo shows nothing of what a head covers, so a ghost of hair and ear may stay where it was."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...networks.renderer.model import Renderer
from ...vocabulary import BACKGROUND, COUNT, INDEX
from .metrics import mean_of

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

    device, rasterizer, rows = next(renderer.parameters()).device, HeadRasterizer(size), []
    for person in range(people):
        rng = np.random.default_rng([seed, person])
        rasterizer.set_scene(random_scene(rng, random_identity(rng), size))
        photo, _ = _drawn(rasterizer, {}, device)
        source = renderer.encode_source(photo[None]).toned()
        appearance = renderer.extract_appearance(source)
        rest = renderer.motion_from_parameters(torch.zeros(COUNT, device=device))
        for pose in POSES.values():
            truth, background = _drawn(rasterizer, pose, device)
            band = around(background)
            if float(band.sum()) < 50:  # a head that fills the picture
                continue
            change = renderer.motion_from_parameters(_parameters(pose, device)) - rest
            image = renderer.decode(source, appearance, source.motion + change).image[0]
            rows.append({"outline": _psnr(image, truth, band), "outline_copy": _psnr(photo, truth, band)})
    return mean_of(rows)


def around(background: Tensor) -> Tensor:
    """Background (H,W) bool -> the part of it within BAND of the person, (H,W) bool."""
    reach = round(BAND * len(background))
    person = (~background).float()[None, None]
    return (F.max_pool2d(person, 2 * reach + 1, 1, reach)[0, 0] > 0) & background


def _parameters(pose: dict[str, float], device: torch.device) -> Tensor:
    values = torch.zeros(COUNT, device=device)
    for name, value in pose.items():
        values[INDEX[name]] = value
    return values


def _drawn(rasterizer, pose: dict[str, float], device: torch.device) -> tuple[Tensor, Tensor]:
    """A person's picture (3,S,S) in [0,1], and where the background is (S,S) bool."""
    picture, label, *_ = rasterizer.draw(_parameters(pose, torch.device("cpu")).numpy())
    image = torch.from_numpy(picture).to(device).permute(2, 0, 1).float() / 255
    background = torch.from_numpy(label[..., 3].astype(np.int64) == BACKGROUND).float()[None, None]
    sized = F.interpolate(background, image.shape[-2:], mode="bilinear", align_corners=False)[0, 0]
    return image, (sized > 0.99).to(device)


def _psnr(image: Tensor, truth: Tensor, where: Tensor) -> float:
    error = (image - truth).square().mean(0)[where].mean()
    return float(-10 * error.clamp_min(1e-10).log10())
