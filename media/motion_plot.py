"""Drawing a motion track as curves, with OpenCV alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from .motion import Motion

PAPER, GRID, INK = (250, 250, 248), (222, 222, 218), (70, 70, 70)
COLOURS = ((31, 119, 180), (214, 90, 20), (44, 150, 60), (200, 40, 50), (130, 90, 180), (130, 85, 70), (220, 110, 180),
           (90, 90, 90), (150, 150, 20), (20, 170, 180))  # fmt: skip
FONT = cv2.FONT_HERSHEY_SIMPLEX


def plot_motion(
    motion: Motion,
    readout: Tensor | None = None,
    names: Sequence[str] | None = None,
    panels: Mapping[str, Sequence[str]] | None = None,
    size: tuple[int, int] = (900, 1400),
) -> Tensor:
    """Curves over time -> image (H,W,3) float in [0,1].

    readout (T,P): the renderer's read_parameters of the values, `names` its P names, `panels` a title and the names
    in it for each row of the picture (None: all in one row). The last row is always how far the motion is from its
    reference (RMS of the 768 numbers), which needs no read-out. size: (height, width) in pixels.
    """
    rows: list[tuple[str, list[str], np.ndarray]] = []
    if readout is not None:
        curves = readout.detach().float().cpu().numpy()
        if curves.ndim != 2 or len(curves) != motion.frames:
            raise ValueError(f"The read-out has shape {tuple(curves.shape)}; the motion has {motion.frames} frames.")
        names = list(names or [str(i) for i in range(curves.shape[1])])
        if len(names) != curves.shape[1]:
            raise ValueError(f"{len(names)} names were given for {curves.shape[1]} curves.")
        for title, members in (panels or {"parameters": names}).items():
            rows.append((title, list(members), curves[:, [names.index(name) for name in members]]))
    distance = (motion.values - motion.reference).square().mean(1).sqrt().cpu().numpy()[:, None]
    rows.append(("distance from the reference", ["rms"], distance))
    height, width = size
    image = np.full((height, width, 3), PAPER, np.uint8)
    edges = np.linspace(0, height, len(rows) + 1).astype(int)
    for (title, members, curves), top, bottom in zip(rows, edges, edges[1:], strict=False):
        _panel(image[top:bottom], title, members, curves, motion.duration)
    return torch.from_numpy(image.astype(np.float32) / 255)


def _panel(area: np.ndarray, title: str, members: list[str], curves: np.ndarray, duration: float) -> None:
    """Draw one row in place: frame, grid, zero line, curves, legend."""
    height, width = area.shape[:2]
    left, right, top, bottom = 62, width - 150, 26, height - 24
    low, high = float(min(curves.min(), 0)), float(max(curves.max(), 0))
    low, high = (low, high) if high - low > 1e-6 else (-1.0, 1.0)
    margin = 0.06 * (high - low)
    low, high = low - margin, high + margin

    def y_of(value):
        return bottom - (value - low) / (high - low) * (bottom - top)

    for second in np.linspace(0, duration, 9):
        x = round(left + second / duration * (right - left))
        cv2.line(area, (x, top), (x, bottom), GRID, 1)
        cv2.putText(area, f"{second:.1f}s", (x - 12, height - 8), FONT, 0.38, INK, 1, cv2.LINE_AA)
    cv2.line(area, (left, round(y_of(0))), (right, round(y_of(0))), (170, 170, 170), 1)
    for value in (low + margin, high - margin):
        cv2.putText(area, f"{value:+.2f}", (6, round(y_of(value)) + 4), FONT, 0.38, INK, 1, cv2.LINE_AA)
    cv2.rectangle(area, (left, top), (right, bottom), (150, 150, 150), 1)
    cv2.putText(area, title, (left, 18), FONT, 0.5, INK, 1, cv2.LINE_AA)
    x = np.linspace(left, right, len(curves)) if len(curves) > 1 else np.array([left, right])
    for i, name in enumerate(members):
        y = np.broadcast_to(y_of(curves[:, i]), x.shape)
        points = np.round(np.stack([x, y], axis=1) * 16).astype(np.int32)  # 4 fractional bits
        cv2.polylines(area, [points], False, COLOURS[i % len(COLOURS)], 1, cv2.LINE_AA, 4)
        line = top + 10 + i * max(11, min(16, (bottom - top) // max(1, len(members))))
        cv2.putText(area, name, (right + 8, line), FONT, 0.4, COLOURS[i % len(COLOURS)], 1, cv2.LINE_AA)
