"""Learning curves of a run: every logged quantity against the number of training samples.

python -m mamba_portrait.learning.evaluation.curves runs/stage1 curves.png held_out/psnr held_out/yaw
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ...files import whole_file

WIDTH, HEIGHT, MARGIN = 360, 220, 44
COLOURS = ((180, 90, 20), (30, 120, 220), (60, 150, 60), (150, 60, 150), (40, 40, 40))  # BGR


def read_log(folder: str | Path) -> dict[str, dict[str, np.ndarray]]:
    """{part: {name: (N,2) samples and values}} of a run's log.jsonl; "" is the part of a run without parts."""
    file = Path(folder) / "log.jsonl"
    if not file.exists():
        raise FileNotFoundError(f"{folder} is no folder of a training run: there is no log.jsonl in it")
    series: dict[str, dict[str, list]] = {}
    for line in file.read_text("utf8").splitlines():
        row = json.loads(line)
        for name, value in row.items():
            if name not in ("step", "time", "samples", "groups", "part") and isinstance(value, (int, float)):
                series.setdefault(row.get("part", ""), {}).setdefault(name, []).append((row["samples"], value))
    return {part: {name: np.array(values, float) for name, values in names.items()} for part, names in series.items()}


def plot_run(folder: str | Path, path: str | Path, columns: int = 3, names: Sequence[str] = ()) -> Path:
    """A plot for each quantity (all, or those named) with a line for each part of the schedule, as a PNG or JPEG."""
    parts = read_log(folder)
    known = dict.fromkeys(name for part in parts.values() for name in part)
    if missing := [name for name in names if name not in known]:
        raise ValueError(f"the log has no {', '.join(missing)}; it has {', '.join(known)}")
    names = list(names or known)
    columns = min(columns, len(names))
    panels = [_panel(name, {part: lines[name] for part, lines in parts.items() if name in lines}) for name in names]
    panels += [np.full((HEIGHT, WIDTH, 3), 255, np.uint8)] * (-len(panels) % columns)
    rows = [np.concatenate(panels[i : i + columns], 1) for i in range(0, len(panels), columns)]
    path = Path(path)
    done, data = cv2.imencode(path.suffix or ".png", np.concatenate(rows))
    if not done:
        raise ValueError(f"cannot write curves as '{path.name}': use a name that ends in .png or .jpg")
    with whole_file(path) as partial:
        partial.write_bytes(data.tobytes())
    return path


def _panel(name: str, lines: dict[str, np.ndarray]) -> np.ndarray:
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    every = np.concatenate(list(lines.values()))
    low, high = every.min(0), every.max(0)
    span = np.where(high > low, high - low, 1.0)
    inner = np.array([WIDTH - MARGIN - 8, HEIGHT - 2 * 22])

    def text(words: str, x: int, y: int, size: float = 0.34) -> None:
        cv2.putText(image, words, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 1, cv2.LINE_AA)

    for colour, (part, points) in zip(COLOURS * len(lines), lines.items(), strict=False):
        at = (points - low) / span
        pixels = np.stack([MARGIN + at[:, 0] * inner[0], 22 + (1 - at[:, 1]) * inner[1]], 1).round().astype(np.int32)
        cv2.polylines(image, [pixels], False, colour, 1, cv2.LINE_AA)
        cv2.circle(image, tuple(int(v) for v in pixels[-1]), 2, colour, -1, cv2.LINE_AA)
        text(part, int(pixels[-1, 0]) - 7 * len(part), max(32, int(pixels[-1, 1]) - 6), 0.3)
    text(name, MARGIN, 14, 0.42)
    text(f"{high[1]:.3g}", 2, 28)
    text(f"{low[1]:.3g}", 2, HEIGHT - 22)
    text(f"{high[0]:.3g} samples", WIDTH - 110, HEIGHT - 6)
    return image


def main(arguments: list[str] | None = None) -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description="Draw the curves of a training run.")
    parser.add_argument("run", help="the run's folder, with its log.jsonl")
    parser.add_argument("picture", help="the PNG or JPEG to write")
    parser.add_argument("names", nargs="*", help="quantities of the log (default: all)")
    options = parser.parse_args(arguments)
    print(plot_run(options.run, options.picture, names=options.names))


if __name__ == "__main__":
    main()
