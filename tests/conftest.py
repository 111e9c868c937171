"""What tests of several folders share."""

import importlib.util
import json
import math
import os
import wave
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before PyTorch is imported, as the command does
import torch

from mamba_portrait.model_loaders.checkpoint import save_checkpoint
from mamba_portrait.networks.joint_control import JointControl, JointControlConfig
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.vocabulary import COUNT, INDEX, LANDMARKS

TINY_RENDERER = RendererConfig(
    image_size=64,
    motion_size=64,
    encoder_widths=(8, 8, 8),
    skip_widths=(4, 8),
    depth_planes=2,
    depth_channels=4,
    resnet3d_blocks=1,
    appearance_dim=16,
    motion_widths=(8, 8, 8),
    motion_blocks=(1, 1, 1),
    deviation_channels=4,
    deviation_layers=1,
    deviation_dim=16,
    deviation_blocks=1,
    deviation_heads=2,
    regions=2,
    lmdd_widths=(8, 8),
    refine_width=8,
    decoder_widths=(8, 8, 8),
)
TINY_MOTION_MODEL = MotionModelConfig(
    global_width=16,
    global_layers=1,
    local_width=16,
    local_layers=1,
    headdim=8,
    d_state=4,
    width=16,
    layers=1,
    heads=2,
    appearance_dim=16,
)


@pytest.fixture(scope="session")
def samples() -> ModuleType:
    """tests/altered/samples.py: small files of many formats."""
    spec = importlib.util.spec_from_file_location("samples", Path(__file__).parent / "altered" / "samples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory) -> Path:
    """A folder with tiny random networks under the names of the shipped ones, always the same."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        renderer, model = Renderer(TINY_RENDERER), MotionModel(TINY_MOTION_MODEL)
        for name, parameter in (*renderer.named_parameters(), *model.named_parameters()):
            if not name.startswith("parameters_of_motion."):  # reading stays the inverse of writing, as in training
                parameter.add_(0.02 * torch.randn_like(parameter))  # layers that begin at zero would hide what they do
        model.rest_motion.copy_(renderer.rest_motion())
        control = JointControl(JointControlConfig(width=4, states=2), renderer.motion_language)
        control.out.weight.normal_(std=0.1)
    model.motion_language = renderer.motion_language
    save_checkpoint(folder / "renderer_lite.safetensors", renderer, "renderer", TINY_RENDERER)
    save_checkpoint(folder / "motion_lite.safetensors", model, "motion_model", TINY_MOTION_MODEL)
    save_checkpoint(folder / "joint_control.safetensors", control, "joint_control", control.config)
    return folder


@pytest.fixture
def shipped_tiny(tiny_weights, monkeypatch) -> Path:
    """The tiny networks in the place of the shipped ones."""
    monkeypatch.setenv("MAMBA_PORTRAIT_WEIGHTS", str(tiny_weights))
    return tiny_weights


@pytest.fixture(scope="session")
def tiny_config() -> RendererConfig:
    """The whole of stage 1 at toy widths, for pictures of 64 pixels."""
    return TINY_RENDERER


@pytest.fixture(scope="session")
def tiny_motion_config() -> MotionModelConfig:
    """The whole of stage 2 at toy widths."""
    return TINY_MOTION_MODEL


SIZE, LABELS, FLOW_SCALE = 64, 128, 8192


def _grid(size):
    centres = (np.arange(size) + 0.5) / size * 2 - 1
    return np.meshgrid(centres, centres)


def _face(x, y, person, shift, jaw):
    """A disc of skin with a dark mouth that opens with the jaw: picture, head, mouth, and x before the shift."""
    u, v = x - shift, y
    head = u**2 + v**2 < 0.5
    texture = 0.5 + 0.3 * np.sin(9 * u + person[0]) * np.cos(8 * v + person[1])
    colour = np.stack([texture * person[2 + i] for i in range(3)], -1)
    mouth = ((u / 0.25) ** 2 + ((v - 0.3) / (0.02 + 0.2 * jaw)) ** 2 < 1) & head
    backdrop = 0.3 + 0.2 * np.stack([np.sin(7 * x), np.cos(6 * y), np.sin(5 * y)], -1)
    picture = np.where(head[..., None], colour, backdrop)
    return np.where(mouth[..., None], 0.05, picture), head, mouth, u


def draw_discs(folder: Path, groups: int, seed: int) -> Path:
    """One shard of `groups` groups, as learning/corpus/stills.py writes them: discs that move sideways and open
    their mouths."""
    rng = np.random.default_rng(seed)
    rgb = np.empty((groups, 2, 4, SIZE, SIZE, 3), np.uint8)
    flow = np.empty((groups, 2, 3, LABELS, LABELS, 2), np.int16)
    label = np.empty((groups, 2, 3, LABELS, LABELS), np.uint8)
    param = np.zeros((groups, 2, 4, COUNT), np.float32)
    mark = np.full((groups, 2, 4, len(LANDMARKS), 2), 0.5, np.float32)
    small, (x, y) = _grid(SIZE), _grid(LABELS)
    for group in range(groups):
        param[group, :, :, INDEX["jaw"]] = rng.uniform(0, 1, 4)
        param[group, :, :, INDEX["shift_x"]] = rng.uniform(-0.2, 0.2, 4)
        for twin in range(2):
            person = np.concatenate([rng.uniform(0, 6, 2), rng.uniform(0.4, 1, 3)])
            for frame in range(4):
                jaw, shift = (param[group, twin, frame, INDEX[name]] for name in ("jaw", "shift_x"))
                picture = _face(*small, person, shift, jaw)[0]
                rgb[group, twin, frame] = np.clip(picture * 255, 0, 255).astype(np.uint8)
                mark[group, twin, frame, [0, 4]] = [[0.35 + shift / 2, 0.4], [0.65 + shift / 2, 0.4]]  # eyes
                mark[group, twin, frame, [19, 20]] = [[0.4 + shift / 2, 0.65], [0.6 + shift / 2, 0.65]]  # mouth
                if frame:
                    _, head, mouth, u = _face(x, y, person, shift, jaw)
                    back = np.where(head, u + param[group, twin, 0, INDEX["shift_x"]], x)
                    flow[group, twin, frame - 1] = np.rint(np.stack([back, y], -1) * FLOW_SCALE)
                    label[group, twin, frame - 1] = (np.where(mouth, 10, head) << 1) | ~mouth
    stills = Path(folder) / "stills"
    stills.mkdir(parents=True, exist_ok=True)
    for name, array in (("flow", flow), ("label", label), ("param", param), ("mark", mark), ("rgb", rgb)):
        np.save(stills / f"{seed:06d}_{name}.npy", array)
    return Path(folder)


@pytest.fixture(scope="session")
def drawn_discs(tmp_path_factory) -> Path:
    """A folder of 12 groups of stills whose labels are exact, made without a renderer of heads."""
    return draw_discs(tmp_path_factory.mktemp("discs"), 12, 0)


def write_toy_clip(folder: Path, split: str, frames: int = 50) -> Path:
    """A talking clip, as learning/corpus/tracks.py writes them: a hum whose loudness opens the jaw."""
    folder.mkdir(parents=True)
    jaw = np.clip(np.sin(np.arange(frames) * 0.7), 0, 1)
    hum = np.repeat(jaw, 640) * 9000 * np.sin(np.arange(frames * 640) * 0.08)
    with wave.open(str(folder / "audio.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(hum.astype("<i2").tobytes())
    parameters = np.zeros((frames, COUNT), np.float32)
    parameters[:, INDEX["jaw"]] = jaw
    np.savez(folder / "labels.npz", parameters=parameters)
    (folder / "meta.json").write_text(json.dumps({"split": split, "fps": "25", "speaker": "x"}))
    return folder


@pytest.fixture(scope="session")
def drawn_clips(drawn_discs, tmp_path_factory) -> Path:
    """The discs and three clips, one of each split."""
    root = tmp_path_factory.mktemp("drawn")
    (root / "stills").symlink_to(drawn_discs / "stills")
    for name, split in (("a", "test"), ("b", "val"), ("c", "train")):
        write_toy_clip(root / "clips" / name, split)
    return root


def wire_points(start, end) -> list[tuple[float, float]]:
    """Points of the curve that ComfyUI's page draws between two sockets."""
    pull = math.dist(start, end) / 4
    corners = [start, (start[0] + pull, start[1]), (end[0] - pull, end[1]), end]
    points = []
    for step in range(101):
        t = step / 100
        weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
        points.append(
            tuple(sum(w * corner[axis] for w, corner in zip(weights, corners, strict=True)) for axis in (0, 1))
        )
    return points


@pytest.fixture(scope="session")
def curve():
    """A function (start, end) -> points of a wire."""
    return wire_points
