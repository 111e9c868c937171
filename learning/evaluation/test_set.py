"""The real speakers, films and portraits that the model card measures on: files of public repositories, named by commit
and SHA-256 in test_set.jsonl, and put together from a folder of clones. None is distributed here or trained on."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import av

from ...files import whole_file
from ...media.photo import save_image
from ...media.video import read_video

LIST = Path(__file__).with_suffix(".jsonl")
USES = ("speakers", "films", "portraits")  # the folders, and what `evaluate` measures on each
FILMS = (".mp4", ".avi", ".mkv", ".mov", ".webm")


@dataclass(frozen=True)
class Sample:
    """One file of the test set.

    use: one of USES. name: of the file that is written, without its suffix. repository: owner/name on GitHub; path and
    sha256 of the file at that commit; sound: of the voice (WAV), where the film has none of its own. seconds: of the
    film. tags: what it tests, such as close-up, glasses, beard, teeth, dark skin, painting."""

    use: str
    name: str
    repository: str
    commit: str
    path: str
    sha256: str
    seconds: float | None = None
    sound: str | None = None
    sound_sha256: str | None = None
    tags: tuple[str, ...] = ()


def read_list(path: str | Path = LIST) -> list[Sample]:
    """The samples of a list, a JSON object a line."""
    rows = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines() if line.strip()]
    return [Sample(**row | {"tags": tuple(row.get("tags", ()))}) for row in rows]


def clone_of(clones: str | Path, repository: str) -> Path | None:
    """The git repository of owner/name in a folder of clones: owner/name, owner+name or name in it."""
    owner, name = repository.split("/")
    for folder in (f"{owner}/{name}", f"{owner}+{name}", name):
        if (Path(clones) / folder).is_dir():
            return Path(clones) / folder
    return None


def missing(samples: Iterable[Sample], clones: str | Path) -> list[str]:
    """`git clone` commands for the repositories that are not in the folder of clones."""
    wanted = sorted({sample.repository for sample in samples if clone_of(clones, sample.repository) is None})
    return [f"git clone https://github.com/{name} {Path(clones) / name}" for name in wanted]


def put_together(
    samples: list[Sample],
    clones: str | Path,
    out: str | Path,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write every sample to out/USE/NAME.suffix and return the files; those that are there already are kept.

    A film with a sound of its own file gets both streams, as they are, in Matroska; a portrait from a film is its first
    frame. ValueError where a clone lacks the file or has another one under its name."""
    written = []
    for number, sample in enumerate(samples):
        path = target(sample, out)
        if not path.exists():
            _write(sample, clones, path)
        written.append(path)
        if progress is not None:
            progress(number + 1, len(samples))
    return written


def target(sample: Sample, out: str | Path) -> Path:
    """The file that a sample becomes in the folder `out`."""
    suffix = PurePosixPath(sample.path).suffix
    if sample.use == "portraits" and suffix in FILMS:
        suffix = ".png"
    return Path(out) / sample.use / (sample.name + (".mkv" if sample.sound else suffix))


def _write(sample: Sample, clones: str | Path, path: Path) -> None:
    data = _content(clones, sample, sample.path, sample.sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png" and PurePosixPath(sample.path).suffix in FILMS:
        with tempfile.TemporaryDirectory() as folder:
            film = Path(folder, PurePosixPath(sample.path).name)
            film.write_bytes(data)
            save_image(path, next(read_video(film, max_frames=1)))
        return
    sound = _content(clones, sample, sample.sound, sample.sound_sha256) if sample.sound else None
    with whole_file(path) as part:
        if sound is None:
            part.write_bytes(data)
        else:
            _join(data, sound, part)


def _content(clones: str | Path, sample: Sample, path: str, sha256: str | None) -> bytes:
    """The file's bytes at the sample's commit, or at the clone's own where it lacks that one (a shallow clone)."""
    clone = clone_of(clones, sample.repository)
    if clone is None:
        raise ValueError(f"{sample.repository} is not in {clones}: clone it with git there.")
    for commit in (sample.commit, "HEAD"):
        found = subprocess.run(["git", "-C", str(clone), "show", f"{commit}:{path}"], capture_output=True)
        if found.returncode == 0 and hashlib.sha256(found.stdout).hexdigest() == sha256:
            return found.stdout
    raise ValueError(
        f"{clone} has no {path} as it was at commit {sample.commit[:12]} (its SHA-256 begins with {str(sha256)[:12]}): "
        "fetch that commit."
    )


def _join(film: bytes, sound: bytes, path: Path) -> None:
    """One file with the pictures of a film and a sound, neither encoded anew."""
    with av.open(io.BytesIO(film)) as pictures, av.open(io.BytesIO(sound)) as voice:
        with av.open(str(path), "w", format="matroska") as both:
            streams = [
                (box, box.streams.best(kind), both.add_stream_from_template(box.streams.best(kind)))
                for box, kind in ((pictures, "video"), (voice, "audio"))
            ]
            for box, stream, copy in streams:
                for packet in box.demux(stream):
                    if packet.dts is not None:
                        packet.stream = copy
                        both.mux(packet)
