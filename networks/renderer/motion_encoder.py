"""Motion encoder: a frame to 768 numbers of implicit motion, and their supervised linear read-out."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ...vocabulary import ARMS, COUNT, FRAMING, MOTION
from .config import RendererConfig
from .layers import Pyramid, ResBlock, conv, group_norm, resize, upsample


class EncodedFrame(NamedTuple):
    """A frame's motion, and the keypoints from which part of it is computed."""

    motion: Tensor  # M (B,768)
    points: Tensor  # (B,P,2) in [0,1], x right, y down
    pose: Tensor  # (B,256), features of the keypoints
    free: Tensor | None = None  # (B,768), what the head of a "semi" space adds, before names are taken out of it


class MotionEncoder(nn.Module):
    """(B,3,H,W) in [0,1] -> M (B,768). The 8x8 grid is kept (V is 8x8x12 [P]): twelve numbers for each cell of the
    picture."""

    def __init__(self, config: RendererConfig):
        super().__init__()
        self.config = config
        self.pyramid = Pyramid(config.motion_widths, config.motion_blocks)
        self.head = nn.Conv2d(config.motion_widths[-1], config.motion_depth, 1)
        nn.init.normal_(self.head.weight, std=0.02)
        # Head rotation changes all cells of the grid: without mixing them, it was encoded half as well as the lips.
        self.mix = _mixing(config)
        self.places = Keypoints(config)
        self.pose = nn.Sequential(
            nn.Linear(2 * config.motion_points, 256), nn.SiLU(), nn.Linear(256, config.motion_dim)
        )
        nn.init.zeros_(self.pose[2].weight)
        nn.init.zeros_(self.pose[2].bias)
        if config.motion_space == "semi":
            self.free = FreeHead(config)

    def forward(self, frames: Tensor) -> Tensor:
        """The named motion alone, in a "semi" space; see `Renderer.encode_motion`."""
        return self.encode_with_keypoints(frames).motion

    def encode_with_keypoints(self, frames: Tensor) -> EncodedFrame:
        """Motion, keypoints, and the features of the keypoints."""
        pyramid = self.pyramid(resize(frames, self.config.motion_size))
        local = rearrange(self.head(F.silu(pyramid[-1])).float(), "b s h w -> b (h w s)")
        points = self.places(pyramid)
        with torch.autocast(frames.device.type, enabled=False):  # half precision loses sub-pixel positions
            dtype = self.pose[2].weight.dtype
            features = self.pose[1](self.pose[0]((points * 4 - 2).flatten(1).to(dtype)))
            motion = local + self.mix(local.to(dtype)).float() + self.pose[2](features).float()
        free = self.free(pyramid[-1]) if self.config.motion_space == "semi" else None
        return EncodedFrame(motion, points, features.float(), free)

    def identity(self) -> str:
        """Id of what this encoder writes: 12 hex digits of a hash of its weights in half precision, as checkpoints
        store them."""
        return _digest(self)

    @torch.no_grad()
    def apply_correction(self, motion_map: Tensor, pose_map: Tensor, bias: Tensor) -> None:
        """Fold a linear correction into the last layers: the output M becomes M + motion_map M + pose_map pose + bias,
        with maps (768,768), (768,256) and (768,) in float32."""
        narrow, last = self.config.motion_mixing, self.pose[2]
        mixed = self.mix[1].weight @ self.mix[0].weight if narrow else self.mix.weight
        for weight in (last.weight, last.bias, mixed):
            weight += (motion_map @ weight.float()).to(weight.dtype)
        mixed += motion_map.to(mixed.dtype)
        if narrow:  # the nearest of its rank
            columns, sizes, rows = torch.linalg.svd(mixed.float(), full_matrices=False)
            self.mix[1].weight.copy_((columns * sizes)[:, :narrow])
            self.mix[0].weight.copy_(rows[:narrow])
        last.weight += pose_map.to(last.weight.dtype)
        last.bias += bias.to(last.bias.dtype)


def _mixing(config: RendererConfig) -> nn.Module:
    """A linear map of the 768 numbers, zero at the start; of a lower rank where `motion_mixing` says so."""
    size, rank = config.motion_dim, config.motion_mixing
    before = [nn.Linear(size, rank, bias=False)] if rank else []
    last = nn.Linear(rank or size, size, bias=False)
    nn.init.zeros_(last.weight)
    return nn.Sequential(*before, last) if rank else last


class FreeHead(nn.Module):
    """Motion that no parameter names (B,768), from the deepest features: learnt through the reconstruction alone.

    It does not begin at zero, where what reads these numbers would get no gradient and they would stay unused; training
    scales it to what its first films need."""

    WIDTH = 96

    def __init__(self, config: RendererConfig):
        super().__init__()
        self.layers = nn.Sequential(
            nn.SiLU(), conv(config.motion_widths[-1], self.WIDTH), group_norm(self.WIDTH), nn.SiLU()
        )
        self.out = nn.Conv2d(self.WIDTH, config.motion_depth, 1, bias=False)
        self.rest = nn.Parameter(torch.zeros(config.motion_dim))  # of most faces: what is left is near zero
        nn.init.normal_(self.out.weight, std=0.2 / self.WIDTH**0.5)

    def forward(self, deepest: Tensor) -> Tensor:
        return rearrange(self.out(self.layers(deepest)).float(), "b s h w -> b (h w s)") - self.rest.float()


class Keypoints(nn.Module):
    """`motion_points` keypoints: soft-argmax of heat maps two levels above the 8x8 grid.

    Head rotation and translation are fractions of a cell on the 8x8 grid; the soft-argmax resolves them. Training
    regresses the keypoints to the corpus's landmarks. At run time only the 768 numbers leave the encoder."""

    WIDTH = 64

    def __init__(self, config: RendererConfig):
        super().__init__()
        fine, middle, deep = config.motion_widths[-3:]
        self.deep, self.middle = nn.Conv2d(deep, self.WIDTH, 1), nn.Conv2d(middle, self.WIDTH, 1)
        self.fine = conv(fine, self.WIDTH)
        self.block = ResBlock(self.WIDTH)
        self.maps = nn.Conv2d(self.WIDTH, config.motion_points, 1)
        nn.init.normal_(self.maps.weight, std=0.05)

    def forward(self, pyramid: list[Tensor]) -> Tensor:
        """The pyramid, of which the last three levels are used -> (B,P,2) in [0,1]."""
        fine, middle, deep = (F.silu(level) for level in pyramid[-3:])
        x = upsample(self.deep(deep)) + self.middle(middle)
        x = self.block(upsample(x) + self.fine(fine))
        maps = self.maps(F.silu(x)).float()
        size = maps.shape[-1]
        weight = maps.flatten(2).softmax(2).unflatten(2, (size, size))
        centres = (torch.arange(size, device=maps.device) + 0.5) / size
        return torch.stack([weight.sum(2) @ centres, weight.sum(3) @ centres], dim=2)


class MotionParameters(nn.Module):
    """Linear maps between the 768 numbers and the parameters of a drawn head (supervised by the corpus's labels).

    Both maps are linear, so differences of motion are differences of parameters whatever the pose they start from:
    editing, joint control and evaluation use this. At initialisation each parameter has a fixed random direction of the
    768-space, scaled by the parameter's spread and concentrated where on the 8x8 grid it acts, and the reader is the
    exact inverse of the writer. A learned non-linear writer gave small values to the parameters with small units
    (radians, shifts), and the renderer then took four times as long to learn head rotation. The other 744 directions
    are free for motion that no parameter describes; joint training uses them. Checkpoints for half bodies name ten of
    these, the movements of the arms; whoever knows the 24 alone leaves them as they are."""

    def __init__(self, config: RendererConfig):
        super().__init__()
        self.writer = nn.Linear(COUNT + config.arms, config.motion_dim)
        self.reader = nn.Linear(config.motion_dim, COUNT + config.arms)
        low, high = zip(*(parameter.limits for parameter in MOTION), strict=True)
        self.register_buffer("low", torch.tensor(low), persistent=False)
        self.register_buffer("high", torch.tensor(high), persistent=False)
        columns = self._directions(config)
        with torch.no_grad():
            self.writer.weight.copy_(columns)
            self.writer.bias.normal_(std=0.1, generator=torch.Generator().manual_seed(1))
            inverse = torch.linalg.pinv(columns)
            self.reader.weight.copy_(inverse)
            self.reader.bias.copy_(-inverse @ self.writer.bias)

    @staticmethod
    def _directions(config: RendererConfig) -> Tensor:
        """(768,24), or (768,34) with arms: one direction a parameter; a change by its spread has the norm 6 * weight,
        about 0.2 an element."""
        g = config.motion_grid
        centres = (torch.arange(g) + 0.5) / g * 2 - 1
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        generator = torch.Generator().manual_seed(0)
        columns = []
        for parameter in (*MOTION, *ARMS[: config.arms]):
            height = parameter.height
            window = torch.ones(g, g) if height is None else torch.exp(-((x / 0.5) ** 2) - ((y - height) / 0.35) ** 2)
            column = (torch.randn(g, g, config.motion_depth, generator=generator) * window[..., None]).flatten()
            columns.append(column / column.norm() * 6 * parameter.weight / parameter.spread)
        return torch.stack(columns, dim=1)

    def read(self, motion: Tensor) -> Tensor:
        """(...,768) -> (...,24), those of arms after them."""
        return self.reader(motion)

    def write(self, parameters: Tensor) -> Tensor:
        """(...,24) -> (...,768); with arms also (...,34)."""
        return F.linear(parameters, self.writer.weight[:, : parameters.shape[-1]], self.writer.bias)

    def named_part(self, change: Tensor) -> Tensor:
        """The component of a change of motion (...,768) along the named directions; the rest is the free part."""
        return F.linear(F.linear(change, self.reader.weight), self.writer.weight)

    def framing_part(self, motion: Tensor) -> Tensor:
        """The component of motion (...,768) along the framing parameters (where head and shoulders are in the picture,
        and how near)."""
        return self.read(motion)[..., FRAMING] @ self.writer.weight[:, FRAMING].T

    def excess(self, motion: Tensor, own: Tensor) -> Tensor:
        """The part of motion (...,768) beyond the limits of vocabulary.py, as motion. Where the portrait's own motion
        `own` (...,768) is beyond them, it is the limit."""
        parameters, source = self.read(motion)[..., :COUNT], self.read(own)[..., :COUNT]
        clamped = parameters.clamp(torch.minimum(self.low, source), torch.maximum(self.high, source))
        return (parameters - clamped) @ self.writer.weight[:, :COUNT].T

    def language(self) -> str:
        """Id of the motion space: 12 hex digits of a hash of both maps in half precision, as checkpoints store them, so
        that saving and loading keep it."""
        return _digest(self)


def _digest(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for _, value in sorted(module.state_dict().items()):
        digest.update((value.detach().half() + 0.0).cpu().numpy().tobytes())  # averaging turns -0 into 0
    return digest.hexdigest()[:12]
