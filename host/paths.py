"""Which files a workflow may name. Graphs come from strangers and over HTTP, so a name is accepted only within the
host's own folders, and the error is the same whether the file exists or not."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from os import path
from pathlib import Path

Folder = str | os.PathLike

_ANNOTATION = re.compile(r" \[(input|output|temp)\]$")
_NO_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")
SHOWN = 200  # characters of a name in a message
LONGEST = 200  # bytes of a file name, before its number and what it is called until it is whole; systems take 255
MOST_LISTED = 500
MOST_SEEN = 20_000  # files looked at in a folder, so that a list is there at once


def shown(name: str) -> str:
    """A name for messages: on one line, without control characters, at most SHOWN long."""
    return _NO_TEXT.sub("?", name[:SHOWN]) + ("..." if len(name) > SHOWN else "")


def find_file(name: str, folders: Mapping[str, Folder]) -> Path | None:
    """The real path of the file that a graph calls `name`; None if that is no file in one of `folders`, links resolved.

    folders: paths of "input", "output" and "temp". A relative name is in the input folder, or in the one named at its
    end as ComfyUI's upload widgets do (`talk.safetensors [output]`); an absolute one may be in any. `\\` separates
    folders as `/` does, so that graphs made on Windows work.
    """
    annotation = _ANNOTATION.search(name)
    if annotation:
        name = name[: annotation.start()]
    if _NO_TEXT.search(name):
        return None
    given = {kind: path.abspath(folder) for kind, folder in folders.items()}
    real = [path.realpath(folder) for folder in given.values()]
    full = _below(given[annotation[1] if annotation else "input"], name)
    if full is None or _drive(full) not in map(_drive, (*given.values(), *real)):
        return None  # on Windows, checking a path such as \\server\share would log in there
    full = path.realpath(full)
    return Path(full) if any(_inside(full, folder) for folder in real) and path.isfile(full) else None


def list_files(folders: Mapping[str, Folder], suffix: str) -> list[str]:
    """The names that `find_file` takes for the files with a suffix in `folders` and their subfolders, newest first.

    They are relative to "input", or have the folder at their end. At most MOST_LISTED, of the first MOST_SEEN files."""
    found = []
    for kind, folder in folders.items():
        for full in itertools.islice(_files(folder), MOST_SEEN):
            listed = Path(path.relpath(full, folder)).as_posix() + ("" if kind == "input" else f" [{kind}]")
            with contextlib.suppress(OSError):
                if full.endswith(suffix) and find_file(listed, folders):
                    found.append((-path.getmtime(full), listed))
    return [name for _, name in sorted(found)[:MOST_LISTED]]


def _files(folder: Folder) -> Iterator[str]:
    """Paths of all files below a folder. Links to folders are not followed, as they may run in a circle."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (path.join(place, name) for name in names)


def find_model(name: str, folders: Iterable[Folder]) -> Path | None:
    """The model file that a graph calls `name`, in the first of `folders` that has it; None where none has.

    Names must stay below a folder, but links in it may lead elsewhere: the host's owner made them, as models are large
    and often stored elsewhere, and a graph can only choose among them."""
    for folder in map(path.abspath, folders):
        full = None if path.isabs(name) or _NO_TEXT.search(name) else _below(folder, name)
        if full is not None and _inside(full, folder) and path.isfile(full):
            return Path(full)
    return None


def check_prefix(prefix: str, output: Folder) -> str:
    """A save node's prefix such as `motion/talk`, normalised, and checked to stay in the output folder.

    Raises ValueError for a prefix that is no name, is too long for one, or leads out of the folder, through a link
    too."""
    if not isinstance(prefix, str) or _NO_TEXT.search(prefix) or not path.basename(_plain(prefix)).strip(". "):
        raise ValueError("The file name prefix is empty or no name; give one such as motion/talk.")
    if len(path.basename(_plain(prefix)).encode()) > LONGEST:
        raise prefix_error(prefix, OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG)))
    root = path.abspath(output)
    full = _below(root, prefix.strip())
    if full is None or not _inside(full, root) or not _stays(path.dirname(full), root):
        raise ValueError(
            f"The file name prefix '{shown(prefix)}' leads out of the output folder; use a name or a subfolder."
        )
    return path.relpath(full, root)


def prefix_error(prefix: str, error: OSError) -> ValueError:
    """The error for a prefix whose folder or name the system refuses."""
    reason = error.strerror or type(error).__name__
    return ValueError(f"The file name prefix '{shown(prefix)}' cannot be used ({reason}); choose another.")


def _plain(name: str) -> str:
    return path.normpath(name.strip().replace("\\", "/"))


def _below(folder: str, name: str) -> str | None:
    """`name` relative to `folder`, `..` removed before any link is resolved; None for a path of another system."""
    if not path.isabs(name):
        name = name.replace("\\", "/")
    if path.sep == "/" and (_DRIVE.match(name) or name.startswith("//")):
        return None
    return path.normpath(path.join(folder, name))


def _stays(folder: str, root: str) -> bool:
    """Whether a folder below root is there when links are resolved."""
    return folder == root or _inside(path.realpath(folder), path.realpath(root))


def _drive(full: str) -> str:
    return path.normcase(path.splitdrive(full)[0])


def _inside(full: str, folder: str) -> bool:
    return path.normcase(full).startswith(path.join(path.normcase(folder), ""))
