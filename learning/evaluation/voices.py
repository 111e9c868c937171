"""Evaluation of stage 2 on held-out voices, before rendering and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...networks.motion_model.model import MotionModel
from ...networks.renderer.model import Renderer
from ...pipelines.portrait import encode_source, extract_appearance
from ...pipelines.rendering import render
from ...pipelines.settings import RenderingSettings
from ...visemes.table import lips_of
from ...vocabulary import FPS, INDEX, SAMPLES_A_FRAME
from ..datasets.tracks import Track
from .metrics import best_lag, mean_of, reach_ratios, speed_ratios
from .speaking import motion_of_sound

FOLLOWED = ("jaw", "pucker", "spread", "press", "upper_lip", "lower_lip")
SECONDS, SILENCE = 6.0, 4.0  # of each clip, and of silence
RENDERING = RenderingSettings(size=128)  # the input size of the motion encoder


@torch.inference_mode()
def measure_lip_sync(
    renderer: Renderer,
    model: MotionModel,
    tracks: list[Track],
    photo: Tensor | None = None,
    *,
    clips: int = 16,
    seconds: float = SECONDS,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Means over drawn clips spread over `tracks`: correlation of each mouth parameter with the truth at its best lag,
    the jaw's lag in frames, its amplitude, velocity and acceleration over the truth's, how far opening and width of the
    lips go of how far the true ones do (`reach`, `width_reach`); `silence`, the opening (95th
    percentile of the jaw) while nobody speaks. All are spoken for the looks of one photo (H,W,3), if there is one."""
    picked = _spread(tracks, clips)
    device = model.motion_mean.device
    appearance = None if photo is None else extract_appearance(renderer, encode_source(renderer, photo))
    rows = []
    for number, track in enumerate(picked):
        frames = min(len(track.values), round(seconds * FPS))
        motion = motion_of_sound(model, torch.from_numpy(track.audio(0, frames)), appearance, number)
        read = renderer.read_parameters(motion.values.to(device)).float().cpu()
        truth = torch.from_numpy(track.values[:frames].copy())
        row = {name: best_lag(read[:, INDEX[name]], truth[:, INDEX[name]])[0] for name in FOLLOWED}
        jaw, true_jaw = read[:, INDEX["jaw"]], truth[:, INDEX["jaw"]]
        row |= {"lag": float(best_lag(jaw, true_jaw)[1]), **speed_ratios(jaw, true_jaw)}
        row |= reach_ratios(*(torch.from_numpy(lips_of(values.numpy())) for values in (read, truth)))
        rows.append(row)
        if progress is not None:
            progress(number + 1, len(picked))
    quiet = 1e-4 * torch.randn(round(SILENCE * FPS) * SAMPLES_A_FRAME, generator=torch.Generator().manual_seed(0))
    still = renderer.read_parameters(motion_of_sound(model, quiet, appearance, 0).values.to(device))[:, INDEX["jaw"]]
    return mean_of(rows) | {"silence": float(still.float().quantile(0.95))}


@torch.inference_mode()
def measure_rendered_lip_sync(
    renderer: Renderer,
    model: MotionModel,
    tracks: list[Track],
    photos: Sequence[Tensor],
    *,
    seconds: float = SECONDS,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Photos (H,W,3), one or more, each animated with a clip of its own: correlation of the true jaw with the jaw that
    our motion encoder reads in the rendered frames, at its best lag. `rendered_jaw` is the mean over the `faces`
    photos, `rendered_jaw_lowest` the lowest of them."""
    device, values = model.motion_mean.device, []
    picked = _spread(tracks, len(photos))
    for number, photo in enumerate(photos):
        track = picked[number % len(picked)]
        frames = min(len(track.values), round(seconds * FPS))
        source = encode_source(renderer, photo)
        appearance = extract_appearance(renderer, source)
        motion = motion_of_sound(model, torch.from_numpy(track.audio(0, frames)), appearance, number)
        pictures = torch.cat(list(render(renderer, source, appearance, motion, RENDERING)))
        seen = renderer.read_parameters(renderer.encode_motion(pictures.permute(0, 3, 1, 2).to(device)))
        jaw = INDEX["jaw"]
        values.append(best_lag(seen[:, jaw].float().cpu(), torch.from_numpy(track.values[:frames, jaw].copy()))[0])
        if progress is not None:
            progress(number + 1, len(photos))
    return {"rendered_jaw": sum(values) / len(values), "rendered_jaw_lowest": min(values), "faces": float(len(values))}


def _spread(tracks: list[Track], count: int) -> list[Track]:
    """At most `count` drawn clips, evenly spaced among all."""
    drawn = [track for track in tracks if track.drawn]
    if not drawn:
        raise ValueError("no drawn clips among the voices: make some with `python -m mamba_portrait corpus`")
    return drawn[:: max(1, len(drawn) // count)][:count]
