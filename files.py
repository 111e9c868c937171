"""Atomic writing: files that appear only when complete, and one sentence where they cannot."""

import errno
import os
import platform
import re
import shutil
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .locks import FileLock

CONTENT, LOCK = "content", "lock"  # what lies in a folder where something is being made
MACHINE = f"{zlib.crc32(platform.node().encode()):08x}"
PARTIAL = re.compile(r"\..+\.([0-9a-f]{8})[0-9a-f]{6}\.part")  # such a folder's name, with its machine
LEFT_ALONE = 86400  # seconds
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}

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

_searched: set[str] = set()  # folders in which leftovers were looked for


class CannotWrite(OSError):
    """A file cannot be written where it was asked for: one sentence with its name, its folder and the remedy."""

    def __init__(self, sentence: str, remedy: str = ""):
        super().__init__(sentence)
        self.remedy = remedy


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """A free path, whose folder lies beside `path`; what is written there becomes `path` when the block ends.

    If the block raises, it is removed and `path` stays as it was. It has no suffix, so searches for one do not find it;
    writers that choose the format by the suffix need it told, an open file, or encoded bytes. What a killed process
    leaves is removed by the next one that writes in the same folder. Raises CannotWrite where nothing can be written.
    """
    with writing(path), partial_file(path) as partial:
        yield partial


@contextmanager
def partial_file(path: str | os.PathLike) -> Iterator[Path]:
    """`whole_file` with the system's own errors."""
    path = Path(path)
    with _workshop(path, path.parent) as folder:
        partial = folder / CONTENT
        yield partial
        os.replace(partial, path)


@contextmanager
def whole_folder(path: str | os.PathLike) -> Iterator[Path]:
    """`whole_file` for a folder with files: an empty one, which becomes `path` when the block ends. An older `path`
    is replaced, one that another process has made meanwhile is kept."""
    path = Path(path)
    with writing(path), _workshop(path, path.parent) as folder:
        partial = folder / CONTENT
        partial.mkdir()
        yield partial
        shutil.rmtree(path, ignore_errors=True)
        try:
            os.replace(partial, path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise


@contextmanager
def _workshop(path: Path, parent: Path) -> Iterator[Path]:
    """A new hidden folder in `parent` to make `path` in, made if need be and removed at the end, whose lock says that
    it is in use. A folder, as libraries have temporary files of their own beside those that they write."""
    parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(parent)
    folder = lock = None
    try:
        while lock is None:
            folder = parent / f".{path.name}.{MACHINE}{uuid.uuid4().hex[:6]}.part"
            folder.mkdir()
            lock = _locked(folder)
            if lock is None:
                shutil.rmtree(folder, ignore_errors=True)
        yield folder
    finally:
        if lock is not None:
            lock.release()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _locked(folder: Path) -> FileLock | None:
    """The lock of a new folder; None where another process took it for a leftover in between."""
    lock = FileLock(folder / LOCK)
    try:
        return lock if lock.take() else None
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in NO_LOCKS:
            return lock  # not held: others leave the folder alone for a day
        raise


def remove_leftovers(parent: str | os.PathLike) -> None:
    """Remove what processes that were killed left of their work in a folder; once a process for each folder.

    A leftover's lock is free, and it was made on this machine, or nothing in it has changed for LEFT_ALONE seconds: not
    all shared disks carry locks from one machine to the other."""
    key = os.path.realpath(parent)
    if key in _searched:
        return
    _searched.add(key)
    with suppress(OSError):
        for entry in os.scandir(parent):
            name = PARTIAL.fullmatch(entry.name)
            if name and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_left(Path(entry.path), name[1] == MACHINE)


def _remove_if_left(folder: Path, ours: bool) -> None:
    if not ours and time.time() - max(os.stat(path).st_mtime for path in (folder, *folder.rglob("*"))) < LEFT_ALONE:
        return
    lock = FileLock(folder / LOCK)
    if lock.take():  # a writer that has not come so far sees it, and takes another folder
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)  # on Windows what was open is left until now


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
        raise CannotWrite(f"{path.name} cannot be written in {path.parent.absolute()}: {remedy}.", remedy) from error


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
        try:
            with _workshop(path, folder) as made, open(made / CONTENT, "wb", buffering=0) as file:
                if file.write(bytes(PROBE)) < PROBE:
                    raise OSError(errno.ENOSPC, "")
        except FileNotFoundError as error:  # folders of the kernel's own, such as /proc
            raise PermissionError(errno.EACCES, "") from error
    return path


def check_folder(path: str | os.PathLike) -> Path:
    """`check_place` for a folder that is to hold files. ValueError where it is a file."""
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file; name a folder.")
    try:
        check_place(path / "file")
    except CannotWrite as error:
        raise CannotWrite(f"Nothing can be written in {path.absolute()}: {error.remedy}.", error.remedy) from error
    return path
