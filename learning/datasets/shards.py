"""Packing prepared clips into tar files of the library webdataset (extra `shards`); clip_files.py reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...files import whole_file
from .clip_files import INDEX, index_of, size_of


def require_webdataset():
    """The library; ImportError says how to get it."""
    try:
        import webdataset
    except ImportError as error:
        raise ImportError(
            "--tar needs webdataset: pip install 'mamba-portrait[shards]' (pip install webdataset)."
        ) from error
    return webdataset


def pack(out: str | Path, names: Sequence[str], most: int, part: str) -> list[Path]:
    """Pack finished clips of out/clips into out/shards/PART-NUMBER.tar of about `most` bytes; the new files.

    Clips that a tar of this part has already are not packed again. A tar appears only when it is complete, so that a
    killed run leaves none that is not, and the next one goes on."""
    webdataset, out = require_webdataset(), Path(out)
    there = sorted((out / "shards").glob(f"{part}-*.tar"))
    packed = {name for tar in there for name in index_of(tar)}
    waiting = [name for name in sorted(names) if name not in packed and (out / "clips" / name / "meta.json").exists()]
    numbers = [int(found[1]) for tar in there if (found := re.search(r"-(\d+)\.tar$", tar.name))]
    written = []
    for number, group in enumerate(_groups(out / "clips", waiting, most), max(numbers, default=-1) + 1):
        path = out / "shards" / f"{part}-{number:06d}.tar"
        with whole_file(path) as partial, partial.open("wb") as stream:
            with webdataset.TarWriter(stream, encoder=False, mtime=0) as tar:
                for name in group:
                    files = sorted((out / "clips" / name).iterdir())
                    tar.write({"__key__": name} | {file.name: file.read_bytes() for file in files})
        index = {"bytes": path.stat().st_size, "clips": index_of(path)}
        with whole_file(path.with_name(path.name + INDEX)) as partial:
            partial.write_text(json.dumps(index), "utf8")
        written.append(path)
    return written


def _groups(clips: Path, names: Sequence[str], most: int) -> Iterator[list[str]]:
    group, size = [], 0
    for name in names:
        more = size_of(clips / name)
        if group and size + more > most:
            yield group
            group, size = [], 0
        group.append(name)
        size += more
    if group:
        yield group
