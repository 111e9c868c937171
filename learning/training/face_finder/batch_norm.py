"""Batch normalisation over the batches of all processes, on any device: PyTorch's own wants GPUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .. import processes


class SharedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d whose mean and variance are those of all processes' pictures."""

    def forward(self, x: Tensor) -> Tensor:
        """(B,C,H,W), normalised in float32 at least."""
        if not self.training:
            return super().forward(x)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        count = processes.total(wide.new_full((), x.numel() / x.shape[1]))
        mean = processes.total(wide.sum((0, 2, 3))) / count
        centred = wide - mean[:, None, None]
        variance = processes.total(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
            self.running_var.lerp_((variance * count / (count - 1)).to(self.running_var), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)


def share_batch_norms(network: nn.Module) -> None:
    """Have the network's batch norms see the whole batch, where several processes train."""
    if processes.count() > 1:
        for module in network.modules():
            if type(module) is nn.BatchNorm2d:
                module.__class__ = SharedBatchNorm2d
