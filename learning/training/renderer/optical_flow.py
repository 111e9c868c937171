"""Where places of a frame lie in another one, found from the two pictures alone: classical optical flow (DIS, Kroeger
et al. 2016, as OpenCV has it). New weights learn to move by it before pictures can teach them, which tell of a
displacement only where the moved picture lies within a few pixels of the true one."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....networks.renderer.warp import warp
from .losses import flow_error

NEARER = 0.9  # the moved source is trusted where its distance is below that of copying by this factor, or below CLOSE
CLOSE = 0.03
AROUND = 9  # pixels a side in which distances are averaged


class FoundFlow(NamedTuple):
    """Of N target frames."""

    displacement: Tensor  # (N,2,S,S) backward, in units of half the picture
    trusted: Tensor  # (N,1,S,S): 1 where moving the source by it explains the target, else 0


def find_flow(pictures: Tensor) -> FoundFlow:
    """Pictures (G,1+N,3,S,S) in [0,1], the source of each group first -> flow of the G*N others into their sources."""
    grey = (pictures.mean(2) * 255).byte().cpu().numpy()
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found = np.stack([search.calc(target, group[0], None) for group in grey for target in group[1:]])
    displacement = torch.from_numpy(found).to(pictures.device).movedim(-1, 1) * (2 / pictures.shape[-1])
    source = pictures[:, :1].expand_as(pictures[:, 1:]).flatten(0, 1)
    moved, copied = (
        F.avg_pool2d((x - pictures[:, 1:].flatten(0, 1)).abs().mean(1, keepdim=True), AROUND, 1, AROUND // 2)
        for x in (warp(source, displacement), source)
    )
    return FoundFlow(displacement, ((moved < NEARER * copied) | (moved < CLOSE)).float())


def found_flow_loss(field: Tensor, found: FoundFlow) -> Tensor:
    """End-point error of a field (N,2,h,w) in pixels of the pictures in which flow was found, where that is trusted."""
    return flow_error(field, *found)
