"""Videos of talking clips with drawn people, and a contact sheet of a corpus."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ...files import whole_file
from ...media.audio import load_audio
from ...media.photo import to_uint8
from ...media.picture import unit_range
from ...media.video import VideoWriter, read_video
from ...vocabulary import FPS
from .acting.gestures import gestures_for, has_hands
from .clips import ClipRasterizer
from .person.identity import same_person
from .sheet import contact_sheet, stack, strip
from .tracks import read_clip

PAINTED_SEED = 1_000_000  # a corpus seed times this, plus the clip's number, is its identity seed: no two are the same


def paint_clips(folders: list[Path], seed: int, size: int, scenes: int = 1) -> None:
    """Write video.mp4 of each clip, `size` pixels a side, of a drawn person who speaks it, unless there is one.

    scenes: of the folders so many in a row show the same person, each in other light, clothes and view (`person` in
    their meta.json)."""
    rasterizer = ClipRasterizer(size)
    for index, folder in enumerate(tqdm(folders, desc="painted clips", unit="clip", disable=None)):
        if (folder / "video.mp4").exists():
            continue
        person = seed * PAINTED_SEED + index
        speech, motion, meta = read_clip(folder)
        half = meta.get("framing") == "half"  # whose arms are part of the motion
        gesticulates = not half and has_hands(person)
        gestures = gestures_for(speech, meta["speaker"], len(motion), person) if gesticulates else None
        known = {} if scenes == 1 else {"person": f"drawn/{seed}_{index // scenes:06d}"}
        identity = None if scenes == 1 else same_person((seed, PAINTED_SEED, index // scenes), index % scenes)
        _write_meta(folder / "meta.json", meta | {"hands": half or gesticulates} | known)
        with VideoWriter(folder / "video.mp4", fps=FPS, audio=load_audio(folder / "audio.wav")) as writer:
            for frame in rasterizer.clip(person, motion, identity, gestures):
                writer.write(unit_range(frame))


def _write_meta(path: Path, meta: dict) -> None:
    """Replace a clip's meta.json atomically."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(meta, ensure_ascii=False, indent=1), "utf8")


def corpus_sheet(folder: Path) -> np.ndarray:
    """(h, w, 3) uint8: the first stills, then up to four painted clips, those with hands first.

    Raises ValueError when there are neither.
    """

    def hands(clip: Path) -> bool:
        return json.loads((clip / "meta.json").read_text("utf8")).get("hands", False)

    rows = [contact_sheet(folder)] if any((folder / "stills").glob("*_rgb.npy")) else []
    clips = sorted((video.parent for video in (folder / "clips").glob("*/video.mp4")), key=lambda c: (not hands(c), c))
    rows += [strip([to_uint8(frame) for frame in read_video(clip / "video.mp4")]) for clip in clips[:4]]
    if not rows:
        raise ValueError(f"{folder} holds neither stills nor painted clips: draw some with --stills or --painted.")
    return stack(rows)
