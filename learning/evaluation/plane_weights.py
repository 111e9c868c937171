"""omega_m of several forms: whether it differs between portraits, what it gives the picture, and what it could give.

    python -m mamba_portrait.learning.evaluation.plane_weights data/held_out runs/a.safetensors runs/b.safetensors
    python -m mamba_portrait.learning.evaluation.plane_weights data/held_out shipped --best channels after

prints a row for each renderer: the picture's decibels, what another portrait's omega_m and the mean over portraits
cost, omega_m's mean and standard deviation over portraits, and how much better the picture is than that of the first
renderer, paired over people. With --best, a row that says what the best omega_m of
each portrait, found by descent on two of its frames, gives a third one beyond the best that all portraits share: about
the most that a network could give these weights by computing omega_m from the portrait."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...model_loaders.checkpoint import load_renderer
from ...networks.renderer.layers import resize
from ...networks.renderer.model import Renderer
from ...sampling.settings import Range
from ..datasets.stills import StillSet
from .method_findings import Finding, finding, interval
from .method_pictures import SIZE, measure_people, probe_renderer

STEPS = 15  # of descent
RATE = 0.3  # of Adam, on the logits
FITTED = (1, 2)  # frames of a person, of which the first is the source; the third is measured
FORMS = ("channels", "after")


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


def in_form(renderer: Renderer, forms: Sequence[str]) -> Renderer:
    """The renderer with omega_m a number a channel and plane ("channels"), weighing after ResNet3D ("after")."""
    config = replace(renderer.config, omega_channels="channels" in forms, omega_after="after" in forms)
    new, state = Renderer(config), renderer.state_dict()
    own = new.state_dict()
    new.load_state_dict(own | {key: value for key, value in state.items() if own[key].shape == value.shape})
    return new.to(next(renderer.parameters()).device).eval().requires_grad_(False)


@contextmanager
def saying(renderer: Renderer, logits: Tensor) -> Iterator[None]:
    """While open, omega_m's logits are the given ones, (N,W) or (1,W) for all portraits."""
    module = renderer.depth.plane_weights
    hook = module.register_forward_hook(lambda _, __, out: logits.expand(len(out), -1).to(out.dtype))
    try:
        yield
    finally:
        hook.remove()


def best(renderer: Renderer, stills: StillSet, groups: int, steps: int = STEPS) -> Finding:
    """Decibels of a frame with the best omega_m that all portraits share, and as a cost ("each portrait's own", above
    zero where it is worse) those with each portrait's best. Motion is the exact parameters'."""
    given = stills.get(np.arange(min(groups, len(stills))))
    device = next(renderer.parameters()).device
    pictures = given.rgb[:, 0].to(device).permute(0, 1, 4, 2, 3).float() / 255
    pictures = resize(pictures.flatten(0, 1), SIZE).unflatten(0, (-1, 4))
    motion = renderer.motion_from_parameters(given.param[:, 0].to(device))
    width = renderer.depth.plane_weights[-1].out_features
    shared = _fitted(renderer, pictures, motion, torch.zeros(1, width, device=device), 2 * steps)
    own = _fitted(renderer, pictures, motion, shared.expand(len(pictures), -1), steps)
    with torch.no_grad():
        values = [
            -10 * _errors(renderer, pictures, motion, logits, (3,)).clamp_min(1e-10).log10() for logits in (shared, own)
        ]
    return finding("omega_m", "a frame that was not fitted", "dB", values[0], {"own": values[1]})


def _fitted(renderer: Renderer, pictures: Tensor, motion: Tensor, start: Tensor, steps: int) -> Tensor:
    logits = start.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([logits], lr=RATE)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
        optimizer.zero_grad()
        errors = _errors(renderer, pictures, motion, logits, FITTED)
        errors.clamp_min(1e-10).log().sum().backward()  # as decibels: each portrait counts alike
        optimizer.step()
    return logits.detach()


def _errors(renderer: Renderer, pictures: Tensor, motion: Tensor, logits: Tensor, frames: Sequence[int]) -> Tensor:
    """(N,) mean square errors of some frames of (N,4,3,S,S)."""
    with saying(renderer, logits):
        source = renderer.encode_source(pictures[:, 0], motion=motion[:, 0], size=SIZE)
    at = list(frames)
    wanted = (source.motion[:, None] + motion[:, at] - motion[:, :1]).flatten(0, 1)
    look = renderer.extract_appearance(source).repeat_interleave(len(at), 0)
    image = renderer.decode(source.repeat(len(at)), look, wanted).image
    return (image.float() - pictures[:, at].flatten(0, 1)).square().mean((1, 2, 3)).unflatten(0, (-1, len(at))).mean(1)


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Compare forms of omega_m.")
    parser.add_argument("data", help="drawn people, held out")
    parser.add_argument("renderers", nargs="+", metavar="renderer", help="files, or shipped")
    parser.add_argument("--groups", type=Range(0, 1_000_000_000).read, default=64)
    parser.add_argument("--best", nargs="*", choices=FORMS, help="what the best omega_m gives, in a form of both")
    options = parser.parse_args(arguments)
    stills, first = StillSet(options.data), None
    for file in options.renderers:
        renderer = load_renderer(None if file == "shipped" else file)
        if options.best is None:
            found, mean, spread = measured(renderer, stills, options.groups)
            reached = measure_people(renderer, stills, options.groups)["picture"]
            first = reached if first is None else first
            parts = found.costs["other"], found.costs["mean"], interval(reached - first)
            other, same, gain = ("{:+.3f} [{:+.3f}, {:+.3f}]".format(*part) for part in parts)
            row = f"{found.value:.3f} dB | {other} | {same} | {mean:.3f} | {spread:.4f} | {gain}"
        else:
            found = best(in_form(renderer, options.best), stills, options.groups)
            mean, low, high = found.costs["own"]
            gain = f"{-mean:+.3f} [{-high:+.3f}, {-low:+.3f}]"
            row = f"{' '.join(options.best) or 'planes'} | {found.value:.3f} dB | {gain}"
        print(f"| {file} | {row} |", flush=True)


if __name__ == "__main__":
    main()
