"""Contact sheets of drawn groups (source, driving frames, the source warped by the exact flow, the twin) and clips."""

from pathlib import Path

import cv2
import numpy as np

from .stills import FLOW_SCALE


def warp_by_flow(source: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """source (s, s, 3) uint8 sampled where stored int16 flow (n, n, 2) points, at the source's size."""
    size = source.shape[0]
    grid = cv2.resize(flow.astype(np.float32) / FLOW_SCALE, (size, size), interpolation=cv2.INTER_LINEAR)
    pixel = (grid + 1) / 2 * size - 0.5
    return cv2.remap(source, pixel[..., 0], pixel[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def contact_sheet(folder: str | Path, groups: int = 8) -> np.ndarray:
    """The first groups, a row each, uint8: source, two driving frames each with its warp (black = not visible), a
    third, the twin."""
    arrays = {
        name: np.load(Path(folder) / "stills" / f"000000_{name}.npy", mmap_mode="r")
        for name in ("rgb", "flow", "label", "mark")
    }
    rows = []
    for group in range(min(groups, len(arrays["rgb"]))):
        rgb = arrays["rgb"][group]
        row = [_with_marks(rgb[0, 0], arrays["mark"][group, 0, 0])]
        for frame in (1, 2):
            visible = cv2.resize(
                arrays["label"][group, 0, frame - 1] & 1, rgb.shape[2:4], interpolation=cv2.INTER_NEAREST
            )
            row += [rgb[0, frame], warp_by_flow(rgb[0, 0], arrays["flow"][group, 0, frame - 1]) * visible[..., None]]
        row += [rgb[0, 3], rgb[1, 0], rgb[1, 1]]
        rows.append(np.concatenate(row, 1))
    return np.concatenate(rows)


def strip(frames: list[np.ndarray], count: int = 8) -> np.ndarray:
    """A row of `count` frames (s, s, 3), evenly spaced over a clip."""
    return np.concatenate([frames[i] for i in np.linspace(0, len(frames) - 1, count).round().astype(int)], 1)


def stack(rows: list[np.ndarray]) -> np.ndarray:
    """Pictures (h, w, 3) under one another, each scaled to the first one's width."""
    width = rows[0].shape[1]
    return np.concatenate(
        [
            row if row.shape[1] == width else cv2.resize(row, (width, row.shape[0] * width // row.shape[1]))
            for row in rows
        ]
    )


def _with_marks(image: np.ndarray, marks: np.ndarray) -> np.ndarray:
    image = image.copy()
    for x, y in marks * image.shape[0]:
        cv2.circle(image, (int(x), int(y)), 1, (0, 255, 0), -1)
    return image
