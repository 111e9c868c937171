"""What F_A is worth: whether it finds a person again in another scene, and what it gives the picture against a network
that was trained without it.

    python -m mamba_portrait.learning.evaluation.appearance runs/with/renderer.safetensors data/held_out \\
        --without runs/without/renderer.safetensors

Both networks are of equal training from the same weights; data/held_out are drawn people in two scenes
(`corpus --scenes 2`). Costs are decibels, above zero where the replacement is worse, each person's pictures paired."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...files import whole_file
from ...model_loaders.checkpoint import load_renderer
from ...networks.renderer.layers import resize
from ...networks.renderer.model import Rendered, Renderer
from ...vocabulary import INDEX, SKIN, landmarks
from ..datasets.stills import Groups, StillSet, inside_mouth
from .method_findings import Finding, finding

SIZE = 128
FRAMES = 3  # of a person, driven from one source
PEOPLE = 8  # groups at a time
LEAST_PIXELS = 16.0  # of a region, for a picture to count
BINS = 4  # of a colour histogram, a channel
WHERE = {
    "mouth": "teeth and inner lips that the source does not show",
    "lids": "lids that open or close",
    "cheek": "skin that the source does not show",
    "all": "all of these, and all else that it does not show",
}
REPLACED = {
    "scene": "F_A of another scene",
    "stranger": "a stranger's F_A",
    "mean": "the mean F_A",
    "without": "trained without F_A",
}
BLINKS = [INDEX["blink_left"], INDEX["blink_right"]]
LIDS = landmarks("left_eye", "left_lid"), landmarks("right_eye", "right_lid")


@torch.inference_mode()
def found_again(renderer: Renderer, stills: StillSet) -> dict[str, float]:
    """Retrieval of people across scenes: the share whose picture in one scene has that of the same person in another
    scene as the nearest of all people's there. By F_A (cosine, its mean over people taken off), by a histogram of
    colours (L1), and by chance. The first two pictures of each person and scene count, in both directions.

    ValueError for stills whose people have one scene each."""
    device = next(renderer.parameters()).device
    vectors, colours = {}, {}
    for scene, pictures in enumerate(_two_scenes(stills)):
        photos = torch.from_numpy(pictures).to(device).permute(0, 1, 4, 2, 3).float() / 255  # (N,2,3,S,S)
        parts = [renderer.appearance_of(part.flatten(0, 1)).float() for part in photos.split(PEOPLE)]
        vectors[scene] = torch.cat(parts).unflatten(0, (-1, 2))
        colours[scene] = torch.stack([_histogram(photo) for photo in photos.flatten(0, 1)]).unflatten(0, (-1, 2))
    middle = torch.cat([vectors[0], vectors[1]]).mean((0, 1))
    by_vector, by_colour = [], []
    for k in range(2):
        a, b = (F.normalize(vectors[scene][:, k] - middle, dim=-1) for scene in range(2))
        by_vector += _first(a @ b.T)
        by_colour += _first(-torch.cdist(colours[0][:, k], colours[1][:, k], p=1))
    people = len(vectors[0])
    values = {"F_A": np.mean(by_vector), "colours": np.mean(by_colour), "chance": 1 / people}
    return {name: round(float(value), 4) for name, value in values.items()} | {"people": people}


def _two_scenes(stills: StillSet) -> tuple[np.ndarray, np.ndarray]:
    """(N,2,S,S,3) uint8 of each scene: two pictures of everyone who has two."""
    places = _places(stills)
    return tuple(
        np.stack([np.asarray(stills.pictures(group)[twin][:2]) for group, twin in (found[scene] for found in places)])
        for scene in range(2)
    )


def _places(stills: StillSet) -> list[list[tuple[int, int]]]:
    people = stills.people()
    if people is None:
        raise ValueError(f"{stills.root} shows each person in one scene: draw stills with `corpus --scenes 2`.")
    places: dict[int, list[tuple[int, int]]] = {}
    for group, pair in enumerate(people.tolist()):
        for twin, person in enumerate(pair):
            places.setdefault(person, []).append((group, twin))
    return [found for found in places.values() if len(found) > 1]


def _histogram(photo: Tensor) -> Tensor:
    """(3,H,W) in [0,1] -> (BINS^3,) shares of its colours."""
    red, green, blue = (photo * (BINS - 1e-3)).long()
    return torch.bincount(((red * BINS + green) * BINS + blue).flatten(), minlength=BINS**3).float() / red.numel()


def _first(alike: Tensor) -> list[float]:
    """Share of rows, and of columns, whose largest is the diagonal's."""
    own = torch.arange(len(alike), device=alike.device)
    return [float((alike.argmax(d) == own).float().mean()) for d in (1, 0)]


@torch.inference_mode()
def worth_of_appearance(renderer: Renderer, without: Renderer | None, stills: StillSet) -> list[Finding]:
    """A finding for each region of WHERE: decibels with F_A of the source, and the costs REPLACED. `without`: the same
    network trained without F_A, None to leave that out. Motion is the exact parameters', so that the encoder's errors
    take no part. Each of N people counts once, however many scenes and frames."""
    people = stills.people()
    other = {place: found[1 - i] for found in _places(stills) for i, place in enumerate(found[:2])}
    rows: dict[str, list[dict[str, Tensor]]] = {}
    who: list[int] = []
    for start in range(0, len(people), PEOPLE):
        at = range(start, min(start + PEOPLE, len(people)))
        given = stills.get(np.asarray(at))
        for twin in range(2):
            known = [row for row, group in enumerate(at) if (group, twin) in other]
            elsewhere = np.stack([_source_of(stills, *other[at[row], twin]) for row in known])
            shown = Shown.of(given.each(itemgetter((known, twin))))
            who += [int(people[at[row], twin]) for row in known]
            for how, image in _variants(renderer, without, shown, torch.from_numpy(elsewhere)).items():
                rows.setdefault(how, []).append(shown.decibels(image))
    return _findings(rows, np.asarray(who))


def _source_of(stills: StillSet, group: int, twin: int) -> np.ndarray:
    return np.asarray(stills.pictures(group)[twin][0])


def _variants(renderer: Renderer, without: Renderer | None, shown: Shown, elsewhere: Tensor) -> dict[str, Tensor]:
    """Pictures (N*FRAMES,3,S,S) with F_A of the source, as "own", and replaced."""
    device = next(renderer.parameters()).device
    photos = resize(elsewhere.to(device).permute(0, 3, 1, 2).float() / 255, SIZE)
    base = renderer.motion_from_parameters(shown.parameters.to(device))
    source = renderer.encode_source(shown.source.to(device), motion=base[:, 0], size=SIZE)
    look = renderer.extract_appearance(source)
    looks = {
        "own": look,
        "scene": renderer.extract_appearance(renderer.encode_source(photos, motion=base[:, 0], size=SIZE)),
        "stranger": look.roll(1, 0),
        "mean": look.mean(0, keepdim=True).expand_as(look),
    }
    images = {name: _driven(renderer, source, base, look).image for name, look in looks.items()}
    if without is not None:
        source = without.encode_source(shown.source.to(device), motion=base[:, 0], size=SIZE)
        images["without"] = _driven(without, source, base, without.extract_appearance(source)).image
    return images


def _driven(renderer: Renderer, source, motion: Tensor, look: Tensor) -> Rendered:
    wanted = (source.motion[:, None] + motion[:, 1:] - motion[:, :1]).flatten(0, 1)
    return renderer.decode(source.repeat(FRAMES), look.repeat_interleave(FRAMES, 0), wanted)


@dataclass(frozen=True)
class Shown:
    """N people: their source, and what N * FRAMES frames should be, with the regions that must be painted."""

    source: Tensor  # (N,3,S,S)
    image: Tensor  # (N*FRAMES,3,S,S)
    parameters: Tensor  # (N,4,24)
    regions: dict[str, Tensor]  # of WHERE, (N*FRAMES,1,S,S) in [0,1]

    @classmethod
    def of(cls, groups: Groups) -> Shown:
        """Of groups of one person each, fields (N,4,...) and (N,3,...)."""
        pictures = resize(groups.rgb.flatten(0, 1).permute(0, 3, 1, 2).float() / 255, SIZE).unflatten(0, (-1, 4))
        part = (groups.label >> 1).flatten(0, 1)[:, None]
        hidden = 1 - (groups.label & 1).float().flatten(0, 1)[:, None]
        lids = _moving_lids(groups)
        regions = {
            "mouth": inside_mouth(part) * hidden,
            "lids": lids,
            "cheek": (part == SKIN).float() * hidden * (1 - lids),
            "all": torch.maximum(hidden, lids),
        }
        sized = {name: F.interpolate(region, size=SIZE) for name, region in regions.items()}
        return cls(pictures[:, 0], pictures[:, 1:].flatten(0, 1), groups.param, sized)

    def decibels(self, image: Tensor) -> dict[str, Tensor]:
        """{region: (N*FRAMES,2) squared error summed over the region, and its size} of frames."""
        error = (image.float().cpu() - self.image).square().mean(1, keepdim=True)
        return {
            name: torch.stack([(error * region).sum((1, 2, 3)), region.sum((1, 2, 3))], 1)
            for name, region in self.regions.items()
        }


def _moving_lids(groups: Groups) -> Tensor:
    """(N*FRAMES,1,128,128): the boxes around eyes whose lids open or close by more than .15 of a blink."""
    moved = (groups.param[:, 1:, BLINKS] - groups.param[:, :1, BLINKS]).abs().flatten(0, 1) > 0.15
    marks, n = groups.mark[:, 1:].flatten(0, 1), groups.label.shape[-1]
    centres = (torch.arange(n) + 0.5) / n
    boxes = torch.zeros(len(marks), 1, n, n)
    for side, names in enumerate(LIDS):
        low, high = marks[:, names].amin(1), marks[:, names].amax(1)
        inside = (centres > low[..., None]) & (centres < high[..., None])  # (B,2,n)
        box = (inside[:, 1, :, None] & inside[:, 0, None, :])[:, None].float()
        boxes = torch.maximum(boxes, box * moved[:, side, None, None, None])
    return boxes


def _findings(rows: dict[str, list[dict[str, Tensor]]], who: np.ndarray) -> list[Finding]:
    found = []
    for region, title in WHERE.items():
        values = {
            how: _by_person(torch.cat([row[region] for row in parts]).unflatten(0, (-1, FRAMES)), who)
            for how, parts in rows.items()
        }
        base = values.pop("own")
        found.append(finding("F_A", title, "dB", base, values))
    return found


def _by_person(sums: Tensor, who: np.ndarray) -> Tensor:
    """(N,FRAMES,2) error and size of pictures -> (people,) PSNR over all pixels of a person; NaN where there are
    hardly any."""
    people = torch.from_numpy(np.unique(who, return_inverse=True)[1])
    error, size = sums.sum(1).unbind(1)
    count = int(people.max()) + 1
    error, size = (torch.zeros(count).index_add_(0, people, x) for x in (error, size))
    psnr = -10 * (error / size.clamp_min(1)).clamp_min(1e-10).log10()
    return torch.where(size < LEAST_PIXELS, torch.nan, psnr)


def appearance_table(found: Sequence[Finding]) -> str:
    """Markdown: what each replacement costs, with its 95 % interval."""
    hows = [how for how in REPLACED if any(how in row.costs for row in found)]
    lines = ["| where | with F_A of the source | " + " | ".join(REPLACED[how] for how in hows) + " |"]
    lines.append("|---|---|" + "---|" * len(hows))
    for row in found:
        cells = ["{:+.3f} [{:+.3f}, {:+.3f}]".format(*row.costs[how]) for how in hows]
        lines.append(f"| {row.metric} | {row.value:.2f} dB | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measure what F_A is worth.")
    parser.add_argument("renderer", help="a renderer's file, or shipped")
    parser.add_argument("data", help="drawn people in two scenes, held out")
    parser.add_argument("--without", metavar="FILE", help="the same network, trained without F_A")
    parser.add_argument("--out", metavar="FILE", help="gets the figures as JSON")
    options = parser.parse_args(arguments)
    renderer = load_renderer(None if options.renderer == "shipped" else options.renderer)
    stills, without = StillSet(options.data), load_renderer(options.without) if options.without else None
    again, found = found_again(renderer, stills), worth_of_appearance(renderer, without, stills)
    print("found again:", again)
    print(appearance_table(found), end="")
    if options.out:
        with whole_file(Path(options.out)) as partial:
            partial.write_text(json.dumps({"found_again": again, "worth": [vars(row) for row in found]}), "utf8")


if __name__ == "__main__":
    main()
