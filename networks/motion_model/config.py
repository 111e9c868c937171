"""The motion model's shape (stage 2), stored as JSON inside its checkpoint.

A config holds what may differ between checkpoints that this package runs. The rates of sound and motion are one for all
code, and are in vocabulary.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...messages import shown
from ...vocabulary import ARMS, REGIONS, SAMPLE_RATE, SAMPLES_A_FRAME
from ..fields import check_fields, check_names

STEMS = ("logmel", "waveform")
PREDICTIONS = ("eps", "v", "x0")
ADALN = ("single", "block")
SCANS = ("ssd", "selective")
RETIRED = {"sample_rate": SAMPLE_RATE, "samples_per_frame": SAMPLES_A_FRAME}
"""Fields of earlier configs, which stand in shipped weights, and the only value each may have."""
RANGES = {
    **dict.fromkeys("global_layers local_layers layers heads".split(), (1, 64)),
    "mouth": (1, 256),
    "smoothing": (0.0, 25.0),
    "history": (1, 64),
    "mels": (8, 512),
    "segment_tokens": (2, 200),
    "d_state": (1, 1024),
    "d_conv": (2, 16),
    "expand": (1, 16),
    "headdim": (1, 1024),
    "mlp_ratio": (1, 16),
    "window": (2, 4096),
    "timesteps": (100, 10_000),
    "snr_shift": (0.01, 100.0),
}
"""Of fields that a checkpoint may have; other numbers are widths."""


@dataclass(frozen=True)
class MotionModelConfig:
    """Every size and switch of stage 2. Fields whose value the paper leaves open say so, and why this default."""

    motion_dim: int = 768
    """M = 8 x 8 x 12 (paper, section 3)."""
    mouth: int = len(REGIONS["mouth"])
    """Parameters that the audio regression predicts: the mouth's, in `half` the arms' too. Sampling uses only the
    model's own mouth_writer and mouth_reader, so other checkpoints may have others."""
    smoothing: float = 0.0
    """Frames: deviation of the Gaussian by which what the audio regression gives beyond the mouth is smoothed. Arms
    regressed on single frames tremble."""
    history: int = 4
    """Preceding motion frames in the condition, the paper's M_[i-4, i-1]."""

    stem: str = "logmel"
    """Open. "waveform": learned convolutions on the raw waveform, as in the paper. "logmel": a log-mel spectrogram,
    because filters learned from a few hours of synthetic voices would fit the synthesiser, not speech."""
    mels: int = 64

    mamba_global: bool = True
    mamba_local: bool = True
    appearance: bool = True
    """The paper's ablations: F_ag, F_al and F_A as conditions."""
    global_width: int = 128
    global_layers: int = 3
    local_width: int = 96
    local_layers: int = 2
    """Open. Speech needs few features a frame, and the slices, ten tokens a frame, dominate the cost of audio."""
    segment_tokens: int = 10
    """Open. 0.2 s at 50 tokens a second holds a phone and its neighbours."""
    exact_slices: bool = False
    """True: the stem runs on every slice alone, as the paper's a_1:T reads. False: it runs once on the whole waveform
    and its tokens are sliced, which differs only near a slice's edges (the stem's receptive field) and costs a fifth.
    """
    d_state: int = 16
    d_conv: int = 4
    expand: int = 2
    headdim: int = 32
    """Open. Mamba's defaults, with narrower heads: each head has one decay, and narrow layers need several."""

    scan: str = "ssd"
    """"ssd": Mamba-2 in both extractors, whose scan is matrix products. "selective": Mamba's selective scan; `headdim`
    has no meaning there."""

    width: int = 256
    layers: int = 6
    heads: int = 4
    """Open. The lite model is 7 M: it fits one 14 MB file in fp16 and trains on 12 windows a second and CPU core (18 in
    bf16), where width 320 (11 M) trained on 7 (11)."""
    mlp_ratio: int = 4
    adaln: str = "single"
    """Open. "block": every block has its own modulation from the condition (DiT); "single": one shared, plus a learned
    offset a block (PixArt), a third of the parameters for nearly the same result."""
    window: int = 80
    """Open: frames denoised together. 3.2 s as in S2G-MDDiffusion, the paper's stage-2 parent."""
    appearance_dim: int = 256
    """Must equal the renderer's F_A."""

    timesteps: int = 1000
    prediction: str = "eps"
    """The default is the paper's: the network predicts the noise. A network narrower than motion_dim cannot represent
    768 independent noise values, so narrow models predict "x0" (as S2G-MDDiffusion does), which has low rank."""
    snr_shift: float = 1.0
    """Open. Divides the signal-to-noise ratios of the cosine schedule by snr_shift^2. Above 1 where the 768 numbers are
    redundant (drawn heads: 24 parameters): redundancy averages the noise out, so with the plain schedule x0 can be read
    from x_t at all but the noisiest levels, and the voice is ignored there."""

    # How it is trained; the defaults are ours (docs/method.md).
    predicted_history: bool = False
    """True: the four previous frames are those that the model itself predicts, as in the paper. False: the true ones
    with noise."""
    frame_by_frame: bool = False
    """True: each frame is denoised by itself from its own four previous ones, in training and in sampling. False: the
    frames of a window together."""
    summed_losses: bool = False
    """True: L_simple, L_impvel and L_accel are squared norms over motion_dim, means over the M, M-1 and M-2 frames of
    the window. False: means over all numbers, and over the seam to the previous frames."""
    regression: bool = True
    """False: neither the audio regression nor the read-out of parameters takes part, and nothing leads the mouth."""

    def __post_init__(self):
        check_fields(self, RANGES)
        choices = (("stem", STEMS), ("prediction", PREDICTIONS), ("adaln", ADALN), ("scan", SCANS))
        for name, allowed in choices:
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"motion model: {name} {shown(getattr(self, name))} must be one of {', '.join(allowed)}"
                )
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(f"motion model: width {self.width} over {self.heads} heads must give an even head width")
        if not (self.mamba_global or self.mamba_local):
            raise ValueError("motion model: with mamba_global and mamba_local both off no network would use the voice")
        if self.segment_tokens % 2:
            raise ValueError(f"motion model: segment_tokens {self.segment_tokens} must be even, to centre on a frame")

    @classmethod
    def lite(cls) -> MotionModelConfig:
        """The shipped size.

        The motion of drawn heads has 24 degrees of freedom in 768 dimensions, 32 each: snr_shift sqrt(32) = 5.7 would
        cancel that redundancy. 4 leaves room for the motion of real faces, which has more.
        """
        return cls(prediction="x0", snr_shift=4.0)

    @classmethod
    def half(cls) -> MotionModelConfig:
        """For half bodies: the extractors of `lite`, whose weights it can go on from, and a small denoiser. The audio
        regression gives the arms besides the mouth. F_A has no say there (see the model card)."""
        return cls(
            mouth=len(REGIONS["mouth"]) + len(ARMS),
            smoothing=1.6,
            prediction="x0",
            snr_shift=4.0,
            width=80,
            layers=3,
            appearance_dim=16,
            appearance=False,
        )

    @classmethod
    def paper(cls) -> MotionModelConfig:
        """Full width: about 110 M parameters, extractors included. The paper's own widths are open."""
        return cls(
            stem="waveform",
            global_width=512,
            global_layers=6,
            local_width=512,
            headdim=64,
            local_layers=2,
            width=768,
            layers=8,
            heads=12,
            adaln="block",
            appearance_dim=512,
        )

    @classmethod
    def method(cls) -> MotionModelConfig:
        """Every form as the paper prints it. The network predicts noise, so it is as wide as motion; its extractors
        have the widths of `lite`, and F_A is that of the renderer's preset `method`."""
        return cls(
            stem="waveform",
            exact_slices=True,
            scan="selective",
            width=768,
            heads=12,
            predicted_history=True,
            frame_by_frame=True,
            summed_losses=True,
            regression=False,
        )

    @property
    def scan_options(self) -> dict[str, int]:
        """Options of the extractors' Mamba layers."""
        options = {"d_state": self.d_state, "d_conv": self.d_conv, "expand": self.expand}
        return options | ({"headdim": self.headdim} if self.scan == "ssd" else {})

    def to_dict(self) -> dict:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MotionModelConfig:
        """The inverse of `to_dict`; fields of `RETIRED` are accepted too.

        Raises ValueError naming unknown fields and those with impossible values, and for weights trained at another
        sample rate."""
        check_names(cls, values, RETIRED)
        for name, value in RETIRED.items():
            if values.get(name, value) != value:
                raise ValueError(
                    f"the motion model was trained with {name} {shown(values[name])}; this package has {value}"
                )
        return cls(**{name: value for name, value in values.items() if name not in RETIRED})
