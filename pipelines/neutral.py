"""The neutral face of a film, from which a driver's expression is told; and expressions that are not told from one.

Motion of a film is relative to a reference. Where that is a first frame with an open mouth or shut eyes, the portrait's
lips stay shut and its eyes bulge when the driver's open. So the expression of the reference is that of frames in which
the face is as it mostly is, with the lips shut; its head stays the first frame's.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..media.motion import Motion
from ..networks.renderer.model import Renderer
from ..vocabulary import INDEX, MOTION, REGIONS
from .regions import motion_to_parameters, parameters_to_motion

FIRST, FOUND = "first", "found"
EXPRESSION = [INDEX[name] for region in ("mouth", "brows", "eyes") for name in REGIONS[region]]
OPENING = [INDEX[name] for name in ("jaw", "upper_lip", "lower_lip")]
SHUT = 0.1  # quantile of a film's openings that counts as shut lips: a mean of several frames opens them
BEST = 5  # frames whose mean is the neutral face


def with_neutral(motion: Motion, renderer: Renderer, neutral: str | float) -> Motion:
    """The motion told from another face: "first" leaves it; "found" takes the expression of the most neutral frames,
    with the lips as shut as they mostly come, and the head of the first; a number takes the whole frame at so many
    seconds.

    Motion without names is left with "found". ValueError for a time after the end."""
    if neutral == FIRST:
        return motion
    if neutral == FOUND:
        if not renderer.config.readout:
            return motion
        parameters = motion_to_parameters(renderer, motion.values)
        wanted = parameters[0].clone()
        wanted[EXPRESSION] = parameters[neutral_frames(parameters)].mean(0)[EXPRESSION]
        wanted[OPENING] = parameters[:, OPENING].quantile(SHUT, dim=0)
        change = parameters_to_motion(renderer, wanted[None]) - parameters_to_motion(renderer, parameters[:1])
        return replace(motion, reference=motion.values[0] + change[0].to(motion.values))
    number = round(float(neutral) * motion.fps)
    if not 0 <= number < motion.frames:
        raise ValueError(
            f"The neutral face was looked for at {neutral:g} s, but the motion lasts {motion.duration:.2f} s."
        )
    return replace(motion, reference=motion.values[number].clone())


def neutral_frames(parameters: Tensor) -> Tensor:
    """(T,24) -> the numbers of the frames nearest to a neutral face: openings of the lips near their lowest, all other
    parameters of the face near their medians, each in its spread."""
    usual = parameters.median(0).values
    usual[OPENING] = parameters[:, OPENING].quantile(SHUT, dim=0)
    spread = torch.tensor([parameter.spread for parameter in MOTION])
    away = ((parameters - usual) / spread)[:, EXPRESSION].square().sum(1)
    return away.argsort()[: min(BEST, len(away))]


def with_expression_of(own: Tensor, reference: Tensor, renderer: Renderer) -> Tensor:
    """(768,): the portrait's own motion with the expression of a driver's reference (768,) in place of its own, so that
    the driver's changes from that reference give his expression as it is; its head stays. Without names: own."""
    if not renderer.config.readout:
        return own
    before = motion_to_parameters(renderer, own[None])
    wanted = before.clone()
    wanted[:, EXPRESSION] = motion_to_parameters(renderer, reference[None])[:, EXPRESSION]
    change = parameters_to_motion(renderer, wanted) - parameters_to_motion(renderer, before)
    return own + change[0].to(own)
