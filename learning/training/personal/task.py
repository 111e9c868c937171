"""A person's face: low-rank changes of the renderer's layers that see nothing but the deviation of the motion.

A frame of the film is brought to another one's motion, as the frozen encoder reads it, and pixels say how well; those
around the mouth count more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ....model_loaders.person import CHANGED
from ....networks.renderer.layers import resize
from ....networks.renderer.model import Renderer
from ....vocabulary import landmarks
from ...datasets.batch_slice import BatchSlice
from ...evaluation.metrics import psnr
from ..renderer.augment import vary
from ..renderer.film_losses import FilmWeights, picture_losses
from ..renderer.losses import total
from .film import Piece

RANK = 16
TARGETS = 3  # frames a source is driven to: they share its pass
MOUTH_WEIGHT = 20.0  # of the L1 around the mouth, beside `FilmWeights.pixels`
BATCH = 16  # pictures that the encoder reads at once
JUDGED = 4  # frames of a piece that is not learnt from


class LowRank(nn.Module):
    """weight + left right, which begins as the weight."""

    def __init__(self, weight: Tensor, rank: int):
        super().__init__()
        rank = min(rank, len(weight), weight[0].numel())
        self.left = nn.Parameter(torch.zeros(len(weight), rank))
        self.right = nn.Parameter(torch.randn(rank, weight[0].numel()) / weight[0].numel() ** 0.5)

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.left @ self.right).view_as(weight)


class LowRanks:
    """Low-rank changes in place of a renderer's weights named in CHANGED; all its own weights are frozen."""

    def __init__(self, renderer: Renderer, rank: int = RANK):
        renderer.requires_grad_(False)
        self.layers: dict[str, LowRank] = {}
        for name in CHANGED["renderer"]:
            try:
                module = renderer.get_submodule(name.removesuffix(".weight"))
            except AttributeError:  # a config without this layer
                continue
            if isinstance(getattr(module, "weight", None), nn.Parameter):
                self.layers[name] = LowRank(module.weight, rank).to(module.weight)
                parametrize.register_parametrization(module, "weight", self.layers[name])

    def parameters(self) -> list[nn.Parameter]:
        """All factors."""
        return [parameter for layer in self.layers.values() for parameter in layer.parameters()]

    def factors(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Copies of the factors, by the weights' names."""
        pairs = ((name, (layer.left, layer.right)) for name, layer in self.layers.items())
        return {name: tuple(factor.detach().cpu().clone() for factor in pair) for name, pair in pairs}

    @torch.no_grad()
    def restore(self, factors: dict[str, tuple[Tensor, Tensor]]) -> None:
        """The inverse of `factors`."""
        for name, (left, right) in factors.items():
            self.layers[name].left.copy_(left)
            self.layers[name].right.copy_(right)


class Shown(NamedTuple):
    """A piece as the encoder reads it: pictures (T,3,S,S) uint8, motion (T,768), and the mouth's middle and half width
    (T,3) in parts of the picture."""

    pictures: Tensor
    motion: Tensor
    mouth: Tensor


@torch.no_grad()
def read_piece(renderer: Renderer, piece: Piece) -> Shown:
    """A piece read by the renderer's encoder."""
    pictures = torch.from_numpy(piece.pictures).permute(0, 3, 1, 2).contiguous()
    device, corners = next(renderer.parameters()).device, landmarks("mouth_")
    motion, mouths = [], []
    for part in pictures.split(BATCH):
        frames = part.to(device).float() / 255
        seen = renderer.motion_encoder.encode_with_keypoints(frames)
        motion.append(renderer.encode_motion(frames).float().cpu())
        points = seen.points[:, list(corners)].float().cpu()
        half = (points[:, 0] - points[:, 1]).norm(dim=1, keepdim=True) / 2
        mouths.append(torch.cat([points.mean(1), half], 1))
    return Shown(pictures, torch.cat(motion), torch.cat(mouths))


class PersonBatch(NamedTuple):
    """G sources with three targets each."""

    source: Tensor  # (G,3,R,R)
    base: Tensor  # (G,768) M_0
    target: Tensor  # (3G,3,R,R)
    motion: Tensor  # (3G,768)
    mouth: Tensor  # (3G,3)


class PersonTask:
    """Pieces of one person at `size` pixels. tick: called before each batch, may raise to cancel."""

    def __init__(self, renderer: Renderer, changes: LowRanks, pieces: Sequence[Shown], size: int,
                 tick: Callable[[], None] = lambda: None):  # fmt: skip
        self.renderer, self.changes, self.pieces, self.size, self.tick = renderer, changes, pieces, size, tick
        self.device, self.weights = next(renderer.parameters()).device, FilmWeights()

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[PersonBatch]:
        """Every piece and its frames are picked at random."""
        for part in slices:
            self.tick()
            picked = []
            for sample in part.samples:
                rng = part.rng(sample)
                piece = self.pieces[rng.integers(len(self.pieces))]
                frames = rng.choice(len(piece.pictures), 1 + TARGETS, replace=len(piece.pictures) <= TARGETS)
                picked.append((piece, torch.from_numpy(frames)))
            pictures = torch.cat([piece.pictures[frames] for piece, frames in picked]).to(self.device).float() / 255
            pictures = vary(resize(pictures, self.size), part.draws(self.device), shared=1 + TARGETS)
            motion = torch.cat([piece.motion[frames] for piece, frames in picked])
            yield self._batch(pictures, motion, torch.cat([piece.mouth[frames] for piece, frames in picked]))

    def _batch(self, pictures: Tensor, motion: Tensor, mouth: Tensor) -> PersonBatch:
        pictures, motion, mouth = (x.to(self.device).unflatten(0, (-1, 1 + TARGETS)) for x in (pictures, motion, mouth))
        base = self.renderer.centred(motion[:, 0])
        driven = base[:, None] + motion[:, 1:] - motion[:, :1]
        targets = (x[:, 1:].flatten(0, 1) for x in (pictures, mouth))
        target, mouth = targets
        return PersonBatch(pictures[:, 0], base, target, driven.flatten(0, 1), mouth)

    def losses(self, batch: PersonBatch, progress: float = 0.0) -> dict[str, Tensor]:
        """Terms of one batch, and their weighted sum."""
        rendered = self._rendered(batch.source, batch.base, batch.motion)
        losses, weight = picture_losses(rendered, batch.target), _around(batch.mouth, self.size)
        mouth = ((rendered.image - batch.target).abs() * weight).mean() / weight.mean()
        return losses | {"mouth": mouth, "loss": total(losses, self.weights) + MOUTH_WEIGHT * mouth}

    def _rendered(self, source: Tensor, base: Tensor, motion: Tensor):
        with torch.no_grad():
            encoded = self.renderer.encode_source(source, motion=base, size=self.size)
            appearance = self.renderer.extract_appearance(encoded)
        count = len(motion) // len(base)
        many = encoded.repeat(count) if len(base) > 1 else encoded
        return self.renderer.decode(many, appearance.repeat_interleave(count, 0), motion)

    @torch.no_grad()
    def judge(self, pieces: Sequence[Shown]) -> tuple[dict[str, float], Tensor]:
        """Of pieces not learnt from: decibels over copying the first frame, of the whole picture and around the mouth,
        and the last picture drawn (R,R,3)."""
        rows, image = [], None
        for piece in pieces:
            frames = torch.linspace(0, len(piece.pictures) - 1, 1 + JUDGED).round().long()
            pictures = resize(piece.pictures[frames].to(self.device).float() / 255, self.size)
            motion, mouth = (x[frames].to(self.device) for x in (piece.motion, piece.mouth))
            base = self.renderer.centred(motion[:1])
            image = self._rendered(pictures[:1], base, base + motion[1:] - motion[:1]).image
            truth, weight = pictures[1:], _around(mouth[1:], self.size)
            copied = pictures[:1].expand_as(truth)
            whole = (psnr(image, truth) - psnr(copied, truth)).mean()
            errors = [(((x - truth).square() * weight).mean() / weight.mean()).clamp_min(1e-8) for x in (copied, image)]
            rows.append([float(whole), float(10 * (errors[0] / errors[1]).log10())])
        values = torch.tensor(rows).mean(0).tolist()
        return dict(zip(("over_copying", "mouth"), values, strict=True)), image[-1].movedim(0, -1).clamp(0, 1).cpu()


def _around(mouth: Tensor, size: int) -> Tensor:
    """(N,1,size,size) weights, 1 in the middle of mouths (N,3), that fall off over their half widths."""
    line = (torch.arange(size, device=mouth.device) + 0.5) / size
    x, y, half = (mouth[:, n, None] for n in range(3))
    across, down = (((line - place) / (1.2 * half.clamp_min(0.02))).square() for place in (x, y))
    return torch.exp(-0.5 * (down[:, :, None] + across[:, None, :]))[:, None]
