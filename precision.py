"""Whether a device computes in bfloat16, and how slow it is where it does not. Imports no PyTorch by itself.

CPUs without instructions for it (AVX-512 BF16 or AMX on x86) convert every number on the way. Measured on one core of
an AMD EPYC whose instructions were held back: a 3x3 convolution took 1.5 times as long as in float32 with AVX-512, and
16 to 40 times as long with AVX2 (once, on a busy machine, 360 times).
"""

from __future__ import annotations

import functools
import logging
import platform
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

log = logging.getLogger("mamba_portrait")


def has_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16. Those of ROCm and MPS are taken to have them."""
    import torch

    if device.type == "cuda":  # from Ampere on; PyTorch emulates it on older ones
        return bool(torch.version.hip) or torch.cuda.get_device_capability(device)[0] >= 8
    return _cpu_has_bf16() if device.type == "cpu" else True


@functools.cache
def _cpu_has_bf16() -> bool:
    """By what PyTorch reads from the processor; False where this PyTorch cannot tell."""
    import torch

    if platform.machine().lower() not in ("x86_64", "amd64", "i386", "x86"):
        asked = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)  # on x86 it is True for AVX-512 alone
        return bool(asked and asked())
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and any(
        getattr(torch.cpu, name, lambda: False)() for name in names
    )


def warn_of_slow_bf16(device: torch.device) -> None:
    """Log once, with the factor measured here, that bfloat16 was asked for on a CPU that does not have it."""
    if device.type == "cpu" and not _cpu_has_bf16():
        _warn()


@functools.cache
def _warn() -> None:
    log.warning(
        "This CPU has no instructions for bfloat16 (AVX-512 BF16 or AMX): a convolution takes %.3g times as long as in "
        "float32 here. Choose the precision fp32, or auto.",
        bf16_factor(),
    )


def bf16_factor() -> float:
    """Time of a small convolution in bfloat16 over that in float32, on the CPU; the best of three each."""
    import torch
    import torch.nn.functional as F

    x, weight = torch.randn(1, 32, 64, 64), torch.randn(32, 32, 3, 3)

    def seconds(dtype: torch.dtype) -> float:
        taken, arguments = [], (x.to(dtype), weight.to(dtype))
        for _ in range(4):  # the first prepares the kernel
            start = time.perf_counter()
            F.conv2d(*arguments, padding=1)
            taken.append(time.perf_counter() - start)
        return min(taken[1:])

    with torch.inference_mode():
        return seconds(torch.bfloat16) / seconds(torch.float32)
