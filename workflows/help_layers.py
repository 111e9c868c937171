"""Pictures of the help pages of the nodes between motion and frames: field, warped portrait, what is painted."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch

from ..pipelines import layers
from ..pipelines.flow import Flow, carry_along, edit_flow
from ..pipelines.settings import RenderingSettings
from .help_results import Results
from .pictures import Picture, cell, grid


def coloured(flow: torch.Tensor) -> Picture:
    """A displacement (2,h,w) as colours: hue for its direction, light for its length."""
    x, y = (channel.numpy() for channel in flow.float())
    length = np.hypot(x, y)
    hue = (np.arctan2(y, x) + np.pi) / (2 * np.pi) * 179
    light = np.clip(length / (np.quantile(length, 0.99) + 1e-6), 0, 1) * 255
    hsv = np.stack([hue, np.full_like(hue, 170), light], -1).astype(np.uint8)
    return cv2.resize(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), (300, 300))


def layers_of(r: Results, when: list[int], side: int = 300) -> tuple:
    """(frames, painted, flow) of these frames of the voice's motion, and their flow as a `Flow`."""
    some = replace(r.spoken, values=r.spoken.values[when])
    settings = RenderingSettings(size=max(side, 256))
    portraits = r.source.value, r.appearance.value
    parts = list(layers.render_layers(r.renderer.on_device(), *portraits, some, settings, (settings.size,) * 2))
    frames, painted, flow = (torch.cat(part) for part in zip(*parts, strict=True))
    return frames, painted, Flow(flow, some.fps)


def warped(r: Results, flow: Flow, side: int) -> list[Picture]:
    """The portrait moved by a flow."""
    moved = layers.warp_photo(r.renderer.on_device(), r.source.value, flow, (300, 300))
    return [cell(frame, side, side) for part in moved for frame in part]


def motion_field(r: Results) -> Picture:
    frames, _, flow = layers_of(r, r.moments(r.spoken, 0.05, 0.6, 0.97))
    shown = [cell(frame, 200, 200) for frame in frames]
    return grid(shown, [cell(coloured(values), 200, 200) for values in flow.values])


def warp_portrait(r: Results) -> Picture:
    _, _, flow = layers_of(r, r.moments(r.spoken, 0.05, 0.6, 0.97))
    return grid([cell(r.crop[0][0], 150, 150), *warped(r, flow, 150)])


def paint(r: Results) -> Picture:
    frames, painted, flow = layers_of(r, r.moments(r.spoken, 0.97))
    where = painted[0][..., None].expand(-1, -1, 3)
    return grid([*warped(r, flow, 200), cell(where, 200, 200), cell(frames[0], 200, 200)])


def edited(r: Results) -> Picture:
    _, _, flow = layers_of(r, r.moments(r.spoken, 0.97))
    left = torch.zeros(1, 64, 64)
    left[..., :32] = 1
    edits = [edit_flow(flow, 0.0), flow, edit_flow(flow, 2.0), edit_flow(flow, 2.0, left)]
    return grid([warped(r, edit, 150)[0] for edit in edits])


def carried(r: Results) -> Picture:
    when = r.moments(r.spoken, 0.97)[0]
    frames, painted, flow = layers_of(r, list(range(max(0, when - 4), when + 5)))
    at = min(when, 4)
    sharp = [cv2.addWeighted(f.numpy(), 2.5, cv2.GaussianBlur(f.numpy(), (0, 0), 1.5), -1.5, 0) for f in frames]
    detailed = torch.from_numpy(np.stack(sharp)).clamp(0, 1)
    mask = torch.nn.functional.max_pool2d(painted[:, None], 15, 1, 7)[:, 0]
    steady = list(carry_along(frames, detailed, flow, mask, 2.0))
    where = mask[at][..., None].expand(-1, -1, 3)
    return grid([cell(picture, 200, 200) for picture in (frames[at], where, steady[at][0])])
