"""Display geometry of a film's pictures: rotation, mirrors and pixel aspect; and warnings of what is not honoured."""

import logging
import math
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from torch import Tensor

from .crop import resize
from .decoder import rgb, side_data
from .picture import unit_range

log = logging.getLogger("mamba_portrait")

SQUARE = 0.01  # pixels whose sides differ by less are squares: containers round
STRETCHED = 4  # times as wide as high, or the reverse; nothing beyond is believed
SLANTED = 0.05  # part of a quarter turn's matrix that is none
UNTOLD, HD = 2, 720  # H.273's code for a matrix that is not told; lines of a picture that is high definition
HDR = {16: "PQ", 18: "HLG"}  # H.273's transfer characteristics


@dataclass(frozen=True)
class DisplayGeometry:
    """What makes a decoded picture upright: first the aspect of its pixels, then a transposition, then mirrors."""

    transposed: bool = False
    mirrored: bool = False  # left and right, after the transposition
    upside_down: bool = False
    aspect: Fraction = Fraction(1)  # width over height of a pixel

    def size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """(width, height) of the upright picture."""
        width, height = frame.width, frame.height
        if self.aspect > 1:
            width = max(1, round(width * self.aspect))
        elif self.aspect < 1:
            height = max(1, round(height / self.aspect))
        return (height, width) if self.transposed else (width, height)

    def upright(self, frame: av.VideoFrame, name: str) -> Tensor:
        """A decoded picture -> (H,W,3) float32 in [0,1]. Stretched pixels are interpolated; turns are exact."""
        pixels = rgb(frame, name)
        pixels = pixels.transpose(1, 0, 2) if self.transposed else pixels
        pixels = pixels[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]
        width, height = self.size(frame)
        return resize(unit_range(pixels), height, width)


def display_geometry(stream: av.video.stream.VideoStream, frame: av.VideoFrame) -> DisplayGeometry:
    """What the container says of a stream's pictures, with the display matrix of its first frame (ISO 14496-12,
    8.3.2)."""
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    if abs(aspect - 1) < SQUARE or not Fraction(1, STRETCHED) <= aspect <= STRETCHED:
        aspect = Fraction(1)
    matrix = _matrix(stream, frame)
    if matrix is None:
        return DisplayGeometry(aspect=aspect)
    across, down = matrix[0], matrix[1]  # where a step to the right and a step down lead: (right, down) each
    if abs(across[0]) >= abs(across[1]):
        return DisplayGeometry(False, across[0] < 0, down[1] < 0, aspect)
    return DisplayGeometry(True, down[0] < 0, across[1] < 0, aspect)


def warn_of_what_is_ignored(stream: av.video.stream.VideoStream, frame: av.VideoFrame, name: str) -> None:
    """Log what of a film's rotation, aspect and colours is not honoured."""
    matrix = _matrix(stream, frame)
    if matrix is not None and np.sort(np.abs(matrix), axis=None)[1] > SLANTED * np.abs(matrix).max():
        log.warning("%s is turned by no quarter; it is read at the nearest quarter turn.", name)
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    if not Fraction(1, STRETCHED) <= aspect <= STRETCHED:
        log.warning("%s says that its pixels are %.3g times as wide as high; it is read with squares.", name, aspect)
    kind = HDR.get(int(getattr(frame, "color_trc", 0) or 0))
    if kind:
        log.warning("%s is HDR (%s), and its colours are read as they are, pale; convert it to SDR first.", name, kind)
    if int(frame.colorspace) == UNTOLD and frame.height >= HD and "yuv" in frame.format.name:
        log.info("%s does not tell its colours; they are read as BT.601, as FFmpeg does.", name)


def _matrix(stream: av.video.stream.VideoStream, frame: av.VideoFrame) -> np.ndarray | None:
    """(2,2): where a step to the right and a step down lead in the upright picture; None where nothing is told. Of
    PNG films the rotation, without mirrors."""
    data = side_data(stream, frame, "DISPLAYMATRIX")
    if data is None or len(data) < 36:
        turn = math.radians(getattr(frame, "rotation", 0))
        return np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]) if turn else None
    values = np.frombuffer(data[:36], np.int32).reshape(3, 3)[:2, :2] / 65536
    return values if np.abs(values).max() > 0 else None
