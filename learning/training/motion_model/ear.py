"""The audio regression of a motion model solved on clips, instead of descended: ridge regression from the audio
condition of a frame to the mouth's parameters, of half bodies to those of the arms as well. Everything else of the
model stays as it is.

    python -m mamba_portrait.learning.training.motion_model.ear --data DIR --init FILE --out RUN.pt

DIR holds clips of drawn parameters (learning/corpus/tracks.py, real_lips.py). People on film weigh the same, and
together as much as FILMS of all; the frames of other clips weigh the same too. With `--augmented SHARE` each clip also
counts, for so much of its weight, as it sounds in another room, on another line or with music under it. `export RUN.pt`
writes the weights.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ....model_loaders.checkpoint import load_motion_model, load_renderer
from ....networks.motion_model.model import MotionModel
from ....networks.renderer.model import Renderer
from ....pipelines.speaking import Voice, extract_global_audio, extract_local_audio
from ....sampling.settings import Range
from ....vocabulary import INDEX, SAMPLES_A_FRAME
from ...corpus.speech.augment import augment
from ...datasets.tracks import MOUTH, Augment, Track, load_tracks
from ..run import save_atomically
from .led import as_wide, features, lead_through_condition, led_by
from .train import averaged_motion_model

MEASURED = 40  # clips on which a half body's regression is made to vary as much as the truth
RIDGE = 0.1  # of the condition's variance
FILMS = 0.5  # share of films where there are other clips too
RENDERED = {"jaw": 1.05, "upper_lip": 1.05, "lower_lip": 1.05, "pucker": 1.6, "spread": 1.6}
"""Gains on the regression's outputs, so that lips in finished films move as far as people's in the mean over seven
people held out. Portraits differ in how far the same parameters open them, and the renderer shows only a part of pucker
and spread."""


class Moments:
    """Weighted sums of what a ridge regression needs, in float64: a corpus of any length in a few hundred numbers."""

    def __init__(self, inputs: int, outputs: int):
        self.weight = 0.0
        self.x, self.y = torch.zeros(inputs, dtype=torch.float64), torch.zeros(outputs, dtype=torch.float64)
        self.xx = torch.zeros(inputs, inputs, dtype=torch.float64)
        self.xy = torch.zeros(inputs, outputs, dtype=torch.float64)

    def add(self, x: Tensor, y: Tensor, weight: float) -> None:
        """Frames x (n,inputs) and what they should give, y (n,outputs), each of the same weight."""
        x, y = x.cpu().double(), y.cpu().double()  # in this order: MPS has no float64
        self.weight += weight * len(x)
        self.x, self.y = self.x + weight * x.sum(0), self.y + weight * y.sum(0)
        self.xx, self.xy = self.xx + weight * x.T @ x, self.xy + weight * x.T @ y

    def solve(self, ridge: float) -> tuple[Tensor, Tensor]:
        """Matrix (outputs,inputs) and bias (outputs,) of least squares, each input held by `ridge` of its variance."""
        mean_x, mean_y = self.x / self.weight, self.y / self.weight
        covariance = self.xx / self.weight - torch.outer(mean_x, mean_x)
        shared = self.xy / self.weight - torch.outer(mean_x, mean_y)
        held = covariance + torch.diag(ridge * covariance.diagonal().clamp_min(1e-12))
        matrix = torch.linalg.solve(held, shared).T
        return matrix, mean_y - matrix @ mean_x


def weights_of(tracks: Sequence[Track]) -> list[float]:
    """The weight of a frame of each clip; they add up to 1 over all frames."""
    speakers = [json.loads((track.folder / "meta.json").read_text("utf8")).get("speaker", "") for track in tracks]
    frames: Counter[str] = Counter()
    for speaker, track in zip(speakers, tracks, strict=True):
        frames[speaker if _on_film(speaker) else ""] += len(track.values)
    people = sum(_on_film(speaker) for speaker in frames)
    films = FILMS if people and "" in frames else 1.0
    return [
        films / people / frames[s] if _on_film(s) else (1 - films if people else 1.0) / frames[""] for s in speakers
    ]


def _on_film(speaker: str) -> bool:
    return speaker.startswith("film-")


@torch.inference_mode()
def solve_ear(
    model: MotionModel,
    renderer: Renderer,
    tracks: Sequence[Track],
    ridge: float = RIDGE,
    augment: Augment | None = None,
    augmented: float = 0.0,
) -> None:
    """Replace the audio regression of `model` by the best linear one on clips of drawn parameters; of each clip's
    weight the share `augmented`, in 0 .. 1, is that of its sound changed by `augment`."""
    drawn, led = [track for track in tracks if track.drawn], led_by(model.config)
    mean = renderer.read_parameters(model.motion_mean[None])[0, led].cpu().double()
    narrow = len(led) > len(MOUTH)  # all that is heard is regressed on, as the condition of a half body holds less
    inputs = model.config.local_width + 2 * model.config.global_width if narrow else model.config.width
    moments, kept = Moments(inputs, len(led)), []
    clips = zip(tqdm(drawn, desc="audio features", unit="clip"), weights_of(drawn), strict=True)
    for number, (track, weight) in enumerate(clips):
        audio, truth = track.audio(0, len(track.values)), np.array(track.values[:, led])
        given, changes = _heard(model, audio, narrow), 0.0 if track.augmented else augmented
        moments.add(given, torch.from_numpy(truth), weight * (1 - changes))
        if changes:
            changed = np.asarray(augment(audio, np.random.default_rng(number)), np.float32)
            moments.add(_heard(model, changed, narrow), torch.from_numpy(truth), weight * changes)
        if narrow and len(kept) < MEASURED:
            kept.append((given.cpu().double(), truth))
    matrix, bias = moments.solve(ridge)
    if narrow:
        factor = as_wide(lambda heard: heard @ matrix.T + bias, *zip(*kept, strict=True), model.config.smoothing)
        factor[: len(MOUTH)] = 1  # RENDERED says how far the mouth goes
        matrix, bias = factor[:, None] * matrix, factor * bias + (1 - factor) * moments.y / moments.weight
        lead_through_condition(model, matrix, bias - mean)
    else:
        model.ear.weight.copy_(matrix)
        model.ear.bias.copy_(bias - mean)
    scale_mouth(model, renderer)


def _heard(model: MotionModel, audio: np.ndarray, narrow: bool) -> Tensor:
    """What the regression reads of a clip's sound (T*640,), (T,inputs)."""
    voice = Voice(torch.from_numpy(audio)[None], len(audio) // SAMPLES_A_FRAME)
    device = model.motion_mean.device
    global_audio = extract_global_audio(model, voice, keep_on=device)
    local = extract_local_audio(model, voice, keep_on=device)
    return features(global_audio, local) if narrow else model.condition(global_audio, local)[0]


@torch.no_grad()
def scale_mouth(model: MotionModel, renderer: Renderer) -> None:
    """Apply the gains of RENDERED to the audio regression, about a face at rest."""
    mean = renderer.read_parameters(model.motion_mean[None])[0]
    for name, factor in RENDERED.items():
        row, index = MOUTH.index(INDEX[name]), INDEX[name]
        model.ear.weight[row] *= factor
        model.ear.bias[row] += (factor - 1) * (model.ear.bias[row] + mean[index])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Solve the audio regression of a motion model on clips.")
    parser.add_argument("--data", required=True, metavar="DIR", help="clips")
    parser.add_argument("--init", metavar="FILE", help="a motion model or a run's stage2.pt (default: the shipped one)")
    parser.add_argument("--renderer", metavar="FILE", help="the renderer it speaks through (default: the shipped one)")
    parser.add_argument(
        "--every", type=Range(1, 1_000_000).read, default=1, help="use every so many-th clip only (%(default)s)"
    )
    parser.add_argument(
        "--augmented",
        type=Range(0.0, 1.0).read,
        default=0.0,
        metavar="SHARE",
        help="of each clip's weight so much is that of its sound in other rooms, lines and with music (%(default)s)",
    )
    parser.add_argument("--out", required=True, metavar="RUN.pt", help="what `export` reads")
    options = parser.parse_args(arguments)
    state: dict = {}
    if options.init and options.init.endswith(".pt"):
        state = torch.load(options.init, map_location="cpu", weights_only=True)
        model = averaged_motion_model(options.init)
    else:
        model = load_motion_model(options.init)
    tracks = load_tracks(options.data)[:: options.every]
    solve_ear(model, load_renderer(options.renderer), tracks, augment=augment, augmented=options.augmented)
    facts = {name: state[name] for name in ("step", "spent") if name in state}
    save_atomically(
        Path(options.out),
        facts
        | {
            "config": model.config.to_dict(),
            "model": model.state_dict(),
            "average": model.state_dict(),
            "motion_language": model.motion_language,
        },
    )
    print(options.out)


if __name__ == "__main__":
    main()
