"""One arm: trained for a number of steps from the common weights, measured, and remembered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....files import whole_file
from ....model_loaders.checkpoint import load_motion_model, load_renderer, shipped
from ....model_loaders.pickles import read_pickle
from ....networks.motion_model.model import MotionModel
from ....networks.renderer.model import Renderer
from ....precision import has_bf16
from ...corpus.speech.augment import augment
from ...datasets.framing import check_framing
from ...datasets.stills import StillSet
from ...datasets.tracks import Track, load_tracks
from ...evaluation.judge.weights import sha256
from ...evaluation.report import held_out_tracks
from ..loop import Plan
from ..motion_model.ear import solve_ear
from ..motion_model.train import Stage2Settings, averaged_motion_model, train_stage2
from ..recipe import appearances
from ..renderer.losses import Stage1Weights
from ..renderer.schedule import SCHEDULE, Part, printed
from ..renderer.train import Stage1Settings, averaged_renderer, train_stage1
from .comparisons import Arm, lacking_branches
from .pictures import measure_pictures
from .voices import measure_gestures, measure_voices

FIGURES, COMMON = "figures.json", "common.json"
RATES = {1: 4e-4, 2: 3e-4}  # half of those of new weights: some layers are new, others go on


@dataclass(frozen=True)
class Setting:
    """Where arms learn, from what, for how long, and what they are measured on."""

    data: Path
    held_out: Path
    out: Path
    renderer: Path = field(default_factory=lambda: shipped("renderer"))  # the common weights
    motion_model: Path = field(default_factory=lambda: shipped("motion_model"))
    steps: dict[int, int] = field(default_factory=lambda: {1: 200, 2: 120})  # of each stage
    batch: dict[int, int] = field(default_factory=lambda: {1: 2, 2: 8})  # groups of stills, windows
    size: int = 128  # of the pictures that stage 1 learns from
    groups: int = 86  # measured: six frames each, 516
    pieces: int = 512  # measured: of held-out voices
    sampled: int = 24  # of them
    gestures: int = 40  # clips of them whose gestures are measured
    precision: str = field(default_factory=lambda: "bf16" if has_bf16(torch.device("cpu")) else "fp32")
    vgg: Path | None = None
    report: Callable[[str], None] = print

    @cached_property
    def common_renderer(self) -> Renderer:
        """The common weights of stage 1."""
        return load_renderer(self.renderer)

    @cached_property
    def half(self) -> bool:
        """Whether the common weights are of half bodies."""
        return bool(self.common_renderer.config.arms)

    @cached_property
    def lacking(self) -> frozenset[str]:
        """Branches that the common weights have not."""
        return lacking_branches(self.common_renderer.config, load_motion_model(self.motion_model).config)

    @cached_property
    def looks(self) -> Tensor | None:
        """F_A of drawn stills, given to clips at random; None where it has no say."""
        return None if "appearance" in self.lacking else appearances(self.common_renderer, self.data)

    @cached_property
    def stills(self) -> StillSet:
        """Held-out people. ValueError where they are not of the weights' framing."""
        stills = StillSet(self.held_out)
        check_framing(self.held_out, stills.parameters().shape[-1], self.common_renderer.config.arms)
        return stills

    @cached_property
    def voices(self) -> list[Track]:
        """Held-out voices."""
        return held_out_tracks(self.held_out)

    def hold_common_weights(self) -> None:
        """Write down in `out` which common weights its arms go on from. ValueError if they went on from others."""
        file, hashes = self.out / COMMON, {"stage1": sha256(self.renderer), "stage2": sha256(self.motion_model)}
        if file.exists() and json.loads(file.read_text("utf8")) != hashes:
            raise ValueError(
                f"{self.out} holds trainings from other weights than {self.renderer.name} and {self.motion_model.name} "
                "as they are now: choose another --out, or name those weights by --renderer and --motion-model."
            )
        with whole_file(file) as partial:
            partial.write_text(json.dumps(hashes), "utf8")

    def folder(self, arm: Arm, seed: int) -> Path:
        """Where an arm's run and its figures lie."""
        seed = seed if arm.trained else 0
        return self.out / "arms" / arm.folder(seed, self.steps[arm.stage], self.batch[arm.stage])


def figures_of(arm: Arm, seed: int, setting: Setting) -> dict[str, Any] | None:
    """What was measured of an arm; None where it has not been trained yet."""
    file = setting.folder(arm, seed) / FIGURES
    return json.loads(file.read_text("utf8")) if file.exists() else None


def run_arm(arm: Arm, seed: int, setting: Setting) -> None:
    """Train and measure an arm, unless its figures are there; a killed training goes on."""
    if figures_of(arm, seed, setting) is not None:
        return
    folder, began = setting.folder(arm, seed), time.process_time()
    network, minutes, files = (_renderer if arm.stage == 1 else _motion_model)(arm, folder, seed, setting)
    if arm.stage == 1:
        with _plan(arm, seed, setting).mixed_precision():
            values = measure_pictures(network, setting.stills, setting.groups)
    else:
        renderer = setting.common_renderer.eval()
        values = measure_voices(renderer, network, setting.voices, setting.pieces, setting.sampled)
        if setting.half:
            values |= measure_gestures(renderer, network, setting.voices, setting.gestures)
    facts = {"arm": asdict(arm), "seed": seed, "steps": setting.steps[arm.stage], "batch": setting.batch[arm.stage]}
    with whole_file(folder / FIGURES) as partial:
        partial.write_text(json.dumps(facts | {"minutes": minutes, "values": values}), "utf8")
    for file in files:  # what was learnt for so short a time is of no other use
        file.unlink(missing_ok=True)
    setting.report(f"{folder.name}: {minutes:.1f} min of training, {(time.process_time() - began) / 60:.1f} in all")


def _plan(arm: Arm, seed: int, setting: Setting) -> Plan:
    return Plan(steps=setting.steps[arm.stage], precision=setting.precision, seed=seed, report=lambda _: None)


def _renderer(arm: Arm, folder: Path, seed: int, setting: Setting) -> tuple[Renderer, float, list[Path]]:
    """The arm's network, minutes of its training, and files that are no longer needed then."""
    own = setting.common_renderer
    if not arm.trained:
        return own.eval(), 0.0, []
    coarse = next(part for part in SCHEDULE if part.name == "coarse")
    part: Part = replace(coarse, size=setting.size, groups=setting.batch[1], rate=RATES[1], share=1.0)
    settings = Stage1Settings(
        config=arm.config(own.config),
        init=setting.renderer,
        schedule=printed((part,)) if arm.printed_losses else (part,),
        weights=Stage1Weights.printed() if arm.printed_losses else Stage1Weights(),
        vgg=setting.vgg,
        ablate=arm.cut,
        renew=arm.renew,
    )
    file = train_stage1(setting.data, folder, _plan(arm, seed, setting), settings)
    return averaged_renderer(file), read_pickle(file)["spent"] / 60, [file]


def _motion_model(arm: Arm, folder: Path, seed: int, setting: Setting) -> tuple[MotionModel, float, list[Path]]:
    """The same of stage 2. The regression that leads half bodies is solved at the end, as theirs was."""
    own = load_motion_model(setting.motion_model)
    if not arm.trained:
        return own.eval(), 0.0, []
    settings = Stage2Settings(
        config=arm.config(own.config),
        init=setting.motion_model,
        batch=setting.batch[2],
        rate=RATES[2],
        audio_first=0.0,  # a form without the regression has no such part
        augment=augment,
        appearances=setting.looks,
        ablate=arm.cut,
        renew=arm.renew,
    )
    file = train_stage2(setting.data, folder, _plan(arm, seed, setting), settings, setting.common_renderer)
    network = averaged_motion_model(file)
    if setting.half:
        solve_ear(network, setting.common_renderer, load_tracks(setting.data))
    return network, read_pickle(file)["spent"] / 60, [file]
