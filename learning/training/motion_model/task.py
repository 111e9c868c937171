"""Stage 2's task: windows of talking clips, and the losses of one denoising step on them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ....networks.motion_model.config import MotionModelConfig
from ....networks.motion_model.mamba_global import GlobalAudio
from ....networks.motion_model.model import MotionModel
from ....sampling.schedule import NoiseSchedule
from ....vocabulary import COUNT, SAMPLES_A_FRAME
from ...datasets.batch_slice import BatchSlice, Draws
from ...datasets.tracks import MOUTH, Track, TrackBatch, TrackBatches, track_loader
from .led import led_by
from .losses import (
    Stage2Weights,
    clean_error,
    linear_map,
    motion_losses,
    parameter_weights,
    readout_loss,
    simple_loss,
    summed_motion_losses,
)
from .sync_loss import SyncLoss

DROP_AUDIO, DROP_APPEARANCE, DROP_BOTH = 0.15, 0.1, 0.05  # for classifier-free guidance
NO_HISTORY = 0.25  # so that a clip's first window, whose history is zeros, is nothing new
HISTORY_NOISE = 0.1  # at most; what a window continues at inference is a sample, not the truth
AUDIO_FIRST = 0.25  # of a run: the audio extractors learn alone, at a third of a step's cost


Audio = tuple[GlobalAudio, Tensor]  # F_ag and F_al


class Noise(NamedTuple):
    """What a training step adds to its samples, and what it hides from the network."""

    drop_audio: Tensor  # (B,) bool
    drop_appearance: Tensor  # (B,) bool
    no_history: Tensor  # (B,) bool
    history: Tensor  # (B, 4, 768)
    t: Tensor  # (B,) steps of the noise schedule
    eps: Tensor  # (B, W, 768)
    ahead: Tensor | None = None  # (B,) frames after the window that are heard, where sounds may be cut

    @classmethod
    def draw(cls, part: BatchSlice, draws: Draws, window: int, config: MotionModelConfig) -> Noise:
        """For windows of so many frames. Steps t are stratified over the whole batch: the same distribution, less
        variance."""
        both, audio, appearance, history, level, within = draws.uniform(6).unbind(1)
        order = torch.from_numpy(part.permutation()).to(within)
        past = draws.normal(config.history, config.motion_dim)
        return cls(
            (audio < DROP_AUDIO) | (both < DROP_BOTH),
            (appearance < DROP_APPEARANCE) | (both < DROP_BOTH),
            history < NO_HISTORY,
            HISTORY_NOISE * level[:, None, None] * past,
            ((order + within) / part.batch * config.timesteps).long().clamp(max=config.timesteps - 1),
            draws.normal(window, config.motion_dim),
        )


class Batch(NamedTuple):
    """Windows of clips, and what one step makes of them."""

    tracks: TrackBatch
    noise: Noise
    appearance: Tensor | None  # (B, appearance_dim)


def _last(audio: Audio, count: int) -> Audio:
    """The last frames of audio features."""
    heard, local = audio
    return heard.window(local.shape[1] - count, local.shape[1]), local[:, local.shape[1] - count :]


def heard_so_far(tracks: TrackBatch, ahead: Tensor, past: int) -> Tensor:
    """The sound (B,N) of windows, silent from `ahead` (B,) frames after each window's end."""
    end = tracks.margin + tracks.parameters.shape[1] - past + ahead
    samples = torch.arange(tracks.audio.shape[1], device=tracks.audio.device)
    return tracks.audio * (samples < SAMPLES_A_FRAME * end[:, None])


def frames_apart(
    noisy: Tensor,
    t: Tensor,
    heard: GlobalAudio,
    local: Tensor,
    appearance: Tensor | None,
    previous: Tensor,
    *dropped: Tensor,
) -> tuple:
    """Arguments of `MotionModel.denoise` for windows of W frames -> those for B * W windows of one frame, each with its
    own previous frames out of `previous` (B, history + W, 768)."""
    width = noisy.shape[1]
    history = previous.unfold(1, previous.shape[1] - width, 1)[:, :width].transpose(2, 3)  # (B, W, history, 768)

    def each(values: Tensor) -> Tensor:
        return values.repeat_interleave(width, 0)

    return (
        noisy.flatten(0, 1)[:, None],
        each(t),
        GlobalAudio(each(heard.style), heard.frames.flatten(0, 1)[:, None]),
        local.flatten(0, 1)[:, None],
        None if appearance is None else each(appearance),
        history.flatten(0, 1),
        *(each(mask) for mask in dropped),
    )


class Stage2Task:
    """`renderer` gives motion_from_parameters, read_parameters and rest_motion (stage 1).

    A denoiser sees half of the answer at most noise levels, and its audio extractors learn from the rest. So the motion
    parameters are also read from the audio condition alone, the mouth's by the model's own `ear` and the others by a
    head that is used in training only; and for the first AUDIO_FIRST of a run nothing else is learnt.
    appearances (K, appearance_dim): F_A of stills, given at random to clips that were never painted. Of a `live` share
    of the windows the sound ends 0 to 20 frames after the window, as where it is heard while it is spoken; the gain
    that the extractors measure is then that of what has been heard. sync: judges the mouths of the regression.
    """

    def __init__(
        self,
        model: MotionModel,
        renderer,
        windows: TrackBatches | None = None,
        *,
        weights: Stage2Weights | None = None,
        appearances: Tensor | None = None,
        audio_first: float = AUDIO_FIRST,
        live: float = 0.0,
        workers: int = 0,
        sync: SyncLoss | None = None,
    ):
        self.live, self.sync = live, sync
        self.model, self.renderer, self.weights = model, renderer, weights or Stage2Weights()
        self.windows, self.workers = windows, workers
        self.audio_first = audio_first if model.config.regression else 0.0
        self.schedule = NoiseSchedule(model.config.timesteps, model.config.snr_shift)
        self.device = model.motion_mean.device
        self.appearances = None if appearances is None else appearances.to(self.device)
        self.readout = torch.zeros(model.config.motion_dim, COUNT, device=self.device)
        if model.config.regression:  # else nothing reads parameters, and motion may have no names
            self.readout = linear_map(renderer.read_parameters, model.config.motion_dim, self.device).detach()
        self.parameter_weights = torch.ones(self.readout.shape[1], device=self.device)
        self.led = led_by(model.config)
        self.others = [i for i in range(self.readout.shape[1]) if i not in self.led]  # pose, eyes, brows
        self.pose_head = nn.Linear(model.config.width, len(self.others)).to(self.device)
        nn.init.zeros_(self.pose_head.weight)
        nn.init.zeros_(self.pose_head.bias)

    def parameters(self) -> list[Tensor]:
        return [*self.model.parameters(), *self.pose_head.parameters()]

    @torch.no_grad()
    def measure_motion(self, tracks: list[Track], seed: int, frames: int = 8192) -> None:
        """Set the model's motion statistics from a sample of the training motion."""
        generator = torch.Generator().manual_seed(seed)
        rows = []
        for i in torch.randint(len(tracks), (256,), generator=generator).tolist():
            values = torch.from_numpy(tracks[i].values[:: max(1, len(tracks[i].values) * 256 // frames)].copy()).float()
            values = values.to(self.device)
            rows.append(self.renderer.motion_from_parameters(values) if tracks[i].drawn else values)
        motion = torch.cat(rows).float()
        deviation = motion.std(0)
        self.model.motion_mean.copy_(motion.mean(0))
        self.model.motion_std.copy_(deviation.clamp_min(0.05 * float(deviation.mean()) + 1e-6))
        self.model.rest_motion.copy_(self.renderer.rest_motion())
        if not self.model.config.regression:
            return  # nothing leads the mouth
        written = linear_map(self.renderer.motion_from_parameters, self.readout.shape[1], motion.device)
        self.model.mouth_writer.copy_(written[self.led] / self.model.motion_std)
        self.model.mouth_reader.copy_(self.readout[:, self.led] * self.model.motion_std[:, None])

    @torch.no_grad()
    def weigh_parameters(self, tracks: list[Track]) -> None:
        """Weights of the read-out from the spread of the drawn tracks' parameters."""
        drawn = [torch.from_numpy(track.values[::5].copy()) for track in tracks[:512] if track.drawn]
        if drawn:
            self.parameter_weights = parameter_weights(torch.cat(drawn).std(0), self.weights.mouth).to(self.device)

    def batches(self, slices: Iterator[BatchSlice]) -> Iterator[Batch]:
        """Windows, prepared ahead of their turn by `workers` processes, with noise drawn on the device."""
        ahead, slices = itertools.tee(slices)
        for part, tracks in zip(slices, track_loader(self.windows, ahead, self.workers), strict=False):
            draws, window = part.draws(self.device), tracks.parameters.shape[1] - self.model.config.history
            noise = Noise.draw(part, draws, window, self.model.config)
            if self.live:
                noise = noise._replace(ahead=self._ahead(draws, tracks.margin))
            looks = self.appearances
            appearance = None if looks is None else looks[draws.integers(len(looks))]
            yield Batch(tracks.to(self.device), noise, appearance)

    def _ahead(self, draws: Draws, margin: int) -> Tensor:
        """(B,) frames after the window that are heard: any number up to the margin, in all but `live` of them all."""
        cut = draws.uniform(1)[:, 0] < self.live
        return torch.where(cut, draws.integers(margin + 1), margin)

    def losses(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Unweighted terms and their weighted sum; of the audio extractors alone where the run begins."""
        tracks, past = batch.tracks, self.model.config.history
        if batch.noise.ahead is not None:
            tracks = tracks._replace(audio=heard_so_far(tracks, batch.noise.ahead, past))
        audio = self._extract(tracks, past if self.model.config.predicted_history else 0)
        motion, terms = self.motion(tracks), {}
        if self.model.config.regression:
            near = _last(audio, motion.shape[1] - past)
            terms = {"heard": self._audio_regression(motion[:, past:], *near)}
            if self.sync is not None:
                terms["sync"] = self._sync(near, batch.tracks)
        if progress < self.audio_first:
            return terms | {"loss": terms["heard"] + self.weights.sync * terms.get("sync", 0.0)}
        terms |= self._denoised(motion, batch, audio)
        named = {name: getattr(self.weights, name, 1.0) * value for name, value in terms.items()}
        return terms | {"loss": torch.stack(list(named.values())).sum()}

    @torch.no_grad()
    def motion(self, tracks: TrackBatch) -> Tensor:
        """Normalised motion (B, history + W, 768) of a batch."""
        motion = tracks.motion
        if motion is None or tracks.drawn.any():
            written = self.renderer.motion_from_parameters(tracks.parameters).float()
            motion = written if motion is None else torch.where(tracks.drawn[:, None, None], written, motion)
        return self.model.normalise(motion)

    def _extract(self, tracks: TrackBatch, before: int = 0) -> Audio:
        """F_ag and F_al of the windows and of so many frames before them, from the audio around them."""
        margin, samples = tracks.margin - before, SAMPLES_A_FRAME
        window = tracks.parameters.shape[1] - self.model.config.history + before
        reach = min(margin, 4)  # frames that a slice and its stem see beyond the window
        near = tracks.audio[:, (margin - reach) * samples : (margin + window + reach) * samples]
        global_audio = self.model.extract_global(tracks.audio).window(margin, margin + window)
        return global_audio, self.model.extract_local(near)[:, reach : reach + window]

    def _audio_regression(self, motion: Tensor, global_audio: GlobalAudio, local_audio: Tensor) -> Tensor:
        """Squared error of the parameters as read from the audio alone; motion (B, W, 768) normalised."""
        condition = self.model.condition(global_audio, local_audio)
        with torch.autocast(motion.device.type, enabled=False):
            error = (motion * self.model.motion_std) @ self.readout  # the truth, about its mean
        error[..., self.led] -= self.model.ear(condition).float()
        error[..., self.others] -= self.pose_head(condition).float()
        return (error.square() * self.parameter_weights).mean()

    def _sync(self, audio: Audio, tracks: TrackBatch) -> Tensor:
        """The sync judge's loss of the mouths that windows' audio features command; it hears all of their sound."""
        mean = self.renderer.read_parameters(self.model.motion_mean[None])[0, MOUTH]
        return self.sync(self.model.predict_mouth(*audio).float()[..., : len(MOUTH)] + mean, tracks)

    def _denoised(self, motion: Tensor, batch: Batch, audio: Audio) -> dict[str, Tensor]:
        """L_simple, velocity, acceleration and read-out of one denoising step; motion (B, history + W, 768), audio of
        the W frames, or of those before them too where the previous frames are predicted."""
        model, past, noise = self.model, self.model.config.history, batch.noise
        x0, kind = motion[:, past:], model.config.prediction
        previous = self._previous(motion, batch, audio)
        noisy = self.schedule.add_noise(x0, noise.eps, noise.t)
        predicted = self._predict(noisy, noise.t, batch, _last(audio, x0.shape[1]), previous)
        target = self.schedule.target(x0, noise.eps, noise.t, kind)
        error = clean_error(predicted, target, self.schedule.scales(noise.t, x0), kind)
        simple = simple_loss(predicted, target)
        if model.config.summed_losses:
            simple = simple * model.config.motion_dim
            velocity, acceleration = summed_motion_losses(error)
        else:
            velocity, acceleration = motion_losses(error, ~(batch.tracks.begins | noise.no_history), past)
        terms = {"simple": simple, "velocity": velocity, "acceleration": acceleration}
        if model.config.regression:
            terms["readout"] = readout_loss(error * model.motion_std, self.readout, self.parameter_weights)
        return terms

    def _predict(self, noisy: Tensor, t: Tensor, batch: Batch, audio: Audio, previous: Tensor) -> Tensor:
        """What the model predicts for noisy motion (B, W, 768), with the conditions of the batch. previous: the frames
        before (B, 4, 768), or frame by frame those before and within the window (B, 4 + W, 768)."""
        noise = batch.noise
        given = noisy, t, *audio, batch.appearance, previous, noise.drop_audio, noise.drop_appearance
        if self.model.config.frame_by_frame:
            given = frames_apart(*given)
        return self.model.denoise(*given).float().view_as(noisy)

    def _previous(self, motion: Tensor, batch: Batch, audio: Audio) -> Tensor:
        """The frames that `_predict` is told of, zeros where a clip begins: the true ones with noise before the window,
        or those that the model predicts, from noise of half the level."""
        config, noise, past = self.model.config, batch.noise, self.model.config.history
        if config.predicted_history:
            with torch.no_grad():
                given = motion if config.frame_by_frame else motion[:, :past]
                t, count = noise.t // 2, given.shape[1]
                noisy = self.schedule.add_noise(given, torch.cat([noise.eps[:, :past], noise.eps], 1)[:, :count], t)
                before = torch.cat([torch.zeros_like(given[:, :past]), given], 1)
                told = before if config.frame_by_frame else before[:, :past]
                heard, local = audio
                told_of = heard.window(0, count), local[:, :count]
                previous = self._predict(noisy, t, batch, told_of, told)
                previous = self.schedule.to_x0(previous, noisy, t, config.prediction)
        else:
            previous = torch.cat([motion[:, :past] + noise.history, motion[:, past:]], 1)
        begins = (batch.tracks.begins | noise.no_history)[:, None, None]
        before = previous[:, :past].masked_fill(begins, 0.0)
        return torch.cat([before, previous[:, past:]], 1) if config.frame_by_frame else before

    def state(self) -> dict[str, Any]:
        """The model, and the head that training alone uses."""
        return {"model": self.model.state_dict(), "pose_head": self.pose_head.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.model.load_state_dict(state["model"])
        self.pose_head.load_state_dict(state["pose_head"])
