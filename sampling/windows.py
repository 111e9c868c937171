"""Motion for audio of any length: one window after another, each continuing the last.

A window is denoised at once, conditioned on the voice, the appearance and the four frames before it, as in the paper.
What the sampler does beyond the paper, each with the setting that turns it off:

- Mouth lead (`mouth_lead`, off at 0): at every solver step the mouth parameters of the x0 estimate are interpolated by
  this share towards the model's audio regression. At 1, the default, the mouth is the regression, whose scale is set by
  finished films. With the shipped weights, whose denoiser agrees with it, 0.5 gives the same correlation with the lips
  of two people held out (.73), and 4 % less reach.
- Less noise for the mouth (`mouth_noise`, off at 1): random variation suits the head, but makes the lips wrong. It
  matters where mouth_lead is less than 1.
- Cross-fading of windows, in mode "overlap" only.

mouth_lead 0 and mouth_noise 1 give the paper's method.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

import torch
from torch import Tensor

from ..networks.motion_model.mamba_global import GlobalAudio
from ..networks.motion_model.model import MotionModel
from .guidance import guided
from .noise import frame_noise
from .schedule import NoiseSchedule
from .settings import SamplingSettings
from .solvers import solve

STREAM_WINDOW = 16  # 0.64 s: the least delay at which a window still holds a syllable
SHORTEST = 16  # frames; the shortest window of training, so a shorter last window is padded to it and cut


@torch.no_grad()
def sample_motion(
    model: MotionModel,
    global_audio: GlobalAudio,
    local_audio: Tensor,
    appearance: Tensor | None,
    settings: SamplingSettings | None = None,
    *,
    frames: int,
    history: Tensor | None = None,
    noise_offset: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Sample motion (frames, 768), absolute and de-normalised, for one voice.

    global_audio and local_audio are of one clip (batch 1), appearance (1, appearance_dim) or None. `history` (n, 768)
    is absolute motion before the first frame, of which the last four frames are used; None starts from zeros. Frame i
    uses the noise of index i + noise_offset, so that audio shifted by k frames can keep its noise. progress(done,
    total) is called once a solver step and may raise to cancel. A model that was trained frame by frame is sampled in
    mode "strict", whatever the settings say. Raises ValueError for less than one frame, or for more
    steps than the model has timesteps.
    """
    settings = settings or SamplingSettings()
    if model.config.frame_by_frame:
        settings = replace(settings, mode="strict")
    sampler = Sampler(model, global_audio, local_audio, appearance, settings, noise_offset)
    motion, past = after_history(model, history, frames), model.config.history
    spans, done = plan(frames, settings), count(1)
    total = len(spans) * settings.steps
    after_step = None if progress is None else lambda: progress(next(done), total)
    for start, stop, known in spans:
        window = sampler.prepare(motion, start, stop, known)
        sampled = sampler.solve(window, after_step)
        motion[past + start : past + stop] = sampled[0, : stop - start]
    return motion[past:].mul_(model.motion_std).add_(model.motion_mean)  # in place: it may be long


def plan(frames: int, settings: SamplingSettings) -> list[tuple[int, int, int]]:
    """The windows (start, stop, known) that cover `frames`; the first `known` frames of each are already sampled.

    window: `window` frames after one another; overlap: each shares `overlap` frames with the one before; stream:
    windows of 16; strict: frame by frame, as the paper's conditioning is written. Raises ValueError for no frames.
    """
    if frames < 1:
        raise ValueError(f"frames must be at least 1, got {frames}")
    window = {"stream": STREAM_WINDOW, "strict": 1}.get(settings.mode, settings.window)
    known = settings.overlap if settings.mode == "overlap" else 0
    spans, start = [(0, min(window, frames), 0)], window
    while start < frames:
        spans.append((start - known, min(start - known + window, frames), known))
        start += window - known
    return spans


def after_history(model: MotionModel, history: Tensor | None, frames: int) -> Tensor:
    """(4 + frames, 768) normalised, float32: the last four frames of `history` (zeros for missing ones), and zeros for
    the frames to be sampled."""
    past = model.config.history
    motion = torch.zeros(past + frames, model.config.motion_dim, device=model.motion_mean.device)
    if history is not None and len(history):
        given = model.normalise(history[-past:].to(motion))
        motion[past - len(given) : past] = given
    return motion


@dataclass(frozen=True, eq=False)
class Window:
    """The inputs for denoising W frames from `start` on; motion is normalised."""

    start: int
    global_audio: GlobalAudio  # frames (1, W, global_width)
    local_audio: Tensor  # (1, W, local_width)
    mouth: Tensor  # (1, W, mouth), prediction of the audio regression
    history: Tensor  # (1, 4, 768), the frames before
    known: Tensor  # (n, 768), the first frames as sampled in the window before
    fade: Tensor  # (n, 1), weight of this window against the one before, 0 to 1


class Sampler:
    """Denoises windows of one voice and one portrait."""

    def __init__(
        self,
        model: MotionModel,
        global_audio: GlobalAudio,
        local_audio: Tensor,
        appearance: Tensor | None,
        settings: SamplingSettings,
        noise_offset: int = 0,
    ):
        self.model, self.settings, self.noise_offset = model, settings, noise_offset
        self.global_audio, self.local_audio, self.appearance = global_audio, local_audio, appearance
        self.schedule = NoiseSchedule(model.config.timesteps, model.config.snr_shift)

    def prepare(self, motion: Tensor, start: int, stop: int, known: int) -> Window:
        """The window start .. stop of `motion` (4 + T, 768), which is sampled up to start + known."""
        past, settings = self.model.config.history, self.settings
        shortest = 1 if settings.mode == "strict" else min(SHORTEST, settings.window)
        length = max(stop - start, shortest)
        global_audio = GlobalAudio(self.global_audio.style, _cut(self.global_audio.frames, start, length))
        local_audio = _cut(self.local_audio, start, length)
        fade = torch.arange(1, known + 1, device=motion.device)[:, None].to(motion.dtype) / (known + 1)
        return Window(
            start,
            global_audio,
            local_audio,
            self.model.predict_mouth(global_audio, local_audio).float(),
            history=motion[None, start : start + past],
            known=motion[past + start : past + start + known],
            fade=fade,
        )

    def solve(self, window: Window, after_step: Callable[[], None] | None = None) -> Tensor:
        """Motion (1, W, 768) of a window, normalised."""
        return solve(
            lambda x, t: self._estimate(window, x, t),
            self._noise(window, 0),
            self.schedule,
            self.settings.steps,
            self.settings.solver,
            self.settings.eta,
            lambda i: self._noise(window, i + 1),
            after_step,
        )

    def _estimate(self, window: Window, x: Tensor, t: int) -> Tensor:
        """x0 for noisy motion x (1, W, 768), with guidance, mouth lead and the cross-fade from the window before."""
        model, settings = self.model, self.settings
        predicted = guided(
            model,
            x,
            t,
            window.global_audio,
            window.local_audio,
            self.appearance,
            window.history,
            settings.audio_guidance,
            settings.appearance_guidance,
        )
        x0 = self.schedule.to_x0(predicted.float(), x, torch.tensor([t], device=x.device), model.config.prediction)
        x0 = model.lead_mouth(x0, window.mouth, settings.mouth_lead)
        shared = len(window.known)
        faded = torch.lerp(window.known, x0[0, :shared], window.fade)
        return torch.cat([faded[None], x0[:, shared:]], 1)

    def _noise(self, window: Window, step: int) -> Tensor:
        """Noise (1, W, 768) of a solver step, scaled by `mouth_noise` in the mouth parameters."""
        length, width, device = window.local_audio.shape[1], self.model.config.motion_dim, window.history.device
        noise = frame_noise(self.settings.seed, window.start + self.noise_offset, length, width, step)
        return self.model.scale_mouth_noise(noise[None].to(device), self.settings.mouth_noise)


def _cut(features: Tensor, start: int, length: int) -> Tensor:
    """Frames start .. start + length of (1, T, width); beyond the end the last frame is repeated."""
    part = features[:, start : start + length]
    if not part.shape[1]:
        part = features[:, -1:]
    return torch.cat([part, part[:, -1:].expand(-1, length - part.shape[1], -1)], 1)
