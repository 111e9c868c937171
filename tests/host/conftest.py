"""The example workflows on tiny networks, so that each runs in seconds; a short voice and a short video."""

import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import av
import pytest
import torch

from mamba_portrait.host.headless import settings as headless
from mamba_portrait.media.audio import write_wav
from mamba_portrait.media.video import VideoWriter

WORKFLOWS = Path(__file__).parents[2] / "workflows"

TINY = {
    "MambaPortraitLoadRenderer.weights": "tiny_renderer.safetensors",
    "MambaPortraitLoadMotionModel.weights": "tiny_motion.safetensors",
}
"""Overrides that put the tiny networks in the place of the shipped ones."""


def write_voice(path: Path, samples: int = 8000, rate: int = 16000) -> Path:
    """A buzz that opens and closes."""
    t = torch.arange(samples) / rate
    return write_wav(path, (torch.sin(2 * math.pi * 140 * t) * torch.sin(2 * math.pi * 3 * t).abs() * 0.5)[None], rate)


def write_driving_video(path: Path, frames: int = 7, fps: int = 30) -> Path:
    """A bright disc that wanders, with sound."""
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    t = torch.arange(frames * 16000 // fps) / 16000
    with VideoWriter(path, fps=fps, audio=(torch.sin(2 * math.pi * 200 * t)[None] * 0.3, 16000)) as writer:
        for i in range(frames):
            disc = ((x - 28 - i) ** 2 + (y - 32) ** 2 < 300).float()
            writer.write(disc[..., None].expand(-1, -1, 3) * 0.8 + 0.1)
    return path


def facts(path) -> tuple:
    """(frames, rate, width, height, seconds of sound) of a video file."""
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        frames = sum(1 for _ in container.decode(video))
        return frames, video.average_rate, video.width, video.height, float(sound.duration * sound.time_base)


def example_workflow(name: str, **replace) -> dict:
    """An example workflow on tiny networks, with no face finder needed, and some nodes replaced."""
    graph = json.loads((WORKFLOWS / f"{name}_api.json").read_text())
    for node in graph.values():
        if node["class_type"] == "MambaPortraitCrop":
            node["inputs"].update(finder="box", scale=2.0, box_x=180, box_y=70, box_width=90, box_height=90)
        if weights := TINY.get(node["class_type"] + ".weights"):
            node["inputs"]["weights"] = weights
        if other := replace.get(node["class_type"].removeprefix("MambaPortrait")):
            node.update(class_type=other[0], inputs=other[1])
    return graph


@pytest.fixture(scope="session")
def tiny() -> SimpleNamespace:
    """The helpers of this file, for the tests of this folder."""
    return SimpleNamespace(
        write_voice=write_voice,
        write_driving=write_driving_video,
        workflow=example_workflow,
        facts=facts,
    )


@pytest.fixture(scope="session")
def tiny_networks(tiny_weights, tmp_path_factory) -> Path:
    """A model folder with the tiny networks, under names that are not the shipped ones'."""
    folder = tmp_path_factory.mktemp("models")
    for shipped, name in (("renderer_lite", "tiny_renderer"), ("motion_lite", "tiny_motion")):
        shutil.copy(tiny_weights / f"{shipped}.safetensors", folder / f"{name}.safetensors")
    return folder


@pytest.fixture
def tiny_host(tiny_networks, tmp_path):
    """A headless host whose models are the tiny ones and whose output goes to tmp_path."""
    with headless.configure(model_folders=[tiny_networks], device="cpu", precision="fp32", output_directory=tmp_path):
        yield tmp_path
