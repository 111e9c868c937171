"""Stage 2: from talking clips to a motion model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ....model_loaders.checkpoint import load_motion_model, load_renderer
from ....model_loaders.described import check_language, network_of
from ....model_loaders.pickles import read_pickle
from ....networks.motion_model.config import MotionModelConfig
from ....networks.motion_model.model import MotionModel
from ...datasets.framing import check_framing
from ...datasets.tracks import Augment, Music, Track, TrackBatches, load_tracks
from .. import processes
from ..ablation import STAGE2, changed_network, cut_config, cut_network
from ..alone import alone_in
from ..blocks import prepare_blocks
from ..loop import Descent, Every, Plan, fit
from ..run import Average, Run
from .clips import encode_clips
from .losses import Stage2Weights
from .measure import measure_voices
from .sampler import Sampler, kept_voice
from .sync_loss import SyncLoss
from .task import AUDIO_FIRST, Stage2Task


@dataclass(frozen=True)
class Stage2Settings:
    """What is trained, beside the data, the renderer and the `Plan`."""

    preset: str = "lite"
    config: MotionModelConfig | None = None  # sizes of its own, in place of a preset's
    init: str | Path | None = None  # weights to go on from, in place of new ones
    batch: int = 32  # windows a step
    rate: float = 6e-4
    weights: Stage2Weights | None = None
    audio_first: float = AUDIO_FIRST  # share of the run in which the audio extractors learn alone
    augment: Augment | None = None  # changes half of the clips that were not drawn changed
    music: Music | None = None  # to which a mouth rests, as to silence
    live: float = 0.0  # share of the windows after which the sound soon ends, as where it is heard while it is spoken
    appearances: Tensor | None = None  # (K, F_A) of stills, given to clips at random
    workers: int = 0  # processes that prepare batches
    sample: Tensor | None = None  # a photograph (S,S,3) that speaks a clip kept for validation at every checkpoint
    ablate: Sequence[str] = ()  # branches that are cut, of ablation.STAGE2
    renew: Sequence[str] = ()  # with init: modules that begin anew, in a model of `config`
    predicted_history: bool = False  # the four previous frames are those that the model predicts [P]; False: its config
    sync_judge: str | Path | None = None  # also judges the mouths of the audio regression; not one that scores films
    sync_portraits: Sequence[Tensor] = ()  # photographs (S,S,3) that show it these mouths
    measure: bool = False  # end with figures on the clips kept for validation


@alone_in("out")
def train_stage2(
    data: str | Path, out: str | Path, plan: Plan, settings: Stage2Settings | None = None, renderer=None
) -> Path:
    """Train a motion model on the clips of `data`; returns the run's checkpoint file, out/stage2.pt.

    renderer: a trained stage 1 (None: the shipped one), which turns parameters into motion. A killed run goes on from
    its last checkpoint with the batches, noise and losses of an unbroken one. Raises FileNotFoundError without clips,
    ValueError where a run or `init` learned another renderer's motion, or another training is at work in `out`.
    """
    settings = settings or Stage2Settings()
    plan = replace(plan, device=processes.join(plan.device))
    renderer = load_renderer(None) if renderer is None else renderer
    if isinstance(renderer, nn.Module):
        renderer = renderer.to(plan.device).eval().requires_grad_(False)
    motion_file = _motion_file(data, renderer)
    tracks = load_tracks(data, "train", motion_file)
    if isinstance(renderer, nn.Module):
        for parameters in {track.values.shape[1] for track in tracks if track.drawn}:
            check_framing(data, parameters, renderer.config.arms)

    torch.manual_seed(plan.seed)
    model, learns_new_motion = _begun(settings, renderer.motion_language)
    if settings.predicted_history:
        model.config = replace(model.config, predicted_history=True)
    model = model.to(plan.device)
    if any(not track.drawn for track in tracks):  # what it learns may have parts without names
        model.motion_encoder_id = getattr(renderer, "motion_encoder_id", "")
    task = _task(settings, model, renderer, tracks)
    if learns_new_motion:
        task.measure_motion(tracks, plan.seed)
    processes.copy_from_main(model)
    prepare_blocks(model, plan)

    facts = {"config": model.config.to_dict(), "motion_language": renderer.motion_language}
    facts["motion_encoder"] = model.motion_encoder_id
    run, optimizers = Run(Path(out) / "stage2.pt", Average(model), facts), [_optimizer(task, settings.rate)]
    if plan.resume and (state := run.read(plan.device)):
        _check_language(str(run.file), state["motion_language"], renderer.motion_language)
        run.restore(state, task, optimizers)

    model.train()
    descent = Descent(optimizers, settings.batch, reports=Every(steps=25), title="stage 2")
    sampler = None if settings.sample is None else Sampler(settings.sample, renderer, kept_voice(data, motion_file))
    fit(
        task,
        run,
        plan,
        descent,
        on_report=lambda: {"spent": run.spent},
        on_save=None if sampler is None else lambda: sampler.show(run, plan.device),
    )
    if settings.measure and processes.is_main():
        plan.say(f"voices held out: {_measure(run.file, renderer, data, plan.device)}")
    plan.say(f"stage 2: {run.step} steps, {run.samples} windows, {run.spent / 60:.1f} min -> {run.file}")
    return run.file


def _motion_file(data: str | Path, renderer) -> str:
    """The name of the files with real clips' motion, which a renderer with an encoder writes where they are missing."""
    if not isinstance(renderer, nn.Module):
        return "motion.npy"
    with processes.main_first():
        return encode_clips(data, renderer)


def _begun(settings: Stage2Settings, language: str) -> tuple[MotionModel, bool]:
    """A new model, one for half bodies with a head's audio extractors, or a trained one of the same language; and
    whether its motion is new to it. ValueError where it is of another language."""
    config = settings.config or getattr(MotionModelConfig, settings.preset)()
    if not language:  # motion without names: no parameters can be regressed from a voice
        config = replace(config, regression=False)
    if settings.init is None:
        return MotionModel(cut_config(config, settings.ablate, STAGE2), language), True
    model = load_motion_model(settings.init)
    if settings.preset == "half" and model.motion_language != language:
        model = changed_network(model, cut_config(config, settings.ablate, STAGE2), ["denoiser", "ear"])
        model.motion_language = language
        return model.requires_grad_(True), True
    if settings.renew:
        model = changed_network(model, settings.config or model.config, settings.renew)
    model = cut_network(model, settings.ablate, STAGE2).requires_grad_(True)
    _check_language(str(settings.init), model.motion_language or language, language)
    if not model.config.regression:  # nothing leads the mouth
        model.mouth_writer.zero_()
        model.mouth_reader.zero_()
    model.motion_language = language
    return model, False


def _check_language(file: str, learned: str, language: str) -> None:
    if learned != language:
        raise ValueError(f"{file} learned another renderer's motion ({learned}, not {language}): give that renderer")


def _task(settings: Stage2Settings, model: MotionModel, renderer, tracks: list[Track]) -> Stage2Task:
    sync = None
    if settings.sync_judge is not None:
        if not model.config.regression:
            raise ValueError("A sync judge judges the lips of the audio regression, which this model does not have.")
        sync = SyncLoss.of(settings.sync_judge, settings.sync_portraits, renderer, tracks)
    task = Stage2Task(
        model,
        renderer,
        TrackBatches(tracks, history=model.config.history, augment=settings.augment, music=settings.music),
        weights=settings.weights,
        appearances=settings.appearances,
        audio_first=settings.audio_first,
        live=settings.live,
        workers=settings.workers,
        sync=sync,
    )
    task.weigh_parameters(tracks)
    return task


def _optimizer(task: Stage2Task, rate: float) -> torch.optim.AdamW:
    """Weight decay on matrices alone: Mamba's decay rates and steps, norms and biases are not pulled to zero."""
    matrices = [p for p in task.parameters() if p.dim() > 1]
    others = [p for p in task.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))


def _measure(file: Path, renderer, data: str | Path, device: torch.device) -> dict[str, float]:
    """Figures of the averaged model on the clips kept for validation; empty where there are none."""
    try:
        tracks = load_tracks(data, "val")
    except FileNotFoundError:
        return {}
    return measure_voices(averaged_motion_model(file).to(device), renderer, tracks)


def averaged_motion_model(checkpoint: str | Path) -> MotionModel:
    """The averaged weights of a run, ready to sample."""
    path = Path(checkpoint)
    state = read_pickle(path)
    language = check_language(state.get("motion_language", ""), path.name)

    def make() -> MotionModel:
        return MotionModel(MotionModelConfig.from_dict(state["config"]), language)

    model = network_of(path.name, make, state["average"]).eval()
    model.motion_encoder_id = check_language(state.get("motion_encoder", ""), path.name, "motion_encoder")
    return model
