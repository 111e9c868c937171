"""prepare: from films as they were downloaded to clips to train and to judge on."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tqdm import tqdm

from ..files import check_folder, check_place
from ..pipelines.settings import Range
from .options import command, number, positive_int, processes, seconds

NAMES = (
    "grid", "hdtf", "mead", "crema-d", "ravdess", "cmlr", "pats", "films", "list", "corpus", "speech", "facegood",
    "portraits",
)  # fmt: skip
LISTED = ("corpus", "facegood", "portraits")  # what they hold is as it should be
FILTERS = ("face", "turn", "moves", "seconds", "loudness", "offset")  # of preparing/faces.py


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "prepare",
        "cut films of people who speak into clips to train and to judge on: 25 frames a second, square, 16 kHz",
        run,
        """
prepare GRID_FOLDER --layout grid --out data/grid --jobs 8
prepare HDTF_FILMS --layout hdtf --lists HDTF/HDTF_dataset --out data/hdtf --jobs 16 --shard 1/4
prepare my_films --layout films --piece 10 --turn 35 --out data/mine --tar 256
prepare clips.csv --layout list --out data/listed
prepare photos --layout portraits --list-only photos.csv
""",
    )
    parser.add_argument("folder", metavar="FOLDER", help="the data set as it is after download; or a list of clips")
    parser.add_argument("--layout", required=True, choices=NAMES, help="how it is laid out (docs/preparing.md)")
    parser.add_argument(
        "--out", metavar="DIR", help="gets clips, lists and a report; a stopped run goes on where it was"
    )
    parser.add_argument("--lists", metavar="DIR", help="the lists that the data set publishes (default: FOLDER)")
    parser.add_argument(
        "--list-only", metavar="FILE", help="write the list of clips (.csv or .jsonl), and prepare none"
    )
    parser.add_argument(
        "--framing",
        choices=("auto", "face", "half-body"),
        default="auto",
        help="auto: the window that the data set publishes, else the face with hair and shoulders",
    )
    parser.add_argument("--size", type=number(Range(16, 4096)), default=256, help="side of the pictures (%(default)s)")
    parser.add_argument("--piece", type=seconds, metavar="S", help="cut longer clips into pieces of so many seconds")
    parser.add_argument("--first", type=positive_int, metavar="N", help="only the first N clips, for a trial")
    group = parser.add_argument_group("machines")
    group.add_argument("--jobs", type=processes, default=1, help="processes (%(default)s)")
    group.add_argument("--shard", type=shard, default=(1, 1), metavar="I/N", help="only part I of N, on N machines")
    group.add_argument("--tar", type=positive_int, metavar="MB", help="then pack the clips into WebDataset tar files")
    group = parser.add_argument_group("what a clip must have")
    group.add_argument(
        "--face", type=number(Range(0.0, 65535.0)), metavar="PIXELS", help="side of the face in the film, at least (64)"
    )
    group.add_argument(
        "--turn", type=number(Range(0.0, 90.0)), metavar="DEGREES", help="of the head to a side, at most (any)"
    )
    group.add_argument(
        "--moves", type=number(Range(0.0, 100.0)), metavar="PART", help="of a face that it may leave its place (0.4)"
    )
    group.add_argument("--seconds", type=number(Range(0.0, 86_400.0)), metavar="S", help="at least (1)")
    group.add_argument("--sync-judge", metavar="FILE", help="a trained sync judge: sound and lips must be together")
    group.add_argument(
        "--offset", type=number(Range(0.0, 100.0)), metavar="FRAMES", help="between them, by that judge, at most (2)"
    )
    group.add_argument(
        "--loudness", type=number(Range(-200.0, 0.0)), metavar="DB", help="of its loudest tenth of a second (-55)"
    )
    return parser


@dataclass(frozen=True)
class SyncJudge:
    """By how many frames the sound of a prepared film is late, as the sync judge of a file finds it."""

    file: str

    def __call__(self, video: Path, audio: Path) -> float:
        from ..learning.evaluation.sync.judge import judge_film

        found = judge_film(_network(self.file), video)
        if found is None:
            raise ValueError("the sync judge finds no mouth")
        return float(found.offset)


@lru_cache(maxsize=1)
def _network(file: str):
    """The judge, read once in each process."""
    from ..learning.evaluation.sync.judge import load_sync_judge

    return load_sync_judge(file)


def shard(text: str) -> tuple[int, int]:
    """I/N with 1 <= I <= N."""
    first, _, count = text.partition("/")
    if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise argparse.ArgumentTypeError(f"'{text}' is no part such as 1/4")
    return int(first), int(count)


def run(options: argparse.Namespace) -> None:
    """Run the command; prints the report's place, or the list's."""
    from ..learning.datasets.manifest import write_manifest
    from ..learning.datasets.preparing.faces import Filters
    from ..learning.datasets.preparing.layouts import LAYOUTS
    from ..learning.datasets.preparing.published import PUBLISHED
    from ..learning.datasets.preparing.run import in_pieces

    folder, filters = Path(options.folder), Filters()
    if not (folder.is_file() if options.layout == "list" else folder.is_dir()):
        raise FileNotFoundError(f"There is no {'list' if options.layout == 'list' else 'folder'} {folder}.")
    if not (options.out or options.list_only):
        raise ValueError("Say where the clips are to go: --out DIR; or --list-only FILE for their list alone.")
    for name in FILTERS:
        if getattr(options, name, None) is not None:
            filters = type(filters)(**vars(filters) | {name: getattr(options, name)})
    layout = (LAYOUTS | PUBLISHED)[options.layout](folder, lists=Path(options.lists or folder))
    sources = layout.sources
    if not sources:
        lacks = f" ({layout.notes[0]})" if layout.notes else ""
        raise ValueError(f"{folder} holds no clip of the layout {options.layout}{lacks}.")
    if options.list_only:
        check_place(options.list_only)
        print(write_manifest(options.list_only, [source.entry for source in sources]))
        return
    if options.layout in LISTED:
        raise ValueError(f"The layout {options.layout} needs no preparing: write its list with --list-only FILE.")
    if options.piece:
        sources = in_pieces(sources, options.piece, filters.seconds)
    _prepare(sources[: options.first], layout.notes, options, filters)


def _prepare(sources: list, notes: list[str], options: argparse.Namespace, filters) -> None:
    from ..learning.datasets.preparing.clip import Settings
    from ..learning.datasets.preparing.report import write_report
    from ..learning.datasets.preparing.run import prepare_all

    if options.tar:
        from ..learning.datasets.shards import require_webdataset

        require_webdataset()
    check_folder(options.out)
    if options.sync_judge:
        _network(options.sync_judge)  # a wrong file is told now
    sync = SyncJudge(options.sync_judge) if options.sync_judge else None
    settings = Settings(options.framing, options.size, filters, sync)
    with tqdm(total=len(sources), desc="clips", unit="clip", disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        own = prepare_all(sources, options.out, settings, jobs=options.jobs, shard=options.shard, progress=progress)
    if options.tar:
        from ..learning.datasets.shards import pack

        number, count = options.shard
        pack(options.out, own, 1_000_000 * options.tar, f"{number:03d}-of-{count:03d}")
    print(write_report(options.out, notes))
