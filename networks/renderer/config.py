"""Every size of the stage-1 renderer, with two presets. [P] marks what the paper fixes; the rest is our choice, with
the reason.

A config holds what may differ between checkpoints that this package runs. What all code takes for granted is in
vocabulary.py: which motion parameters there are, which of them are framing, and their limits. The spread, weight and
height of each parameter are there too: they only give a new motion space its start, which a checkpoint replaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ...messages import shown
from ...vocabulary import ARMS, COUNT, FRAMING, LANDMARKS
from ..fields import check_fields, check_names

RETIRED = frozenset(
    "parameters parameter_spread parameter_emphasis parameter_place parameter_low parameter_high "
    "parameter_standing".split()
)
"""Fields of earlier configs, which stand in shipped weights; their values are in vocabulary.py now."""
DEVIATION_NORMS = ("features", "motion")
WARPS = ("field", "planes", "volume")
SPACES = ("named", "semi", "free")
RANGES = {
    **dict.fromkeys("encoder_blocks resnet3d_blocks motion_blocks deviation_layers decoder_blocks".split(), (0, 64)),
    "deviation_blocks": (0, 64),
    "appearance_blocks": (0, 64),
    "appearance_levels": (1, 3),
    "image_size": (16, 2048),
    "motion_size": (16, 1024),
    "arms": (0, 64),
    "depth_planes": (1, 64),
    "motion_grid": (1, 64),
    "motion_depth": (1, 64),
    "motion_points": (1, 1024),
    "motion_mixing": (0, 4096),
    "deviation_heads": (1, 64),
    "regions": (1, 256),
    "inversion_steps": (0, 64),
    "articulation_slope": (-100.0, 100.0),
}
"""Of fields that a checkpoint may have; other numbers are widths."""


@dataclass(frozen=True)
class RendererConfig:
    """Stage 1. Defaults are the `lite` preset: the paper's modules at widths that run in real time on two CPU cores."""

    image_size: int = 256  # [P] the networks' input; the warp itself samples the photo at its own resolution
    # input of motion encoder and LMDD: flow is smooth, and a quarter of the pixels costs a quarter of the time
    motion_size: int = 128

    # F_S at 1/2 1/4 1/8 1/16 of motion_size; context down to an 8x8 grid
    encoder_widths: tuple[int, ...] = (32, 64, 96, 128)
    encoder_blocks: int = 1  # residual blocks a level
    # texture skip connections at 1/2 and 1/4 of image_size, for detail that a compact vector cannot hold
    skip_widths: tuple[int, int] = (24, 48)

    depth_planes: int = 4  # S_d: the paper names no number; 12 = the third axis of V, lite pools threes of them
    depth_channels: int = 16  # C of F_m
    resnet3d_blocks: int = 2  # "refined by a ResNet3D module" [P], depth of it open

    appearance_dim: int = 256  # F_A; the paper says compact
    # The Appearance Extractor reads the photo by a pyramid of its own, in place of the image encoder's features, which
    # were learnt for motion; then so many residual blocks. Earlier weights have neither.
    appearance_pyramid: bool = False
    appearance_blocks: int = 0
    appearance_levels: int = 1  # of U that F_A scales and shifts: 1/8 of image_size, 2: 1/4 too, 3: 1/2 too

    motion_grid: int = 8  # [P] V is 8x8x12
    motion_depth: int = 12  # [P]
    motion_widths: tuple[int, ...] = (32, 64, 128, 192)  # motion encoder, down to the 8x8 grid
    motion_blocks: tuple[int, ...] = (1, 1, 2, 2)
    # Keypoints of the motion encoder. Training regresses them to the landmarks, so there are as many; nothing outside
    # of the encoder depends on their number.
    motion_points: int = len(LANDMARKS)
    motion_mixing: int = 0  # rank of the map that mixes the motion of all cells; 0: whole

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

    # What the paper prints, where ours differs: docs/method.md has the equations, `method` all of them together.
    omega_channels: bool = False  # omega_m: one weight a channel and plane, in place of one a plane
    omega_after: bool = False  # omega_m weighs after ResNet3D, in place of before
    deviation_norm: str = "features"  # or "motion": V is normed before the 3-D convolutions, in place of after
    own_variance: bool = False  # delta^2 is the frame's own, in place of the mean of frame and source
    relative_shift: bool = True  # k_sh less the source's, so that rest is a fixed point; False: k_sh as printed
    deviation_linear: bool = True  # Delta has a term linear in M_i - M_0 besides
    region_attention: bool = False  # focus maps see the motion and F_A, in place of the source alone
    static_region: bool = True  # one region besides lambda, which does not move
    warp: str = "field"  # what warps F_id: one "field" for all, each plane its own ("planes"), or a "volume"
    single_slope: bool = False  # beta is one number, in place of one a channel
    decoder_skips: bool = True  # U reads skips, warped photo, mask module and D besides; False: U(phi_r)
    composite: bool = True  # the warped photo is blended with U's picture; False: I_R is U's picture
    # "named": motion is what the named directions say. "semi": a head of its own adds what no name describes, learnt
    # from video. "free": no direction has a name but by a read-out fitted afterwards (`readout` False: none yet).
    motion_space: str = "named"
    readout: bool = True

    arms: int = 0  # further named parameters, those of vocabulary.ARMS in checkpoints for half bodies
    # Of the network that tells the person from the background, by whose matte a plate shows where a head has left
    # (plate.py); () has none. Ours: the paper has no background layer.
    matte_widths: tuple[int, ...] = ()

    use_appearance: bool = True  # the paper's ablations, each a switch
    use_transformer: bool = True
    use_attention: bool = True

    @classmethod
    def lite(cls) -> RendererConfig:
        """About 5 M parameters, under 6 GFLOPs a 256x256 frame."""
        return cls()

    @classmethod
    def paper(cls) -> RendererConfig:
        """The paper's modules at full width: 57 M parameters and 64 GFLOPs a frame. The paper's own widths are open."""
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

    @classmethod
    def half(cls) -> RendererConfig:
        """Half bodies with arms, at 128 pixels: the widths of `lite`, whose rendering weights it can go on from, with a
        smaller motion encoder and without the branch of F_A, which has no say there."""
        return cls(
            image_size=128,
            motion_widths=(16, 24, 48, 64),
            motion_blocks=(1, 1, 1, 1),
            motion_mixing=64,
            arms=len(ARMS),
            appearance_dim=16,
            use_appearance=False,
        )

    @classmethod
    def method(cls) -> RendererConfig:
        """Every form as the paper prints it, at the widths of `lite`; all 12 depths of V are kept."""
        return cls(
            depth_planes=12,
            deviation_norm="motion",
            own_variance=True,
            relative_shift=False,
            deviation_linear=False,
            region_attention=True,
            static_region=False,
            inversion_steps=0,
            warp="volume",
            single_slope=True,
            decoder_skips=False,
            composite=False,
        )

    @property
    def motion_dim(self) -> int:
        """768 [P]."""
        return self.motion_grid**2 * self.motion_depth

    def __post_init__(self) -> None:
        for f in fields(self):  # JSON has no tuples
            if isinstance(getattr(self, f.name), list):
                object.__setattr__(self, f.name, tuple(getattr(self, f.name)))
        check_fields(self, RANGES)
        for name, allowed in (("deviation_norm", DEVIATION_NORMS), ("warp", WARPS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {shown(getattr(self, name))}")
        if self.arms not in (0, len(ARMS)):
            raise ValueError(f"arms must be 0 or {len(ARMS)}, the parameters of vocabulary.py, not {self.arms}")
        if self.warp == "volume" and self.inversion_steps:
            raise ValueError(f"warp volume is not inverted: set inversion_steps to 0, not {self.inversion_steps}")
        if self.motion_space not in SPACES or not (self.readout or self.motion_space == "free"):
            raise ValueError(
                f"motion_space must be one of {', '.join(SPACES)}, and all but free have a readout, not "
                f"{shown(self.motion_space)} with readout {self.readout}"
            )
        coarsest = self.motion_size // 2 ** len(self.encoder_widths)
        if coarsest != self.motion_grid or self.motion_size % 2 ** len(self.encoder_widths):
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
        if len(self.matte_widths) == 1 or len(self.matte_widths) > 6:
            raise ValueError(f"matte_widths must be 2 to 6 widths, or none, not {shown(self.matte_widths)}")
        if self.image_size % 8:
            raise ValueError(f"image_size {self.image_size} must be a multiple of 8")
        if self.deviation_dim % self.deviation_heads:
            raise ValueError(f"deviation_heads {self.deviation_heads} must divide deviation_dim {self.deviation_dim}")
        if self.motion_depth % self.depth_planes:
            raise ValueError(f"depth_planes {self.depth_planes} must divide motion_depth {self.motion_depth}")

    def to_dict(self) -> dict:
        """A JSON-ready dict; `from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RendererConfig:
        """The inverse of `to_dict`; fields of `RETIRED` are accepted too.

        Raises ValueError that names unknown fields (a checkpoint of a newer version) and those with impossible values,
        and for weights of other motion parameters than those of vocabulary.py."""
        check_names(cls, values, RETIRED)
        standing = values.get("parameter_standing", FRAMING)
        if values.get("parameters", COUNT) != COUNT or list(FRAMING) != standing != FRAMING:
            raise ValueError("the renderer was trained with other motion parameters than those of this Mamba Portrait")
        return cls(**{name: value for name, value in values.items() if name not in RETIRED})
