"""Conformance probes: what each branch of the method contributes, by replacing what it says.

A branch's output is replaced by its mean over people, by another person's or by that of another frame, never by zero: a
constant output says nothing, whatever its size. Each branch has one metric named for it, and the cost is the change of
that metric with a 95 % interval, by bootstrap over people (or clips), paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ...model_loaders.checkpoint import shipped
from ...networks.motion_model.model import MotionModel
from ...networks.renderer.model import Renderer
from ..datasets.stills import StillSet
from .judge.weights import sha256
from .method_findings import REPLACED, Finding
from .method_pictures import probe_renderer
from .method_voices import probe_motion_model
from .report import Progress, draw_held_out, held_out_tracks


def probe_method(
    renderer: Renderer,
    motion_model: MotionModel | None,
    *,
    corpus: str | Path | None = None,
    out: str | Path | None = None,
    groups: int = 24,
    clips: int = 16,
    progress: Progress | None = None,
) -> list[Finding]:
    """Findings for every branch of both networks that is there (an ablated one is not).

    corpus: held-out stills and clips; None draws one under `out`, as `evaluate` does. ValueError when neither is given.
    """
    if corpus is None:
        if out is None:
            raise ValueError("evaluate needs a corpus to measure on, or a folder `out` to draw one in")
        corpus = draw_held_out(Path(out) / "corpus", groups, clips, progress)
    stills = StillSet(corpus)
    found = probe_renderer(renderer.eval(), stills, groups, _named(progress, "branches of the renderer"))
    if motion_model is not None:
        tracks = held_out_tracks(corpus)[:clips]
        found += probe_motion_model(renderer, motion_model.eval(), stills, tracks)
    return found


def method_table(found: list[Finding]) -> str:
    """Markdown for docs/method.md and the card: the cost of each replacement, with its 95 % interval."""
    lines = [
        "| branch | metric | as it is | " + " | ".join(REPLACED.values()) + " | has a say |",
        "|---|---|---|" + "---|" * len(REPLACED) + "---|",
    ]
    for row in found:
        unit = f" {row.unit}" if row.unit else ""
        cells = [_cell(row.costs.get(how)) for how in REPLACED]
        lines.append(
            f"| {row.branch} | {row.metric} | {row.value:.3g}{unit} | {' | '.join(cells)} "
            f"| {'yes' if row.alive else 'no'} |"
        )
    return "\n".join(lines) + "\n"


def method_figures(found: list[Finding]) -> list[dict[str, Any]]:
    """The same for figures.json."""
    return [vars(row) | {"alive": row.alive} for row in found]


def measured_weights(**files: str | Path | None) -> dict[str, str]:
    """SHA-256 of the checkpoint of each kind, the shipped one's for None: of which weights the figures are."""
    chosen = {kind: Path(file) if file is not None else shipped(kind) for kind, file in files.items()}
    return {kind: sha256(file) for kind, file in chosen.items() if file.is_file()}


def silent(rows: Sequence[dict[str, Any]]) -> set[str]:
    """Branches of `method_figures` that have no say: all replacements cost less than .1 dB, or 2 % of the metric."""
    names = {field.name for field in fields(Finding)}
    found = [Finding(**{name: value for name, value in row.items() if name in names}) for row in rows]
    return {row.branch for row in found if not row.alive}


def _cell(cost: tuple[float, float, float] | None) -> str:
    return "" if cost is None else f"{cost[0]:+.3f} [{cost[1]:+.3f}, {cost[2]:+.3f}]"


def _named(progress: Progress | None, what: str):
    return None if progress is None else lambda done, total: progress(what, done, total)
