"""What became of the clips: lists, figures, and pictures of what was kept and of what was not, by reason."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ....files import whole_file
from ..manifest import Entry, write_manifest
from .clip import PICTURE
from .faces import REASONS

SHOWN, ROW = 48, 8  # pictures of a sheet, and in a row of it


def write_report(out: str | Path, notes: Sequence[str] = ()) -> Path:
    """Write out/clips.csv, rejected.csv, report.md and its sheets from all that was prepared there; the report."""
    out = Path(out)
    kept = {file.parent.name: json.loads(file.read_text("utf8")) for file in sorted(out.glob("clips/*/meta.json"))}
    rejected = {file.stem: json.loads(file.read_text("utf8")) for file in sorted(out.glob("rejected/*.json"))}
    if kept:
        write_manifest(out / "clips.csv", [_entry(out / "clips" / name, meta) for name, meta in kept.items()])
    with whole_file(out / "rejected.csv") as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["clip", "reason", "film"])
        writer.writerows((name, facts["reason"], facts["film"]) for name, facts in rejected.items())
    sheets = {"kept.jpg": _sheet(out, _spread(list(kept)))}
    by_reason = defaultdict(list)
    for name, facts in rejected.items():
        by_reason[reason_of(facts)].append(name)
    for reason, names in by_reason.items():
        sheets[f"rejected_{reason.replace(' ', '_')}.jpg"] = _sheet(out, _spread(names))
    sheets = {name: sheet for name, sheet in sheets.items() if sheet is not None}
    for name, sheet in sheets.items():
        with whole_file(out / name) as partial:
            partial.write_bytes(cv2.imencode(".jpg", sheet[..., ::-1])[1].tobytes())
    with whole_file(out / "report.md") as partial:
        partial.write_text(_text(kept, rejected, by_reason, sheets, notes), "utf8")
    return out / "report.md"


def reason_of(facts: dict) -> str:
    """The reason without its figures."""
    return facts["reason"].partition(":")[0]


def _entry(folder: Path, meta: dict) -> Entry:
    def there(name: str) -> Path | None:
        return folder / name if (folder / name).is_file() else None

    return Entry(
        there("video.mp4"),
        folder / "audio.wav",
        meta["speaker"],
        meta["scene"],
        meta["split"],
        meta["text"],
        there("phones.TextGrid"),
        there("landmarks.npy"),
    )


def _text(kept: dict, rejected: dict, by_reason: dict, sheets: dict, notes: Sequence[str]) -> str:
    hours = {split: 0.0 for split in ("train", "val", "test")}
    people = defaultdict(set)
    for meta in kept.values():
        hours[meta["split"]] += meta["frames"] / float(meta["fps"]) / 3600
        people[meta["split"]].add(meta["speaker"])
    count = Counter(meta["split"] for meta in kept.values())
    lines = ["# What was prepared", "", "| split | clips | speakers | minutes |", "|---|---|---|---|"]
    lines += [f"| {s} | {count[s]} | {len(people[s])} | {60 * hours[s]:.1f} |" for s in hours if count[s]]
    spent = sum(facts["cpu_seconds"] for facts in (*kept.values(), *rejected.values()))
    film = sum(hours.values())
    lines += ["", f"{len(kept)} clips kept, {len(rejected)} rejected. {spent / 3600:.3f} core-hours of work"]
    lines[-1] += f", {spent / 3600 / film:.2f} for each hour kept." if film else "."
    if by_reason:
        lines += ["", "| rejected for | clips | such as |", "|---|---|---|"]
        for reason in sorted(
            by_reason, key=lambda reason: REASONS.index(reason) if reason in REASONS else len(REASONS)
        ):
            names = by_reason[reason]
            lines.append(f"| {reason} | {len(names)} | {names[0]}: {rejected[names[0]]['reason']} |")
    for name in sheets:
        title = name.partition(".")[0].replace("_", " ", 1).replace("_", " ")
        lines += ["", f"## {title.capitalize()}", "", f"![{title}]({name})"]
    if notes:
        lines += ["", "## What the lists name and the folder lacks", "", *(f"- {note}" for note in notes[:100])]
        lines += [f"- and {len(notes) - 100} more"] if len(notes) > 100 else []
    return "\n".join(lines) + "\n"


def _spread(names: list[str]) -> list[str]:
    """Some names, evenly out of all."""
    if len(names) <= SHOWN:
        return names
    return [names[i] for i in np.linspace(0, len(names) - 1, SHOWN).round().astype(int)]


def _sheet(out: Path, names: Sequence[str]) -> np.ndarray | None:
    """Pictures in rows (h,w,3); None where there is none."""
    pictures = []
    for name in names:
        file = out / "pictures" / f"{name}.jpg"
        if file.is_file():
            decoded = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
            width = round(PICTURE * 16 / 9) if decoded.shape[1] > PICTURE else PICTURE
            canvas = np.zeros((PICTURE, width, 3), np.uint8)
            part = decoded[:, :width]
            canvas[: part.shape[0], : part.shape[1]] = part
            pictures.append(canvas)
    if not pictures:
        return None
    rows = [np.concatenate(pictures[i : i + ROW], 1) for i in range(0, len(pictures), ROW)]
    widest = max(row.shape[1] for row in rows)
    return np.concatenate([np.pad(row, ((0, 0), (0, widest - row.shape[1]), (0, 0))) for row in rows])
