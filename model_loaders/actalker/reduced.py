"""ACTalker at a reduced size with random weights: runs the whole graph in seconds on a CPU; its output is noise."""

import torch

from ...networks.actalker.config import ACTalkerConfig
from ...networks.actalker.model import ACTalker


def reduced_actalker(seed: int = 0) -> ACTalker:
    """`ACTalkerConfig.reduced` with random weights, the same at every call; the global random state is kept."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = ACTalker(ACTalkerConfig.reduced()).requires_grad_(False)
        for parameter in model.unet.parameters():  # SVD's temporal layers are initialised to zero: make them visible
            if parameter.dim() > 1:
                parameter.add_(0.02 * torch.randn_like(parameter))
    return model
