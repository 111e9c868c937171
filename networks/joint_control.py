"""Voice and driving video control one face: ACTalker's parallel-control Mamba over the 8x8 grid of motion.

Two branches, voice and driving video. Each scans the tokens of its cells, with its own source's tokens added to them,
and an end token that tells the gates; the branches are summed (ACTalker, section 3.3; `actalker/pcm.py` is the
published layer). What differs from it: the sources lie on the same grid as the hidden tokens, so that they are added
to these and not appended; there is no identity; the layer stands beside a residual path, with an MLP after it; and
each cell has maps of its own into and out of the layers, because the code of motion differs from cell to cell.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..messages import shown
from ..vocabulary import INDEX, REGIONS
from .actalker.pcm import BidirectionalScan
from .fields import check_fields, check_names

GRID, DEPTH = 8, 12  # 768 = 8 x 8 x 12 [P]
CELLS = GRID * GRID
MOMENTS = 2  # a source's motion now, and around now
AROUND = 0.3  # s, sigma of "around now": expressions are slow, articulation is fast
SCALE = 5.0  # a parameter's usual change moves the 768 numbers by about .2
MIXINGS = ("scan", "mean", "none")


@dataclass(frozen=True)
class JointControlConfig:
    """Sizes of the network; a checkpoint holds them."""

    width: int = 24
    """Of the hidden tokens; inside a branch twice that."""
    states: int = 4
    """Of the scan."""
    blocks: int = 1
    mixing: str = "scan"
    """How a branch's cells meet: by the selective scan; or, to measure what that is worth with as many parameters, by
    their mean ("mean") or not at all ("none")."""

    def __post_init__(self) -> None:
        check_fields(self, {"width": (1, 512), "states": (1, 64), "blocks": (1, 16)})
        if self.mixing not in MIXINGS:
            raise ValueError(f"mixing must be one of {', '.join(MIXINGS)}, not {shown(self.mixing)}")

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> JointControlConfig:
        """The inverse of `to_dict`. ValueError names unknown fields and those with impossible values."""
        check_names(cls, values)
        return cls(**values)


class Source(NamedTuple):
    """What one source gives. tokens (B,2,768): change of motion now and around now; gate (B,) in 0..1, above 0; cells
    (64,) bool, which it controls, row by row."""

    tokens: Tensor
    gate: Tensor
    cells: Tensor

    def masked(self) -> Tensor:
        """(B,64,24): both moments of each cell, times the gate; zero outside of the cells."""
        by_cell = self.tokens.unflatten(-1, (CELLS, DEPTH)).transpose(1, 2).flatten(2)
        return by_cell * self.gate[:, None, None] * self.cells[:, None]


class CellLinear(nn.Module):
    """A linear map of its own for every cell: (B,64,ins) -> (B,64,outs)."""

    def __init__(self, ins: int, outs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(CELLS, ins, outs).uniform_(-(ins**-0.5), ins**-0.5))
        self.bias = nn.Parameter(torch.zeros(CELLS, outs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bci,cio->bco", x, self.weight) + self.bias


class CellUnit(nn.Module):
    """In place of a scan: an MLP of each token, with the mean of all tokens beside it or without; about as many
    parameters as a `BidirectionalScan` of the same sizes."""

    def __init__(self, dim: int, like: nn.Module, mean: bool):
        super().__init__()
        hidden = max(1, sum(p.numel() for p in like.parameters()) // ((3 if mean else 2) * dim))
        self.own, self.out = nn.Linear(dim, hidden), nn.Linear(hidden, dim, bias=False)
        self.all = nn.Linear(dim, hidden, bias=False) if mean else None

    def forward(self, x: Tensor) -> Tensor:
        inner = self.own(x)
        if self.all is not None:
            inner = inner + self.all(x.mean(1, keepdim=True))
        return x + self.out(F.silu(inner))


class Branch(nn.Module):
    """One source's control: hidden tokens (B,64,C) -> (B,64,2C). Without a source it only projects, whatever its other
    weights are."""

    def __init__(self, config: JointControlConfig):
        super().__init__()
        dim = 2 * config.width
        self.in_proj = nn.Linear(config.width, dim, bias=False)
        self.source_proj = CellLinear(MOMENTS * DEPTH, dim)
        self.gates_proj = nn.Linear(2, dim)
        unit = BidirectionalScan(dim, max(1, config.width // 16), config.states)
        self.unit = unit if config.mixing == "scan" else CellUnit(dim, unit, config.mixing == "mean")

    def forward(self, x: Tensor, source: Source | None, gates: Tensor) -> Tensor:
        z = self.in_proj(x)
        index = None if source is None else source.cells.nonzero().flatten()
        if index is None or not index.numel():
            return z
        told = F.silu(z + self.source_proj(SCALE * source.masked()))[:, index]
        sequence = torch.cat([told, F.silu(self.gates_proj(gates))[:, None]], 1)
        return z.index_copy(1, index, self.unit(sequence)[:, :-1])


class ControlBlock(nn.Module):
    """Both branches, summed, and an MLP; each beside a residual path."""

    def __init__(self, config: JointControlConfig):
        super().__init__()
        width, dim = config.width, 2 * config.width
        self.norm, self.out_norm, self.mlp_norm = nn.LayerNorm(width), nn.LayerNorm(dim), nn.LayerNorm(width)
        self.audio, self.motion = Branch(config), Branch(config)
        self.out_proj = nn.Linear(dim, width, bias=False)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * dim), nn.SiLU(), nn.Linear(2 * dim, width))

    def forward(self, x: Tensor, audio: Source | None, motion: Source | None, gates: Tensor) -> Tensor:
        normed = self.norm(x)
        both = self.audio(normed, audio, gates) + self.motion(normed, motion, gates)
        x = x + self.out_proj(self.out_norm(both))
        return x + self.mlp(self.mlp_norm(x))


class JointControl(nn.Module):
    """Changes of motion of a voice and of a driving video -> those of one face that both control."""

    def __init__(self, config: JointControlConfig | None = None, motion_language: str = ""):
        super().__init__()
        self.config = config or JointControlConfig()
        self.motion_language = motion_language
        self.into = CellLinear(DEPTH, self.config.width)
        self.blocks = nn.ModuleList(ControlBlock(self.config) for _ in range(self.config.blocks))
        self.norm = nn.LayerNorm(self.config.width)
        self.out = CellLinear(self.config.width, DEPTH)
        nn.init.zeros_(self.out.weight)

    def forward(self, audio: Source | None, motion: Source | None) -> Tensor:
        """Sources of B frames, which are independent of each other -> (B,768). One of them may be None: it is then not
        there, and nothing that it holds can be seen in the result. ValueError where both are."""
        if audio is None and motion is None:
            raise ValueError("Nothing moves the portrait: open the gate of the voice or of the driving video.")
        mixed, gates = self._mixed(audio, motion)
        x = self.into(SCALE * mixed)
        for block in self.blocks:
            x = block(x, audio, motion, gates)
        return (mixed + self.out(self.norm(x)) / SCALE).flatten(1)

    @staticmethod
    def _mixed(audio: Source | None, motion: Source | None) -> tuple[Tensor, Tensor]:
        """(B,64,12) as linear mixing has it outside of the mouth, the video before the voice; and both gates (B,2)."""
        parts = [None if source is None else source.masked()[..., :DEPTH] for source in (audio, motion)]
        heard, seen = parts
        there = audio if audio is not None else motion
        gates = torch.stack([torch.zeros_like(there.gate) if s is None else s.gate for s in (audio, motion)], 1)
        if heard is None or seen is None:
            return (seen if heard is None else heard), gates
        left = 1 - motion.gate[:, None, None] * motion.cells[:, None]
        return seen + left * heard, gates


def claims(cells: Tensor, energy: Tensor) -> Tensor:
    """How far each region of the face is a source's: (regions,) in 0..1, for cells (64,) bool.

    energy (64, regions): where on the grid a region's motion lies, of each region 1 in all. With three quarters of it
    a region is wholly the source's, with a quarter not at all."""
    return ((cells.to(energy) @ energy - 0.25) / 0.5).clamp(0, 1)


def region_energy(writer: Tensor) -> Tensor:
    """(64, regions) of `vocabulary.REGIONS`, for `claims`: how the motion that the parameters write, (768,24), lies
    on the grid."""
    energy = writer.detach().float().cpu().square().unflatten(0, (CELLS, DEPTH)).sum(1)
    energy = energy / energy.sum(0)
    return torch.stack([energy[:, [INDEX[name] for name in names]].mean(1) for names in REGIONS.values()], 1)
