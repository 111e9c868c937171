"""Evaluation of stage 1 on held-out drawn people: self-reenactment, cross-reenactment by their twins, and rest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...networks.renderer.model import Renderer
from ..datasets.stills import StillSet, inside_mouth
from .metrics import mean_of, psnr, ssim


@torch.inference_mode()
def measure_reenactment(
    renderer: Renderer,
    stills: StillSet,
    groups: int = 64,
    batch: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Mean PSNR in dB over at most `groups` groups: `video` (driven by the person's own pictures), `twin` (by those of
    another person with the same expressions), `written` (by the parameters), `rest` (without motion, M = M_0, against
    the source), and `copy`, the source frame itself; `gain_*` over copying, `mouth_*` inside the open mouth."""
    device = next(renderer.parameters()).device
    count, rows = min(groups, len(stills)), []
    for start in range(0, count, batch):
        given = stills.get(np.arange(start, min(start + batch, count)))
        pictures = given.rgb.to(device).permute(0, 1, 2, 5, 3, 4).float() / 255  # (G,2,4,3,S,S)
        motion = renderer.encode_motion(pictures.flatten(0, 2)).unflatten(0, pictures.shape[:3])
        written = renderer.motion_from_parameters(given.param.to(device))
        part = given.part().to(device)
        for g in range(len(pictures)):
            mouth = inside_mouth(part[g, 0])[:, None]
            rows.append(_group(renderer, pictures[g, 0], motion[g], written[g, 0], mouth))
        if progress is not None:
            progress(min(start + batch, count), count)
    means = mean_of(rows)
    return means | {f"gain_{name}": means[name] - means["copy"] for name in ("video", "twin", "written")}


def _group(renderer: Renderer, own: Tensor, motion: Tensor, written: Tensor, mouth: Tensor) -> dict[str, float]:
    """own (4,3,S,S): source and three targets; motion (2,4,768) encoded from the person and the twin."""
    source = renderer.encode_source(own[:1], motion=motion[0, :1]).toned()
    appearance = renderer.extract_appearance(source)
    base, truth, copied = source.motion[0], own[1:], own[:1].expand(3, -1, -1, -1)
    drivers = {"video": motion[0], "twin": motion[1], "written": written.to(motion.dtype)}
    values = {"copy": float(psnr(copied, truth).mean()), "ssim_copy": float(ssim(copied, truth).mean())}
    for name, driver in drivers.items():
        wanted = renderer.within_limits(base + driver[1:] - driver[0], source)
        image = renderer.decode(source, appearance, wanted).image
        values[name] = float(psnr(image, truth).mean())
        if name == "video":
            values["ssim"] = float(ssim(image, truth).mean())
            values["mouth"] = masked_psnr(image, truth, mouth)
            values["mouth_copy"] = masked_psnr(copied, truth, mouth)
    still = renderer.decode(source, appearance, base[None]).image
    return values | {"rest": float(psnr(still, own[:1]).mean())}


def masked_psnr(pictures: Tensor, truth: Tensor, mask: Tensor) -> float:
    """PSNR over the pixels of a mask (B,1,h,w); NaN where it is almost empty."""
    weight = F.interpolate(mask, size=pictures.shape[-2:], mode="nearest").expand_as(pictures)
    if float(weight.sum()) < 3 * 16:
        return float("nan")
    error = ((pictures - truth).square() * weight).sum() / weight.sum()
    return float(-10 * error.clamp_min(1e-10).log10())
