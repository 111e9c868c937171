"""Figures of a renderer a person, paired between renderers: held-out drawn people driven by pictures of themselves.
Half bodies are driven by their parameters; of them also how hands look, and where they are."""

from __future__ import annotations

from operator import methodcaller

import numpy as np
import torch
from torch import Tensor

from ....networks.renderer.layers import resize
from ....networks.renderer.model import Rendered, Renderer
from ....vocabulary import ARM_BONES, ARM_LANDMARKS, LANDMARKS
from ...datasets.stills import Groups, StillSet
from ...evaluation.method_findings import people_first
from ...evaluation.method_pictures import FRAMES, SIZE, Truth, decibels
from ...evaluation.metrics import psnr, ssim

GROUPS = 4  # looked at together
HANDS = [1 + i for i, bone in enumerate(ARM_BONES) if bone.endswith("hand")]
POINTS = [i for i, point in enumerate(ARM_LANDMARKS) if point.endswith(("wrist", "tip"))]
MOVED = 2.0  # pixels, in the mean over these points: hands that stay are copied best


@torch.inference_mode()
def measure_pictures(renderer: Renderer, stills: StillSet, groups: int) -> dict[str, list[float]]:
    """Of at most `groups` groups (two people, each driven to three frames, at 128 pixels): means {metric: one value a
    person}. gain: PSNR over copying the source, dB; psnr, ssim; mouth, uncovered: PSNR inside the open mouth and where
    the photo shows nothing, NaN where there is no such place; flow: error of the motion field, pixels. Of half bodies,
    whose field is that of the body without arms: hands: gain where the true hands are, of those that move; points:
    error of wrists and tips, pixels."""
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
    if renderer.config.arms:  # whose encoder reads hands too coarsely to say what else is wrong
        motion = renderer.motion_from_parameters(given.param[:, 0].to(device))
    else:
        motion = renderer.encode_motion(whole).unflatten(0, (-1, 1 + FRAMES))
    pictures = resize(whole, SIZE).unflatten(0, (-1, 1 + FRAMES))
    source = renderer.encode_source(pictures[:, 0], motion=motion[:, 0], size=SIZE)
    look = renderer.extract_appearance(source).repeat_interleave(FRAMES, 0)
    wanted = (source.motion[:, None] + motion[:, 1:] - motion[:, :1]).flatten(0, 1)
    truth = Truth.of(pictures, given)
    rendered = renderer.decode(source.repeat(FRAMES), look, wanted)
    with torch.autocast(device.type, enabled=False):  # half precision is no measure
        copied = pictures[:, :1].expand(-1, FRAMES, -1, -1, -1).flatten(0, 1)
        values = _compared(rendered, truth, copied)
        return values if given.bone is None else values | _of_hands(rendered, truth, copied, given)


def _compared(rendered: Rendered, truth: Truth, copied: Tensor) -> dict[str, Tensor]:
    """(N,) of each metric; copied (N*FRAMES,3,S,S): the source, for each frame."""
    values, image = truth.metrics(rendered, torch.ones_like(rendered.keep)), rendered.image.float()
    reached, similar = psnr(image, truth.image), ssim(image, truth.image)
    own = {"gain": reached - psnr(copied, truth.image), "psnr": reached, "ssim": similar}
    own = {name: people_first(value, FRAMES).cpu() for name, value in own.items()}
    return own | {name: values[name] for name in ("mouth", "uncovered", "flow")}


def _of_hands(rendered: Rendered, truth: Truth, copied: Tensor, given: Groups) -> dict[str, Tensor]:
    """(N,) of the metrics of the first people's hands."""
    bones = given.bone[:, 0, 1:].flatten(0, 1).to(copied.device)
    points = SIZE * given.mark[:, 0, :, len(LANDMARKS) :][:, :, POINTS].to(copied.device)  # (N,1+FRAMES,4,2)
    moved = (points[:, 1:] - points[:, :1]).norm(dim=-1).mean(-1).flatten() > MOVED
    shown = torch.isin(bones, torch.tensor(HANDS).to(bones))[:, None].float()
    made, stays = ((x.float() - truth.image).square().mean(1, keepdim=True) for x in (rendered.image, copied))
    reached = SIZE / 2 * (rendered.motion.arms[:, POINTS].float() + 1)
    values = {
        "hands": torch.where(moved, decibels(made, shown) - decibels(stays, shown), torch.nan),
        "points": (reached - points[:, 1:].flatten(0, 1)).norm(dim=-1).mean(1),
    }
    return {name: people_first(value, FRAMES).cpu() for name, value in values.items()}


def by_person(values: Tensor, people: np.ndarray) -> list[float]:
    """The mean of each person's values (N,), in the order of the people's numbers; NaN where a person has none."""
    return [float(torch.nanmean(values[torch.from_numpy(people == number)])) for number in np.unique(people)]
