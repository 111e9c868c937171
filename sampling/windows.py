"""Motion for audio of any length: one window after another, each continuing the last."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..networks.motion_model.mamba_global import GlobalAudio
from ..networks.motion_model.model import MotionModel
from .guidance import guided
from .schedule import NoiseSchedule
from .solvers import solve

MODES = ("window", "overlap", "stream", "strict")
STREAM_WINDOW = 16  # 0.64 s: the least delay at which a window still holds a syllable
HEARD_GAIN = 1.2  # what is heard is an expectation, and opens a mouth less wide than mouths do; a closed one stays so
SHORTEST = 16  # frames; the shortest window of training, so a short rest is filled up to it and cut


def frame_noise(seed: int, start: int, count: int, width: int, step: int = 0) -> Tensor:
    """Noise (count, width) of frames start .. start + count, drawn on the CPU frame by frame.

    A frame's noise depends on the seed, its index and the solver step alone, not on device, window or length.
    """
    generator, mask = torch.Generator(), (1 << 64) - 1
    # salted: generator 0 drew the direction in which jaws are written, and frame 0 of seed 0 opened every mouth
    salt = 0x2545F4914F6CDD1D
    rows = []
    for frame in range(start, start + count):
        key = (salt + seed * 0x9E3779B97F4A7C15 + frame * 0xBF58476D1CE4E5B9 + step * 0x94D049BB133111EB) & mask
        key = ((key ^ (key >> 31)) * 0xD6E8FEB86659FD93) & mask  # neighbouring indices must not give related generators
        rows.append(torch.randn(width, generator=generator.manual_seed((key ^ (key >> 32)) >> 1)))
    return torch.stack(rows)


def plan(frames: int, mode: str, window: int, overlap: int) -> list[tuple[int, int, int]]:
    """The windows (start, stop, known) that cover `frames`; the first `known` frames of each are already drawn.

    window: `window` frames after one another; overlap: each shares `overlap` frames with the one before; stream:
    windows of 16; strict: frame by frame, as the paper's conditioning is written. Raises ValueError for what cannot be.
    """
    if mode not in MODES:
        raise ValueError(f"mode {mode!r} must be one of {', '.join(MODES)}")
    if frames < 1:
        raise ValueError(f"frames must be at least 1, got {frames}")
    window = {"stream": STREAM_WINDOW, "strict": 1}.get(mode, window)
    known = overlap if mode == "overlap" else 0
    if window < 1 or not 0 <= known < window:
        raise ValueError(f"window {window} must be at least 1 and overlap {overlap} shorter than it")
    spans, start = [(0, min(window, frames), 0)], window
    while start < frames:
        spans.append((start - known, min(start - known + window, frames), known))
        start += window - known
    return spans


def _cut(features: Tensor, start: int, length: int) -> Tensor:
    """Frames start .. start + length of (1, T, width); beyond the end the last frame is held."""
    part = features[:, start : start + length]
    if not part.shape[1]:
        part = features[:, -1:]
    return torch.cat([part, part[:, -1:].expand(-1, length - part.shape[1], -1)], 1)


@torch.no_grad()
def sample_motion(
    model: MotionModel,
    global_audio: GlobalAudio,
    local_audio: Tensor,
    appearance: Tensor | None,
    *,
    frames: int,
    steps: int = 12,
    solver: str = "dpmpp_2m",
    audio_guidance: float = 1.5,
    appearance_guidance: float = 1.0,
    mode: str = "window",
    window: int = 80,
    overlap: int = 20,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    history: Tensor | None = None,
    noise_offset: int = 0,
    eta: float = 0.0,
    mouth_noise: float = 0.5,
    mouth_heard: float = 0.5,
) -> Tensor:
    """Draw motion (frames, 768), absolute and de-normalised, for one voice.

    global_audio and local_audio are of one clip (batch 1), appearance (1, appearance_dim) or None. `history` (n, 768)
    is absolute motion that came before, of which the last four frames count; None starts afresh. Frame i uses the
    noise of index i + noise_offset, so that audio moved by k frames can keep its noise. progress(done, total) is
    called once a solver step and may raise to cancel. mouth_noise (0..1) is the share of the noise that the mouth gets:
    chance makes a head lively, but a mouth wrong. At 0.5 lips of voices never heard correlated by .05 more with the
    truth than at 1, and at 0 they moved too little. mouth_heard (0..1) leads the mouth by so much of the way, at every
    step, to what the model's ear reads from the voice: at 0.5 the same lips correlated by .70 instead of .66. Raises
    ValueError for impossible windows, modes, solvers or step counts.
    """
    config, device = model.config, local_audio.device
    schedule = NoiseSchedule(config.timesteps, config.snr_shift)
    spans = plan(frames, mode, window, overlap)
    done, total = 0, len(spans) * steps
    past = torch.zeros(config.history, config.motion_dim, device=device)  # float32, whatever the networks compute in
    if history is not None and len(history):
        given = model.normalise(history[-config.history :].to(past))
        past = torch.cat([past[: config.history - len(given)], given])
    motion = torch.cat([past, past.new_zeros(frames, config.motion_dim)])  # normalised, preceded by its history

    rest = model.normalise(model.rest_motion) @ model.mouth_reader

    def advance() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    for start, stop, known in spans:
        length = stop - start if mode == "strict" else max(stop - start, min(SHORTEST, window))
        before = motion[None, start : start + config.history]
        audio = GlobalAudio(global_audio.style, _cut(global_audio.frames, start, length))
        local = _cut(local_audio, start, length)
        heard = rest + HEARD_GAIN * (model.hear(audio, local).float() - rest)
        fade = torch.arange(1, known + 1, device=device)[:, None].to(motion.dtype) / (known + 1)
        drawn = motion[start + config.history : start + config.history + known]

        def estimate(
            x: Tensor, t: int, audio=audio, local=local, heard=heard, before=before, fade=fade, drawn=drawn
        ) -> Tensor:
            predicted = guided(model, x, t, audio, local, appearance, before, audio_guidance, appearance_guidance)
            x0 = schedule.to_x0(predicted.float(), x, torch.tensor([t], device=device), config.prediction)
            x0 = model.lead_mouth(x0, heard, mouth_heard)
            shared = torch.lerp(drawn, x0[0, : len(drawn)], fade)  # cross-fade from the window before to this one
            return torch.cat([shared[None], x0[:, len(drawn) :]], 1)

        def noise(step: int, start=start, length=length) -> Tensor:
            fresh = frame_noise(seed, start + noise_offset, length, config.motion_dim, step)
            return model.quiet_mouth(fresh[None].to(device, motion.dtype), mouth_noise)

        x0 = solve(estimate, noise(0), schedule, steps, solver, eta, lambda i, n=noise: n(i + 1), advance)
        motion[start + config.history : stop + config.history] = x0[0, : stop - start]
    return motion[config.history :].mul_(model.motion_std).add_(model.motion_mean)  # in place: it may be long
