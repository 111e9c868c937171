"""Conformance probes of stage 1, on held-out drawn people driven by pictures of themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...networks.renderer.layers import resize
from ...networks.renderer.model import Rendered, Renderer
from ..datasets.stills import Groups, StillSet, inside_mouth
from .method_findings import Finding, finding, people_first, replaced_rows

SIZE = 128  # of the pictures: the motion field has that size, and a picture costs a third of one at 256
FRAMES = 3  # of a person, driven from one source
PEOPLE = 8  # in a batch: means are over as many
LEAST_PIXELS = 16.0


@dataclass(frozen=True)
class Branch:
    """A branch, the module whose output it is, and the metric named for it.

    module: of a renderer, None where it has none. part: how a replaced output is put into the module's own (None: all
    of it). once: computed once a portrait, so that another frame's is the same.
    """

    name: str
    metric: str
    module: Callable[[Renderer], nn.Module | None]
    part: Callable[[Any, Callable[[Tensor], Tensor]], Any] | None = None
    once: bool = False


def _picture_of(output: Tensor, replace: Callable[[Tensor], Tensor]) -> Tensor:
    """U's picture: the first 12 channels, four sub-pixels of RGB; others are the mask."""
    return torch.cat([replace(output[:, :12]), output[:, 12:]], 1)


def _mask_of(field: Any, replace: Callable[[Tensor], Tensor]) -> Any:
    return field._replace(visible=replace(field.visible))


BRANCHES = (
    Branch("omega_m", "picture", lambda r: r.depth.plane_weights, once=True),
    Branch("Delta (without the linear term)", "flow", lambda r: r.deviation.to_maps),
    Branch("Delta's linear term", "flow", lambda r: r.deviation.linear_shift),
    Branch("DIT's vector in the decoder", "mouth", lambda r: r.deviation.to_vector),
    Branch("focus maps", "flow", lambda r: r.lmdd.focus, once=True),
    Branch("focus maps", "flow", lambda r: r.lmdd.attention),  # the region-aware ones, of every frame
    Branch("depth planes", "flow", lambda r: r.lmdd.planes, once=True),
    Branch("Delta's features in the mask module", "uncovered", lambda r: r.lmdd.inject),
    Branch("mask", "uncovered", lambda r: r.lmdd, _mask_of),
    Branch("U", "mouth", lambda r: r.decoder.leave if r.config.decoder_skips else r.decoder.picture.leave, _picture_of),
)
UNITS = {"flow": "px"}
TITLES = {
    "picture": "the whole picture",
    "painted": "where the decoder paints",
    "mouth": "inside the open mouth",
    "uncovered": "where the photo shows nothing",
    "flow": "error of the motion field, at 128 pixels",
}


@torch.inference_mode()
def probe_renderer(
    renderer: Renderer,
    stills: StillSet,
    groups: int,
    progress: Callable[[int, int], None] | None = None,
    only: str | None = None,
) -> list[Finding]:
    """One finding a branch of the renderer, or of the branch `only`; at least two people are needed."""
    count = min(groups, len(stills))
    if count < 2:
        raise ValueError(f"probes replace a person's by another's: {count} group of stills is too few, draw 2 or more")
    starts = [start for start in range(0, count, PEOPLE) if count - start > 1]  # a person alone has no other
    measured: dict[str, dict[str, list[dict[str, Tensor]]]] = {}
    for number, start in enumerate(starts):
        given = stills.get(np.arange(start, min(start + PEOPLE, count)))
        for branch, rows in _probe_batch(renderer, given, only).items():
            for how, values in rows.items():
                measured.setdefault(branch, {}).setdefault(how, []).append(values)
        if progress is not None:
            progress(number + 1, len(starts))
    base = measured.pop("")["as it is"]
    metrics = {branch.name: branch.metric for branch in BRANCHES} | {"F_A": "painted", "articulation": "painted"}
    return [_finding(branch, metrics[branch], base, rows) for branch, rows in measured.items()]


@torch.inference_mode()
def measure_people(renderer: Renderer, stills: StillSet, groups: int) -> dict[str, Tensor]:
    """(N,) of each metric of the first person of N groups, with nothing replaced."""
    count, parts = min(groups, len(stills)), []
    for start in range(0, count, PEOPLE):
        given = stills.get(np.arange(start, min(start + PEOPLE, count)))
        parts.append(_probe_batch(renderer, given, only="")[""]["as it is"])
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _finding(branch: str, metric: str, base: list, rows: dict[str, list]) -> Finding:
    def joined(parts: list[dict[str, Tensor]]) -> Tensor:
        return torch.cat([values[metric] for values in parts])

    replaced = {how: joined(parts) for how, parts in rows.items()}
    return finding(branch, TITLES[metric], UNITS.get(metric, "dB"), joined(base), replaced)


def _probe_batch(renderer: Renderer, given: Groups, only: str | None = None) -> dict[str, dict[str, dict[str, Tensor]]]:
    """Metrics of every branch and replacement on N people: {branch: {how: {metric: (N,)}}}, and as it is under ""."""
    device = next(renderer.parameters()).device
    whole = given.rgb[:, 0].to(device).permute(0, 1, 4, 2, 3).flatten(0, 1).float() / 255
    motion = renderer.encode_motion(whole).unflatten(0, (-1, 1 + FRAMES))
    pictures = resize(whole, SIZE).unflatten(0, (-1, 1 + FRAMES))  # (N,4,3,S,S)
    truth = Truth.of(pictures, given)
    source = renderer.encode_source(pictures[:, 0], motion=motion[:, 0], size=SIZE)
    appearance = renderer.extract_appearance(source)
    wanted = (source.motion[:, None] + motion[:, 1:] - motion[:, :1]).flatten(0, 1)

    def decoded(look: Tensor = appearance, again: bool = False) -> Rendered:
        encoded = renderer.encode_source(pictures[:, 0], motion=motion[:, 0], size=SIZE) if again else source
        return renderer.decode(encoded.repeat(FRAMES), look.repeat_interleave(FRAMES, 0), wanted)

    base = decoded()
    painted = 1 - base.keep
    found = {"": {"as it is": truth.metrics(base, painted)}}
    for how in ("mean", "other") if only in (None, "F_A") else ():
        found.setdefault("F_A", {})[how] = truth.metrics(decoded(replaced_rows(appearance, how, 1)), painted)
    for branch in BRANCHES:
        module = branch.module(renderer)
        if module is None or only not in (None, branch.name):
            continue
        for how in ("mean", "other") if branch.once else ("mean", "other", "frame"):
            with speaking_for(module, how, 1 if branch.once else FRAMES, branch.part):
                found.setdefault(branch.name, {})[how] = truth.metrics(decoded(again=branch.once), painted)
    if only in (None, "articulation") and not renderer.config.single_slope:
        with _one_slope(renderer.decoder.beta):
            found["articulation"] = {"mean": truth.metrics(decoded(), painted)}
    return found


@contextmanager
def speaking_for(
    module: nn.Module, how: str, frames: int, part: Callable[[Any, Callable], Any] | None = None
) -> Iterator[None]:
    """While open, the module's output is that of the mean, of another person or of another frame."""

    def replace(rows: Tensor) -> Tensor:
        return replaced_rows(rows, how, frames)

    hook = module.register_forward_hook(lambda _, __, out: replace(out) if part is None else part(out, replace))
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def _one_slope(beta: nn.Parameter) -> Iterator[None]:
    """beta says something for each channel: here all have the mean."""
    own = beta.data
    beta.data = own.mean().expand_as(own)
    try:
        yield
    finally:
        beta.data = own


@dataclass(frozen=True)
class Truth:
    """What N * FRAMES frames should be."""

    image: Tensor  # (B,3,S,S)
    displacement: Tensor  # (B,2,128,128)
    visible: Tensor  # (B,1,128,128)
    mouth: Tensor  # (B,1,128,128)

    @classmethod
    def of(cls, pictures: Tensor, given: Groups) -> Truth:
        """Of the first person of each group."""

        def first(labels: Tensor) -> Tensor:
            return labels[:, 0].flatten(0, 1).to(pictures.device)

        visible, mouth = first(given.visible())[:, None], inside_mouth(first(given.part()))[:, None]
        return cls(pictures[:, 1:].flatten(0, 1), first(given.displacement()), visible, mouth)

    def metrics(self, rendered: Rendered, painted: Tensor) -> dict[str, Tensor]:
        """(N,) of each metric; `painted` (B,1,S,S): where the decoder paints with nothing replaced."""
        error = (rendered.image.float() - self.image).square().mean(1, keepdim=True)
        field = resize(rendered.motion.field.float(), self.displacement.shape[-1])
        off = ((field - self.displacement) * (field.shape[-1] / 2)).square().sum(1, keepdim=True).sqrt()
        values = {
            "picture": decibels(error, torch.ones_like(error)),
            "painted": decibels(error, resize(painted.float(), error.shape[-1])),
            "mouth": decibels(error, F.interpolate(self.mouth, size=error.shape[-2:])),
            "uncovered": decibels(error, F.interpolate(1 - self.visible, size=error.shape[-2:])),
            "flow": (off * self.visible).mean((1, 2, 3)) / self.visible.mean((1, 2, 3)),
        }
        return {name: people_first(value, FRAMES).cpu() for name, value in values.items()}


def decibels(error: Tensor, weight: Tensor) -> Tensor:
    """(B,) PSNR over weighed pixels; NaN where there are hardly any."""
    mass = weight.sum((1, 2, 3))
    mean = (error * weight).sum((1, 2, 3)) / mass.clamp_min(1e-6)
    return torch.where(mass < LEAST_PIXELS, torch.nan, -10 * mean.clamp_min(1e-10).log10())
