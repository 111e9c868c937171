"""Atomic writing: files that appear only when complete, and one sentence where they cannot."""

import errno
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROBE = 1 << 16  # bytes that a place must take before the work begins
NO_PLACE = {
    errno.ENOSPC: "the disk is full; free some space, or name a place on another disk",
    errno.EDQUOT: "your share of the disk is full; free some space, or name a place on another disk",
    errno.EFBIG: "files there may not become so large; name a place on another disk",
    errno.EROFS: "it can only be read; name another folder",
    errno.EACCES: "you may not write there; name another folder",
    errno.EPERM: "you may not write there; name another folder",
    errno.ENOTDIR: "it lies in a file, not in a folder; name another folder",
    errno.EEXIST: "it is a file, not a folder; name another folder",
    errno.ENAMETOOLONG: "the name is too long; give a shorter one",
    errno.EIO: "the disk does not answer; name a place on another disk",
}
SHORT_WRITES = re.compile(r"requested and \d+ written|inline_container|PytorchStreamWriter")  # NumPy's and PyTorch's


class CannotWrite(OSError):
    """A file cannot be written where it was asked for: one sentence with its name, its folder and the remedy."""


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """A free path beside `path`, whose folder is made; what is written there becomes `path` when the block ends.

    If the block raises, it is removed and `path` stays as it was. The name is hidden and ends in `.part`, so searches
    for a suffix do not find it; writers that choose the format by the suffix need an open file or encoded bytes. Only a
    killed process leaves its partial file behind. Raises CannotWrite where nothing can be written.
    """
    path = Path(path)
    partial = _partial(path, path.parent)
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            os.replace(partial, path)
    finally:
        with suppress(OSError, ValueError):  # of a name that cannot exist
            partial.unlink(missing_ok=True)


def _partial(path: Path, folder: Path) -> Path:
    return folder / f".{path.name}.{uuid.uuid4().hex[:8]}.part"


@contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """What the block raises because `path`, or what becomes it, cannot be written, as CannotWrite.

    All else passes: errors of reading another file too."""
    path = Path(path)
    try:
        yield
    except Exception as error:
        remedy = NO_PLACE.get(_number(error))
        other = getattr(error, "filename", None)
        if remedy is None or (other is not None and _elsewhere(Path(os.fsdecode(other)), path)):
            raise
        raise CannotWrite(f"{path.name} cannot be written in {path.parent.absolute()}: {remedy}.") from error


def _number(error: Exception) -> int | None:
    """The system's number of an error, also where a library only keeps its words."""
    if getattr(error, "errno", None) is not None:
        return error.errno
    told = re.search(r"os error (\d+)", str(error))  # safetensors
    if told:
        return int(told[1])
    return errno.ENOSPC if SHORT_WRITES.search(str(error)) else None


def _elsewhere(other: Path, path: Path) -> bool:
    """True for a file that is neither `path`, nor beside or above it, nor in a folder beside it."""
    other, path = other.absolute(), path.absolute()
    return path.parent not in other.parents and other.parent not in path.parents and other not in path.parents


def check_place(path: str | os.PathLike) -> Path:
    """Raise now what would be raised when the work is done and `path` written; nothing stays behind.

    ValueError for a folder, or a name that no file can have; CannotWrite where the folder takes no file."""
    path = Path(path)
    if "\0" in str(path) or not path.name:
        raise ValueError(f"'{path}' is not a name that a file can have; give another.")
    with writing(path):
        if path.is_dir():
            raise ValueError(f"{path} is a folder; give the name of a file, such as {path / 'result'}.")
        folder = path.parent
        while not folder.exists():  # it is made when the file is
            folder = folder.parent
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "", str(folder))
        partial = _partial(path, folder)
        try:
            with open(partial, "wb", buffering=0) as file:
                if file.write(bytes(PROBE)) < PROBE:
                    raise OSError(errno.ENOSPC, "")
        except FileNotFoundError as error:  # folders of the kernel's own, such as /proc
            raise PermissionError(errno.EACCES, "") from error
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
    return path


def check_folder(path: str | os.PathLike) -> Path:
    """`check_place` for a folder that is to hold files. ValueError where it is a file."""
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file; name a folder.")
    check_place(path / "file")
    return path
