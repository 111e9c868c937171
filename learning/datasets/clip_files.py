"""Clips as folders, or inside WebDataset's tar files, read by the same code.

A clip in a tar is its members CLIP.video.mp4, CLIP.audio.wav, CLIP.meta.json ...; they are read where they lie, any
part of them at any time, so that nothing is unpacked and a training resumes as it does over folders.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

INDEX = ".index.json"  # after a tar's name: where its members lie, so that its headers need not be read again


@dataclass(frozen=True)
class TarClip:
    """A clip inside a tar, or one of its files, with the part of pathlib's interface that readers of clips use.

    members: name in the clip -> (first byte, bytes)."""

    tar: Path
    name: str
    members: dict[str, tuple[int, int]] = field(compare=False)
    member: str = ""

    def __truediv__(self, name: str) -> TarClip:
        return TarClip(self.tar, name, self.members, name)

    def __str__(self) -> str:
        return f"{self.tar}/{self.name}"

    def exists(self) -> bool:
        """Whether there is such a file; the clip itself is there."""
        return not self.member or self.member in self.members

    is_file = exists

    def open(self, mode: str = "rb") -> IO[bytes]:
        """The file's bytes, read from the tar when they are asked for. FileNotFoundError where there is none."""
        if mode != "rb" or self.member not in self.members:
            raise FileNotFoundError(f"{self.tar} holds no {self.member} of this clip that could be opened ({mode}).")
        return io.BufferedReader(_Part(self.tar, *self.members[self.member]))

    def read_text(self, encoding: str = "utf8") -> str:
        """The file's text."""
        with self.open() as file:
            return file.read().decode(encoding)


class _Part(io.RawIOBase):
    """A part of a file as a file."""

    def __init__(self, path: Path, first: int, length: int):
        self.file, self.first, self.length, self.at = path.open("rb"), first, length, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.length}[whence]
        self.at = max(0, start + offset)
        return self.at

    def readinto(self, buffer) -> int:
        count = max(0, min(len(buffer), self.length - self.at))
        self.file.seek(self.first + self.at)
        data = self.file.read(count)
        buffer[: len(data)] = data
        self.at += len(data)
        return len(data)

    def close(self) -> None:
        self.file.close()
        super().close()


ClipFiles = Path | TarClip


def clips_of(root: str | Path) -> list[ClipFiles]:
    """All finished clips under root/clips (or root) and in the tar files of root/shards (or root), in the order of
    their names; a clip that is there as a folder is not taken from a tar."""
    root = Path(root)
    folder = root / "clips" if (root / "clips").is_dir() else root
    found: dict[str, ClipFiles] = {file.parent.name: file.parent for file in folder.glob("*/meta.json")}
    for tar in sorted([*root.glob("*.tar"), *root.glob("shards/*.tar")]):
        for name, members in index_of(tar).items():
            if "meta.json" in members:
                found.setdefault(name, TarClip(tar, name, members))
    return [found[name] for name in sorted(found)]


def index_of(tar: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """Clip -> name in the clip -> (first byte, bytes), of a tar of any origin. ValueError where it is none."""
    kept = tar.with_name(tar.name + INDEX)
    if kept.is_file():
        index = json.loads(kept.read_text("utf8"))
        if index["bytes"] == tar.stat().st_size:
            return {name: {m: tuple(place) for m, place in members.items()} for name, members in index["clips"].items()}
    clips: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    try:
        with tarfile.open(tar, "r:") as file:
            for member in file:
                clip, _, name = Path(member.name).name.partition(".")
                if member.isfile():
                    clips[clip][name] = (member.offset_data, member.size)
    except tarfile.TarError as error:
        raise ValueError(f"{tar} cannot be read as a tar file ({error}); pack its clips again.") from error
    return dict(clips)


def beside(clip: ClipFiles, name: str) -> Path:
    """Where a file that is made of a clip goes: into its folder, or into one beside its tar."""
    return clip / name if isinstance(clip, Path) else clip.tar.parent / "made" / clip.name / name


@contextmanager
def local_file(file: ClipFiles) -> Iterator[Path]:
    """A file of a clip as a file of its own, for readers that want a path; from a tar it is copied for the time."""
    if isinstance(file, Path):
        yield file
        return
    with TemporaryDirectory(prefix="clip-") as folder:
        copy = Path(folder) / file.name
        with file.open() as inside, copy.open("wb") as outside:
            shutil.copyfileobj(inside, outside, 1 << 20)
        yield copy


def size_of(folder: Path) -> int:
    """Bytes of a clip's files."""
    return sum(os.path.getsize(file) for file in folder.iterdir())
