"""Stage 2: from talking clips to a motion model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ....model_loaders.checkpoint import load_motion_model, load_renderer
from ....networks.motion_model.config import MotionModelConfig
from ....networks.motion_model.mamba_global import GlobalAudio
from ....networks.motion_model.model import MotionModel
from ....sampling.schedule import NoiseSchedule
from ....vocabulary import SAMPLES_A_FRAME
from ...datasets.tracks import MOUTH, Augment, Track, TrackBatch, TrackBatches, load_tracks, track_loader
from ..loop import Average, Budget, Every, Learner, Log, Means, mixed_precision, save_atomically
from .clips import encode_clips
from .losses import (
    Stage2Weights,
    clean_error,
    linear_map,
    motion_losses,
    parameter_weights,
    readout_loss,
    simple_loss,
)
from .measure import measure_voices

DROP_AUDIO, DROP_APPEARANCE, DROP_BOTH = 0.15, 0.1, 0.05  # for classifier-free guidance
NO_HISTORY = 0.25  # so that a clip's first window, whose history is zeros, is nothing new
LISTENING = 0.25  # of a run: the ear alone, at a third of a step's cost
HISTORY_NOISE = 0.1  # at most; what a window continues at inference is a sample, not the truth


@dataclass
class Condition:
    """What a training step hides from the network, drawn from one generator."""

    drop_audio: Tensor
    drop_appearance: Tensor
    no_history: Tensor
    history_noise: Tensor
    t: Tensor
    eps: Tensor

    @classmethod
    def draw(cls, motion: Tensor, history: int, timesteps: int, generator: torch.Generator) -> Condition:
        """motion (B, history + W, 768). Steps t are stratified over the batch: the same distribution, less variance."""
        count, device = motion.shape[0], motion.device

        def uniform(*shape: int) -> Tensor:
            return torch.rand(*shape, generator=generator, device=device)

        both = uniform(count) < DROP_BOTH
        order = torch.randperm(count, generator=generator, device=device)
        past = torch.randn(motion[:, :history].shape, generator=generator, device=device)
        return cls(
            (uniform(count) < DROP_AUDIO) | both,
            (uniform(count) < DROP_APPEARANCE) | both,
            uniform(count) < NO_HISTORY,
            past * HISTORY_NOISE * uniform(count, 1, 1),
            ((order + uniform(count)) / count * timesteps).long().clamp(max=timesteps - 1),
            torch.randn(motion[:, history:].shape, generator=generator, device=device),
        )


class Stage2Task:
    """The loss of one batch. `renderer` gives motion_from_parameters, read_parameters and rest_motion (stage 1).

    A denoiser sees half of the answer at most noise levels, and its extractors learn from the rest. So the parameters
    are read from the audio condition alone, the mouth's by the model's own `ear`, and a run begins with nothing else
    (LISTENING): the extractors hear before the denoiser listens.
    """

    def __init__(self, model: MotionModel, renderer, weights: Stage2Weights | None = None, appearances=None):
        self.model, self.renderer, self.weights = model, renderer, weights or Stage2Weights()
        self.appearances = appearances  # (K, appearance_dim): F_A of stills, for clips that were never painted
        self.schedule = NoiseSchedule(model.config.timesteps, model.config.snr_shift)
        device = model.motion_mean.device
        self.readout = linear_map(renderer.read_parameters, model.config.motion_dim, device).detach()
        self.parameter_weights = torch.ones(self.readout.shape[1], device=device)
        self.others = [i for i in range(self.readout.shape[1]) if i not in MOUTH]  # pose, eyes, brows: read by `manner`
        self.manner = nn.Linear(model.config.width, len(self.others)).to(device)
        nn.init.zeros_(self.manner.weight)
        nn.init.zeros_(self.manner.bias)

    @torch.no_grad()
    def measure_motion(self, tracks: list[Track], seed: int, frames: int = 8192) -> None:
        """Set the model's motion statistics from a sample of the training motion."""
        generator = torch.Generator().manual_seed(seed)
        rows = []
        for i in torch.randint(len(tracks), (256,), generator=generator).tolist():
            values = torch.from_numpy(tracks[i].values[:: max(1, len(tracks[i].values) * 256 // frames)].copy()).float()
            values = values.to(self.model.motion_mean.device)
            rows.append(self.renderer.motion_from_parameters(values) if tracks[i].drawn else values)
        motion = torch.cat(rows).float()
        deviation = motion.std(0)
        self.model.motion_mean.copy_(motion.mean(0))
        self.model.motion_std.copy_(deviation.clamp_min(0.05 * float(deviation.mean()) + 1e-6))
        self.model.rest_motion.copy_(self.renderer.rest_motion())
        written = linear_map(self.renderer.motion_from_parameters, self.readout.shape[1], motion.device)
        self.model.mouth_writer.copy_(written[MOUTH] / self.model.motion_std)
        self.model.mouth_reader.copy_(self.readout[:, MOUTH] * self.model.motion_std[:, None])

    @torch.no_grad()
    def weigh_parameters(self, tracks: list[Track]) -> None:
        """Weights of the read-out from the spread of the drawn tracks' parameters; needs the motion statistics."""
        drawn = [torch.from_numpy(track.values[::5].copy()) for track in tracks[:512] if track.drawn]
        if drawn:
            known, device = torch.cat(drawn), self.readout.device
            self.parameter_weights = parameter_weights(known.std(0), self.weights.mouth).to(device)

    @torch.no_grad()
    def motion(self, batch: TrackBatch) -> Tensor:
        """Normalised motion (B, history + W, 768) of a batch."""
        motion = self.renderer.motion_from_parameters(batch.parameters).float()
        if batch.motion is not None:
            motion = torch.where(batch.drawn[:, None, None], motion, batch.motion)
        return self.model.normalise(motion)

    def losses(self, batch: TrackBatch, generator: torch.Generator, listening: bool = False) -> dict[str, Tensor]:
        """Unweighted terms and their weighted sum, "loss"; `listening`: of the ear alone."""
        model, past, margin = self.model, self.model.config.history, batch.margin
        window, samples = batch.parameters.shape[1] - past, SAMPLES_A_FRAME
        reach = min(margin, 4)  # frames that a slice and its stem see beyond the window
        near = batch.audio[:, (margin - reach) * samples : (margin + window + reach) * samples]
        global_audio = model.extract_global(batch.audio).window(margin, margin + window)
        local_audio = model.extract_local(near)[:, reach : reach + window]
        motion = self.motion(batch)
        heard = self._heard(motion[:, past:], global_audio, local_audio)
        if listening:
            return {"heard": heard, "loss": heard}
        terms = {"heard": heard} | self._denoised(motion, batch.begins, global_audio, local_audio, generator)
        named = {name: getattr(self.weights, name, 1.0) * value for name, value in terms.items()}
        return terms | {"loss": torch.stack(list(named.values())).sum()}

    def _heard(self, motion: Tensor, global_audio: GlobalAudio, local_audio: Tensor) -> Tensor:
        """Squared error of the parameters as the voice alone tells them; motion (B, W, 768) normalised."""
        condition = self.model.condition(global_audio, local_audio)
        with torch.autocast(motion.device.type, enabled=False):
            error = (motion * self.model.motion_std) @ self.readout  # the truth, about its mean
        error[..., MOUTH] -= self.model.ear(condition).float()
        error[..., self.others] -= self.manner(condition).float()
        return (error.square() * self.parameter_weights).mean()

    def _denoised(
        self,
        motion: Tensor,
        begins: Tensor,
        global_audio: GlobalAudio,
        local_audio: Tensor,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """L_simple, velocity, acceleration and read-out of one denoising step; motion (B, history + W, 768)."""
        model, past = self.model, self.model.config.history
        hidden = Condition.draw(motion, past, self.schedule.timesteps, generator)
        begins = begins | hidden.no_history
        history = (motion[:, :past] + hidden.history_noise).masked_fill(begins[:, None, None], 0.0)
        x0 = motion[:, past:]
        predicted = model.denoise(
            self.schedule.add_noise(x0, hidden.eps, hidden.t),
            hidden.t,
            global_audio,
            local_audio,
            self._appearance(len(x0), generator),
            history,
            hidden.drop_audio,
            hidden.drop_appearance,
        ).float()
        kind = model.config.prediction
        target = self.schedule.target(x0, hidden.eps, hidden.t, kind)
        error = clean_error(predicted, target, self.schedule.alpha_bar.to(x0.device)[hidden.t], kind)
        velocity, acceleration = motion_losses(error, ~begins, past)
        return {
            "simple": simple_loss(predicted, target),
            "velocity": velocity,
            "acceleration": acceleration,
            "readout": readout_loss(error * model.motion_std, self.readout, self.parameter_weights),
        }

    def _appearance(self, count: int, generator: torch.Generator) -> Tensor | None:
        if self.appearances is None:
            return None
        picks = torch.randint(len(self.appearances), (count,), generator=generator, device=generator.device)
        return self.appearances.to(generator.device)[picks]


def train_stage2(
    data: str | Path,
    out: str | Path,
    *,
    preset: str = "lite",
    renderer=None,
    max_minutes: float | None = None,
    steps: int | None = None,
    batch: int = 32,
    device: str = "cpu",
    precision: str = "fp32",
    seed: int = 0,
    resume: bool = True,
    threads: int | None = None,
    config: MotionModelConfig | None = None,
    weights: Stage2Weights | None = None,
    augment: Augment | None = None,
    appearances: Tensor | None = None,
    rate: float = 6e-4,
    listening: float = LISTENING,
    init: str | Path | None = None,
    workers: int = 0,
    save_seconds: float = 120.0,
    measure: bool = False,
    report: Callable[[str], None] = print,
) -> Path:
    """Train a motion model on the clips of `data`; returns the run's checkpoint file, out/stage2.pt.

    renderer: a trained stage 1 (None: the shipped one), which turns parameters into motion. Stops after `steps` steps
    or `max_minutes` minutes over all resumed runs, whichever comes first. precision: "fp32" or "bf16" (autocast).
    augment changes half of the clips that were not drawn changed (corpus.augment.augment). appearances (K, F_A) are
    given to clips at random. listening: share of the run in which the audio extractors learn alone. init: weights of a
    motion model to go on from, instead of new ones in `preset` or `config`. `measure` ends with figures on the clips
    kept for validation. A killed run goes on from its last checkpoint with the batches, noise and losses of an unbroken
    one. Raises ValueError when neither steps nor max_minutes is given, FileNotFoundError without clips.
    """
    if steps is None and max_minutes is None:
        raise ValueError("train stage2: say when to stop, by steps or by max_minutes")
    if threads:
        torch.set_num_threads(threads)
    if renderer is None:
        renderer = load_renderer(None)
    folder = Path(out)
    file = folder / "stage2.pt"
    torch.manual_seed(seed)
    language = renderer.motion_language
    model = _begin(init, config or getattr(MotionModelConfig, preset)(), language).to(device)
    if isinstance(renderer, nn.Module):
        renderer = renderer.to(device).eval().requires_grad_(False)
    task = Stage2Task(model, renderer, weights, appearances)
    motion_file = encode_clips(data, renderer) if isinstance(renderer, nn.Module) else "motion.npy"
    tracks = load_tracks(data, "train", motion_file)
    average, optimizer = Average(model), _optimizer(model, task.manner, rate)
    learner = Learner(model, optimizer, average, rate)
    step, spent = 0, 0.0
    if resume and file.exists():
        state = torch.load(file, map_location=device, weights_only=True)
        if MotionModelConfig.from_dict(state["config"]) != model.config:
            raise ValueError(f"{file} belongs to another config; train into another folder, or afresh (resume=False)")
        if (begun_with := state.get("motion_language") or language) != language:
            raise ValueError(f"{file} learned another renderer's motion ({begun_with}, not {language}); go on with it")
        model.load_state_dict(state["model"])
        average.values, average.steps = state["average"], state["average_steps"]
        task.manner.load_state_dict(state["manner"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]
    else:
        if init is None:
            task.measure_motion(tracks, seed)
        average = learner.average = Average(model)  # with the statistics that were just measured
    task.weigh_parameters(tracks)

    def save() -> None:
        state = {"config": model.config.to_dict(), "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        state |= {"average": average.values, "average_steps": average.steps, "step": step, "spent": spent}
        state |= {"motion_language": language, "manner": task.manner.state_dict()}
        save_atomically(file, state)

    budget = Budget(steps, 60 * max_minutes if max_minutes else None)
    log = Log(folder, step)
    batches = TrackBatches(tracks, batch, seed, history=model.config.history, augment=augment)
    began, saves, means = time.monotonic() - spent, Every(save_seconds), Means()
    total, unit = (steps, "step") if steps else (round(60 * max_minutes), "s")
    bar = tqdm(total=total, initial=step if steps else round(spent), desc="stage 2", unit=unit)
    model.train()
    over = budget.progress(step, spent) >= 1
    for given in () if over else track_loader(batches, step, workers):
        generator = torch.Generator(device).manual_seed(seed * 1_000_003 + step)
        given = TrackBatch(*(part.to(device) if isinstance(part, Tensor) else part for part in given))
        with mixed_precision(device, precision):
            terms = task.losses(given, generator, listening=budget.progress(step, spent) < listening)
        learner.step(terms["loss"], budget.progress(step, spent))
        means.add(terms)
        step, spent = step + 1, time.monotonic() - began
        over = budget.progress(step, spent) >= 1
        if step % 25 == 0 or over:
            values = means.take()
            log.write(step, samples=step * batch, spent=spent, **values)
            bar.set_postfix(loss=f"{values['loss']:.4f}", samples=step * batch)
        bar.n = step if steps else round(spent)
        bar.update(0)
        if over | saves():
            save()
        if over:
            break
    bar.close()
    if measure:
        report(f"voices held out: {_measure(file, renderer, data, device)}")
    report(f"stage 2: {step} steps, {step * batch} windows, {spent / 60:.1f} min -> {file}")
    return file


def _measure(file: Path, renderer, data: str | Path, device: str) -> dict[str, float]:
    """Figures of the averaged model on the clips kept for validation; empty where there are none."""
    try:
        tracks = load_tracks(data, "val")
    except FileNotFoundError:
        return {}
    return measure_voices(averaged_motion_model(file).to(device), renderer, tracks)


def _begin(init: str | Path | None, config: MotionModelConfig, language: str) -> MotionModel:
    """A new model, or a trained one of the same language. ValueError where it speaks another."""
    if init is None:
        return MotionModel(config, language)
    model = load_motion_model(init).requires_grad_(True)
    if model.motion_language not in ("", language):
        raise ValueError(f"{init} learned another renderer's motion ({model.motion_language}, not {language})")
    model.motion_language = language
    return model


def _optimizer(model: MotionModel, manner: nn.Linear, rate: float) -> torch.optim.AdamW:
    """Weight decay on matrices alone: Mamba's decay rates and steps, norms and biases are not pulled to zero."""
    learnt = [*model.parameters(), *manner.parameters()]
    matrices = [p for p in learnt if p.dim() > 1]
    others = [p for p in learnt if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))


def averaged_motion_model(checkpoint: str | Path) -> MotionModel:
    """The averaged weights of a run, ready to sample."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = MotionModel(MotionModelConfig.from_dict(state["config"]), state.get("motion_language", ""))
    model.load_state_dict(state["average"])
    return model.eval()
