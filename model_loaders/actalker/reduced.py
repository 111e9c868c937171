"""ACTalker at a reduced size with random weights: the whole graph in seconds on a CPU, and noise for a picture."""

import torch

from ...networks.actalker.config import ACTalkerConfig
from ...networks.actalker.model import ACTalker


def reduced_actalker(seed: int = 0) -> ACTalker:
    """The design of `ACTalkerConfig.reduced`, untrained, the same at every call; the caller's random state is kept."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = ACTalker(ACTalkerConfig.reduced()).requires_grad_(False)
        for parameter in model.unet.parameters():  # SVD begins its temporal paths at zero, which would hide them
            if parameter.dim() > 1:
                parameter.add_(0.02 * torch.randn_like(parameter))
    return model
