"""Read altered sounds, films, pictures, checkpoints, motion files and pickles and say what goes wrong: a death, a hang,
a bare error, a library's words, planted code that ran, too much memory.

    python tests/altered/harness.py --count 5000 --seed 7 --keep /tmp/faulty
    python tests/altered/harness.py --kinds networks --count 500
    python tests/altered/harness.py --kinds media --count 300

Everything follows from the seed and the files of samples.py and checkpoints.py. To add a kind of file: its makers
there, its readers in worker.py.
"""

import argparse
import collections
import json
import queue
import random
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import checkpoints
import samples

HERE = Path(__file__).parent
SECONDS = 20  # for all readers of one small file
MEMORY = 1500  # MB for one small file, beyond what the worker needs for itself
EDGES = (0, 1, 2, 255, 256, 32767, 32768, 65535, 65536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 40, (1 << 63) - 1)
MEDIA = {"sound": samples.SOUNDS, "film": samples.FILMS, "picture": samples.PICTURES}
KINDS = MEDIA | checkpoints.KINDS
RIGHT = ("read", "clear")
GROUPS = {"media": tuple(MEDIA), "networks": tuple(checkpoints.KINDS)}
ENDS = ("read", "clear", "raw", "traceback", "executed", "memory", "hang", "death")  # the worst of a file's counts


@dataclass(frozen=True)
class Altered:
    """One altered file: kind, name of the sample and what was done to it."""

    kind: str
    name: str
    how: str
    data: bytes


# ---------------------------------------------------------------- alterations: (bytes, random, another file) -> bytes


def _place(data: bytes, rng: random.Random) -> int:
    """Where to alter: mostly in the headers, which stand at the beginning or at the end."""
    size = len(data)
    where = rng.random()
    if where < 0.5:
        return rng.randrange(min(size, rng.choice((64, 256, 1024))))
    if where < 0.7:
        return size - 1 - rng.randrange(min(size, 1500))
    return rng.randrange(size)


def flipped(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """Bits flipped, one or many."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        changed[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def truncated(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """Cut off somewhere, perhaps within its first bytes."""
    return data[: _place(data, rng)]


def field(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """Whole numbers in the headers set to their extremes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        size = rng.choice((1, 2, 2, 4, 4, 4, 8))
        value = rng.choice(EDGES) & ((1 << 8 * size) - 1)
        place = min(_place(data, rng) // 2 * 2, len(data) - size)
        changed[place : place + size] = value.to_bytes(size, rng.choice(("little", "big")))
    return bytes(changed)


def shortened(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """A stretch is missing."""
    start = _place(data, rng)
    return data[:start] + data[start + rng.choice((1, 2, 4, 16, 300)) :]


def doubled(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """A stretch comes twice."""
    start = _place(data, rng)
    end = start + rng.choice((1, 4, 16, 300))
    return data[:end] + data[start:]


def spliced(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """The first part of one file and the last of another."""
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def noise(data: bytes, rng: random.Random, other: bytes) -> bytes:
    """A stretch of noise."""
    start = _place(data, rng)
    return data[:start] + rng.randbytes(rng.choice((4, 64, 512))) + data[start + 64 :]


ALTERATIONS = (flipped, flipped, field, field, field, truncated, shortened, doubled, spliced, noise)
INNER = 0.75  # of checkpoints, motion files and pickles: how many are altered in what they say, not in their bytes


def altered_files(seed: int, count: int, only: str = "", kinds: tuple[str, ...] = tuple(KINDS)) -> Iterator[Altered]:
    """`count` altered files of these kinds, the same for the same seed. only: a pattern for the samples' names."""
    made = {kind: {n: d for n, d in samples.made(KINDS[kind]).items() if re.search(only, n)} for kind in kinds}
    whole = [(kind, name, data) for kind, files in made.items() for name, data in files.items()]
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        kind, name, data = whole[number % len(whole)]
        alter = rng.choice(ALTERATIONS)
        if rng.random() < INNER:
            alter = rng.choice(checkpoints.ALTERATIONS.get(kind, (alter,)))
        other = rng.choice(list(made[kind].values()))
        changed = alter(data, rng, other)
        yield Altered(kind, name, f"{alter.__name__} {seed}.{number}", changed)


# ---------------------------------------------------------------- the process that reads them


class Worker:
    """worker.py, started again when it has died."""

    def __init__(self) -> None:
        self._process = None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_) -> None:
        self._end()

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._answers = queue.Queue()
        threading.Thread(target=self._listen, args=(self._process.stdout, self._answers), daemon=True).start()
        ready = self._answers.get(timeout=120)
        if not ready:
            self._errors.seek(0)
            raise RuntimeError(f"worker.py does not start:\n{self._errors.read()}")
        self.own_memory = json.loads(ready)["memory"]

    @staticmethod
    def _listen(lines, answers: queue.Queue) -> None:
        for line in lines:
            answers.put(line)
        answers.put("")  # it has died

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._errors.close()
        self._process = None

    def read(self, kind: str, path: Path) -> dict[str, tuple[str, str]]:
        """What each reader makes of a file: one of ENDS, and its sentence or what went wrong. Also under the names
        "death", "hang" and "memory"."""
        if self._process is None:
            self._start()
        self._process.stdin.write(f"{kind} {path}\n")
        self._process.stdin.flush()
        try:
            answer = self._answers.get(timeout=SECONDS)
        except queue.Empty:
            self._end()
            return {"hang": ("hang", f"no answer within {SECONDS} s")}
        if not answer:
            code = self._process.wait()
            self._errors.seek(0)
            said = self._errors.read()[-2000:]
            self._end()
            return {"death": ("death", f"exit status {code}\n{said}")}
        told = json.loads(answer)
        outcomes = told["outcomes"]
        if told["memory"] > self.own_memory + MEMORY:
            self._end()
            outcomes["memory"] = ("memory", f"{told['memory'] - self.own_memory} MB")
        return outcomes


def run(files: Iterator[Altered], keep: Path | None = None, show: bool = False) -> int:
    """Read the files; prints each fault, how many ended how, and returns how many files had a fault. show: print every
    sentence as well."""
    faulty, ends = 0, collections.Counter()
    with tempfile.TemporaryDirectory() as folder, Worker() as worker:
        for name, data in checkpoints.shards().items():
            (Path(folder) / name).write_bytes(data)
        for file in files:
            path = Path(folder) / file.name
            path.write_bytes(file.data)
            outcomes = worker.read(file.kind, path)
            for reader, (end, told) in outcomes.items():
                if end not in RIGHT or show:
                    print(f"{file.name}, {file.how}: {reader}: {end}: {told}", flush=True)
            worst = max((end for end, _ in outcomes.values()), key=ENDS.index)
            ends[worst] += 1
            wrong = worst not in RIGHT
            if wrong and keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{file.how.replace(' ', '_')}_{file.name}").write_bytes(file.data)
            faulty += wrong
            path.unlink()
    print(", ".join(f"{ends[end]} {end}" for end in ENDS))
    print(f"{ends.total()} files, {faulty} with faults")
    return faulty


def main() -> int:
    """The command line; its status is 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument(
        "--kinds", nargs="+", default=list(GROUPS), metavar="KIND", help=f"{', '.join((*GROUPS, *KINDS))}"
    )
    parser.add_argument("--only", default="", metavar="PATTERN", help="samples whose names match")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the files with faults there")
    parser.add_argument("--show", action="store_true", help="print every sentence, not only the faults")
    options = parser.parse_args()
    kinds = tuple(kind for name in options.kinds for kind in GROUPS.get(name, (name,)))
    files = altered_files(options.seed, options.count, options.only, kinds)
    return int(run(files, options.keep, options.show) > 0)


if __name__ == "__main__":
    sys.exit(main())
