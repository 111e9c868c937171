"""Figures of a renderer a person, paired between renderers: held-out drawn people driven by pictures of themselves."""

from __future__ import annotations

from operator import methodcaller

import numpy as np
import torch
from torch import Tensor

from ....networks.renderer.layers import resize
from ....networks.renderer.model import Rendered, Renderer
from ...datasets.stills import Groups, StillSet
from ...evaluation.method_findings import people_first
from ...evaluation.method_pictures import FRAMES, SIZE, Truth
from ...evaluation.metrics import psnr, ssim

GROUPS = 4  # looked at together


@torch.inference_mode()
def measure_pictures(renderer: Renderer, stills: StillSet, groups: int) -> dict[str, list[float]]:
    """Of at most `groups` groups (two people, each driven to three frames, at 128 pixels): means {metric: one value a
    person}. gain: PSNR over copying the source, dB; psnr, ssim; mouth, uncovered: PSNR inside the open mouth and where
    the photo shows nothing, NaN where there is no such place; flow: error of the motion field, pixels."""
    count = min(groups, len(stills))
    people = stills.people()
    numbers = np.arange(2 * count).reshape(-1, 2) if people is None else people[:count]
    rows: dict[str, list[Tensor]] = {}
    for start in range(0, count, GROUPS):
        given = stills.get(np.arange(start, min(start + GROUPS, count)))
        for person in (0, 1):
            for name, values in _measured(renderer, given.each(methodcaller("roll", person, 1))).items():
                rows.setdefault(name, []).append(values)
    order = np.concatenate(
        [numbers[start : start + GROUPS, person] for start in range(0, count, GROUPS) for person in (0, 1)]
    )
    return {name: by_person(torch.cat(values), order) for name, values in rows.items()}


def _measured(renderer: Renderer, given: Groups) -> dict[str, Tensor]:
    """(N,) of each metric, for the first person of N groups."""
    device = next(renderer.parameters()).device
    whole = given.rgb[:, 0].to(device).permute(0, 1, 4, 2, 3).flatten(0, 1).float() / 255
    motion = renderer.encode_motion(whole).unflatten(0, (-1, 1 + FRAMES))
    pictures = resize(whole, SIZE).unflatten(0, (-1, 1 + FRAMES))
    source = renderer.encode_source(pictures[:, 0], motion=motion[:, 0], size=SIZE)
    look = renderer.extract_appearance(source).repeat_interleave(FRAMES, 0)
    wanted = (source.motion[:, None] + motion[:, 1:] - motion[:, :1]).flatten(0, 1)
    truth = Truth.of(pictures, given)
    rendered = renderer.decode(source.repeat(FRAMES), look, wanted)
    with torch.autocast(device.type, enabled=False):  # half precision is no measure
        return _compared(rendered, truth, pictures[:, :1])


def _compared(rendered: Rendered, truth: Truth, source: Tensor) -> dict[str, Tensor]:
    """(N,) of each metric; source (N,1,3,S,S)."""
    values = truth.metrics(rendered, torch.ones_like(rendered.keep))
    copied, image = source.expand(-1, FRAMES, -1, -1, -1).flatten(0, 1), rendered.image.float()
    reached, similar = psnr(image, truth.image), ssim(image, truth.image)
    own = {"gain": reached - psnr(copied, truth.image), "psnr": reached, "ssim": similar}
    own = {name: people_first(value, FRAMES).cpu() for name, value in own.items()}
    return own | {name: values[name] for name in ("mouth", "uncovered", "flow")}


def by_person(values: Tensor, people: np.ndarray) -> list[float]:
    """The mean of each person's values (N,), in the order of the people's numbers; NaN where a person has none."""
    return [float(torch.nanmean(values[torch.from_numpy(people == number)])) for number in np.unique(people)]
