"""Stage 1: from drawn stills to a renderer, in parts that share the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ....media.photo import load_photo, to_uint8
from ....model_loaders.checkpoint import load_renderer
from ....model_loaders.described import network_of
from ....model_loaders.pickles import read_pickle
from ....networks.renderer.config import RendererConfig
from ....networks.renderer.model import Renderer
from ...datasets.face_groups import read_face_groups
from ...datasets.framing import check_framing
from ...datasets.stills import StillSet
from ...evaluation.sheets import driven_sheet
from .. import processes
from ..ablation import STAGE1, changed_network, cut_network
from ..alone import alone_in
from ..blocks import prepare_blocks
from ..loop import Descent, Plan, fit
from ..run import Average, Run
from .arms_task import ArmsTask
from .calibration import calibrate
from .faces_task import FacesTask
from .films import holder
from .half_body import ARMS, HALF_SCHEDULE, arms_start, half_body_start
from .losses import Stage1Weights
from .matte_task import MatteTask, with_matte
from .motion_space import MotionSpaceTask, ParameterSpaceTask
from .people import AppearanceTask, begin_from_context, centre
from .real_mattes import read_real_mattes
from .rendering import RenderingTask
from .returned import ReturnedTask, ReturnedWeights
from .schedule import BY_NAME, GPU_SCHEDULE, MATTE, PORTRAITS, SCHEDULE, Part, chosen, going_on, printed

Task = ArmsTask | ParameterSpaceTask | MotionSpaceTask | AppearanceTask | MatteTask | RenderingTask | ReturnedTask


@dataclass(frozen=True)
class Stage1Settings:
    """What is trained, beside the data and the `Plan`."""

    validation: str | Path | None = None  # stills of other people, to measure on
    preset: str = "lite"
    config: RendererConfig | None = None  # sizes of its own, in place of a preset's
    init: str | Path | None = None  # weights to go on from, in place of new ones; their motion space is kept
    schedule: tuple[Part, ...] | None = None  # None: the device's, for trained weights `going_on`
    parts: Sequence[str] = ()  # of the schedule only these, for which the whole time is; () are all
    weights: Stage1Weights | None = None  # of the losses; None: the device's
    vgg: str | Path | None = None  # torchvision's VGG-19 for L_per
    ablate: Sequence[str] = ()  # branches that are cut, of ablation.STAGE1
    faces: str | Path | None = None  # real faces beside the drawn ones (real_faces.py)
    adversary: float = 0.0  # of the part portraits: weight of L_adv on crops of mouths (returned.py)
    renew: Sequence[str] = ()  # with init: modules that begin anew, in a network of `config`
    learn: Sequence[str] = ()  # modules that learn to render, the others stay; () are all
    contrast: float = 0.0  # weight of F_A telling people apart beside rendering; needs people in several scenes
    other_scene: float = 0.0  # share of the samples whose F_A is of the person in another scene


@alone_in("out")
def train_stage1(data: str | Path, out: str | Path, plan: Plan, settings: Stage1Settings | None = None) -> Path:
    """Train a renderer on the drawn stills in `data`, which may still be growing; returns the checkpoint out/stage1.pt.

    The plan's minutes are for the whole schedule, its steps for each part. A killed run goes on from its last
    checkpoint, with the same batches, noise and losses as an unbroken one on the same data. A CUDA device takes
    GPU_SCHEDULE with the perceptual and adversarial losses. Raises ValueError for a part that the schedule has not,
    or where another training is at work in `out`.
    """
    settings = settings or Stage1Settings()
    plan = replace(plan, device=processes.join(plan.device))
    on_gpu = plan.device.type == "cuda"
    usual = GPU_SCHEDULE if on_gpu else SCHEDULE
    if settings.preset == "method":
        usual = printed(usual)
    renderer, becomes_half = _begun(settings, plan)
    if renderer.config.arms:
        usual = HALF_SCHEDULE if settings.init else (SCHEDULE[0], *HALF_SCHEDULE)
    if settings.init and not becomes_half:
        usual = going_on(usual)
    schedule = chosen(settings.schedule or usual, settings.parts, BY_NAME)
    torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark or on_gpu
    prepare_blocks(renderer, plan)
    if on_gpu:  # on a CPU steps take a seventh longer with it: norms and copies of narrow layers lose more than is won
        channels_last(renderer)
    resident = plan.device if on_gpu else None
    stills = StillSet(data, resident)
    held_out = StillSet(settings.validation, resident) if settings.validation else None
    for kept in (stills, held_out):
        if kept is not None:
            check_framing(kept.root, kept.parameters().shape[-1], renderer.config.arms)

    if renderer.config.arms and (becomes_half or not settings.init):
        arms_start(renderer, stills)

    facts = {"config": renderer.config.to_dict(), "part": 0, "finished": False}
    returns = settings.init and any(part.name == PORTRAITS.name for part in schedule)
    before = holder(renderer) if returns else None
    run = Run(Path(out) / "stage1.pt", Average(renderer), facts)
    state = run.read(plan.device) if plan.resume else None
    for number in range(state["part"] if state else 0, len(schedule)):
        part = schedule[number]
        torch.manual_seed(plan.seed)  # new discriminators are the same when a resumed run comes to them
        task = _task(part, renderer, stills, settings, on_gpu, before)
        optimizers = [
            torch.optim.AdamW(task.parameter_groups(part.rate), lr=part.rate, weight_decay=1e-3, betas=(0.9, 0.98))
        ]
        if task.adversary is not None:
            processes.copy_from_main(task.adversary)
            optimizers.append(task.adversary.optimizer())
        if state:
            run.restore(state, task, optimizers)
            run.facts["part"], run.facts["finished"], state = number, state["finished"], None
        else:
            run.facts["part"], run.facts["finished"] = number, False
            run.begin_part()
        measure = partial(_measure, task, part, held_out, run, plan)
        descent = Descent(optimizers, _batch(part), counted=part.groups * task.PICTURES, title=part.name)
        budget = replace(plan, minutes=None) if plan.steps else replace(plan, minutes=plan.minutes * part.share)
        fit(task, run, budget, descent, partial(_report, part, stills), on_save=measure)
        if isinstance(task, MotionSpaceTask | AppearanceTask) and not run.facts["finished"]:
            _finish(task, run, plan.seed)
            run.save(task, optimizers)
            measure()
    return run.file


def _begun(settings: Stage1Settings, plan: Plan) -> tuple[Renderer, bool]:
    """New weights or trained ones, the same on all processes, and whether those of a head begin as a half body's."""
    torch.manual_seed(plan.seed)
    becomes_half = False
    if settings.init:
        renderer = load_renderer(settings.init)
        becomes_half = settings.preset == "half" and not renderer.config.arms
        if becomes_half:
            renderer = half_body_start(renderer, settings.config)
        if settings.renew:
            seen = renderer.config.appearance_pyramid
            renderer = changed_network(renderer, settings.config or renderer.config, settings.renew)
            if renderer.config.appearance_pyramid and not seen:
                begin_from_context(renderer)
    else:
        renderer = Renderer(settings.config or getattr(RendererConfig, settings.preset)())
    renderer = cut_network(renderer, settings.ablate, STAGE1)
    if MATTE.name in settings.parts:
        renderer = with_matte(renderer)
    unknown = [name for name in settings.learn if not hasattr(renderer, name)]
    if unknown:
        modules = ", ".join(name for name, _ in renderer.named_children())
        raise ValueError(f"learn: the renderer has no module {unknown[0]}; choose of {modules}.")
    renderer = renderer.train().requires_grad_(True).to(plan.device)
    processes.copy_from_main(renderer)
    return renderer, becomes_half


def channels_last(module: nn.Module) -> nn.Module:
    """Two-dimensional convolutions in channels-last memory, which is what tensor cores want."""
    for p in module.parameters():
        if p.ndim == 4:
            p.data = p.data.contiguous(memory_format=torch.channels_last)
    return module


def _task(
    part: Part,
    renderer: Renderer,
    stills: StillSet,
    settings: Stage1Settings,
    on_gpu: bool,
    before: Renderer | None = None,
) -> Task:
    if part.name == "space":
        return ParameterSpaceTask(renderer, stills)
    if part.name == ARMS.name:
        return ArmsTask(renderer, stills)
    if part.name == MATTE.name:
        return MatteTask(renderer, stills, real=read_real_mattes(settings.faces) if settings.faces else None)
    if part.name == PORTRAITS.name:
        if before is None or not settings.faces:
            raise ValueError(
                "The part portraits goes on from trained weights with photographs: give --init and --faces."
            )
        weights = ReturnedWeights().with_adversary(settings.adversary)
        return ReturnedTask(renderer, before, stills, read_face_groups(settings.faces), part.size, weights)
    if part.name == "motion":
        if settings.faces:
            return FacesTask(renderer, stills, read_face_groups(settings.faces))
        return MotionSpaceTask(renderer, stills)
    if part.name == "appearance":
        return AppearanceTask(renderer, stills, part.size)
    usual = Stage1Weights.for_gpu() if on_gpu else Stage1Weights()
    weights = settings.weights or (Stage1Weights.printed() if settings.preset == "method" else usual)
    if settings.contrast:
        weights = replace(weights, appearance=settings.contrast)
    options = {"written": part.written, "joint": part.joint, "adversarial": part.adversarial, "vgg": settings.vgg}
    options |= {"other_scene": settings.other_scene, "learn": settings.learn}
    return RenderingTask(renderer, stills, part.size, weights, **options)


def _batch(part: Part) -> int:
    """Samples a step: groups, or rows of parameters."""
    return ParameterSpaceTask.ROWS if part.name == "space" else part.groups


def _report(part: Part, stills: StillSet) -> dict[str, object]:
    """What a line of the log adds to the losses; shards drawn meanwhile are taken up."""
    return {"part": part.name, "groups": stills.refresh()}


def _finish(task: MotionSpaceTask | AppearanceTask, run: Run, seed: int) -> None:
    """The end of what the next part begins with: the average, of the motion encoder with the last layer solved, of F_A
    with its mean over people taken off."""
    task.renderer.load_state_dict(run.average.values)
    if isinstance(task, AppearanceTask):
        centre(task.renderer, task.scenes)
    else:
        calibrate(task.renderer, task, seed=seed)
    processes.copy_from_main(task.renderer)
    run.average = Average(task.renderer)
    run.facts["finished"] = True


def _measure(task: Task, part: Part, held_out: StillSet | None, run: Run, plan: Plan) -> None:
    """Figures of held-out people to the log and the report, and a sheet of how they look."""
    if held_out is None:
        return
    task.renderer.eval()
    drawn, task.stills = task.stills, held_out
    values = task.measure(np.arange(min(len(held_out), 32)), part.size)
    task.stills = drawn
    if isinstance(task, RenderingTask) and processes.is_main():
        sheet = run.file.parent / "sheets" / f"{run.samples:09d}.jpg"
        driven_sheet(task.renderer, held_out, sheet, groups=4)
        if (board := run.show()) and board.writer is not None:
            board.writer.add_image("sheets", to_uint8(load_photo(sheet)), run.step, dataformats="HWC")
    task.renderer.train()
    run.write(part=part.name, **{f"held_out/{k}": v for k, v in values.items()})
    plan.say(f"{part.name} {run.samples} samples, {len(task.stills)} groups: {values}")


def averaged_renderer(checkpoint: str | Path) -> Renderer:
    """The averaged weights of a run, ready to render."""
    path = Path(checkpoint)
    state = read_pickle(path)
    return network_of(path.name, lambda: Renderer(RendererConfig.from_dict(state["config"])), state["average"]).eval()
