"""Landmarks of films by MediaPipe's face mesh, which runs in an environment of its own (`make judge`)."""

from __future__ import annotations

import logging
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

log = logging.getLogger("mamba_portrait")

SCRIPT = Path(__file__).with_name("mesh_process.py")
ROOT = Path(__file__).parents[3]
VARIABLE = "MAMBA_PORTRAIT_JUDGE"  # names a Python with MediaPipe
PLACES = (".venv-judge/bin/python", ".venv-judge/Scripts/python.exe")
SEEN = 0.9  # part of the frames in which a face must be found


def judge_python() -> Path | None:
    """The Python that has MediaPipe: the one named by MAMBA_PORTRAIT_JUDGE, that of `make judge`, or this one."""
    if named := os.environ.get(VARIABLE):
        if not Path(named).is_file():
            raise FileNotFoundError(f"{VARIABLE} names {named}, which is no file; name a Python with MediaPipe")
        return Path(named)
    for place in PLACES:
        if (ROOT / place).is_file():
            return ROOT / place
    from importlib.util import find_spec

    return Path(sys.executable) if find_spec("mediapipe") else None


class MeshProcess:
    """The running process; use in a `with` block."""

    def __init__(self, command: Sequence[str | Path]):
        self.command = [str(part) for part in command]
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> MeshProcess:
        quiet = os.environ | {"GLOG_minloglevel": "3", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""}
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=quiet
        )
        return self

    def __exit__(self, *error) -> None:
        with suppress(BrokenPipeError):  # it has ended already
            self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def landmarks(self, frames: np.ndarray) -> np.ndarray:
        """Frames (T,H,W,3) uint8 RGB -> (T,478,3) float32 in pixels; NaN where no face is found. RuntimeError where the
        process does not answer."""
        count, height, width, _ = frames.shape
        try:
            self.process.stdin.write(struct.pack("<III", count, height, width) + np.ascontiguousarray(frames).tobytes())
            self.process.stdin.flush()
            (points,) = struct.unpack("<I", self._read(4))
            values = np.frombuffer(self._read(count * points * 3 * 4), np.float32)
        except (BrokenPipeError, struct.error) as error:
            raise RuntimeError(
                f"MediaPipe's process ended ({' '.join(self.command)}); run it by hand to see why, or `make judge`"
            ) from error
        return values.reshape(count, points, 3)

    def _read(self, count: int) -> bytes:
        data = self.process.stdout.read(count)
        if len(data) < count:
            raise BrokenPipeError
        return data


def mesh_process() -> MeshProcess | None:
    """MediaPipe's face mesh, not started yet; None, and a line in the log, where it is not installed."""
    python = judge_python()
    if python is None:
        log.warning("MediaPipe is not installed, so what needs it is not computed: run `make judge` once.")
        return None
    return MeshProcess([python, SCRIPT])


def without_gaps(landmarks: np.ndarray) -> np.ndarray | None:
    """Landmarks (T,K,3) with frames without a face filled in between their neighbours; None if there are too many."""
    seen = np.isfinite(landmarks[:, 0, 0])
    if not len(seen) or seen.mean() < SEEN:
        return None
    if seen.all():
        return landmarks
    places, known = np.arange(len(seen)), np.flatnonzero(seen)
    flat = landmarks.reshape(len(landmarks), -1)
    filled = [np.interp(places, known, column[known]) for column in flat.T]
    return np.stack(filled, 1).reshape(landmarks.shape).astype(np.float32)
