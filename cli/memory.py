"""The memory of a command: what one frame has freed, the next one takes.

glibc hands every block of more than 128 KB back to the system when it is freed, and at the top of its heaps smaller
ones too; the next frame's pictures are then new pages, each of which the system clears at its first touch: 2700 a frame
at 512 pixels, a tenth of the time of rendering (docs/speed.md).
"""

from __future__ import annotations

import ctypes
import os
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
KEPT = 256 << 20  # bytes at the top of a heap before they are given back
LARGEST = 32 << 20  # bytes of a block that is kept: glibc's own limit


def keep_freed_memory() -> bool:
    """Let this process keep what it frees; whether it does. Other C libraries are left as they are, and so is a
    process whose environment says what glibc should do."""
    told = any(name.startswith("MALLOC_") for name in os.environ) or "glibc.malloc" in os.environ.get(
        "GLIBC_TUNABLES", ""
    )
    if told or not _has_glibc():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(MMAP_THRESHOLD, LARGEST), mallopt(TRIM_THRESHOLD, KEPT)])


def _has_glibc() -> bool:
    if sys.platform != "linux":
        return False
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (ValueError, OSError):  # musl has no such name
        return False
