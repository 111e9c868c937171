"""What a portrait's mouth looks like under given parameters, as a map that gradients pass quickly.

A frame of 128 pixels and the way back through the renderer take about .17 s of a core that other work shares, the 256
frames of a step three quarters of a minute. So a portrait's mouth is rendered before the training under FRAMES mouths
of the clips and cut as the sync judge cuts it, and its pixels are solved as quadratic functions of the mouth's
parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ....media.crop import resize
from ....media.motion import Motion
from ....networks.renderer.model import Renderer
from ....pipelines.rendering import render
from ....pipelines.settings import RenderingSettings
from ....vocabulary import COUNT, FPS
from ...datasets.tracks import MOUTH, Track
from ...evaluation.sync.mouths import cut_mouths

SIZE = 128  # pixels of the frames
FRAMES = 150  # rendered of each portrait
LEAD = 8  # frames at rest before them, in which a photo's own parted lips close
WIDER = (0.7, 1.7)  # factors on the clips' mouths: commanded lips go further
RIDGE = 1e-3  # of a feature's variance


def quadratic(parameters: Tensor) -> Tensor:
    """(...,n) -> (...,n(n+3)/2): the parameters and their products of two."""
    rows, columns = torch.triu_indices(*[parameters.shape[-1]] * 2, device=parameters.device)
    return torch.cat([parameters, parameters[..., rows] * parameters[..., columns]], -1)


class ShownMouths(nn.Module):
    """Mouth parameters (...,9) -> pictures (...,48,64), grey, 0 dark .. 1 light."""

    def __init__(self, parameters: Tensor, pictures: Tensor):
        """Solved on parameters (N,9) and what was seen under them, pictures (N,48,64)."""
        super().__init__()
        features, pixels = quadratic(parameters.double()), pictures.flatten(1).double()
        self.register_buffer("at", features.mean(0).float())
        self.register_buffer("mean", pixels.mean(0).float())
        features = features - features.mean(0)
        moments = features.T @ features
        held = moments + RIDGE * torch.diag(moments.diagonal().clamp_min(1e-9))
        self.register_buffer("matrix", torch.linalg.solve(held, features.T @ (pixels - pixels.mean(0))).float())
        self.shape = tuple(pictures.shape[1:])

    def forward(self, parameters: Tensor) -> Tensor:
        pixels = self.mean + (quadratic(parameters) - self.at) @ self.matrix
        return pixels.unflatten(-1, self.shape)


def mouths_of_clips(tracks: Sequence[Track], count: int = FRAMES, seed: int = 0) -> Tensor:
    """(count,9) mouth parameters of random frames of drawn clips, most of them exaggerated. ValueError without any."""
    rng = np.random.default_rng(seed)
    drawn = [track for track in tracks if track.drawn]
    if not drawn:
        raise ValueError("A sync judge is a loss of clips with labels: add some of `corpus` or `real_lips`.")
    picked = [drawn[i] for i in rng.integers(len(drawn), size=count)]
    rows = np.stack([track.values[rng.integers(len(track.values)), MOUTH] for track in picked])
    return torch.from_numpy(rows * rng.uniform(*WIDER, (count, 1))).float()


@torch.no_grad()
def rendered_mouths(renderer: Renderer, photo: Tensor, mouths: Tensor) -> Tensor:
    """Pictures (N,48,64) of a portrait's mouth, photo (S,S,3) in [0,1], under parameters (N,9), its head at rest.
    ValueError where no face is found."""
    device, photo = next(renderer.parameters()).device, resize(photo[None], SIZE, SIZE)[0]
    if cut_mouths(photo, [photo]) is None:
        raise ValueError("No face was found in a portrait that is to show lips to the sync judge; give another one.")
    parameters = torch.zeros(LEAD + len(mouths), COUNT, device=device)
    parameters[LEAD:, MOUTH] = mouths.to(device)
    values = renderer.motion_from_parameters(parameters).float().cpu()
    motion = Motion(values, renderer.rest_motion().float().cpu(), FPS, renderer.motion_language)
    source = renderer.encode_source(photo.permute(2, 0, 1)[None].to(device), size=SIZE).toned()
    appearance = renderer.extract_appearance(source)
    frames = torch.cat(list(render(renderer, source, appearance, motion, RenderingSettings(size=SIZE))))
    return cut_mouths(photo, frames[LEAD:])
