"""Every size of the stage-1 renderer, with two presets. [P] marks what the paper fixes; the rest is our choice, with
the reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class RendererConfig:
    """Stage 1. Defaults are the `lite` preset: the paper's modules at widths that run in real time on two CPU cores."""

    image_size: int = 256  # [P] the network's size; the picture's own size is only warped, never resampled to this
    # the side that motion is judged at: flow is smooth, and a quarter of the pixels cost a quarter
    motion_size: int = 128

    # F_S at 1/2 1/4 1/8 1/16 of motion_size; context down to an 8x8 grid
    encoder_widths: tuple[int, ...] = (32, 64, 96, 128)
    encoder_blocks: int = 1  # residual blocks a level
    # texture skips at 1/2 and 1/4 of image_size: what a compact vector cannot carry
    skip_widths: tuple[int, int] = (24, 48)

    depth_planes: int = 4  # S_d: the paper names no number; 12 = the third axis of V, lite pools threes of them
    depth_channels: int = 16  # C of F_m
    resnet3d_blocks: int = 2  # "refined by a ResNet3D module" [P], depth of it open

    appearance_dim: int = 256  # F_A; the paper says compact

    motion_grid: int = 8  # [P] V is 8x8x12
    motion_depth: int = 12  # [P]
    motion_widths: tuple[int, ...] = (32, 64, 128, 192)  # motion encoder, down to the 8x8 grid
    motion_blocks: tuple[int, ...] = (1, 1, 2, 2)
    motion_points: int = 40  # places whose position it measures; as many as the corpus has landmarks to teach them by
    # supervised read-out of a drawn head's parameters from the 768 numbers; the handle for editing
    parameters: int = 24
    # For each parameter (in the order of vocabulary.py) its usual spread in the corpus, its weight among the
    # 768 numbers, and the height on the grid where it acts (-1 top .. 1 bottom, None: everywhere). Only the first
    # shape of the motion space.
    parameter_spread: tuple[float, ...] = (
        (0.23, 0.23, 0.2, 0.31, 0.31, 0.18, 0.23, 0.21)
        + (0.3, 0.3, 0.24, 0.34, 0.34, 0.15, 0.1)
        + (0.18, 0.11, 0.08, 0.042, 0.038, 0.125, 0.03, 0.03, 0.23)
    )
    parameter_emphasis: tuple[float, ...] = (
        (1.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
        + (0.8, 0.8, 0.5, 1.0, 1.0, 0.7, 0.7)
        + (1.5, 1.5, 1.5, 1.2, 1.2, 1.2, 0.5, 0.5, 0.5)
    )
    parameter_place: tuple[float | None, ...] = (0.35,) * 8 + (-0.2,) * 3 + (-0.05,) * 4 + (None,) * 8 + (0.35,)

    # As far as faces go, for jaw, turn, nod and tilt: the corpus's range and a fifth of it, or a third, to each side.
    # The others are read too roughly in photographs for a limit: narrow eyes as half shut, and then they did not shut.
    parameter_low: tuple[float, ...] = (-0.2,) + (-9.0,) * 14 + (-1.1, -0.75, -0.5) + (-9.0,) * 6
    parameter_high: tuple[float, ...] = (1.2,) + (9.0,) * 14 + (1.1, 0.75, 0.5) + (9.0,) * 6
    # The parameters that say where head and shoulders stand in the picture, and how near.
    parameter_standing: tuple[int, ...] = (18, 19, 20, 21, 22)

    deviation_channels: int = 16  # c of the 3-D convolutions in DIT
    deviation_layers: int = 3  # n [P: "n layers"]
    deviation_dim: int = 128  # tokens of DIT's transformer
    deviation_blocks: int = 2
    deviation_heads: int = 4
    regions: int = 8  # lambda, plus one static region so that a still background is exact; peers use 10 to 21

    lmdd_widths: tuple[int, int] = (64, 48)  # at 1/4 and 1/2 of motion_size, once per portrait
    refine_width: int = 40  # occlusion and residual motion, every frame
    inversion_steps: int = 3  # fixed-point steps from forward to backward motion; a fourth changed nothing

    decoder_widths: tuple[int, int, int] = (96, 48, 32)  # at 1/8, 1/4, 1/2 of image_size
    decoder_blocks: int = 1
    # beta's start [P: beta controls articulation]; the value of the authors' earlier work
    articulation_slope: float = 0.14159

    use_appearance: bool = True  # the paper's ablations, each a switch
    use_transformer: bool = True
    use_attention: bool = True

    @classmethod
    def lite(cls) -> RendererConfig:
        """About 5 M parameters, under 6 GFLOPs a 256x256 frame."""
        return cls()

    @classmethod
    def paper(cls) -> RendererConfig:
        """The paper's modules at full width: 56 M parameters as in the paper, whose widths are not told; 64 GFLOPs a
        frame."""
        return cls(
            encoder_widths=(64, 128, 256, 512),
            skip_widths=(64, 128),
            depth_planes=12,
            depth_channels=32,
            resnet3d_blocks=6,
            appearance_dim=512,
            motion_widths=(64, 128, 256, 512),
            motion_blocks=(2, 3, 4, 2),
            deviation_channels=64,
            deviation_layers=4,
            deviation_dim=512,
            deviation_blocks=5,
            deviation_heads=8,
            regions=16,
            lmdd_widths=(256, 128),
            refine_width=128,
            decoder_widths=(256, 160, 96),
            decoder_blocks=3,
        )

    @property
    def motion_dim(self) -> int:
        """768 [P]."""
        return self.motion_grid**2 * self.motion_depth

    def __post_init__(self) -> None:
        for f in fields(self):  # JSON has no tuples
            if isinstance(getattr(self, f.name), list):
                object.__setattr__(self, f.name, tuple(getattr(self, f.name)))
        coarsest = self.motion_size // 2 ** len(self.encoder_widths)
        if coarsest != self.motion_grid:
            raise ValueError(
                f"motion_size {self.motion_size} over {len(self.encoder_widths)} encoder levels ends at "
                f"{coarsest}x{coarsest}, "
                f"but motion_grid is {self.motion_grid}: change one of the three"
            )
        if not len(self.motion_widths) == len(self.motion_blocks) == len(self.encoder_widths):
            raise ValueError(
                f"motion_widths {self.motion_widths} and motion_blocks {self.motion_blocks} must have one entry for "
                f"each of the {len(self.encoder_widths)} levels of encoder_widths: both end at the "
                f"{self.motion_grid}x{self.motion_grid} grid"
            )
        if self.motion_depth % self.depth_planes:
            raise ValueError(f"depth_planes {self.depth_planes} must divide motion_depth {self.motion_depth}")

    def to_dict(self) -> dict:
        """A JSON-ready dict; `from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> RendererConfig:
        """Raises ValueError that names unknown keys (a checkpoint of a newer version)."""
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise ValueError(
                f"renderer config has unknown fields {unknown}: the checkpoint needs a newer Mamba Portrait"
            )
        return cls(**values)
