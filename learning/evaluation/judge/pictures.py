"""Plots of a verdict, and films of several methods side by side."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch

from ....files import whole_file
from ....media.video import VideoWriter
from ....vocabulary import FPS, SAMPLE_RATE
from .measures import MEASURES
from .run import Method
from .samples import Sample, read_frames, read_sound, read_truth
from .statistics import Statistics

log = logging.getLogger("mamba_portrait")

STRIP = 22  # pixels of the line that names a film
COLUMNS = 4
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#777777")


def plot_figures(statistics: Statistics, path: str | Path) -> Path | None:
    """A panel for each computed measure: the methods with their intervals, single seeds as dots, the truth as a line.
    None, and a line in the log, without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        log.warning("No plots: they need matplotlib (pip install matplotlib).")
        return None
    found = {name: {method: statistics.figure(name, method) for method in statistics.runs} for name in MEASURES}
    panels = {name: values for name, values in found.items() if any(values.values())}
    rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(3.4 * COLUMNS, (0.9 + 0.28 * len(statistics.runs)) * rows + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (name, values) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, COLUMNS, place + 1)
        for line, value in enumerate(values.values()):
            if value is not None:
                _draw(axes, line, value, COLOURS[line % len(COLOURS)])
        truth = statistics.truth(name)
        if truth is not None:
            axes.axvline(truth, color="black", linewidth=0.8, linestyle=":")
        axes.set_yticks(range(len(values)), list(values) if place % COLUMNS == 0 else [""] * len(values), fontsize=7)
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.tick_params(axis="x", labelsize=7)
        axes.set_title(MEASURES[name].title, fontsize=7)
    with whole_file(path) as partial, open(partial, "wb") as file:
        figure.savefig(file, format="png", dpi=110)
    return Path(path)


def _draw(axes, line: int, figure, colour: str) -> None:
    whole = figure.whole
    if whole.low == whole.low:
        axes.plot([whole.low, whole.high], [line, line], color=colour, linewidth=2)
    axes.plot([whole.value], [line], "o", color=colour, markersize=5)
    axes.plot(list(figure.seeds.values()), [line + 0.25] * len(figure.seeds), ".", color=colour, markersize=4)


def side_by_side(sample: Sample, methods: Sequence[Method], path: str | Path, size: int) -> Path:
    """The film itself and those of the methods that have one, named above, with the film's sound, as one film."""
    truth = read_truth(sample, size)
    films = {"truth": truth}
    for method in methods:
        if sample.name in method.films:
            films[method.label] = read_frames(method.films[sample.name], size, seconds=len(truth) / FPS)
    length = min(len(frames) for frames in films.values())
    wide = np.concatenate([_named(label, frames[:length]) for label, frames in films.items()], axis=2)
    sound = read_sound(sample, length)
    audio = None if sound is None else (sound, SAMPLE_RATE)
    with VideoWriter(path, fps=Fraction(FPS), audio=audio) as writer:
        writer.write(torch.from_numpy(wide))
    return Path(path)


def _named(label: str, frames: np.ndarray) -> np.ndarray:
    strip = np.full((STRIP, frames.shape[2], 3), 255, np.uint8)
    font = cv2.FONT_HERSHEY_SIMPLEX
    scale = min(0.45, 0.45 * (frames.shape[2] - 8) / cv2.getTextSize(label, font, 0.45, 1)[0][0])
    cv2.putText(strip, label, (4, STRIP - 7), font, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([np.broadcast_to(strip, (len(frames), *strip.shape)), frames], axis=1)
