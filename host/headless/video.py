"""The headless VIDEO value: a file on disk, with those methods of ComfyUI's `VideoFromFile` that we use."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import av
import torch

from ...files import whole_file
from ...media.decoder import frame_rate, open_media, rgb, video_frames, video_stream


class VideoFromFile:
    """A video file passed between nodes without decoding it."""

    def __init__(self, file: str | Path):
        self._file = file if isinstance(file, str) else str(file)  # the object itself: its owner may wait for its end
        self._name = Path(file).name

    def get_stream_source(self) -> str:
        """The file's path."""
        return self._file

    def get_dimensions(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        with open_media(self._file, "video") as container:
            stream = video_stream(container, self._name)
            return stream.width, stream.height

    def get_duration(self) -> float:
        """Length in seconds. ValueError if the file has none."""
        with open_media(self._file, "video") as container:
            if container.duration is None:
                raise ValueError(f"{self._name} does not tell how long it is.")
            return container.duration / av.time_base

    def get_components(self) -> SimpleNamespace:
        """Everything decoded: images (T,H,W,3) in [0,1], audio or None, frame_rate as a Fraction."""
        from ...media.audio import load_audio
        from ...media.picture import unit_range

        with open_media(self._file, "video") as container:
            stream = video_stream(container, self._name)
            rate = frame_rate(stream, self._name)
            has_audio = bool(container.streams.audio)
            frames = [unit_range(rgb(frame, self._name)) for frame in video_frames(container, stream, self._name)]
        if not frames:
            raise ValueError(f"{self._name} has a video stream without frames.")
        audio = None
        if has_audio:
            waveform, sample_rate = load_audio(self._file)
            audio = {"waveform": waveform[None], "sample_rate": sample_rate}
        return SimpleNamespace(images=torch.stack(frames), audio=audio, frame_rate=rate)

    def save_to(self, path: str | Path) -> None:
        """Copy the file, atomically."""
        with whole_file(path) as partial:
            shutil.copyfile(self._file, partial)
