"""One function a stage of the talking portrait, shared by nodes, command line and tests.

Networks stay on the device they are on; results between stages go to `keep_on` (the CPU by default). Pictures are
(H,W,3) float in [0,1]. `progress` is a callable (done, total), called at every solver step and every batch of frames;
it may raise to cancel.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ..media.alpha_video import AlphaVideoWriter
from ..media.audio import frame_count, to_mono_16k
from ..media.mixed_sound import MixedSound
from ..media.motion import Motion, fitted_to, retarget
from ..media.picture import checked
from ..media.sound_file import SoundFile
from ..media.video import VideoWriter
from ..networks.motion_model.model import GlobalAudio, MotionModel
from ..networks.renderer.model import Renderer, Source
from ..sampling.windows import sample_motion
from ..vocabulary import FPS, SAMPLES_A_FRAME
from . import lips
from .halving import Halving
from .limits import MotionLimits
from .neutral import with_expression_of
from .settings import RenderingSettings, SamplingSettings
from .threads import in_order, worker_count

Progress = Callable[[int, int], None]
T = TypeVar("T")

LISTENING_PAD = 20  # frames of silence before and after a voice while its features are computed
WARM_UP_FRAMES = 8  # frames of silence that are sampled first and cut off again


@dataclass(frozen=True)
class Voice:
    """Speech in the form of the motion model's input."""

    waveform: Tensor  # (1,N) mono, 16 kHz, N = 640 * frames
    frames: int  # frames of video at 25 fps


def _device(module: torch.nn.Module) -> torch.device:
    return next(module.parameters()).device


def autocast(device: torch.device, bf16: bool) -> contextlib.AbstractContextManager:
    """torch.autocast to bfloat16 if `bf16`, else nothing."""
    return torch.autocast(device.type, torch.bfloat16) if bf16 else contextlib.nullcontext()


def _network_image(photo: Tensor, device: torch.device) -> Tensor:
    """(H,W,3|4) or (B,H,W,3|4) -> (B,3,H,W) on the device."""
    photo = photo if photo.ndim == 4 else photo[None]
    return photo[..., :3].permute(0, 3, 1, 2).to(device, torch.float32)


@torch.inference_mode()
def encode_source(
    renderer: Renderer,
    photo: Tensor,
    *,
    alpha: Tensor | None = None,
    bf16: bool = False,
    keep_on: str | torch.device = "cpu",
) -> Source:
    """A square portrait (H,W,3) in [0,1] -> its encoding, computed once per portrait. ValueError for other pictures.

    alpha (H,W) in [0,1], 1 opaque: frames then have four channels, and what is transparent moves with the head."""
    if photo.ndim == 4 and photo.shape[0] != 1:
        raise ValueError(f"One portrait is needed, but {photo.shape[0]} pictures came in; choose one of them first.")
    device = _device(renderer)
    picture, limits = _network_image(checked(photo, "the portrait"), device), MotionLimits(renderer, "the portrait")
    with autocast(device, bf16):
        motion = renderer.encode_motion(picture)
    motion = limits.clamp(motion.float().cpu()).to(device)
    limits.warn()
    if alpha is not None:
        if alpha.shape != picture.shape[-2:]:
            given, wanted = ("x".join(str(n) for n in reversed(x.shape[-2:])) for x in (alpha, picture))
            raise ValueError(f"The portrait is {wanted} and its mask {given}: cut both in the same way.")
        picture = torch.cat([picture, alpha.to(picture)[None, None].clamp(0, 1)], 1)
    with autocast(device, bf16):
        return renderer.encode_source(picture, motion=motion).toned().to(keep_on)


@torch.inference_mode()
def extract_appearance(
    renderer: Renderer, source: Source, *, bf16: bool = False, keep_on: str | torch.device = "cpu"
) -> Tensor:
    """F_A (1,appearance_dim) float32 of an encoded portrait."""
    device = _device(renderer)
    with autocast(device, bf16):
        return renderer.extract_appearance(source.to(device)).float().to(keep_on)


def prepare_voice(waveform: Tensor, rate: int) -> Voice:
    """Sound of any rate and channel count (C,N) -> 16 kHz mono, padded to whole frames (never cut)."""
    if waveform.numel() == 0:
        raise ValueError("The audio is empty; give a recording with speech in it.")
    frames = _frames_of(waveform.shape[-1], rate)
    return _whole_frames(to_mono_16k(waveform.cpu(), rate).reshape(1, -1), frames)


def prepare_voice_file(sound: SoundFile) -> Voice:
    """`prepare_voice` of a file, which is read as a stream: memory holds the 16 kHz mono alone."""
    mono, samples = sound.mono_16k()
    return _whole_frames(mono[None], _frames_of(samples, sound.rate))


def _frames_of(samples: int, rate: int) -> int:
    frames = frame_count(samples, rate, FPS)
    if frames < 1:
        raise ValueError(f"The audio lasts {samples / rate:.3f} s, less than half a video frame; give a longer clip.")
    return frames


def _whole_frames(mono: Tensor, frames: int) -> Voice:
    samples = frames * SAMPLES_A_FRAME  # a last frame at least half covered by sound is kept, padded with silence
    missing = samples - mono.shape[1]
    return Voice(F.pad(mono, (0, missing)) if missing > 0 else mono[:, :samples], frames)


@torch.inference_mode()
def extract_global_audio(
    model: MotionModel, voice: Voice, *, bf16: bool = False, keep_on: str | torch.device = "cpu"
) -> GlobalAudio:
    """Mamba-g over the whole recording: the speaking style, and the prosody of every frame."""
    device = _device(model)
    with autocast(device, bf16):
        features = model.extract_global(_padded(voice).to(device)).window(LISTENING_PAD, LISTENING_PAD + voice.frames)
    return GlobalAudio(features.style.float().to(keep_on), features.frames.float().to(keep_on))


@torch.inference_mode()
def extract_local_audio(
    model: MotionModel, voice: Voice, *, bf16: bool = False, keep_on: str | torch.device = "cpu"
) -> Tensor:
    """Mamba-l over the slices around each frame: F_al (1,T,d), which determines the lips."""
    device = _device(model)
    with autocast(device, bf16):
        features = model.extract_local(_padded(voice).to(device))
    return features[:, LISTENING_PAD : LISTENING_PAD + voice.frames].float().to(keep_on)


def _padded(voice: Voice) -> Tensor:
    """(1,N): the waveform with silence before and after, as around training clips. Without it the mouth opened before
    the first word of recordings that begin with speech."""
    return F.pad(voice.waveform, (LISTENING_PAD * SAMPLES_A_FRAME, LISTENING_PAD * SAMPLES_A_FRAME))


@torch.inference_mode()
def generate_motion(
    model: MotionModel,
    global_audio: GlobalAudio,
    local_audio: Tensor,
    appearance: Tensor | None,
    settings: SamplingSettings | None = None,
    *,
    style: GlobalAudio | None = None,
    history: Tensor | None = None,
    noise_offset: int = 0,
    bf16: bool = False,
    progress: Progress | None = None,
) -> Motion:
    """Voice features -> Motion at 25 fps, relative to the resting face.

    `style` replaces the speaking style (Mamba-g's style vector) by that of another recording. `history` and
    `noise_offset` continue earlier motion, as in `sample_motion`. Without history, sampling starts from a face at rest
    and WARM_UP_FRAMES of silence, which are cut off again. The paper starts from zeros, which are not a face at rest in
    our motion space: the mouth opened before the first word.
    """
    frames = local_audio.shape[1]
    if global_audio.frames.shape[1] != frames:
        raise ValueError(
            f"Global audio has {global_audio.frames.shape[1]} frames and local audio {frames}: "
            "both must come from the same recording."
        )
    device, warm_up = _device(model), 0
    global_audio = GlobalAudio((style or global_audio).style.to(device), global_audio.frames.to(device))
    local_audio, appearance = local_audio.to(device), None if appearance is None else appearance.to(device)
    with autocast(device, bf16):
        if history is None:
            warm_up, history = WARM_UP_FRAMES, model.rest_motion.expand(model.config.history, -1)
            global_audio, local_audio = _after_silence(model, global_audio, local_audio)
        values = sample_motion(
            model,
            global_audio,
            local_audio,
            appearance,
            settings,
            frames=warm_up + frames,
            history=history,
            noise_offset=noise_offset - warm_up,
            progress=progress,
        )[warm_up:]
    return Motion(
        values.float().cpu(),
        model.rest_motion.float().cpu(),
        Fraction(FPS),
        model.motion_language,
        model.motion_encoder_id,
    )


def _after_silence(model: MotionModel, global_audio: GlobalAudio, local_audio: Tensor) -> tuple[GlobalAudio, Tensor]:
    """Features preceded by those of WARM_UP_FRAMES of silence."""
    silence = local_audio.new_zeros(1, WARM_UP_FRAMES * SAMPLES_A_FRAME)
    before = model.extract_global(silence).frames.to(global_audio.frames)
    local = torch.cat([model.extract_local(silence).to(local_audio), local_audio], 1)
    return GlobalAudio(global_audio.style, torch.cat([before, global_audio.frames], 1)), local


def batches(frames: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """Single pictures (H,W,3) -> stacks of at most `size` of them (b,H,W,3)."""
    iterator = iter(frames)
    while chunk := list(islice(iterator, size)):
        yield torch.stack([torch.as_tensor(frame) for frame in chunk])


@torch.inference_mode()
def encode_driving_video(
    renderer: Renderer,
    frames: Iterable[Tensor],
    fps: Fraction,
    *,
    batch: int = 8,
    bf16: bool = False,
    total: int | None = None,
    progress: Progress | None = None,
) -> Motion:
    """The frames (H,W,3) in [0,1] of a driving video -> its Motion, relative to its first frame; framing parameters are
    relative to the first frame's. ValueError for other pictures. Motion that no face makes is clamped, with a warning
    (limits.py)."""
    motion = encode_motions(renderer, frames, batch=batch, bf16=bf16, total=total, progress=progress)
    device = _device(renderer)
    with torch.autocast(device.type, enabled=False):
        motion = renderer.centred(motion.to(device), motion[0].to(device)).float().cpu()
    limits = MotionLimits(renderer, "the driving video")
    motion = limits.clamp(motion)
    limits.warn()
    return Motion(motion, motion[0].clone(), fps, renderer.motion_language, renderer.motion_encoder_id)


@torch.inference_mode()
def encode_motions(
    renderer: Renderer,
    frames: Iterable[Tensor],
    *,
    batch: int = 8,
    bf16: bool = False,
    total: int | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """The frames (H,W,3) in [0,1] of a driving video, cut to a face -> their motion (T,768) float32 on the CPU, as the
    encoder gives it. ValueError for other pictures and for none."""
    device, done = _device(renderer), 0
    values: list[Tensor] = []
    for pictures in batches(frames, batch):
        pictures = _network_image(checked(pictures, "the driving video"), device)
        with autocast(device, bf16):
            values.append(renderer.encode_motion(pictures).float().cpu())
        done += len(pictures)
        if progress is not None:
            progress(done, max(done, total or done))
    if not values:
        raise ValueError("The driving video has no frames.")
    return torch.cat(values)


def frame_size(renderer: Renderer, source: Source, side: int | None = None) -> tuple[int, int]:
    """(height, width) of the frames: a square, or the portrait's own size, enlarged to the network's if it is smaller.

    Always even, as video encoders require."""
    height, width = (side, side) if side else source.image.shape[-2:]
    scale = 1.0 if side else max(1.0, renderer.config.image_size / max(height, width))
    return tuple(max(2, round(length * scale) // 2 * 2) for length in (height, width))


def working_memory(batch: int, height: int, width: int) -> int:
    """Bytes that rendering one batch takes, for the host's memory management: eight pictures and the activations."""
    return batch * 4 * 3 * 8 * (height * width + 64 * 256 * 256)


def render(
    renderer: Renderer,
    source: Source,
    appearance: Tensor,
    motion: Motion,
    settings: RenderingSettings | None = None,
    *,
    first: int = 0,
    bf16: bool = False,
    progress: Progress | None = None,
) -> Iterator[Tensor]:
    """Motion on a portrait -> batches of frames (b,H,W,3) float32 in [0,1] on the CPU, (b,H,W,4) of a source with
    alpha, one by one; H and W are those of `frame_size`. On a CPU several threads render parts of a batch side by side,
    b frames each (`frames_a_part`). first: frames before it, a number of whole parts, are left out. Motion that no face
    makes is clamped, with a warning at the end (limits.py). Raises ValueError for motion of another renderer's motion
    space."""
    settings = settings or RenderingSettings()
    size = frame_size(renderer, source, settings.size)

    def frames(portrait: Source, looks: Tensor, target: Tensor) -> Tensor:
        rendered = renderer.decode(portrait, looks, target, size=size, articulation=settings.articulation)
        return rendered.image.permute(0, 2, 3, 1).cpu()

    rest = {"first": first, "bf16": bf16, "progress": progress}
    yield from each_batch(frames, renderer, source, appearance, motion, settings, size, **rest)


@torch.inference_mode()
def each_batch(
    work: Callable[[Source, Tensor, Tensor], T],
    renderer: Renderer,
    source: Source,
    appearance: Tensor,
    motion: Motion,
    settings: RenderingSettings,
    size: tuple[int, int],
    *,
    first: int = 0,
    bf16: bool = False,
    progress: Progress | None = None,
) -> Iterator[T]:
    """work(source with the photo at `size`, appearance, absolute motion (b,768)) for each batch of frames from `first`
    on, in order; on a CPU by several threads side by side."""
    motion = fitted_to(motion, renderer)
    device = _device(renderer)
    on_device, appearance = source.to(device).at_size(size), appearance.to(device)
    limits = MotionLimits(renderer, "the motion")
    workers = worker_count(device, settings.batch)

    def decoded(target: Tensor) -> T:
        return work(on_device, appearance, renderer.within_limits(target.to(device), on_device))

    halving = Halving(decoded, "rendering")

    def batch(target: Tensor) -> tuple[int, T]:
        with torch.inference_mode(), autocast(device, bf16):  # both hold for one thread only
            return len(target), halving(target)

    part, done = frames_a_part(renderer, settings), first
    targets = target_motions(renderer, source, motion, settings, limits, part)
    targets = islice(targets, -(-first // part), None)  # those left out are still looked at: limits go on from them
    for count, result in in_order(batch, targets, workers):
        yield result
        done += count
        if progress is not None:
            progress(done, motion.frames)
    limits.warn()


def frames_a_part(renderer: Renderer, settings: RenderingSettings) -> int:
    """Frames that one thread renders at once, from the batch that all render."""
    return settings.batch // worker_count(_device(renderer), settings.batch)


def target_motions(
    renderer: Renderer, source: Source, motion: Motion, settings: RenderingSettings, limits: MotionLimits, batch: int
) -> Iterator[Tensor]:
    """The absolute motion (b,768) of the frames on the CPU, clamped, `batch` of them at a time."""
    onto = Onto.portrait(renderer, source.motion.float().cpu()[0], motion, settings)
    for start in range(0, motion.frames, batch):
        part = replace(motion, values=motion.values[start : start + batch])
        yield limits.clamp(onto(part, start))


@dataclass(frozen=True, eq=False)
class Onto:
    """How motion becomes that of one portrait: what it is added to, and by how much the photo's own lips close."""

    own: Tensor  # (768,)
    opening: Tensor  # (768,)
    mode: str  # of `retarget`
    gain: float

    @classmethod
    def portrait(cls, renderer: Renderer, own: Tensor, motion: Motion, settings: RenderingSettings) -> Onto:
        """For motion like this on a portrait whose own is (768,)."""
        mode = settings.mode
        if mode == "expression":
            own, mode = with_expression_of(own, motion.reference, renderer), "relative"
        opening = lips.lip_opening(renderer, own, motion) if settings.mode == "relative" else torch.zeros_like(own)
        return cls(own, opening, mode, settings.gain)

    def __call__(self, part: Motion, first: int) -> Tensor:
        """Motion of b frames, of which the first is frame `first` of all -> absolute motion (b,768)."""
        indices = torch.arange(first, first + part.frames)
        closed = lips.closing_weight(indices, float(part.fps)) * min(self.gain, 1.0)
        return retarget(part, self.own, self.mode, self.gain) - closed * self.opening


def assemble(
    path: str | Path,
    frames: Iterable[Tensor],
    fps: Fraction,
    *,
    waveform: Tensor | None = None,
    rate: int | None = None,
    sound: SoundFile | MixedSound | None = None,
    mark: bool = False,
    quality: int = RenderingSettings.quality,
) -> Path:
    """Batches (b,H,W,3) and a voice, (C,N) or a file, if any -> a video file, encoded as the frames come; errors leave
    none. Of frames with alpha, (b,H,W,4), .webm keeps it."""
    RenderingSettings.check("quality", quality)
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None or len(first) == 0:
        raise ValueError("There are no frames to write.")
    audio = sound if waveform is None else (waveform, rate)
    kind = writer_of(path)
    with kind(path, fps=fps, audio=audio, mark=mark, crf=quality) as writer:
        for pictures in chain([first], iterator):
            writer.write(for_film(pictures, kind.channels))
    return Path(path)


def writer_of(path: str | Path) -> type[VideoWriter]:
    """What writes a film of this name: with alpha where the container has it."""
    return AlphaVideoWriter if Path(path).suffix.lower() in AlphaVideoWriter.containers else VideoWriter


def for_film(pictures: Tensor, channels: int) -> Tensor:
    """(...,H,W,3|4) -> (...,H,W,channels): opaque where alpha is wanted and there is none."""
    if pictures.shape[-1] < channels:
        pictures = F.pad(pictures, (0, 1), value=1.0)
    return pictures[..., :channels]
