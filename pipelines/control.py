"""Gates and masks: how strongly, and where in the picture, voice and driving motion control the result."""

from dataclasses import dataclass

from torch import Tensor

from .settings import Range

GATE = Range(0.0, 1.0, step=0.05)


@dataclass(frozen=True, eq=False)
class Control:
    """Gates 0..1 (0 switches a source off) and masks (H, W) in 0..1 over the picture (None: the model's default).

    Raises ValueError for a gate outside 0..1 or a mask that is no (H, W).
    """

    audio: float = 1.0
    motion: float = 1.0
    audio_mask: Tensor | None = None
    motion_mask: Tensor | None = None

    def __post_init__(self):
        for name in ("audio", "motion"):
            if fault := GATE.fault(getattr(self, name)):
                raise ValueError(f"Control: the {name} gate {fault}.")
            mask = getattr(self, f"{name}_mask")
            if mask is not None and mask.dim() != 2:
                raise ValueError(f"Control: the {name} mask must be (height, width), not {tuple(mask.shape)}.")
