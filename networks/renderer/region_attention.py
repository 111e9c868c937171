"""Region-aware attention of the LMDD: focus maps that see the motion and F_A (paper: "integrates appearance priors and
hierarchical depth cues into a region-aware attention mechanism")."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import RendererConfig
from .layers import Modulate

WIDTH = 16  # of queries and keys


class RegionAttention(nn.Module):
    """Each pixel attends to the regions, at each depth plane: the query is read from the portrait and scaled and
    shifted by F_A; the key of a region is a learned vector plus a linear map of its deviation there. A static region
    has a learned key alone."""

    def __init__(self, channels: int, config: RendererConfig):
        super().__init__()
        self.regions = config.regions
        self.query = nn.Conv2d(channels, WIDTH, 1)
        self.key = nn.Linear(3, WIDTH, bias=False)
        self.place = nn.Parameter(torch.randn(config.regions + int(config.static_region), config.depth_planes, WIDTH))
        self.appearance = Modulate(config.appearance_dim, WIDTH) if config.use_appearance else None

    def forward(self, query: Tensor, maps: Tensor, appearance: Tensor | None) -> Tensor:
        """query (B,16,H,W), deviation maps (B,regions,3,S_d,H,W), F_A (B,A) -> focus maps (B,regions,S_d,H,W), which
        sum to one over the regions and the static one. Without F_A the query is as the portrait has it."""
        if self.appearance is not None and appearance is not None:
            query = self.appearance(query, appearance)
        query = query.float() / WIDTH**0.5
        logits = torch.einsum("bkhw,rsk->brshw", query, self.place.float())
        direction = torch.einsum("bkhw,kc->bchw", query, self.key.weight.float())  # <q, K Delta> = <K^T q, Delta>
        moved = (maps * direction[:, None, :, None]).sum(2)
        moving = logits[:, : self.regions] + moved
        return torch.cat([moving, logits[:, self.regions :]], 1).softmax(1)[:, : self.regions]
