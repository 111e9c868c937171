"""Stage 1 from films without labels, from labelled stills, or from a mixture of them in which each has its share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ....model_loaders.checkpoint import load_renderer
from ....networks.renderer.config import RendererConfig
from ....networks.renderer.layers import resize
from ....networks.renderer.model import Renderer
from ...datasets.batch_slice import BatchSlice
from ...datasets.face_groups import FaceGroups, read_face_groups
from ...datasets.film_frames import FilmFrames, Frames, PlainStills, stacked
from ...datasets.manifest import SUFFIXES
from ...datasets.stills import StillSet
from ...evaluation.video_motion import over_copying, spread
from .. import processes
from ..ablation import STAGE1, cut_network
from ..alone import alone_in
from ..blocks import prepare_blocks
from ..loop import Descent, Plan, fit
from ..run import Average, Run
from .faces_task import FacesTask
from .film_losses import FilmWeights
from .films import FilmTask, Withheld, holder
from .flow_task import FlowTask, start_moving
from .free_motion import parameter_groups, scale_start, with_space
from .kept import KeptTask
from .losses import Stage1Weights
from .rendering import RenderingTask
from .schedule import Part, chosen
from .train import channels_last

PLAIN, KEPT, FACES = "plain:", "kept:", "faces:"
MEASURED = 12  # clips that are measured on
STARTED = 12  # clips by which a new free part is scaled

FILM_SCHEDULE = (Part("films", 0.6, 128, 4, 1e-4), Part("films_fine", 0.4, 256, 3, 5e-5))
GPU_FILM_SCHEDULE = (
    Part("films", 0.5, 128, 32, 3e-4),
    Part("films_fine", 0.3, 256, 16, 2e-4),
    Part("films_finish", 0.2, 256, 16, 1e-4, adversarial=True),
)
FROM_NOTHING = 8.0
"""Multiple of the rates for new weights."""
FIRST = Part("flow", 0.12, 128, 4, 1.25e-4)
"""Before the schedule, for new weights: how places move (flow_task.py)."""


class Source(NamedTuple):
    """What is learnt from: `place` a corpus or a list of clips, how often, and whether labels are hidden; or real faces
    (real_faces.py), by which a renderer is `kept` as it is, or the encoder learns landmarks (`faces`)."""

    place: str
    share: float = 1.0
    plain: bool = False
    kept: bool = False
    faces: bool = False

    @property
    def labelled(self) -> bool:
        """Whether it is a corpus with its labels."""
        return not (self.plain or self.kept or self.faces)

    @classmethod
    def parse(cls, text: str) -> Source:
        """DIR, plain:DIR, kept:DIR, faces:DIR or LIST.csv (or .jsonl), each with or without =SHARE. ValueError for an
        impossible share."""
        place, equals, share = text.rpartition("=")
        if not equals or not share.replace(".", "", 1).isdigit():
            place, share = text, "1"
        if float(share) <= 0:
            raise ValueError(f"'{text}' has a share of {share}: give one above 0, or leave it out.")
        for prefix in (KEPT, FACES):
            if place.startswith(prefix):
                return cls(place.removeprefix(prefix), float(share), **{prefix[:-1]: True})
        hidden = place.startswith(PLAIN)
        place = place.removeprefix(PLAIN)
        return cls(place, float(share), hidden or Path(place).suffix.lower() in SUFFIXES)

    def frames(self, size: int, split: str = "train") -> Frames:
        """Its pictures without labels."""
        place = Path(self.place)
        filmed = any(any(place.glob(names)) for names in ("clips/*/video.mp4", "*.tar", "shards/*.tar"))
        drawn = any(place.glob("stills/*_rgb.npy")) or not filmed
        is_list = Path(self.place).suffix.lower() in SUFFIXES
        return PlainStills(self.place, size) if drawn and not is_list else FilmFrames(self.place, size, split)


@dataclass(frozen=True)
class FilmSettings:
    """What is trained, beside the data and the `Plan`."""

    validation: str | None = None  # as a `Source`; of a list the split val, and test where it has none
    preset: str = "lite"
    config: RendererConfig | None = None  # sizes of its own, in place of a preset's
    init: str | Path | None = None  # weights to go on from, in place of new ones
    space: str | None = None  # of the motion, see RendererConfig.motion_space; None: that of the weights
    schedule: tuple[Part, ...] | None = None  # None: the device's
    parts: Sequence[str] = ()  # of the schedule only these; () are all
    weights: FilmWeights | None = None  # None: by whether weights are new
    withheld: Withheld = field(default_factory=Withheld)
    vgg: str | Path | None = None  # torchvision's VGG-19 for L_per
    ablate: Sequence[str] = ()  # branches that are cut, of ablation.STAGE1


Task = FilmTask | RenderingTask | KeptTask | FacesTask


class Mixture:
    """Several tasks on one renderer; each step is of one of them, picked by the shares from the step's number."""

    def __init__(self, tasks: Sequence[Task], shares: Sequence[float]):
        self.tasks, whole = tasks, sum(shares)
        self.edges = np.cumsum([share / whole for share in shares])[:-1]

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[tuple[int, Any]]:
        """(number of the task, its batch)."""
        for part in slices:
            number = int(np.searchsorted(self.edges, part.rng_of_batch().random(), side="right"))
            yield number, next(self.tasks[number].batches(iter([part])))

    def losses(self, batch: tuple[int, Any], progress: float) -> dict[str, Tensor]:
        """The terms of the task whose batch it is; labelled ones are called "labelled/...", but for the loss."""
        task = self.tasks[batch[0]]
        losses = task.losses(batch[1], progress)
        if not isinstance(task, RenderingTask):
            return losses
        return {name if name == "loss" else f"labelled/{name}": value for name, value in losses.items()}

    def state(self) -> dict[str, Any]:
        """The renderer, and each task's discriminator."""
        states = [task.state() for task in self.tasks]
        return {"renderer": states[0]["renderer"], "adversaries": [state.get("adversary") for state in states]}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        for task, adversary in zip(self.tasks, state["adversaries"], strict=True):
            task.restore({"renderer": state["renderer"]} | ({} if adversary is None else {"adversary": adversary}))


@alone_in("out")
def train_films(sources: Sequence[Source], out: str | Path, plan: Plan, settings: FilmSettings | None = None) -> Path:
    """Train a renderer on films without labels, beside which labelled stills may take part; returns out/stage1.pt.

    The plan's minutes are for the whole schedule, its steps for each part. A killed run goes on from its last
    checkpoint, with the same batches, noise and losses as an unbroken one. What names mean is kept: by the labels where
    stills take part, else by the encoder that it began with; new weights without labels have a free space only.
    Raises ValueError for weights and a space that do not go together, for lists that cannot be read, and where another
    training is at work in `out`."""
    settings = settings or FilmSettings()
    if not any(source.plain for source in sources):
        raise ValueError("None of the data is without labels: add a list of clips, or plain:DIR for a corpus.")
    plan = replace(plan, device=processes.join(plan.device))
    on_gpu = plan.device.type == "cuda"
    torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark or on_gpu
    schedule = chosen(settings.schedule or _schedule(on_gpu, settings.init is None), settings.parts)
    labelled = any(source.labelled for source in sources)
    if not labelled and any(source.faces for source in sources):
        raise ValueError("Landmarks of real faces are learnt beside labelled stills: add a corpus to --data.")
    renderer = _begun(settings, plan, labelled)
    before = holder(renderer) if settings.init else None
    if before is None and any(source.kept for source in sources):
        raise ValueError("A renderer is kept as it is where it has been trained and its motion has names: give --init.")
    held = None if labelled else before
    prepare_blocks(renderer, plan)
    if on_gpu:
        channels_last(renderer)
    opened = [_opened(source, max(part.size for part in schedule), on_gpu and plan.device) for source in sources]
    if renderer.config.motion_space == "semi" and not _has_free_part(settings.init):
        _scale_start(renderer, [data for data in opened if isinstance(data, Frames)], plan)
    clips = _validation(settings.validation, schedule[-1].size)

    run = Run(
        Path(out) / "stage1.pt",
        Average(renderer),
        {"config": renderer.config.to_dict(), "part": 0, "finished": False},
    )
    state = run.read(plan.device) if plan.resume else None
    for number in range(state["part"] if state else 0, len(schedule)):
        part = schedule[number]
        torch.manual_seed(plan.seed)  # new discriminators are the same when a resumed run comes to them
        common = renderer, settings, held, on_gpu
        tasks = [_task(part, source, opened, n, before, *common) for n, source in enumerate(sources)]
        task = Mixture(tasks, [source.share for source in sources])
        optimizers = _optimizers(part, renderer, tasks, settings)
        if state:
            run.restore(state, task, optimizers)
            run.facts["part"], state = number, None
        else:
            run.facts["part"] = number
            run.begin_part()
        descent = Descent(optimizers, part.groups, counted=part.groups * FilmTask.PICTURES, title=part.name)
        budget = replace(plan, minutes=None) if plan.steps else replace(plan, minutes=plan.minutes * part.share)
        films = next(task for task in tasks if isinstance(task, FilmTask))
        measure = partial(_measure, films, part, clips, run, plan)
        fit(task, run, budget, descent, lambda name=part.name: {"part": name}, on_save=measure)
    return run.file


def _schedule(on_gpu: bool, from_nothing: bool) -> tuple[Part, ...]:
    """The device's, for new weights with FIRST before it."""
    schedule = GPU_FILM_SCHEDULE if on_gpu else FILM_SCHEDULE
    if not from_nothing:
        return schedule
    few = 1 if on_gpu else 2  # of a few hundred steps more that are noisier teach more
    first = replace(FIRST, groups=max(part.groups for part in schedule))
    rest = (replace(part, share=part.share * (1 - FIRST.share), groups=max(1, part.groups // few)) for part in schedule)
    return first, *rest


def _begun(settings: FilmSettings, plan: Plan, labelled: bool) -> Renderer:
    """New weights or trained ones in the space asked for, the same on all processes."""
    torch.manual_seed(plan.seed)
    if settings.init:
        renderer = load_renderer(settings.init)
        renderer = with_space(renderer, settings.space or renderer.config.motion_space)
    else:
        space = settings.space or "free"
        if space != "free" and not labelled:
            raise ValueError(
                f"New weights cannot learn a {space} motion space from films alone, which have no names: give trained "
                "ones (--init), labelled stills as well, or --space free."
            )
        config = settings.config or getattr(RendererConfig, settings.preset)()
        renderer = Renderer(replace(config, motion_space=space, readout=space != "free"))
        start_moving(renderer)
    renderer = cut_network(renderer, settings.ablate, STAGE1)
    if labelled and not renderer.config.readout:
        raise ValueError(
            "Labelled stills name motion, and this free space has no names yet: hide their labels with plain:DIR."
        )
    renderer = renderer.train().requires_grad_(True).to(plan.device)
    renderer.parameters_of_motion.requires_grad_(False)
    processes.copy_from_main(renderer)
    return renderer


def _has_free_part(init: str | Path | None) -> bool:
    return init is not None and load_renderer(init).config.motion_space == "semi"


def _scale_start(renderer: Renderer, films: Sequence[Frames], plan: Plan) -> None:
    rng = np.random.default_rng(plan.seed)
    seen = stacked([films[i % len(films)].sample(rng, 4) for i in range(STARTED)])[0]
    pictures = torch.from_numpy(seen).to(plan.device).movedim(-1, -3).float() / 255
    scale_start(renderer, resize(pictures.flatten(0, 1), renderer.config.motion_size).unflatten(0, pictures.shape[:2]))
    processes.copy_from_main(renderer)


def _opened(source: Source, size: int, device: torch.device | None) -> Frames | StillSet | FaceGroups:
    if source.kept or source.faces:
        return read_face_groups(source.place)
    return source.frames(size) if source.plain else StillSet(source.place, device or None)


def _task(
    part: Part,
    source: Source,
    opened: Sequence[Frames | StillSet | FaceGroups],
    number: int,
    before: Renderer | None,
    renderer: Renderer,
    settings: FilmSettings,
    held: Renderer | None,
    on_gpu: bool,
) -> Task:
    """The task of a source, whose data are opened[number]."""
    data = opened[number]
    if source.kept:
        return KeptTask(renderer, before, data, part.size)
    if source.faces:
        return FacesTask(renderer, next(other for other in opened if isinstance(other, StillSet)), data)
    if source.labelled:
        weights = Stage1Weights.for_gpu() if on_gpu else Stage1Weights()
        options = {"written": part.written, "joint": True, "adversarial": part.adversarial, "vgg": settings.vgg}
        task = RenderingTask(renderer, data, part.size, weights, **options)
    else:
        weights = settings.weights or (FilmWeights() if settings.init else FilmWeights.from_nothing())
        weights = weights.with_adversary() if part.adversarial else weights
        kind = FlowTask if part.name == "flow" else FilmTask
        task = kind(renderer, data, part.size, weights, settings.withheld, held, settings.vgg)
    if task.adversary is not None:
        processes.copy_from_main(task.adversary)
    return task


def _optimizers(part: Part, renderer: Renderer, tasks: Sequence[Any], settings: FilmSettings) -> list:
    """One for the renderer, one for each discriminator."""
    rate = part.rate * (1.0 if settings.init else FROM_NOTHING)
    optimizers = [torch.optim.AdamW(parameter_groups(renderer, rate), weight_decay=1e-3, betas=(0.9, 0.98))]
    return optimizers + [task.adversary.optimizer() for task in tasks if task.adversary is not None]


def _validation(text: str | None, size: int) -> list[np.ndarray]:
    """Up to MEASURED clips (N,S,S,3) uint8 of other people, a few frames of each."""
    if text is None:
        return []
    source = Source.parse(text)
    if Path(source.place).suffix.lower() not in SUFFIXES:
        stills = PlainStills(source.place, size)
        rng = np.random.default_rng(0)
        return [stills.sample(rng, 4).frames for _ in range(min(MEASURED, len(stills)))]
    try:
        films = source.frames(size, "val")
    except ValueError:
        films = source.frames(size, "test")
    rounds = itertools.zip_longest(*films.people.values())  # a clip of each person, then a second one
    entries = [entry for turn in rounds for entry in turn if entry is not None]
    return [spread(films.frames(entry)) for entry in entries[:MEASURED]]


def _measure(task: FilmTask, part: Part, clips: list[np.ndarray], run: Run, plan: Plan) -> None:
    """Decibels on clips held out, to the log and the report: by the whole motion, and by its named part alone."""
    if not clips:
        return
    task.renderer.eval()
    values = over_copying(task.renderer, clips, task.size)
    if task.renderer.config.motion_space == "semi":
        values |= {
            f"named/{name}": value for name, value in over_copying(task.renderer, clips, task.size, "named").items()
        }
    task.renderer.train()
    run.write(part=part.name, **{f"held_out/{name}": value for name, value in values.items()})
    plan.say(f"{part.name} {run.samples} samples: {values}")
