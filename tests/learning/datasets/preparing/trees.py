"""Small made-up data sets as they lie after download. Faces are photographs' that shift a little; sounds are tones."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import torch

from mamba_portrait.media.audio import write_wav
from mamba_portrait.media.video import VideoWriter


def tone(seconds: float, rate: int = 16_000, level: float = 0.2) -> torch.Tensor:
    """(1, N) of a sound that is loud for a tenth of each second and quiet else."""
    at = torch.arange(round(seconds * rate)) / rate
    return (level * torch.sin(2 * np.pi * 220 * at) * (0.1 + 0.9 * (at % 1 < 0.1)))[None]


def scene(face: np.ndarray, size: tuple[int, int], place: tuple[int, int], frames: int) -> torch.Tensor:
    """(T,H,W,3) uint8: a face (h,w,3) uint8 that stands at a place of a grey picture and nods by two pixels."""
    height, width = size
    pictures = np.full((frames, height, width, 3), 120, np.uint8)
    for number in range(frames):
        top, left = place[0] + (number // 5) % 2 * 2, place[1]
        pictures[number, top : top + face.shape[0], left : left + face.shape[1]] = face
    return torch.from_numpy(pictures)


def film(path: Path, pictures: torch.Tensor, fps: int = 25, sound: torch.Tensor | None = None) -> Path:
    """A film of pictures with a tone, or `sound` (1,N) at 16 kHz."""
    sound = tone(len(pictures) / fps) if sound is None else sound
    target = path.with_suffix(".mkv") if path.suffix not in (".mp4", ".mkv", ".mov") else path
    with VideoWriter(target, fps=fps, audio=(sound, 16_000), generated=False) as writer:
        writer.write(pictures)
    if target != path:
        target.rename(path)  # its content tells what it is
    return path


def silent_film(path: Path, pictures: torch.Tensor, fps: int = 25) -> Path:
    """A film without a sound stream."""
    with VideoWriter(path, fps=fps, generated=False) as writer:
        writer.write(pictures)
    return path


def wav(path: Path, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_wav(path, tone(seconds), 16_000)


def touch(root: Path, *names: str) -> None:
    """Empty files, for what only reads names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def tags_of(path: Path) -> dict[str, str]:
    with av.open(str(path)) as container:
        return dict(container.metadata)


def textgrid(path: Path, rows: list[tuple[float, float, str]]) -> Path:
    text = 'item []:\n    item [1]:\n        name = "phones"\n'
    for start, end, said in rows:
        text += f'            xmin = {start}\n            xmax = {end}\n            text = "{said}"\n'
    path.write_text(text, "utf8")
    return path
