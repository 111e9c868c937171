"""Stage 2 measured: voices kept out of training, before rendering and after."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..corpus.parameters import INDEX
from ..datasets.tracks import SAMPLES, Track
from ..networks.implicit_motion.motion_model import MotionModel
from ..networks.implicit_motion.renderer import Renderer
from ..pipelines.portrait import (
    Voice,
    encode_source,
    extract_appearance,
    listen_globally,
    listen_locally,
    render,
    speak,
)
from .metrics import best_lag, mean_of, speed_ratios

FOLLOWED = ("jaw", "pucker", "spread", "press", "upper_lip", "lower_lip")
SILENCE = 4.0  # seconds
RENDERED_SIZE = (128, 128)  # the motion encoder sees no more


@torch.inference_mode()
def measure_voices(
    renderer: Renderer,
    model: MotionModel,
    tracks: list[Track],
    photo: Tensor | None = None,
    *,
    clips: int = 16,
    seconds: float = 6.0,
    rendered: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Means over drawn clips spread over `tracks`: correlation of each mouth parameter with the truth at its best lag,
    the jaw's lag in frames, its amplitude, velocity and acceleration over the truth's; `silence`, the opening (95th
    percentile of the jaw) while nobody speaks; with a photo (H,W,3), `rendered_jaw`: the jaw seen in finished frames of
    the first `rendered` clips."""
    drawn = [track for track in tracks if track.drawn]
    if not drawn:
        raise ValueError("no drawn clips among the voices: make some with `python -m mamba_portrait corpus`")
    picked = drawn[:: max(1, len(drawn) // clips)][:clips]
    device = model.motion_mean.device
    source = appearance = None
    if photo is not None:
        source = encode_source(renderer, photo)
        appearance = extract_appearance(renderer, source)
    rows = []
    for number, track in enumerate(picked):
        frames = min(len(track.values), round(seconds * 25))
        motion = _speak(model, torch.from_numpy(track.audio(0, frames)), appearance, number)
        read = renderer.read_parameters(motion.values.to(device)).float().cpu()
        truth = torch.from_numpy(track.values[:frames].copy())
        row = {name: best_lag(read[:, INDEX[name]], truth[:, INDEX[name]])[0] for name in FOLLOWED}
        jaw, true_jaw = read[:, INDEX["jaw"]], truth[:, INDEX["jaw"]]
        row |= {"lag": float(best_lag(jaw, true_jaw)[1]), **speed_ratios(jaw, true_jaw)}
        if source is not None and number < rendered:
            pictures = torch.cat(list(render(renderer, source, appearance, motion, size=RENDERED_SIZE)))
            seen = renderer.encode_motion(pictures.permute(0, 3, 1, 2).to(device))
            row["rendered_jaw"] = best_lag(renderer.read_parameters(seen)[:, INDEX["jaw"]].float().cpu(), true_jaw)[0]
        rows.append(row)
        if progress is not None:
            progress(number + 1, len(picked))
    quiet = 1e-4 * torch.randn(round(SILENCE * 25) * SAMPLES, generator=torch.Generator().manual_seed(0))
    still = renderer.read_parameters(_speak(model, quiet, appearance, 0).values.to(device))[:, INDEX["jaw"]]
    return mean_of(rows) | {"silence": float(still.float().quantile(0.95))}


def _speak(model: MotionModel, audio: Tensor, appearance: Tensor | None, seed: int):
    """Motion for audio (N,) at 16 kHz, N a multiple of 640."""
    voice = Voice(audio[None], len(audio) // SAMPLES)
    return speak(model, listen_globally(model, voice), listen_locally(model, voice), appearance, seed=seed)
