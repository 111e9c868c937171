"""The free part of motion without what tells who somebody is: the directions in which people differ most, beside how
far each of them moves, are taken out of it.

    python -m mamba_portrait.learning.training.renderer.screen runs/semi.safetensors data/train -o runs/out.safetensors

Solved, not learnt: with S_w the covariance of pictures within people and S_b that of people's means, the directions V
are the first eigenvectors of S_w^-1/2 S_b S_w^-1/2, and the free part m becomes m - S_w^1/2 V V^T S_w^-1/2 m. Of all
linear maps without these directions it is the one that changes motion least where people move."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....model_loaders.checkpoint import load_renderer, save_checkpoint
from ....networks.renderer.layers import resize
from ....networks.renderer.model import Renderer
from ...evaluation.video_motion import groups_of

DIRECTIONS = 32
RIDGE = 1e-2  # of the mean variance within people, added to S_w
SIZE = 128


@torch.no_grad()
def screened(renderer: Renderer, clips: Sequence[np.ndarray], directions: int = DIRECTIONS) -> Renderer:
    """The renderer with a screen fitted on clips (N,S,S,3) uint8, each of another person, at least twice as many as
    directions. One that it has is replaced. ValueError for a motion space without a free part, and for too few."""
    if renderer.config.motion_space != "semi":
        raise ValueError(f"A {renderer.config.motion_space} motion space has no free part beside names to screen.")
    if len(clips) < 2 * directions:
        raise ValueError(f"{directions} directions are fitted on {2 * directions} people at least, not {len(clips)}.")
    new = Renderer(replace(renderer.config, screened_directions=directions))
    state = {name: value for name, value in renderer.state_dict().items() if ".free.screen." not in name}
    new.load_state_dict(new.state_dict() | state)
    new = new.to(next(renderer.parameters()).device).train(renderer.training)
    reads, writes = _directions([_free(new, clip) for clip in clips], directions)
    new.motion_encoder.free.screen.reads.copy_(reads)
    new.motion_encoder.free.screen.writes.copy_(writes)
    return new


def _free(renderer: Renderer, clip: np.ndarray) -> Tensor:
    """(N,768) float64 of a clip's frames, not screened."""
    device = next(renderer.parameters()).device
    pictures = resize(torch.from_numpy(clip).to(device).permute(0, 3, 1, 2).float() / 255, renderer.config.motion_size)
    return renderer.free_part(renderer.motion_encoder.encode_with_keypoints(pictures).free).cpu().double()


def _directions(people: Sequence[Tensor], count: int) -> tuple[Tensor, Tensor]:
    """What is read and what is written (count,768), of people's motion (N,768) each."""
    means = torch.stack([motion.mean(0) for motion in people])
    within = torch.cat([motion - motion.mean(0) for motion in people])
    freedom = max(1, len(within) - len(people))
    inside, between = within.T @ within / freedom, torch.cov(means.T)
    values, vectors = torch.linalg.eigh(inside)
    values = values.clamp_min(0) + RIDGE * values.clamp_min(0).mean() + 1e-12
    root, inverse = (vectors * values**power @ vectors.T for power in (0.5, -0.5))
    most = torch.linalg.eigh(inverse @ between @ inverse).eigenvectors[:, -count:]
    return (inverse @ most).T.float(), (root @ most).T.float()


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Take out of the free part what tells who somebody is.")
    parser.add_argument("renderer", help="a renderer's file with a semi motion space")
    parser.add_argument("data", help="a corpus with stills, of people that are not measured on")
    parser.add_argument("-o", "--out", required=True, help="gets the renderer")
    parser.add_argument("--directions", type=int, default=DIRECTIONS)
    options = parser.parse_args(arguments)
    renderer = load_renderer(options.renderer)
    clips = [clip for _, found in groups_of(options.data, SIZE) for clip in found]
    new = screened(renderer, clips, options.directions)
    print(save_checkpoint(Path(options.out), new, "renderer", new.config))


if __name__ == "__main__":
    main()
