"""Work that was broken off and goes on in a later run: its finished pieces, in a hidden folder until all is done."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .files import NO_LOCKS, whole_file
from .locks import FileLock

log = logging.getLogger("mamba_portrait")

SUFFIX = ".unfinished.part"
FOLDER = re.compile(r"\..+\.unfinished\.part")
RECORD, LOCK = "record.json", "lock"
KEPT = 7 * 86400  # seconds after which what nobody went on with is removed


class Unfinished:
    """The finished pieces of one work.

    with Unfinished(folder_of("film.mp4"), key, "film.mp4", 100, "frames") as work:
        for path in work.pieces: ...      # of an earlier run with the same key, whole and in order
        path = work.place(".mp4")         # of the next piece
        ...                               # write it there
        work.add(path)

    When the block ends the folder goes; when it raises, finished pieces stay for the next run, and that is said. Pieces
    of another key are thrown away, and so are a damaged one and those after it, which is said too. `length`: units in a
    piece. fresh: begin anew. ValueError where another process is at the same work.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        key: str,
        name: str,
        length: int,
        unit: str,
        *,
        fresh: bool = False,
        say: Callable[[str], None] = log.info,
    ):
        self.folder, self.key, self.name, self.length, self.unit = Path(folder), key, name, length, unit
        self._fresh, self._say, self._lock = fresh, say, FileLock(Path(folder) / LOCK)
        self._sums: list[str] = []
        self.pieces: list[Path] = []

    @property
    def done(self) -> int:
        """Units in the finished pieces."""
        return len(self.pieces) * self.length

    def place(self, suffix: str) -> Path:
        """Where the next piece belongs."""
        return self.folder / f"{len(self.pieces):06d}{suffix}"

    def add(self, path: Path) -> None:
        """The piece at `place` is finished."""
        self._sums.append(_sum(path))
        self.pieces.append(path)
        with whole_file(self.folder / RECORD) as part:
            part.write_text(json.dumps({"key": self.key, "pieces": [p.name for p in self.pieces], "sums": self._sums}))

    def __enter__(self) -> Unfinished:
        _remove_forgotten(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            if not self._lock.take():
                raise ValueError(f"{self.name} is being made by another run: wait for it, or name another file.")
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        self._read()
        for path in self.folder.iterdir():  # what belongs to no finished piece
            if path not in self.pieces and path.name != LOCK:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if self.pieces:
            self._say(f"{self.name} goes on after {self.done} {self.unit}, which an earlier run finished.")
        return self

    def _read(self) -> None:
        """Take over what an earlier run finished."""
        record = self.folder / RECORD
        if self._fresh or not record.exists():
            return
        try:
            said = json.loads(record.read_text("utf8"))
            key, pieces = said["key"], list(zip(map(str, said["pieces"]), said["sums"], strict=True))
        except (ValueError, KeyError, TypeError):
            self._say(f"{self.name}: an unfinished work is damaged and thrown away.")
            return
        if key != self.key:
            self._say(f"{self.name}: an unfinished work of other inputs or settings is thrown away.")
            return
        for number, (name, expected) in enumerate(pieces):
            path = self.folder / Path(name).name
            if not path.is_file() or _sum(path) != expected:
                self._say(
                    f"{self.name}: what an earlier run finished is damaged after {number * self.length} {self.unit}; "
                    "the rest is thrown away."
                )
                return
            self.pieces.append(path)
            self._sums.append(expected)

    def __exit__(self, kind, error, trace) -> None:
        kept = kind is not None and self.pieces
        if kept:
            self._say(f"{self.name}: {self.done} finished {self.unit} are kept; the same again goes on after them.")
        elif os.name != "nt":
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()
        if not kept:
            shutil.rmtree(self.folder, ignore_errors=True)


def folder_of(path: str | os.PathLike) -> Path:
    """The hidden folder beside a file, in which what it is made of is kept."""
    path = Path(path)
    return path.parent / f".{path.name}{SUFFIX}"


def _sum(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _remove_forgotten(ours: Path) -> None:
    """Remove the folders beside ours that nobody went on with for KEPT seconds."""
    with suppress(OSError):
        for entry in os.scandir(ours.parent):
            path = Path(entry.path)
            if path != ours and FOLDER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_forgotten(path)


def _remove_if_forgotten(folder: Path) -> None:
    if time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir())) < KEPT:
        return
    lock = FileLock(folder / LOCK)
    if lock.take():
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)
