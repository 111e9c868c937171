"""From a person's film to a person's file: read it, learn the face, solve the lips.

Every fourth piece is kept from learning; by these the best state is kept, and over-training ends the learning."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ....media.motion import check_language
from ....model_loaders.person import Person, weights_id, with_person
from ....networks.motion_model.model import LIPS, MotionModel
from ....networks.renderer.model import NO_NAMES, Renderer
from ....vocabulary import FPS
from ...datasets.batch_slice import BatchSlice
from ...datasets.tracks import MOUTH
from ..loop import Descent, Plan, cosine_rate, gradients
from .film import Film, Piece, read_pieces
from .lips import Lips, listen, neutral_picture, scale_lips, seen_lips, solve_lips
from .task import Changes, PersonTask, Shown, read_again, read_piece

MINUTES = 4.0
KEPT = 4  # every so many-th piece is kept from learning, from the second on
CHECKED = 20  # times in the learning at which these are looked at
PATIENCE = 5  # looks without a better state, after which the learning ends
RATE = 1e-3
CLIP = 1.0  # largest norm of the gradient
READING, FACE = 0.15, 0.75  # of the work, for the progress; the rest are the lips
WORKING = 1 << 30  # bytes that learning takes on a device, about

Progress = Callable[[float, "Tensor | None"], None]
"""Called with the part of the work that is done, 0 to 1, and a picture (S,S,3) in [0,1] or None; it may raise to
cancel."""


@dataclass(frozen=True)
class PersonSettings:
    """minutes: for learning the face; reading the film and the lips take some more. steps: in place of minutes."""

    minutes: float = MINUTES
    steps: int | None = None
    size: int | None = None  # pixels of the pictures; None: those of the encoder
    groups: int = 2  # sources a step, each with three targets
    seed: int = 0


@dataclass
class Report:
    """What was learnt; as text a few sentences."""

    seconds: float = 0.0
    pieces: int = 0
    kept: int = 0
    left_out: list[str] = field(default_factory=list)
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    best: int = 0
    stopped: bool = False
    lips: Lips | None = None

    def __str__(self) -> str:
        lines = [f"{self.seconds:.0f} s of film in {self.pieces} pieces, {self.kept} of them kept from learning."]
        lines += [f"Left out: {fault}" for fault in self.left_out]
        told = (
            f"{self.before['over_copying']:.2f} to {self.after['over_copying']:.2f} dB over copying, "
            f"{self.before['mouth']:.2f} to {self.after['mouth']:.2f} around the mouth"
        )
        if self.best:
            early = ", where learning ended, since it became no better" if self.stopped else ""
            lines.append(f"The face, on the seconds kept: {told} (state of step {self.best} of {self.steps}{early}).")
        else:
            lines.append(f"The face: no state was better than the base on the seconds kept ({told}): left as it is.")
        lips = self.lips
        kept = f"no change was surely better than the base ({lips.base:.2f} on pieces not solved on)."
        lines.append(
            f"The lips' opening, on pieces not solved on: correlation {lips.base:.2f} to {lips.changed:.2f}."
            if lips.held is not None
            else f"The lips' opening: {kept}"
        )
        opening, width = lips.factors
        lines.append(f"The opening is scaled by {opening:.2f}, the width by {width:.2f}.")
        return "\n".join(lines)

    def facts(self) -> dict:
        """What the file tells of its making."""
        lips = {name: getattr(self.lips, name) for name in ("base", "changed", "factors", "held", "lag")}
        names = ("seconds", "pieces", "kept", "before", "after", "steps", "best")
        return {name: getattr(self, name) for name in names} | {"lips": lips}


def check_networks(renderer: Renderer, model: MotionModel) -> None:
    """ValueError for networks that cannot be made somebody's."""
    for network in (renderer, model):
        if file := getattr(network, "person", ""):
            raise ValueError(f"This network is somebody's already ({file}): load it with person none.")
    if not renderer.config.readout:
        raise ValueError(NO_NAMES)
    if renderer.config.arms or model.config.mouth != LIPS:
        raise ValueError("Networks for half bodies cannot be made somebody's yet: give those for heads.")
    if not model.config.regression:
        raise ValueError("This motion model has no audio regression, in which lips are learnt; give another.")
    check_language(model.motion_language, renderer)


def personalise(
    renderer: Renderer,
    model: MotionModel,
    films: Sequence[Film],
    settings: PersonSettings | None = None,
    progress: Progress | None = None,
) -> tuple[Person, Report]:
    """Learn a person from films; the networks, which are those of the base, stay as they are.

    ValueError for networks that cannot learn, and for films as `read_pieces`."""
    settings, tell = settings or PersonSettings(), progress or (lambda done, picture: None)
    check_networks(renderer, model)
    with torch.inference_mode(False), torch.enable_grad():
        own, spoken = copy_of(renderer), copy_of(model)
        base = {"renderer": weights_id(own), "motion_model": weights_id(spoken)}
        size = own.config.motion_size
        pieces, faults = read_pieces(films, size, lambda done: tell(READING * done, None))
        seconds = sum(len(piece.pictures) for piece in pieces) / FPS
        report = Report(seconds=seconds, pieces=len(pieces), left_out=faults)
        shown = [read_piece(own, piece) for piece in pieces]
        face = _learn_face(own, shown, settings, report, lambda done, picture: tell(READING + FACE * done, picture))
        own = with_person(copy_of(renderer), Person(base, {"renderer": face}), "renderer")
        motions = [read_again(piece, face) for piece in shown]
        report.lips = lips = _learn_lips(own, spoken, pieces, shown, motions)
        tell(1.0, None)
    deltas = {"renderer": face, "motion_model": {"ear.weight": (lips.weight,), "ear.bias": (lips.bias,)}}
    return Person(base, deltas, report.facts()), report


@torch.inference_mode(False)
def copy_of(network: nn.Module) -> nn.Module:
    """A copy of a network on its device that may learn: what a host loads in inference mode cannot."""
    again = type(network)(network.config, *([network.motion_language] if isinstance(network, MotionModel) else []))
    again.load_state_dict({name: value.clone() for name, value in network.state_dict().items()})
    return again.to(next(network.parameters()).device).eval().requires_grad_(False)


def _learn_face(
    own: Renderer, shown: Sequence[Shown], settings: PersonSettings, report: Report, tell: Progress
) -> dict:
    """The best changes found, {} where the base is best. `own` is used up."""
    kept = shown[1::KEPT]
    learnt = [piece for piece in shown if not any(piece is other for other in kept)]
    report.kept = len(kept)
    torch.manual_seed(settings.seed)
    changes = Changes(own, torch.cat([piece.seen for piece in shown]))
    task = PersonTask(own, changes, learnt, settings.size or own.config.motion_size)
    report.before, _ = task.judge(kept)
    best, report.after, waited = {}, report.before, 0
    for step, picture_of in _descend(task, changes, settings, tell):
        values, picture = task.judge(kept)
        picture_of(picture)
        if sum(values.values()) > sum(report.after.values()):
            best, report.after, report.best, waited = changes.deltas(), values, step, 0
        else:
            waited = waited + 1 if report.best else 0
        report.steps = step
        if waited >= PATIENCE:
            report.stopped = True
            break
    return best


def _descend(
    task: PersonTask, changes: Changes, settings: PersonSettings, tell: Progress
) -> Iterator[tuple[int, Callable[[Tensor], None]]]:
    """Steps of descent; after each CHECKED-th part of them, the number of steps and a function that shows a picture."""
    device, began, checked = task.device, time.monotonic(), 0
    plan = Plan(steps=settings.steps, minutes=None if settings.steps else settings.minutes, device=device)
    optimizer = torch.optim.AdamW(changes.parameters(), lr=RATE, weight_decay=0.0, betas=(0.9, 0.98))
    descent = Descent([optimizer], settings.groups)
    shares = [range(settings.groups)]
    steps = iter(range(1 << 62))
    batches = task.batches(BatchSlice(settings.seed, step, shares[0], settings.groups) for step in steps)
    step, done = 0, 0.0
    while done < 1:
        gradients(task, batches, shares, done, plan, descent)
        for group in optimizer.param_groups:
            group["lr"] = RATE * cosine_rate(step, done)
        norm = nn.utils.clip_grad_norm_(changes.parameters(), CLIP)
        if bool(torch.isfinite(norm)):
            optimizer.step()
        step += 1
        done = step / settings.steps if settings.steps else (time.monotonic() - began) / (60 * settings.minutes)
        tell(min(done, 1.0), None)
        if int(min(done, 1.0) * CHECKED) > checked:
            checked = int(min(done, 1.0) * CHECKED)
            yield step, lambda picture: tell(min(done, 1.0), picture)  # noqa: B023 - called at once


def _learn_lips(
    own: Renderer, model: MotionModel, pieces: Sequence[Piece], shown: Sequence[Shown], motions: Sequence[Tensor]
) -> Lips:
    """The change of the lips, scaled by films of the person's own renderer; motions: of pieces, as it reads them."""
    device = model.motion_mean.device
    with torch.no_grad():
        named = [own.read_parameters(motion.to(device)).float().cpu() for motion in motions]
        rest = own.read_parameters(model.motion_mean[None])[0].float().cpu()
    spoken = listen(model, pieces, [seen_lips(piece.points) for piece in shown])
    photos = [neutral_picture(*each) for each in zip(pieces, named, strict=True)]
    return scale_lips(model, own, solve_lips(spoken), spoken, photos, rest[MOUTH])
