"""What is compared: groups of printed forms against ours, and the paper's ablations against the whole method.

Both arms of a comparison go on from the same trained weights, begin the same modules anew and take the same steps; no
arm has an advantage but for its form. Arms that several comparisons share are trained once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

from ....networks.motion_model.config import MotionModelConfig
from ....networks.renderer.config import RendererConfig
from ...evaluation.method_cost import GROUPS
from ..ablation import STAGE1, STAGE2

METHODS = {1: RendererConfig.method(), 2: MotionModelConfig.method()}

WHOLE = ("depth", "deviation", "lmdd", "decoder")  # all but image encoder, appearance and motion space
MAPS = ("deviation.to_maps", "deviation.linear_shift")  # in ours a response follows them, in the printed form none
HEARING = ("mamba_global", "mamba_local")
SPEAKING = ("denoiser", "ear")
MODULES = {
    "appearance": ("appearance", "decoder.appearance"),
    "transformer": ("deviation.blocks",),
    "attention": ("lmdd.focus",),
    "mamba-g": ("mamba_global",),
    "mamba-l": ("mamba_local",),
}
"""Of each branch. One that is cut has no layer to begin anew, so in the row with all branches only theirs do."""
WIDE = {"width": 768, "heads": 12}


@dataclass(frozen=True)
class Arm:
    """A network that is trained: the fields of the trained weights' config that change, the modules that begin anew,
    branches that are cut, and whether stage 1 learns by the paper's three losses alone."""

    stage: int
    changes: tuple[tuple[str, Any], ...] = ()
    renew: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    printed_losses: bool = False
    trained: bool = True  # False: the weights as they are

    def config(self, own: Any) -> Any:
        """The config of this form, for weights of the config `own`; that of branches cut is changed later."""
        return replace(own, **dict(self.changes))

    def folder(self, seed: int, steps: int, batch: int) -> str:
        """A name that differs wherever the arm does."""
        facts = json.dumps([asdict(self), steps, batch], sort_keys=True)
        return f"stage{self.stage}_{hashlib.sha256(facts.encode()).hexdigest()[:12]}_seed{seed}"


@dataclass(frozen=True)
class Comparison:
    """The printed forms of some rows of docs/method.md against ours. `base`: fields that both forms change."""

    name: str
    rows: str
    stage: int
    fields: tuple[str, ...]
    renew: tuple[str, ...]
    printed_losses: bool = False
    base: tuple[tuple[str, Any], ...] = ()

    @property
    def ours(self) -> Arm:
        """The form of the trained weights."""
        return Arm(self.stage, self.base, self.renew)

    @property
    def printed(self) -> Arm:
        """The form of the preset `method`, in the fields that are compared."""
        changes = tuple((name, getattr(METHODS[self.stage], name)) for name in self.fields)
        return replace(self.ours, changes=(*self.base, *changes), printed_losses=self.printed_losses)


DIT, LMDD, PICTURE = (GROUPS[name] for name in ("DIT", "LMDD", "picture"))
FORMS = (*DIT, "depth_planes", *LMDD, *PICTURE)

COMPARISONS = (
    Comparison("DIT", "S6-S8", 1, DIT, ("deviation",)),
    Comparison("depths", "S1, S8", 1, ("depth_planes",), WHOLE),
    Comparison("LMDD", "S10-S12", 1, LMDD, ("lmdd", *MAPS)),
    Comparison("picture", "S14-S16", 1, PICTURE, ("decoder",)),
    Comparison("losses", "S17-S20", 1, (), ("decoder",), printed_losses=True),
    Comparison("all forms", "S1-S16", 1, FORMS, WHOLE),
    Comparison("everything", "S1-S20", 1, FORMS, WHOLE, printed_losses=True),
    Comparison("hearing", "T1, T2", 2, ("scan", "exact_slices"), HEARING),
    Comparison("waveform", "T1", 2, ("stem",), HEARING),
    Comparison("history", "T4", 2, ("predicted_history",), SPEAKING),
    Comparison("motion losses", "T8-T10", 2, ("summed_losses", "regression"), SPEAKING),
    Comparison("frame by frame", "T7", 2, ("frame_by_frame",), SPEAKING),
    Comparison("noise prediction", "T5, T6", 2, ("prediction", "snr_shift"), SPEAKING, base=tuple(WIDE.items())),
)


@dataclass(frozen=True)
class Ablation:
    """A row of the paper's table of ablations, by its name there; stage 0 is the whole method, in both stages."""

    title: str
    stage: int = 0
    cut: str = ""

    def arm(self, stage: int, lacking: Collection[str] = ()) -> Arm | None:
        """What is trained for this row in a stage; None where it says nothing about it, or cuts a branch that the
        common weights are lacking."""
        if self.stage not in (0, stage) or self.cut in lacking:
            return None
        branches = [row.cut for row in ABLATIONS if row.stage == stage and row.cut not in lacking]
        anew = tuple(module for branch in branches for module in MODULES[branch])
        return Arm(stage, (), anew, (self.cut,) if self.cut else ())


ABLATIONS = (
    Ablation("w/o Appearance", 1, "appearance"),
    Ablation("w/o Trans. in DIT", 1, "transformer"),
    Ablation("w/o attention map", 1, "attention"),
    Ablation("w/o mamba-g", 2, "mamba-g"),
    Ablation("w/o mamba-l", 2, "mamba-l"),
    Ablation("the paper's"),
)
SHIPPED = {stage: Arm(stage, trained=False) for stage in (1, 2)}
ABLATED = "ablations"
NAMES = (*(comparison.name for comparison in COMPARISONS), ABLATED)


def lacking_branches(renderer: RendererConfig, motion_model: MotionModelConfig) -> frozenset[str]:
    """The branches of `ABLATIONS` that networks of these configs have not."""
    switches = {1: (renderer, STAGE1), 2: (motion_model, STAGE2)}
    rows = [(row.cut, *switches[row.stage]) for row in ABLATIONS if row.cut]
    return frozenset(cut for cut, config, names in rows if not getattr(config, names[cut]))


def arms_of(names: tuple[str, ...], lacking: Collection[str] = ()) -> list[Arm]:
    """The arms of some comparisons, each once and in their order, after the trained weights as they are; branches that
    these are lacking are not cut.

    ValueError for a name that there is not."""
    if unknown := [name for name in names if name not in NAMES]:
        raise ValueError(f"there is no comparison '{unknown[0]}': choose of {', '.join(NAMES)}")
    arms: list[Arm] = []
    for comparison in COMPARISONS:
        if comparison.name in names:
            arms += [comparison.ours, comparison.printed]
    if ABLATED in names:
        arms += [arm for row in reversed(ABLATIONS) for stage in (1, 2) if (arm := row.arm(stage, lacking))]
    stages = {arm.stage for arm in arms}
    return [*(SHIPPED[stage] for stage in sorted(stages)), *dict.fromkeys(arms)]
