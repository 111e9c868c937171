"""Motion for a voice while it is spoken: the model of whole recordings, used on what has been heard so far.

Every CHUNK frames the features of the last seconds are computed again, and the next frames are sampled after those that
were. What lies `ahead` is all that is heard of the future. docs/live.md says what that costs.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import torch
from torch import Tensor

from ..media.motion import Motion, fitted_to
from ..networks.motion_model.model import GlobalAudio, MotionModel
from ..networks.renderer.model import Renderer
from ..vocabulary import FPS, SAMPLES_A_FRAME
from .devices import autocast
from .limits import MotionLimits
from .portrait import encode_source, extract_appearance
from .rendering import Onto, frame_size
from .settings import LiveSettings, RenderingSettings, SamplingSettings
from .speaking import LISTENING_PAD, generate_motion

MOST = 80  # frames sampled at once: those that waited, where sampling is slower than the sound
QUIET = 10 ** (-55 / 20)  # root mean square of a frame that counts as silence: a room is not to be raised to a voice
WINDOW = 16  # frames of a sampling window


class LiveMotion:
    """A voice, pushed sample by sample, becomes motion, frame by frame. Memory does not grow with it."""

    def __init__(
        self,
        model: MotionModel,
        appearance: Tensor | None,
        settings: LiveSettings | None = None,
        bf16: bool = False,
    ):
        self.model, self.appearance, self.settings, self.bf16 = model, appearance, settings or LiveSettings(), bf16
        self.device = model.rest_motion.device
        self.sampling = SamplingSettings(
            seed=self.settings.seed, steps=self.settings.steps, audio_guidance=1.0, window=WINDOW
        )
        self.start_again()

    def start_again(self) -> None:
        """Forget all that was heard; the next sample belongs to frame 0."""
        self.made = 0  # frames
        self.past = LISTENING_PAD  # frames of sound kept before those to be made
        self.sound = torch.zeros(LISTENING_PAD * SAMPLES_A_FRAME)
        self.history = self.model.rest_motion.expand(self.model.config.history, -1)

    def push(self, samples: Tensor) -> None:
        """Sound (n,) at 16 kHz that follows what was pushed before."""
        self.sound = torch.cat([self.sound, samples.detach().float().cpu()])

    @property
    def waiting(self) -> int:
        """Frames that can be made now."""
        heard = len(self.sound) // SAMPLES_A_FRAME - self.past
        return max(0, heard - self.settings.ahead)

    @torch.inference_mode()
    def next(self) -> Motion | None:
        """The frames that can be made, at least a chunk and at most MOST; None where there are too few."""
        if self.waiting < self.settings.chunk:
            return None
        frames = min(self.waiting, MOST)
        whole = self.past + frames + self.settings.ahead
        heard = _gated(self.sound[: whole * SAMPLES_A_FRAME])[None].to(self.device)
        with autocast(self.device, self.bf16):
            features, local = self.model.extract_global(heard), self.model.extract_local(heard)
        window = features.window(self.past, whole)
        motion = generate_motion(
            self.model,
            GlobalAudio(window.style.float(), window.frames.float()),
            local[:, self.past : whole].float(),
            self.appearance,
            self.sampling,
            history=self.history,
            noise_offset=self.made,
            bf16=self.bf16,
        )
        values = motion.values[:frames]
        self.history = torch.cat([self.history, values.to(self.history)])[-self.model.config.history :]
        self.made += frames
        drop = max(0, self.past + frames - self.settings.context)
        self.sound = self.sound[drop * SAMPLES_A_FRAME :].clone()
        self.past += frames - drop
        return replace(motion, values=values, fps=Fraction(FPS))


class LivePortrait:
    """A portrait that shows single frames of motion as `render` shows whole ones; what does not change is done once."""

    def __init__(
        self, renderer: Renderer, picture: Tensor, settings: RenderingSettings | None = None, bf16: bool = False
    ):
        self.renderer, self.settings, self.bf16 = renderer, settings or RenderingSettings(), bf16
        source = encode_source(renderer, picture, bf16=bf16)
        self.appearance = extract_appearance(renderer, source, bf16=bf16)
        self.device = next(renderer.parameters()).device
        self.size = frame_size(renderer, source, self.settings.size)
        self.source, self.own = source.to(self.device).at_size(self.size), source.motion.float().cpu()[0]
        self.limits = MotionLimits(renderer, "the motion")
        self.onto: Onto | None = None

    @torch.inference_mode()
    def draw(self, motion: Motion, first: int) -> Tensor:
        """Motion (b frames), of which the first is frame `first` of all, -> (b,H,W,3) float32 in [0,1] on the CPU."""
        motion = fitted_to(motion, self.renderer)
        if self.onto is None:
            self.onto = Onto.portrait(self.renderer, self.own, motion, self.settings)
        target = self.limits.clamp(self.onto(motion, first)).to(self.device)
        with autocast(self.device, self.bf16):
            target = self.renderer.within_limits(target, self.source)
            rendered = self.renderer.decode(
                self.source,
                self.appearance.to(self.device),
                target,
                size=self.size,
                articulation=self.settings.articulation,
            )
        return rendered.image.float().permute(0, 2, 3, 1).cpu()


def _gated(sound: Tensor) -> Tensor:
    """The sound (n * 640,) with frames of mere room noise set to zero."""
    frames = sound.view(-1, SAMPLES_A_FRAME)
    return (frames * (frames.square().mean(1, keepdim=True).sqrt() > QUIET)).flatten()
