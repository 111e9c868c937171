"""What one full-size UNet call of ACTalker costs, found on the meta device: no weights, no GPU, a few seconds.

Multiply-adds are counted by torch's own counter (convolutions and matrix products). Memory is followed tensor by tensor
as the call makes and drops them, so the peak is that of eager execution. Attention and scans are counted by hand, as
fused kernels do them: neither the attention matrix nor the states are ever in memory.
"""

import weakref
from dataclasses import dataclass
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from ..networks.actalker import pcm
from ..networks.actalker.config import ACTalkerConfig
from ..networks.actalker.model import build_part


@dataclass(frozen=True)
class Cost:
    """Of one call: weights and peak activations in bytes, FLOP of matrix work, and the scans' share.

    scan_steps: steps of all scans one after another, each direction's run beside the other's. scan_elements: states
    visited (steps x channels x N of all frames and both directions). scan_bytes: inputs read and outputs written once.
    """

    weight_bytes: int
    peak_bytes: int
    flop: int
    scan_steps: int
    scan_elements: int
    scan_bytes: int

    def seconds(self, flop_a_second: float, bytes_a_second: float, exponentials_a_second: float) -> tuple[float, float]:
        """Least times (matrix work, scans) on a machine of these rates; a scan takes one exponential an element."""
        return self.flop / flop_a_second, max(
            self.scan_bytes / bytes_a_second, self.scan_elements / exponentials_a_second
        )


class LiveBytes(TorchDispatchMode):
    """Follows the storage that operations make; `peak` is the most that was alive at once."""

    def __init__(self):
        super().__init__()
        self.alive = self.peak = 0
        self.known = weakref.WeakSet()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage not in self.known:
            self.known.add(storage)
            self.alive += storage.nbytes()
            self.peak = max(self.peak, self.alive)
            weakref.finalize(storage, self._drop, storage.nbytes())

    def _drop(self, size: int) -> None:
        self.alive -= size


def estimate(
    config: ACTalkerConfig | None = None,
    height: int = 576,
    width: int = 576,
    rows: int = 4,
    gates: tuple[bool, bool] = (True, True),
    dtype: torch.dtype = torch.float16,
) -> Cost:
    """Cost of one call for `rows` guidance rows of one window, with full masks on the open branches."""
    config = config or ACTalkerConfig()
    frames, total = config.window, rows * config.window
    with torch.device("meta"):
        unet = build_part("unet", config).to("meta")
        torch.nn.Module.to(unet, dtype=dtype)
        latent = (height // 8, width // 8)
        given = {
            "sample": torch.empty(rows, frames, config.unet.get("in_channels", 8), *latent, dtype=dtype),
            "identity": torch.empty(total, 1, config.context, dtype=dtype),
            "audio": torch.empty(total, config.audio_tokens, config.context, dtype=dtype),
            "motion": torch.empty(total, 1, config.context, dtype=dtype),
            "face_feature": torch.empty(rows, frames, config.unet["block_out_channels"][0], *latent, dtype=dtype),
            "added_time_ids": torch.empty(rows, 3),
            "timestep": torch.empty(()),
        }
    masks = [torch.full((1, 1, height, width), float(gate)) for gate in gates]
    scans, attention = _Scans(), _Attention()
    live, flops = LiveBytes(), FlopCounterMode(display=False)
    replaced = mock.patch.object(pcm, "selective_scan", scans)
    attended = mock.patch.object(torch.nn.functional, "scaled_dot_product_attention", attention)
    with torch.no_grad(), replaced, attended, flops, live:
        unet(**given, audio_mask=masks[0], motion_mask=masks[1])
    weights = sum(x.numel() * x.element_size() for x in unet.parameters())
    flop = flops.get_total_flops() + attention.flop
    return Cost(weights, live.peak, flop, scans.steps // total, scans.elements, scans.bytes)


class _Scans:
    """Stands in for the selective scan: the output's shape, and the books."""

    def __init__(self):
        self.steps = self.elements = self.bytes = 0

    def __call__(self, u, delta, A, B, C, skip):
        self.steps += u.shape[0] * u.shape[1]
        self.elements += u.numel() * A.shape[-1]
        self.bytes += sum(x.numel() * x.element_size() for x in (u, delta, B, C, u))
        return torch.empty_like(u), None


class _Attention:
    """Stands in for fused attention: two matrix products a head."""

    def __init__(self):
        self.flop = 0

    def __call__(self, query, key, value, **kwargs):
        self.flop += 4 * query.numel() * key.shape[-2]
        return torch.empty_like(query)
