"""Contact sheets of drawn groups (source, driving frames, the source warped by the exact flow, the twin) and clips."""

import argparse
from pathlib import Path

import cv2
import numpy as np

from ...files import whole_file
from .stills import FLOW_SCALE


def warp_by_flow(source: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """source (s, s, 3) uint8 sampled where stored int16 flow (n, n, 2) points, at the source's size."""
    size = source.shape[0]
    grid = cv2.resize(flow.astype(np.float32) / FLOW_SCALE, (size, size), interpolation=cv2.INTER_LINEAR)
    pixel = (grid + 1) / 2 * size - 0.5
    return cv2.remap(source, pixel[..., 0], pixel[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def contact_sheet(folder: str | Path, shard: int = 0, groups: int = 8, start: int = 0) -> np.ndarray:
    """Rows of groups, uint8: source, two driving frames each with its warp (black = not visible), a third, the twin."""
    arrays = {
        name: np.load(Path(folder) / "stills" / f"{shard:06d}_{name}.npy", mmap_mode="r")
        for name in ("rgb", "flow", "label", "mark")
    }
    rows = []
    for group in range(start, min(start + groups, len(arrays["rgb"]))):
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


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description="Write a contact sheet of drawn stills.")
    parser.add_argument("folder", help="the folder given to --out")
    parser.add_argument("--shard", type=int, default=0)
    parser.add_argument("--groups", type=int, default=8)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--out", default="sheet.png")
    options = parser.parse_args(arguments)
    image = contact_sheet(options.folder, options.shard, options.groups, options.start)
    with whole_file(options.out) as partial:
        partial.write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())


if __name__ == "__main__":
    main()
