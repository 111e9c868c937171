"""What tests of stage 2's training share."""

from dataclasses import replace

import pytest
import torch

from mamba_portrait.networks.motion_model.model import MotionModel


@pytest.fixture
def hearing_model(tiny_motion_config):
    """hearing_model(): a tiny model, always the same, that reads the sound, as new weights do not."""

    def make() -> MotionModel:
        torch.manual_seed(0)
        model = MotionModel(replace(tiny_motion_config, prediction="x0"))
        with torch.no_grad():
            for p in model.parameters():
                p.add_(0.1 * torch.randn_like(p))
        return model

    return make
