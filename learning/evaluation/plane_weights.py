"""omega_m of several forms, trained alike: whether it differs between portraits, and what it gives the picture.

    python -m mamba_portrait.learning.evaluation.plane_weights data/held_out runs/a.safetensors runs/b.safetensors

prints a row for each renderer: the picture's decibels, what another portrait's omega_m and the mean over portraits
cost, and omega_m's mean and standard deviation over portraits."""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from ...model_loaders.checkpoint import load_renderer
from ...networks.renderer.layers import resize
from ...networks.renderer.model import Renderer
from ..datasets.stills import StillSet
from .method_findings import Finding
from .method_pictures import SIZE, probe_renderer


@torch.inference_mode()
def plane_weights(renderer: Renderer, stills: StillSet, groups: int) -> Tensor:
    """omega_m (N,W) of the first person of N groups: W numbers, one a plane, or one a channel and plane."""
    device, said = next(renderer.parameters()).device, []
    hook = renderer.depth.plane_weights.register_forward_hook(lambda _, __, out: said.append(out.float().sigmoid()))
    try:
        for group in range(min(groups, len(stills))):
            photo = torch.from_numpy(stills.pictures(group)[0][:1].copy()).to(device)
            renderer.encode_source(resize(photo.permute(0, 3, 1, 2).float() / 255, SIZE), size=SIZE)
    finally:
        hook.remove()
    return torch.cat(said)


def measured(renderer: Renderer, stills: StillSet, groups: int) -> tuple[Finding, float, float]:
    """The cost of replacing omega_m, its mean, and its standard deviation over portraits, a mean over its numbers."""
    weights = plane_weights(renderer, stills, groups)
    (found,) = probe_renderer(renderer, stills, groups, only="omega_m")
    return found, float(weights.mean()), float(weights.std(0).mean())


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Compare forms of omega_m.")
    parser.add_argument("data", help="drawn people, held out")
    parser.add_argument("renderers", nargs="+", metavar="renderer", help="files, or shipped")
    parser.add_argument("--groups", type=int, default=64)
    options = parser.parse_args(arguments)
    stills = StillSet(options.data)
    print("| renderer | picture | another portrait's | its mean | omega_m | its spread over portraits |")
    print("|---|---|---|---|---|---|")
    for file in options.renderers:
        renderer = load_renderer(None if file == "shipped" else file)
        found, mean, spread = measured(renderer, stills, options.groups)
        costs = ["{:+.3f} [{:+.3f}, {:+.3f}]".format(*found.costs[how]) for how in ("other", "mean")]
        print(f"| {file} | {found.value:.3f} dB | {' | '.join(costs)} | {mean:.3f} | {spread:.4f} |", flush=True)


if __name__ == "__main__":
    main()
