"""A person's face: low-rank changes of the renderer's layers that see nothing but the deviation of the motion, and of
how its encoder reads this face.

A frame of the film is brought to another one's motion, and pixels say how well; those around the mouth count more. The
encoder runs once over the film: what is learnt of it is linear in what its last layers see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ....model_loaders.person import CHANGED
from ....networks.renderer.layers import resize
from ....networks.renderer.model import Renderer
from ....vocabulary import MOTION, landmarks
from ...datasets.batch_slice import BatchSlice, Draws
from ...evaluation.metrics import psnr
from ..renderer.augment import vary
from ..renderer.film_losses import FilmWeights, picture_losses
from ..renderer.losses import total
from .film import Piece
from .others import other_faces, varied

RANK = 16
READ = 12  # directions of what the encoder's last layers see in the film, in which its reading may change
TARGETS = 3  # frames a source is driven to: they share its pass
MOUTH_WEIGHT = 20.0  # of the L1 around the mouth, beside `FilmWeights.pixels`
HELD = 0.3  # weight of the mean square of what the encoder reads otherwise, in spreads of the parameters
OTHERS = 30.0  # weight of the L1 between another face with the changes and without,
TURN = 2  # in every so many-th step
BATCH = 16  # pictures that the encoder reads at once
JUDGED = 4  # frames of a piece that is not learnt from
DRIVEN = [name for name in CHANGED["renderer"] if not name.startswith("motion_encoder.")]


class LowRank(nn.Module):
    """weight + left right, which begins as the weight."""

    def __init__(self, weight: Tensor, rank: int):
        super().__init__()
        rank = min(rank, len(weight), weight[0].numel())
        self.left = nn.Parameter(torch.zeros(len(weight), rank))
        self.right = nn.Parameter(torch.randn(rank, weight[0].numel()) / weight[0].numel() ** 0.5)
        self.on = True

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.left @ self.right).view_as(weight) if self.on else weight


class Reading(nn.Module):
    """What is added to motion (...,768) by what the encoder's last layers see (...,inputs): named parameters, linear in
    the film's strongest directions, zero at its mean."""

    def __init__(self, seen: Tensor, writer: Tensor):
        super().__init__()
        centred = seen - seen.mean(0)
        _, spread, directions = torch.linalg.svd(centred, full_matrices=False)
        count = min(READ, int((spread > 1e-4 * spread[0]).sum()))
        whitened = directions[:count] / spread[:count, None] * len(seen) ** 0.5
        spreads = torch.tensor([parameter.spread for parameter in MOTION]).to(writer)
        scaled = writer[:, : len(spreads)] * spreads  # a step moves each parameter by a part of its spread
        for name, value in {"mean": seen.mean(0), "directions": whitened, "writer": scaled}.items():
            self.register_buffer(name, value)
        self.weight = nn.Parameter(torch.zeros(len(spreads), count))

    def forward(self, seen: Tensor) -> Tensor:
        return (seen - self.mean) @ self.directions.T @ self.weight.T @ self.writer.T


class Changes:
    """What is learnt of a renderer: low-rank changes in place of its weights named in CHANGED, and the reading of its
    encoder; all its own weights are frozen."""

    def __init__(self, renderer: Renderer, seen: Tensor, rank: int = RANK):
        renderer.requires_grad_(False)
        self.layers: dict[str, LowRank] = {}
        for name in DRIVEN:
            try:
                module = renderer.get_submodule(name.removesuffix(".weight"))
            except AttributeError:  # a config without this layer
                continue
            if isinstance(getattr(module, "weight", None), nn.Parameter):
                self.layers[name] = LowRank(module.weight, rank).to(module.weight)
                parametrize.register_parametrization(module, "weight", self.layers[name])
        writer = renderer.parameters_of_motion.writer.weight.detach()
        self.reading = Reading(seen.to(writer), writer)

    def parameters(self) -> list[nn.Parameter]:
        """All factors."""
        return [parameter for layer in (*self.layers.values(), self.reading) for parameter in layer.parameters()]

    @contextmanager
    def off(self) -> Iterator[None]:
        """The renderer draws as the base meanwhile."""
        for layer in self.layers.values():
            layer.on = False
        try:
            yield
        finally:
            for layer in self.layers.values():
                layer.on = True

    @torch.no_grad()
    def deltas(self) -> dict[str, tuple[Tensor, ...]]:
        """The changes of weights, as a person's file holds them."""
        deltas = {name: (layer.left, layer.right) for name, layer in self.layers.items()}
        reading = self.reading
        left, local = reading.writer @ reading.weight, len(reading.writer)
        deltas["motion_encoder.mix.weight"] = (left, reading.directions[:, :local])
        deltas["motion_encoder.pose.2.weight"] = (left, reading.directions[:, local:])
        deltas["motion_encoder.pose.2.bias"] = (-left @ (reading.directions @ reading.mean),)
        return {name: tuple(part.detach().cpu().clone() for part in delta) for name, delta in deltas.items()}


class Shown(NamedTuple):
    """A piece as the encoder reads it: pictures (T,3,S,S) uint8, motion (T,768), what its last layers see (T,inputs),
    the mouth's middle and half width (T,3) in parts of the picture, and keypoints (T,P,2)."""

    pictures: Tensor
    motion: Tensor
    seen: Tensor
    mouth: Tensor
    points: Tensor


@torch.no_grad()
def read_piece(renderer: Renderer, piece: Piece) -> Shown:
    """A piece read by the renderer's encoder."""
    pictures = torch.from_numpy(piece.pictures).permute(0, 3, 1, 2).contiguous()
    device, corners = next(renderer.parameters()).device, landmarks("mouth_")
    local: list[Tensor] = []
    hook = renderer.motion_encoder.mix.register_forward_pre_hook(lambda _, given: local.append(given[0].float().cpu()))
    rows: list[tuple[Tensor, ...]] = []
    for part in pictures.split(BATCH):
        frames = part.to(device).float() / 255
        found = renderer.motion_encoder.encode_with_keypoints(frames)
        motion = found.motion if found.free is None else found.motion + renderer.free_part(found.free)
        points = found.points.float().cpu()
        ends = points[:, list(corners)]
        half = (ends[:, 0] - ends[:, 1]).norm(dim=1, keepdim=True) / 2
        rows.append((motion.float().cpu(), found.pose.cpu(), torch.cat([ends.mean(1), half], 1), points))
    hook.remove()
    motion, pose, mouth, points = (torch.cat(row) for row in zip(*rows, strict=True))
    return Shown(pictures, motion, torch.cat([torch.cat(local), pose], 1), mouth, points)


def read_again(piece: Shown, deltas: Mapping[str, tuple[Tensor, ...]]) -> Tensor:
    """Motion (T,768) of a piece as an encoder reads it that has these changes."""
    if not deltas:
        return piece.motion
    (left, local), (_, pose), (bias,) = (deltas[name] for name in CHANGED["renderer"] if name not in DRIVEN)
    return piece.motion + piece.seen @ torch.cat([local, pose], 1).T @ left.T + bias


class PersonBatch(NamedTuple):
    """G sources with three targets each."""

    source: Tensor  # (G,3,R,R)
    target: Tensor  # (3G,3,R,R)
    motion: Tensor  # (G,4,768), the source's first
    seen: Tensor  # (G,4,inputs) by the encoder's last layers
    mouth: Tensor  # (3G,3)
    other: Tensor  # (1,3,R,R), somebody else, or none
    other_motion: Tensor  # (1,768), by the base's encoder


class PersonTask:
    """Pieces of one person at `size` pixels. tick: called before each batch, may raise to cancel."""

    def __init__(self, renderer: Renderer, changes: Changes, pieces: Sequence[Shown], size: int,
                 tick: Callable[[], None] = lambda: None):  # fmt: skip
        self.renderer, self.changes, self.pieces, self.size, self.tick = renderer, changes, pieces, size, tick
        self.device, self.weights = next(renderer.parameters()).device, FilmWeights()
        self.others = other_faces(renderer.config.motion_size).to(self.device)

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
            names = ("motion", "seen", "mouth")
            given = [torch.cat([getattr(piece, name)[frames] for piece, frames in picked]) for name in names]
            pictures, *given = (x.to(self.device).unflatten(0, (-1, 1 + TARGETS)) for x in (pictures, *given))
            motion, seen, mouth = given
            targets, mouths = (x[:, 1:].flatten(0, 1) for x in (pictures, mouth))
            yield PersonBatch(pictures[:, 0], targets, motion, seen, mouths, *self._other(part))

    @torch.no_grad()
    def _other(self, part: BatchSlice) -> tuple[Tensor, Tensor]:
        """One of the other faces, in turn and varied, and its own motion; none in steps in which none is drawn."""
        if not len(self.others) or part.step % TURN:
            return self.others[:0], self.others.new_zeros(0, 0)
        draws = Draws(part.draws(self.device).generators[:1])
        face = varied(self.others[part.step // TURN % len(self.others)][None], draws)
        motion = self.renderer.encode_motion(face)
        return vary(resize(face, self.size), draws), motion

    def losses(self, batch: PersonBatch, progress: float = 0.0) -> dict[str, Tensor]:
        """Terms of one batch, and their weighted sum."""
        rendered = self._rendered(batch.source, batch.motion, batch.seen)
        losses, weight = picture_losses(rendered, batch.target), _around(batch.mouth, self.size)
        mouth = ((rendered.image - batch.target).abs() * weight).mean() / weight.mean()
        held = self.changes.reading.weight.square().sum(1).mean()
        others = self._change_of_others(batch)
        loss = total(losses, self.weights) + MOUTH_WEIGHT * mouth + HELD * held + OTHERS * others
        return losses | {"mouth": mouth, "held": held, "others": others, "loss": loss}

    def _change_of_others(self, batch: PersonBatch) -> Tensor:
        """Mean difference between another face with the changes and without, moved as the first source's targets."""
        if not len(batch.other):
            return batch.source.new_zeros(())
        with torch.no_grad(), self.changes.off():
            base = self.renderer.centred(batch.other_motion)
            encoded = self.renderer.encode_source(batch.other, motion=base, size=self.size)
            appearance = self.renderer.extract_appearance(encoded).expand(TARGETS, -1)
            motion = base + batch.motion[0, 1:] - batch.motion[0, :1]
            wanted = self.renderer.decode(encoded, appearance, motion).image
        return (self.renderer.decode(encoded, appearance, motion).image - wanted).abs().mean()

    def _rendered(self, source: Tensor, motion: Tensor, seen: Tensor):
        """Sources (G,3,R,R) driven by motion (G,1+N,768), their own first."""
        motion = motion + self.changes.reading(seen)
        with torch.no_grad():
            base = self.renderer.centred(motion[:, 0])
            encoded = self.renderer.encode_source(source, motion=base, size=self.size)
            appearance = self.renderer.extract_appearance(encoded)
        driven, count = base[:, None] + motion[:, 1:] - motion[:, :1], motion.shape[1] - 1
        many = encoded.repeat(count) if len(base) > 1 else encoded
        return self.renderer.decode(many, appearance.repeat_interleave(count, 0), driven.flatten(0, 1))

    @torch.no_grad()
    def judge(self, pieces: Sequence[Shown]) -> tuple[dict[str, float], Tensor]:
        """Of pieces not learnt from: decibels over copying the first frame, of the whole picture and around the mouth,
        and the last picture drawn (R,R,3)."""
        rows, image = [], None
        for piece in pieces:
            frames = torch.linspace(0, len(piece.pictures) - 1, 1 + JUDGED).round().long()
            pictures = resize(piece.pictures[frames].to(self.device).float() / 255, self.size)
            motion, seen, mouth = (x[frames].to(self.device) for x in piece[1:4])
            image = self._rendered(pictures[:1], motion[None], seen[None]).image
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
