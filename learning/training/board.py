"""Pictures, sound and films of a run: files in its folder, and in TensorBoard where that is installed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from ...files import whole_file
from ...media.audio import write_wav
from ...media.video import VideoWriter

GIF_RATE, GIF_SIDE = 12, 192  # frames a second and pixels of films in TensorBoard, which shows animated GIFs


class Board:
    """What a run shows, by tag and step. `writer` is TensorBoard's SummaryWriter, or None without the package."""

    def __init__(self, folder: Path, writer=None):
        self.folder, self.writer = folder, writer

    def picture(self, tag: str, picture: np.ndarray, step: int) -> Path:
        """Keep (H,W,3) uint8 as FOLDER/TAG/STEP.jpg."""
        path = self._path(tag, step, ".jpg")
        with whole_file(path) as partial:
            partial.write_bytes(cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes())
        if self.writer is not None:
            self.writer.add_image(tag, picture, step, dataformats="HWC")
        return path

    def sound(self, tag: str, samples: np.ndarray, rate: int, step: int) -> Path:
        """Keep (N,) float in [-1, 1] as FOLDER/TAG/STEP.wav."""
        path = write_wav(self._path(tag, step, ".wav"), torch.from_numpy(samples)[None], rate)
        if self.writer is not None:
            self.writer.add_audio(tag, torch.from_numpy(samples)[None].clamp(-1, 1), step, rate)
        return path

    def film(self, tag: str, frames: np.ndarray, fps: int, step: int, samples: np.ndarray, rate: int) -> Path:
        """Keep frames (T,H,W,3) uint8 and their sound as FOLDER/TAG/STEP.mp4; TensorBoard gets a small GIF."""
        path = self._path(tag, step, ".mp4")
        with VideoWriter(path, fps=fps, audio=(torch.from_numpy(samples), rate), title="training sample") as writer:
            writer.write(frames)
        if self.writer is not None:
            from tensorboard.compat.proto.summary_pb2 import Summary

            height, width = frames.shape[1:3]
            image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=gif(frames, fps))
            self.writer.file_writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)
        return path

    def _path(self, tag: str, step: int, suffix: str) -> Path:
        path = self.folder / tag / f"{step:09d}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def gif(frames: Sequence[np.ndarray] | np.ndarray, fps: int) -> bytes:
    """An animated GIF of frames (T,H,W,3) uint8, at most GIF_SIDE pixels and GIF_RATE a second."""
    step = max(1, round(fps / GIF_RATE))
    shown, held = frames[::step], io.BytesIO()
    scale = min(1.0, GIF_SIDE / max(shown[0].shape[:2]))
    width, height = (max(2, round(side * scale)) for side in (shown[0].shape[1], shown[0].shape[0]))
    with av.open(held, "w", format="gif") as container:
        stream = container.add_stream("gif", rate=Fraction(fps, step))
        stream.width, stream.height, stream.pix_fmt = width, height, "rgb8"
        for frame in shown:
            small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(small), format="rgb24")))
        container.mux(stream.encode(None))
    return held.getvalue()
