"""The arm layer's training: where drawn arms are, what they hide, and how parameters move them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ....networks.renderer.arm_finder import BLACK, DARKEST, SIZE, behind, hidden_by, lit
from ....networks.renderer.layers import resize
from ....networks.renderer.model import Renderer
from ....vocabulary import ARM_BONES, LANDMARKS, NECK, TORSO
from ...datasets.batch_slice import Draws
from ...datasets.stills import StillSet
from .augment import jostle, vary
from .losses import total
from .stills_task import StillsTask

ZOOM, SHIFT = 0.08, 0.04  # of crops, which in use are less even than drawn ones


@dataclass(frozen=True)
class ArmWeights:
    points: float = 4.0  # distance of the points, in half pictures
    place: float = 0.3  # cross-entropy of the cell that a point is in
    bones: float = 2.0  # cross-entropy of pixels, arms counting as much as all else
    body: float = 2.0  # the same of the body, what arms hide counting as much as all else
    shade: float = 4.0  # of its logarithm, where there are no arms
    moves: float = 4.0  # distance of the moved points


class Armed(NamedTuple):
    """Pictures of N people, four each, the source first."""

    photos: Tensor  # (4N,3,S,S) in [0,1]
    bare: Tensor  # (4N,3,S,S) without arms
    bones: Tensor  # (4N,7,S,S): shares of no arm and of each bone
    body: Tensor  # (4N,1,S,S) share of the body, behind the arms too
    points: Tensor  # (4N,8,2) in [-1,1]
    parameters: Tensor  # (N,4,34)


class ArmsTask(StillsTask):
    """The arm layer alone, on pictures of half bodies with and without arms."""

    PICTURES = 4

    def __init__(self, renderer: Renderer, stills: StillSet):
        super().__init__(renderer, stills, SIZE)
        self.layer, self.weights = renderer.arms, ArmWeights()

    def parameters(self) -> list[Tensor]:
        """The layer's."""
        return list(self.layer.parameters())

    def batch(self, indices: Sequence[int], size: int, draws: Draws | None, augment: bool = True) -> Armed:
        """One person of each group, in augmented views."""
        groups, chosen = self.stills.get(np.asarray(indices)), np.arange(len(indices))
        person = draws.integers(2).cpu() if augment else torch.zeros(len(chosen), dtype=torch.long)
        rgb, bare = (
            resize(x[chosen, person].flatten(0, 1).permute(0, 3, 1, 2).float().to(self.device) / 255, SIZE)
            for x in (groups.rgb, groups.bare)
        )
        points = groups.mark[chosen, person][:, :, len(LANDMARKS) :].flatten(0, 1).to(self.device)
        bones = groups.bone[chosen, person].flatten(0, 1).to(self.device)
        bones = bones[:, None] == torch.arange(1 + len(ARM_BONES), device=self.device)[:, None, None]
        parts = torch.cat([groups.part0[:, :, None], groups.part()], 2)[chosen, person].flatten(0, 1)[:, None]
        body = ((parts == TORSO) | (parts == NECK)).to(self.device)
        maps = torch.cat([rgb, bare, bones.float(), body.float()], 1)
        if augment:
            each = draws.each(4)
            maps, points = jostle(maps, points, each, zoom=ZOOM, move=SHIFT)
        rgb, bare, bones, body = maps.split((3, 3, 1 + len(ARM_BONES), 1), 1)
        if augment:
            rgb, bare = vary(torch.stack([rgb, bare], 1).flatten(0, 1), each, shared=2).unflatten(0, (-1, 2)).unbind(1)
        return Armed(rgb, bare, bones, body, 2 * points - 1, groups.param[chosen, person].to(self.device))

    def losses(self, batch: Armed, progress: float = 0.0) -> dict[str, Tensor]:
        """Unweighted terms of one batch, and their weighted sum."""
        terms = self.found(batch) | self.moved(batch)
        return terms | {"loss": total(terms, self.weights)}

    def found(self, batch: Armed) -> dict[str, Tensor]:
        """Of points and masks."""
        found = self.layer.finder(batch.photos)
        arm = 1 - batch.bones[:, :1]
        weight = 0.5 + 0.5 * arm / arm.mean().clamp_min(0.01)
        bones = -(found.bones.log_softmax(1) * batch.bones).sum(1, keepdim=True)
        body = F.binary_cross_entropy_with_logits(found.body, batch.body, weight=weight)
        shade = ((batch.bare + BLACK) / (batch.photos + BLACK)).log().mean(1, keepdim=True).clamp(0, DARKEST)
        h, w = found.share.shape[-2:]
        column, row = ((batch.points[..., i] + 1) / 2 * n for i, n in ((0, w), (1, h)))
        cell = row.long().clamp(0, h - 1) * w + column.long().clamp(0, w - 1)
        return {
            "points": (found.points - batch.points).abs().mean(),
            "place": -found.share.flatten(2).gather(2, cell[..., None]).mean(),
            "bones": (bones * weight).mean(),
            "body": body,
            "shade": ((found.shade - shade).abs() * (1 - arm)).mean(),
        }

    def moved(self, batch: Armed) -> dict[str, Tensor]:
        """Of the points that parameters move."""
        points, known = batch.points.unflatten(0, (-1, 4)), batch.parameters
        source, before = (x[:, :1].expand_as(x).flatten(0, 1) for x in (points, known))
        return {"moves": (self.layer.moved(source, known.flatten(0, 1), before) - batch.points).abs().mean()}

    @torch.no_grad()
    def measure(self, indices: np.ndarray, size: int) -> dict[str, float]:
        """On people held out: errors in pixels of 128 of the points found, and of those moved from where they are; the
        masks' intersection over union; decibels behind the arms."""
        values: dict[str, list[Tensor]] = {}
        for index in indices:
            batch, pixel = self.batch([int(index)], SIZE, None, augment=False), SIZE / 2
            found, known = self.layer.finder(batch.photos), batch.parameters[0]
            shown = found.bones.argmax(1)
            moved = self.layer.moved(batch.points[:1].expand(3, -1, -1), known[1:], known[:1].expand(3, -1))
            wrong, moves = ((a - b).norm(dim=-1) for a, b in ((found.points, batch.points), (moved, batch.points[1:])))
            for i, name in enumerate(("shoulder", "forearm", "wrist", "tip")):
                values.setdefault(f"found {name}", []).append(pixel * wrong[:, [i, i + 4]].mean())
                values.setdefault(f"moved {name}", []).append(pixel * moves[:, [i, i + 4]].mean())
            for bone, name in enumerate(ARM_BONES, 1):
                true, mine = batch.bones[:, bone] > 0.5, shown == bone
                union = (true | mine).sum().clamp_min(1)
                values.setdefault(f"iou {name.split('_', 1)[1]}", []).append((true & mine).sum() / union)
            hidden = hidden_by(found.bones.softmax(1)[:, 1:])
            light = lit(batch.photos, found.shade.clamp_min(0) * (1 - hidden))
            error = (behind(light, hidden, found.body.sigmoid()) - batch.bare).square() * hidden
            values.setdefault("behind", []).append(error.sum() / hidden.sum() / 3)
        means = {name: float(torch.stack(found).mean()) for name, found in values.items()}
        means["behind"] = -10 * float(np.log10(max(means["behind"], 1e-12)))
        return {name: round(value, 2) for name, value in means.items()}
