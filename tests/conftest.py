"""What tests of several folders share."""

from pathlib import Path

import pytest
import torch

from mamba_portrait.model_loaders.checkpoint import save_checkpoint
from mamba_portrait.networks.implicit_motion.motion_config import MotionModelConfig
from mamba_portrait.networks.implicit_motion.motion_model import MotionModel
from mamba_portrait.networks.implicit_motion.renderer import Renderer
from mamba_portrait.networks.implicit_motion.renderer_config import RendererConfig

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
def tiny_weights(tmp_path_factory) -> Path:
    """A folder with tiny random networks under the names of the shipped ones."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        renderer, model = Renderer(TINY_RENDERER), MotionModel(TINY_MOTION_MODEL)
    model.rest_motion.copy_(renderer.rest_motion().detach())
    save_checkpoint(folder / "renderer_lite.safetensors", renderer, "renderer", TINY_RENDERER)
    save_checkpoint(folder / "motion_lite.safetensors", model, "motion_model", TINY_MOTION_MODEL)
    return folder


@pytest.fixture
def shipped_tiny(tiny_weights, monkeypatch) -> Path:
    """The tiny networks in the place of the shipped ones."""
    monkeypatch.setenv("MAMBA_PORTRAIT_WEIGHTS", str(tiny_weights))
    return tiny_weights
