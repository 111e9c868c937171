"""What is to be prepared: a clip of a list, its name, and what a data set says of its place in the picture."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..manifest import Entry
from ..splits import split_of

FILMS = (".mp4", ".mkv", ".mov", ".avi", ".mpg", ".mpeg", ".flv", ".webm", ".m4v", ".wmv")
SOUNDS = (".wav", ".flac", ".m4a", ".mp3", ".ogg", ".opus")
PICTURES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class Window:
    """A square that a data set publishes for a clip: left and upper edge and side.

    In pixels of a film of `height` rows, or, where `height` is None, in parts of it: left of the film's width, the
    others of its height; a negative left is counted from the right edge.
    """

    left: float
    top: float
    side: float
    height: int | None = None

    def pixels(self, width: int, height: int) -> tuple[int, int, int]:
        """Left, top and side in a film of this size."""
        if self.height is None:
            side = round(self.side * height)
            left = round(self.left * width) if self.left >= 0 else width - side
            return left, round(self.top * height), side
        scale = height / self.height
        return round(self.left * scale), round(self.top * scale), round(self.side * scale)


@dataclass(frozen=True)
class Source:
    """A clip to prepare. name: unique among those of its data set, and the folder that it becomes."""

    name: str
    entry: Entry
    window: Window | None = None  # None: found by the face
    words: Path | None = None  # GRID's .align


@dataclass(frozen=True)
class Layout:
    """What a folder holds, and what its lists name but it lacks: sentences for the report."""

    sources: list[Source]
    notes: list[str] = field(default_factory=list)


def clip_name(*parts: object) -> str:
    """Parts of a name joined by "_", of letters that every file system has; no dots, which end a name in a tar."""
    return "_".join(re.sub(r"[^\w-]+", "-", str(part)).strip("-") for part in parts if str(part))


def files_below(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """All files with these suffixes in a folder and its folders, in order; hidden ones are not."""
    found = (p for p in folder.rglob("*") if p.suffix.lower() in suffixes)
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))


def with_split(entry: Entry, clip: str = "") -> Entry:
    """The clip in the split that splits.json gives it."""
    return replace(entry, split=split_of(entry.speaker, clip or entry.clip))
