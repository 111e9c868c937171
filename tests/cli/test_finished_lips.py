"""Three seconds of a shipped voice, spoken by a shipped portrait with the shipped weights: the lips of the film move as
the motion says."""

from pathlib import Path

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.learning.evaluation.metrics import best_lag, correlation
from mamba_portrait.media.audio import load_audio, write_wav
from mamba_portrait.media.faces import find_faces
from mamba_portrait.media.motion import load_motion
from mamba_portrait.media.video import read_video
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.vocabulary import INDEX

ASSETS = Path(__file__).parents[2] / "assets"
SECONDS, FPS = 3, 25


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Frames (T,H,W,3) in [0,1] read back from the film, and the jaw (T,) that the motion commanded."""
    folder = tmp_path_factory.mktemp("spoken")
    waveform, rate = load_audio(ASSETS / "greeting.flac")
    voice = write_wav(folder / "voice.wav", waveform[:, : SECONDS * rate], rate)
    files = [str(ASSETS / "portrait_2.jpg"), str(voice), "-o", str(folder / "film.mp4")]
    command = ["animate", *files, "--save-motion", str(folder / "motion.safetensors"), "--size", "256"]
    assert main([*command, "--device", "cpu"]) == 0
    parameters = load_renderer().read_parameters(load_motion(folder / "motion.safetensors").values)
    return torch.stack(list(read_video(folder / "film.mp4"))), parameters[:, INDEX["jaw"]].detach()


@pytest.fixture(scope="module")
def darkness(film):
    """(T,) mean darkness, 0..1, between the lips and below: lips are closed in the photo, and a mouth is dark inside.

    The place is told by the corners of the mouth in the first frame; no network of ours reads the other frames."""
    frames, _ = film
    left, right = find_faces(frames[0])[0].landmarks[3:5]
    (x, y), width = (left + right) / 2, right[0] - left[0]
    rows = slice(round(y - 0.25 * width), round(y + 0.6 * width))
    return 1 - frames[:, rows, round(x - 0.35 * width) : round(x + 0.35 * width)].mean((1, 2, 3))


def test_lips_of_the_film_move_with_the_jaw_of_the_motion(film, darkness):
    jaw = film[1]
    assert len(darkness) == len(jaw) == SECONDS * FPS
    assert correlation(darkness, jaw) > 0.85 and best_lag(darkness, jaw)[1] == 0
    wide, narrow = jaw > jaw.quantile(0.9), jaw < jaw.quantile(0.3)
    assert darkness[wide].mean() - darkness[narrow].mean() > 0.05


def test_lips_of_the_film_do_not_move_with_another_motion(film, darkness):
    jaw = film[1]
    order = torch.randperm(len(jaw), generator=torch.Generator().manual_seed(0))
    others = {"late": jaw.roll(5), "early": jaw.roll(-5), "backwards": jaw.flip(0), "shuffled": jaw[order]}
    assert max(correlation(darkness, other) for other in others.values()) < 0.5
