"""Small networks that turn features into condition tokens: voice, identity, motion."""

import torch
from torch import nn
from torch.nn import functional as F


class AudioProjector(nn.Module):
    """Whisper states around a frame (..., window, blocks, channels) to voice tokens (..., tokens, context).

    Published: 10 steps of 20 ms, 5 hidden states, 384 channels, to 32 tokens of 1024. File `audio_linear`.
    """

    def __init__(
        self,
        window: int = 10,
        blocks: int = 5,
        channels: int = 384,
        hidden: int = 1024,
        tokens: int = 32,
        context: int = 1024,
    ):
        super().__init__()
        self.window_shape, self.tokens = (window, blocks, channels), tokens
        self.proj1 = nn.Linear(window * blocks * channels, hidden)
        self.proj2 = nn.Linear(hidden, hidden)
        self.proj3 = nn.Linear(hidden, tokens * context)
        self.norm = nn.LayerNorm(context)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.proj1(states.flatten(-3)))
        x = self.proj3(F.relu(self.proj2(x)))
        return self.norm(x.unflatten(-1, (self.tokens, -1)))

    def unconditional(self) -> torch.Tensor:
        """The unconditional tokens (1, tokens, context), without a voice: the projection of zeros."""
        return self(self.proj1.weight.new_zeros(1, *self.window_shape))


class IdentityProjector(nn.Module):
    """Face embedding (..., 512), not normalised, to an identity token (..., 1024). File `id_proj_model`."""

    def __init__(self, features: int = 512, context: int = 1024):
        super().__init__()
        self.proj1 = nn.Linear(features, context)
        self.proj2 = nn.Linear(context, context)
        self.proj3 = nn.Linear(context, context)

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        return self.proj3(F.relu(self.proj2(F.relu(self.proj1(embedding)))))


class MotionProjector(nn.Module):
    """Expression features (..., 512) and head rotation to a motion token (..., 1024). File `vasa_linear`.

    The token is [LayerNorm(Linear(expression)) 1018, rotation in degrees 3, zeros 3]: the published weights read
    the head's translation multiplied by zero.
    """

    def __init__(self, features: int = 512, width: int = 1018):
        super().__init__()
        self.proj1 = nn.Linear(features, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, expression: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
        face = self.norm(self.proj1(expression))
        return torch.cat([face, rotation.to(face), torch.zeros_like(rotation).to(face)], -1)

    def unconditional(self) -> torch.Tensor:
        """The unconditional token (1, 1024), without motion."""
        weight = self.proj1.weight
        return self(weight.new_zeros(1, weight.shape[1]), weight.new_zeros(1, 3))
