"""The headless VIDEO value: a file on disk, with those methods of ComfyUI's `VideoFromFile` that we use."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import torch

from ...files import whole_file


class VideoFromFile:
    """A video file passed between nodes without decoding it."""

    def __init__(self, file: str | Path):
        self._file = str(file)

    def get_stream_source(self) -> str:
        """The file's path."""
        return self._file

    def get_dimensions(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        with av.open(self._file) as container:
            if not container.streams.video:
                raise ValueError(f"There is no video stream in '{self._file}'.")
            stream = container.streams.video[0]
            return stream.width, stream.height

    def get_duration(self) -> float:
        """Length in seconds."""
        with av.open(self._file) as container:
            return float(container.duration / av.time_base)

    def get_components(self) -> SimpleNamespace:
        """Everything decoded: images (T,H,W,3) in [0,1], audio or None, frame_rate as a Fraction."""
        from ...media.audio import load_audio
        from ...media.picture import unit_range

        with av.open(self._file) as container:
            rate = Fraction(container.streams.video[0].average_rate or 25)
            has_audio = bool(container.streams.audio)
            frames = [unit_range(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
        audio = None
        if has_audio:
            waveform, sample_rate = load_audio(self._file)
            audio = {"waveform": waveform[None], "sample_rate": sample_rate}
        return SimpleNamespace(images=torch.stack(frames), audio=audio, frame_rate=rate)

    def save_to(self, path: str | Path) -> None:
        """Copy the file, atomically."""
        with whole_file(path) as partial:
            shutil.copyfile(self._file, partial)
