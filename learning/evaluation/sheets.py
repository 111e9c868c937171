"""Contact sheets: portraits with commanded motion, and drawn people driven by pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ...files import whole_file
from ...networks.renderer.layers import resize
from ...networks.renderer.model import Renderer
from ...vocabulary import COUNT, INDEX
from ..datasets.stills import StillSet

COMMANDS: dict[str, dict[str, float]] = {
    "rest": {},
    "jaw .3": {"jaw": 0.3},
    "jaw .6": {"jaw": 0.6},
    "jaw 1": {"jaw": 1.0},
    "smile": {"smile_left": 0.8, "smile_right": 0.8},
    "pucker": {"pucker": 0.8},
    "blink": {"blink_left": 1.0, "blink_right": 1.0},
    "brows": {"brow_left": 0.8, "brow_right": 0.8},
    "yaw -": {"yaw": -0.35},
    "yaw +": {"yaw": 0.35},
    "pitch": {"pitch": 0.2},
    "roll": {"roll": 0.2},
}


def parameters_of(command: dict[str, float]) -> Tensor:
    """(24,) of named parameters, zero elsewhere."""
    values = torch.zeros(COUNT)
    for name, value in command.items():
        values[INDEX[name]] = value
    return values


@torch.inference_mode()
def render_parameters(renderer: Renderer, photo: Tensor, parameters: Tensor, size: int, batch: int = 4) -> Tensor:
    """Frames (T,3,size,size) of a square photo (3,H,W) in [0,1] with parameters (T,24) added to its own motion."""
    device = next(renderer.parameters()).device
    source = renderer.encode_source(photo[None].to(device, torch.float32)).toned()
    appearance = renderer.extract_appearance(source)
    motion = source.motion + renderer.motion_from_parameters(parameters.to(device)) - renderer.rest_motion()
    motion = renderer.within_limits(motion, source)
    frames = [renderer.decode(source, appearance, part, size=(size, size)).image for part in motion.split(batch)]
    return torch.cat(frames).float().cpu()


def motion_sheet(renderer: Renderer, photos: Tensor | list[Tensor], path: str | Path, size: int = 192) -> Path:
    """Rows of photos, each (3,H,W) square in [0,1]: the photo itself, then each of COMMANDS. Writes a JPEG or PNG."""
    wanted = torch.stack([parameters_of(c) for c in COMMANDS.values()])
    rows = []
    for photo in photos:
        frames = render_parameters(renderer, photo, wanted, size)
        rows.append(torch.cat([resize(photo[None].float().cpu(), size), frames]))
    return write_sheet(rows, ["photo", *COMMANDS], path)


@torch.inference_mode()
def driven_sheet(renderer: Renderer, stills: StillSet, path: str | Path, groups: int = 6, size: int = 192) -> Path:
    """Rows of drawn people: the source, and two targets, each with its renderings driven by itself and by the twin."""
    device = next(renderer.parameters()).device
    given = stills.get(np.arange(min(groups, len(stills))))
    rows = []
    for rgb in given.rgb.to(device).permute(0, 1, 2, 5, 3, 4).float() / 255:
        motion = renderer.encode_motion(rgb.flatten(0, 1)).unflatten(0, rgb.shape[:2])
        source = renderer.encode_source(rgb[0, :1], motion=motion[0, :1]).toned()
        appearance, cells = renderer.extract_appearance(source), [rgb[0, :1]]
        for i in (1, 2):
            wanted = renderer.within_limits(source.motion + motion[:, i] - motion[:, 0], source)
            driven = renderer.decode(source, appearance, wanted).image
            cells += [rgb[0, i : i + 1], driven]
        rows.append(resize(torch.cat(cells).float().cpu(), size))
    return write_sheet(rows, ["source", *(2 * ["target", "driven", "by twin"])], path)


def write_sheet(rows: list[Tensor], titles: list[str], path: str | Path) -> Path:
    """Rows (N,3,S,S) in [0,1] under their titles, as one picture."""
    size = rows[0].shape[-1]
    height = 20
    header = np.full((height, size * len(rows[0]), 3), 255, np.uint8)
    for i, title in enumerate(titles):
        cv2.putText(
            header, title, (i * size + 4, height - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA
        )
    lines = [torch.cat(list(row), dim=2).clamp(0, 1).permute(1, 2, 0).mul(255).round().byte().numpy() for row in rows]
    sheet = np.concatenate([header, *lines])
    path = Path(path)
    done, data = cv2.imencode(path.suffix or ".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    if not done:
        raise ValueError(f"cannot write a sheet as '{path.name}': use a name that ends in .jpg or .png")
    with whole_file(path) as partial:
        partial.write_bytes(data.tobytes())
    return path
