"""Previews of ACTalker's latents without the VAE.

A linear map from latent channels to RGB is fitted by least squares to the portrait's own latent and picture, so it fits
whatever VAE is loaded. It has four weights and an offset for each of red, green and blue.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def _with_one(latent: Tensor) -> Tensor:
    """(4, h, w) to rows (h*w, 5), the fifth a one."""
    rows = latent.float().flatten(1).T
    return torch.cat([rows, torch.ones_like(rows[:, :1])], 1)


def preview_colors(latent: Tensor, picture: Tensor) -> Tensor:
    """The map (5, 3) from a latent (4, h, w) to its picture (H, W, 3) in [0,1], of any size."""
    small = F.interpolate(picture[None, ..., :3].movedim(-1, 1).float(), latent.shape[-2:], mode="area")[0]
    rows = _with_one(latent.cpu())
    ridge = 1e-3 * torch.eye(5) * len(rows)
    return torch.linalg.solve(rows.T @ rows + ridge, rows.T @ small.cpu().flatten(1).T)


def preview_picture(latents: Tensor, colors: Tensor) -> Tensor:
    """The middle one of latents (N, 4, h, w) as a small picture (h, w, 3) in [0,1]."""
    latent = latents[len(latents) // 2]
    return (_with_one(latent) @ colors.to(latent.device)).clamp(0, 1).reshape(*latent.shape[-2:], 3)
