"""Weights and inputs that any implementation of a network can be given, so that its numbers can be compared; and films
of known differences."""

import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mamba_portrait.media.video import VideoWriter
from mamba_portrait.vocabulary import FPS, SAMPLE_RATE, SAMPLES_A_FRAME


def seeded(name: str, shape: tuple[int, ...]) -> Tensor:
    """Standard normal values that depend on a name and a shape only, in every version of NumPy."""
    return torch.from_numpy(np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)).float()


def fill(network: nn.Module) -> nn.Module:
    """Random weights by the names of the parameters, scaled so that signals keep their size."""
    with torch.no_grad():
        for name, values in network.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            noise = seeded(name, tuple(values.shape))
            if values.ndim > 1:
                noise *= (2 / values[0].numel()) ** 0.5
            elif name.endswith("running_var"):
                noise = 1 + 0.1 * noise.abs()
            elif name.endswith(".weight"):
                noise = 1 + 0.1 * noise
            else:
                noise *= 0.1
            values.copy_(noise)
    return network.eval()


@pytest.fixture(scope="session")
def filled() -> Callable[[nn.Module], nn.Module]:
    return fill


@pytest.fixture(scope="session")
def noise() -> Callable[[str, tuple[int, ...]], Tensor]:
    return seeded


def moving_film(seed: int, frames: int = 30, size: int = 64) -> np.ndarray:
    """(T,size,size,3) uint8: a texture that moves, with a disc whose height follows a curve."""
    generator = np.random.default_rng(seed)
    texture = cv2.resize(generator.integers(40, 220, (6, 6, 3), np.uint8), (size + 40, size + 40))
    film = []
    for i in range(frames):
        x, y = (round(8 + 6 * np.sin(0.3 * i + k)) for k in (0, 2))
        picture = texture[y : y + size, x : x + size].copy()
        height = max(1, round(size / 10 * (1 + np.sin(0.7 * i + seed))))
        cv2.ellipse(picture, (size // 2, 2 * size // 3), (size // 6, height), 0, 0, 360, (20, 10, 10), -1)
        film.append(picture)
    return np.stack(film)


def write_film(path: Path, frames: np.ndarray, sound: bool = True) -> Path:
    """A film at 25 fps with a hum whose loudness changes."""
    samples = len(frames) * SAMPLES_A_FRAME
    time = torch.arange(samples) / SAMPLE_RATE
    hum = 0.2 * torch.sin(2 * torch.pi * 180 * time) * (1 + torch.sin(9 * time)) / 2
    with VideoWriter(path, fps=FPS, audio=(hum, SAMPLE_RATE) if sound else None, crf=4) as writer:
        writer.write(frames)
    return path


@pytest.fixture(scope="session")
def judged_set(tmp_path_factory) -> Path:
    """A folder with a manifest of three films of two people, and films of two methods: `near` differs from the truth by
    a little noise, `far` by more and by being blurred; of the third film `far` has none."""
    root = tmp_path_factory.mktemp("judged")
    generator, rows = np.random.default_rng(0), []
    for i, (name, speaker) in enumerate((("a_1", "set/a"), ("a_2", "set/a"), ("b_1", "set/b"))):
        truth = moving_film(i)
        write_film(root / "truth" / f"{name}.mkv", truth)
        (root / f"{name}.TextGrid").write_text(TEXTGRID, "utf8")
        rows.append(f"truth/{name}.mkv,{speaker},test,{name}.TextGrid")
        for method, spread, blur in (("near", 4, 0), ("far", 30, 5)):
            if (method, name) != ("far", "b_1"):
                made = np.clip(truth + generator.normal(0, spread, truth.shape), 0, 255).astype(np.uint8)
                made = np.stack([cv2.blur(f, (blur, blur)) for f in made]) if blur else made
                write_film(root / method / f"{name}.mp4", made)
    (root / "list.csv").write_text("video,speaker,split,textgrid\n" + "\n".join(rows) + "\n", "utf8")
    return root


TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 1.2
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "AA1"
        intervals [2]:
            xmin = 0.5
            xmax = 0.6
            text = "B"
"""
