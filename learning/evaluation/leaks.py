"""How far motion tells who moves: it should say what a face does, and nothing of whose it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...networks.renderer.layers import resize
from ...networks.renderer.model import Renderer


@torch.no_grad()
def told_apart(renderer: Renderer, clips: Sequence[np.ndarray]) -> dict[str, float]:
    """Retrieval of people by their motion, clips (N,S,S,3) uint8 of different people: share of frames whose nearest
    other frame is of the same person, and that share by chance; of the whole motion and of its named and free parts."""
    device = next(renderer.parameters()).device
    motion, who = [], []
    for number, clip in enumerate(clips):
        pictures = torch.from_numpy(clip).to(device).permute(0, 3, 1, 2).float() / 255
        pictures = resize(pictures, renderer.config.motion_size)
        motion.append(renderer.encode_motion(pictures).float())
        who += [number] * len(clip)
    motion, who = torch.cat(motion), torch.tensor(who, device=device)
    motion = motion - motion.mean(0)
    same = (who[:, None] == who).float().sum(1) - 1
    values = {"chance": float((same / (len(who) - 1)).mean()), "whole": _nearest(motion, who)}
    if renderer.config.motion_space == "semi":
        free = renderer.free_part(motion)
        values |= {"named": _nearest(motion - free, who), "free": _nearest(free, who)}
    return {name: round(value, 4) for name, value in values.items()}


def _nearest(motion: Tensor, who: Tensor) -> float:
    apart = torch.cdist(motion, motion)
    apart.fill_diagonal_(float("inf"))
    return float((who[apart.argmin(1)] == who).float().mean())
