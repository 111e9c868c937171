"""What the printed forms cost or gain: docs/method.md quotes it.

    python -m mamba_portrait corpus --out data/train --stills 900 --scenes 2 --clips 240 --size 128 --seed 5201
    python -m mamba_portrait corpus --out data/held --stills 96 --scenes 2 --size 128 --seed 5901
    python -m mamba_portrait.learning.training.prices --data data/train --held-out data/held --out runs/prices

Every arm goes on from the weights that ship (or --renderer and --motion-model) for --steps steps and is measured on
held-out people or voices; with --framing half --only ablations they are half bodies. An arm that is done is not
repeated and a killed one goes on, so the work can be cut into pieces by --minutes and --only. prices.md is written anew
after each arm."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from ....files import whole_file
from ....model_loaders.checkpoint import shipped
from ....pipelines.settings import Range
from ....vocabulary import FRAMINGS
from ...corpus.tracks import draw_tracks
from ...evaluation.report import SEED
from ..recipe import count_clips
from .arms import Setting, figures_of, run_arm
from .comparisons import ABLATED, NAMES, arms_of
from .tables import ablation_table, branch_table, price_table


def positive(text: str) -> int:
    """A whole number above zero."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} must be a whole number above 0")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(
        prog="python -m mamba_portrait.learning.training.prices",
        description="Price the forms of docs/method.md, and run the paper's ablations, by short trainings.",
    )
    command.add_argument("--data", type=Path, required=True, help="drawn stills and clips to learn from")
    command.add_argument("--held-out", type=Path, required=True, help="drawn stills of other people to measure on")
    command.add_argument("--out", type=Path, required=True, help="for figures and tables; what is there is kept")
    command.add_argument("--framing", choices=FRAMINGS, default="head", help="of weights and data (head)")
    command.add_argument("--renderer", type=Path, help="common weights (those that ship for the framing)")
    command.add_argument("--motion-model", type=Path, help="likewise")
    command.add_argument("--only", nargs="+", default=NAMES, metavar="NAME", help=f"of {', '.join(NAMES)} (all)")
    command.add_argument("--steps", nargs=2, type=positive, default=(200, 120), help="of an arm, a stage (200 120)")
    seeds = Range(0, 2**31 - 1).read
    command.add_argument("--seeds", nargs="+", type=seeds, default=(0, 1), help="an arm is trained once for each (0 1)")
    command.add_argument("--clips", type=positive, default=280, help="of held-out voices, drawn where missing (280)")
    command.add_argument("--minutes", type=Range(0.0, 525_600.0).read, help="begin no further arm after so long")
    command.add_argument("--vgg", type=Path, help="VGG-19 of torchvision for L_per (none: random weights)")
    return command


def main(arguments: list[str] | None = None, **changes: object) -> None:
    """Run the command; changes: fields of `Setting` that have no option."""
    options = parser().parse_args(arguments)
    given = {"data": options.data, "held_out": options.held_out, "out": options.out, "vgg": options.vgg}
    given |= {name: getattr(options, name) or shipped(name, options.framing) for name in ("renderer", "motion_model")}
    setting = replace(Setting(**given, steps=dict(zip((1, 2), options.steps, strict=True))), **changes)
    if setting.half and set(options.only) != {ABLATED}:
        raise ValueError(f"of half bodies there are ablations alone: name --only {ABLATED}")
    setting.hold_common_weights()
    arms, began = arms_of(tuple(options.only), setting.lacking), time.monotonic()
    if any(arm.stage == 2 for arm in arms) and count_clips(setting.held_out) < options.clips:
        draw_tracks(setting.held_out, options.clips, SEED, splits=("val", "test"), framing=FRAMINGS[setting.half])
    for seed in options.seeds:
        for arm in arms:
            if options.minutes is not None and time.monotonic() - began >= 60 * options.minutes:
                break
            run_arm(arm, seed, setting)
            write_tables(setting, options.seeds)
    print(write_tables(setting, options.seeds))


def write_tables(setting: Setting, seeds: list[int]) -> Path:
    """Write prices.md from all that is done; its path."""

    def figures(arm, seed):
        return figures_of(arm, seed, setting)

    parts = [price_table(1, figures, seeds), price_table(2, figures, seeds)]
    parts += [table(figures, seeds, setting.half, setting.lacking) for table in (ablation_table, branch_table)]
    with whole_file(setting.out / "prices.md") as partial:
        partial.write_text("\n".join(parts), "utf8")
    return setting.out / "prices.md"


if __name__ == "__main__":
    main()
