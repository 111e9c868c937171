"""Motion from video in one go, for a machine with a GPU and ten minutes: draw people from seeds, learn from them
without labels beside a share with labels, at 128 and then 256 pixels, and leave the checkpoint in parts.

    python -m mamba_portrait.learning.training.film_recipe --out runs/films --minutes 10

Called again it goes on: what is drawn stays, the training resumes, time that was spent stays spent. Films of real
people take part by `--films LIST`. Weights go on from those that ship; `--space free --init none` begins anew."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ...files import whole_file
from ...model_loaders.checkpoint import save_checkpoint, shipped
from ...networks.renderer.config import RendererConfig
from ...sampling.settings import LARGEST_SEED, Range
from ..corpus.crew import Crew
from ..corpus.stills import draw_stills
from ..evaluation.video_motion import groups_of, over_copying, told_apart
from . import processes
from .loop import Plan
from .parts import pack
from .recipe import Clock
from .renderer.schedule import Part
from .renderer.train import averaged_renderer
from .renderer.train_films import FilmSettings, Source, train_films

DRAWN = 0.15  # of the time is for drawing at most, the rest for training
HELD_OUT = 24  # groups drawn to measure on
HELD_OUT_SEED = 900
POLL = 0.2  # seconds


@dataclass(frozen=True)
class FilmRecipe:
    """What is done. Shares: of steps with labels, without them, and on the lists of films."""

    out: Path
    minutes: float = 10.0
    films: Sequence[str] = ()
    init: Path | None = None  # None: new weights
    space: str = "semi"
    groups: int = 6000  # of stills at most
    size: int = 256
    shares: tuple[float, float, float] = (0.3, 0.3, 0.4)
    seed: int = 1
    jobs: int = 1
    device: str = "cpu"
    precision: str = "bf16"
    schedule: tuple[Part, ...] | None = None
    config: RendererConfig | None = None

    def sources(self, corpus: Path) -> list[Source]:
        """What is learnt from. A space without names cannot use labels."""
        labelled, plain, films = self.shares
        drawn = [Source(str(corpus), plain, True)]
        drawn += [Source(str(corpus), labelled)] if self.space != "free" else []
        return drawn + [Source(place, films / len(self.films), True) for place in self.films]


def train_from_seeds(recipe: FilmRecipe) -> Path:
    """Draw, train, measure, pack; returns the renderer out/renderer.safetensors. The checkpoint's parts are in
    out/parts, figures in out/figures.json. RuntimeError when the machine cannot draw."""
    out, device = recipe.out, processes.join(recipe.device)
    corpus, held_out, clock = out / "corpus", out / "held_out", Clock(out / "recipe.json")
    with clock("draw"):
        draw_stills(held_out, HELD_OUT, HELD_OUT_SEED, min(recipe.size, 128))
        _draw(recipe, corpus, clock)
    with clock("train"):
        plan = Plan(minutes=(1 - DRAWN) * recipe.minutes, device=device, precision=recipe.precision, seed=recipe.seed)
        settings = FilmSettings(
            validation=f"plain:{held_out}",
            config=recipe.config,
            init=recipe.init,
            space=recipe.space,
            schedule=recipe.schedule,
        )
        checkpoint = train_films(recipe.sources(corpus), out / "run", plan, settings)
    pack(checkpoint, out / "parts")
    renderer = averaged_renderer(checkpoint)
    save_checkpoint(out / "renderer.safetensors", renderer, "renderer", renderer.config)
    with whole_file(out / "figures.json") as partial:
        partial.write_text(json.dumps(_measure(renderer.to(device), held_out), indent=1), "utf8")
    print(f"{clock} -> {out}")
    return out / "renderer.safetensors"


def _draw(recipe: FilmRecipe, corpus: Path, clock: Clock) -> None:
    """As many stills as fit into the time, at least a shard; two scenes of each person."""
    options = {"groups": recipe.groups, "clips": 0, "seed": recipe.seed, "jobs": recipe.jobs, "size": recipe.size}
    with Crew(corpus, seconds=math.inf, scenes=2, **options) as crew:
        while crew.check() and (clock.left("draw", DRAWN * 60 * recipe.minutes) > 0 or not _drawn(corpus)):
            time.sleep(POLL)
            clock.save()


def _drawn(corpus: Path) -> bool:
    return any(corpus.glob("stills/*_rgb.npy"))


def _measure(renderer: torch.nn.Module, held_out: Path) -> dict[str, dict[str, float]]:
    """On drawn people never trained on: decibels by all of the motion and by its parts, and how far it tells people."""
    clips = next(groups_of(held_out, 128))[1]
    parts = ("both", "named", "free") if renderer.config.motion_space == "semi" else ("both",)
    return {part: over_copying(renderer, clips, 128, part) for part in parts} | {"people": told_apart(renderer, clips)}


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description="Motion from video: draw from seeds, train, measure, pack.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=Range(0.0, 1e6).read, default=10.0)
    parser.add_argument("--films", nargs="*", default=[], metavar="LIST", help="lists of clips (.csv, .jsonl)")
    parser.add_argument("--init", default="shipped", help="a renderer, shipped or none (%(default)s)")
    parser.add_argument("--space", choices=("named", "semi", "free"), default="semi")
    parser.add_argument("--groups", type=Range(1, 1_000_000_000).read, default=6000, help="drawn at most (%(default)s)")
    parser.add_argument("--size", type=Range(16, 4096).read, default=256, help="of drawn pictures (%(default)s)")
    parser.add_argument("--seed", type=Range(0, LARGEST_SEED // 2).read, default=1)
    parser.add_argument("--jobs", type=Range(1, 1024).read, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cuda" if gpu else "cpu")
    options = vars(parser.parse_args(arguments))
    init = {"shipped": shipped("renderer"), "none": None}.get(options["init"], options["init"])
    train_from_seeds(FilmRecipe(**(options | {"init": init})))


if __name__ == "__main__":
    main()
