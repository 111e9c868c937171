"""What the command line says of an error: one sentence."""

from __future__ import annotations

import linecache
import os
import re
from pathlib import Path

from ..messages import shown

PACKAGE = Path(__file__).resolve().parents[1]
NO_MEMORY = re.compile(r"out of memory|can't allocate memory|Insufficient memory|DefaultCPUAllocator|bad alloc", re.I)
LONGEST = 200  # characters of a library's message


def sentence(error: BaseException, command: str) -> str:
    """One line for an error that ended a command.

    Ours and the system's are told as they are. Whatever else a library raises may come of bad input as well as of a
    fault of this program, so the sentence says where it came from and how to see more."""
    inner = _cause(error)
    if isinstance(inner, MemoryError) or NO_MEMORY.search(str(inner)):
        return (
            f"There is not enough memory for {command}: give a smaller picture or recording, or smaller numbers such "
            "as --size, --batch or --batch-size."
        )
    text = " ".join(str(error).split())
    if text.startswith("[Errno") and isinstance(inner, OSError) and inner.filename is not None:
        name, reason = shown(os.fsdecode(inner.filename)), (inner.strerror or "an error of the system").lower()
        return f"{name} cannot be read or written ({reason}): name another file or folder."
    if text and _ours(inner):
        return text
    text = " ".join(str(inner).split())[:LONGEST]
    return (
        f"{command} ended with {type(inner).__name__}{f' ({text})' if text else ''}: look for a damaged file or an odd "
        "value among its options, or add --debug to see where it happened."
    )


def _cause(error: BaseException) -> BaseException:
    """The error that made a node of a workflow fail, or the error itself."""
    if not isinstance(error, RuntimeError):
        return error
    from ..host.headless.workflow import NodeError  # imports PyTorch

    return error.__cause__ if isinstance(error, NodeError) and error.__cause__ is not None else error


def _ours(error: BaseException) -> bool:
    """Whether the message is for the user: the system's, or one that a `raise` in this package made. What libraries
    raise inside a call of ours is not."""
    if isinstance(error, (OSError, ImportError)):
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return isinstance(error, (ValueError, RuntimeError))
    file = trace.tb_frame.f_code.co_filename
    here = PACKAGE in Path(file).resolve().parents and "raise" in linecache.getline(file, trace.tb_lineno).split()
    return here and isinstance(error, (ValueError, RuntimeError))
