"""Atomic writing: files that appear only when complete."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """A free path beside `path`, whose folder is made; what is written there becomes `path` when the block ends.

    If the block raises, it is removed and `path` stays as it was. The name is hidden and ends in `.part`, so searches
    for a suffix do not find it; writers that choose the format by the suffix need an open file or encoded bytes. Only a
    killed process leaves its partial file behind. Raises OSError where nothing can be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        with suppress(OSError):  # of a name that cannot exist
            partial.unlink(missing_ok=True)
