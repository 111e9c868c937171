"""train: either stage, the whole way from nothing to weights, or an experiment; ACTalker beside them."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..files import check_folder
from ..pipelines.settings import Range
from . import train_actalker
from .options import add_machine, command, count, number, positive_int, processes, seed, use_machine
from .train_options import add_checkpoints, add_rendering, add_run, add_speaking, plan, show

BRANCHES = ("appearance", "transformer", "attention", "mamba-g", "mamba-l")
"""What --ablate cuts; learning/training/ablation.py says of which stage. Named here, so that --help loads no torch."""
CORPUS = "a corpus; it may still be growing"
DATA = (
    "a corpus; a list of clips (.csv, .jsonl: any films, no labels); plain:DIR, a corpus with its labels hidden; "
    "faces:DIR and kept:DIR, real faces with landmarks, and photographs that are rendered on as before; of several "
    "each with =SHARE of the steps"
)


def add(commands) -> list[argparse.ArgumentParser]:
    """Declare the command, its two stages, both with everything around them, and ACTalker."""
    parser = command(
        commands,
        "train",
        "train the renderer (stage1), the motion model (stage2), all from nothing, actalker, or an experiment",
        run_named,
        """
train stage1 --data data/train --validation data/held_out --out runs/a --minutes 60
train stage1 --data data/train=.5 plain:data/train=.2 films.csv=.3 --init FILE --space semi --out runs/v --minutes 60
train stage2 --data data/train --renderer runs/renderer.safetensors --out runs/b --minutes 30
export runs/a/stage1.pt -o runs/renderer.safetensors
train all --data data/train --out runs/c --minutes 30 --device cuda
train --experiment implicit-motion/drawn-no-attention --data data/train --out runs/d --minutes 90
train --experiments
""",
    )
    _add_experiment(parser)
    stages = parser.add_subparsers(dest="stage", metavar="STAGE")
    first = command(stages, "stage1", "from labelled stills, or films without labels, to a renderer", run_stage1)
    second = command(stages, "stage2", "from talking clips to a motion model", run_stage2)
    whole = command(stages, "all", "draw, train both stages, measure and write weights in a given time", run_all)
    for stage in (first, second, whole):
        several = (
            {"nargs": "+", "metavar": ("DIR", "MORE"), "help": DATA}
            if stage is first
            else {"metavar": "DIR", "help": CORPUS}
        )
        stage.add_argument("--data", required=True, **several)
        stage.add_argument("--out", required=True, metavar="DIR", help="the run's folder: checkpoints and logs")
        stage.add_argument(
            "--preset",
            choices=("lite", "paper", "method", "half"),
            default="lite",
            help="size of the network; method: every form as the paper prints it; half: for half bodies, which with "
            "--init goes on from a head's weights (%(default)s)",
        )
        stage.add_argument(
            "--minutes",
            "--max-minutes",
            type=number(Range(0.0, 525_600.0)),
            default=60.0,
            help="over all resumed runs (60)",
        )
        stage.add_argument("--seed", type=seed, default=1 if stage is whole else 0)
        add_checkpoints(stage)
        add_machine(stage)
    for stage in (first, second):
        stage.add_argument("--steps", type=positive_int, help="a number of steps instead of the clock")
        add_run(stage)
        stage.add_argument("--init", metavar="FILE", help="weights to go on from, instead of new ones")
        stage.add_argument(
            "--ablate",
            nargs="+",
            choices=BRANCHES,
            metavar="BRANCH",
            default=(),
            help=f"branches to cut, as in the paper's ablations: {', '.join(BRANCHES)}",
        )
    for stage in (first, whole):
        stage.add_argument(
            "--validation", metavar="DIR", help="a corpus (stage1: or list) of other people, to measure on"
        )
        stage.add_argument("--vgg", metavar="FILE", help="torchvision's VGG-19 weights, for the perceptual loss")
    add_rendering(first)
    add_speaking(second)
    whole.add_argument("--jobs", type=processes, help="processes that draw (default: all cores)")
    whole.add_argument("--stills", type=count, metavar="GROUPS", help="groups drawn at most (default: as many as fit)")
    whole.add_argument("--clips", type=count, help="clips drawn at most (default: as many as fit)")
    return [parser, first, second, whole, train_actalker.add(stages)]


def _add_experiment(parser: argparse.ArgumentParser) -> None:
    """The options of an experiment, without a stage."""
    group = parser.add_argument_group("experiments (instead of a STAGE)")
    group.add_argument("--experiment", metavar="NAME", help="a row of the papers' tables, or a .yaml file of your own")
    group.add_argument("--experiments", action="store_true", help="list them, and say which cannot be trained here")
    group.add_argument("--data", metavar="DIR", help="what it is trained on")
    group.add_argument("--out", metavar="DIR", help="gets its runs and weights")
    minutes = number(Range(0.0, 525_600.0))
    group.add_argument("--minutes", type=minutes, default=60.0, help="of both stages, over all resumed runs (60)")
    group.add_argument("--steps", type=positive_int, help="of each part, instead of the clock")
    group.add_argument("--seed", type=seed, default=0)
    group.add_argument("--renderer", metavar="FILE", help="a trained renderer of the same switches, for stage 2 alone")
    train_actalker.add_beginning(group)
    group.add_argument("--validation", metavar="DIR", help="a corpus of other people, to measure on")
    group.add_argument("--vgg", metavar="FILE", help="torchvision's VGG-19 weights, for the perceptual loss")
    workers = number(Range(0, 1024))
    group.add_argument("--workers", type=workers, default=0, help="processes that prepare batches (%(default)s)")
    add_checkpoints(parser)
    add_run(parser)
    add_machine(parser)


def run_named(options: argparse.Namespace) -> None:
    """Train an experiment, or list them; prints its folder."""
    from ..learning.training.experiment import names, read_experiment, run_experiment

    if options.experiments:
        for name in names():
            print(_line(read_experiment(name)))
        return
    if not options.experiment:
        raise ValueError("Say what to train: a STAGE (stage1, stage2, all, actalker) or --experiment NAME.")
    experiment = read_experiment(options.experiment)
    experiment.check()
    if not (options.data and options.out):
        raise ValueError(f"{experiment.name} needs --data DIR and --out DIR; it is trained on {experiment.data}.")
    check_folder(options.out)
    with use_machine(options) as machine:
        if experiment.actalker is not None:
            show(train_actalker.run_row(options, machine, experiment.actalker))
            return
        more = {name: getattr(options, name) for name in ("renderer", "validation", "vgg", "workers")}
        show(run_experiment(experiment, options.data, options.out, plan(options, machine), **more))


def _line(experiment) -> str:
    try:
        experiment.check()
    except ValueError as reason:
        return f"{experiment.name}: not here ({reason})"
    return f"{experiment.name}: {experiment.row}"


def run_stage1(options: argparse.Namespace) -> None:
    """Train a renderer; prints the run's checkpoint."""
    from ..learning.training.renderer.train import Stage1Settings, train_stage1
    from ..learning.training.renderer.train_films import Source

    sources = [Source.parse(text) for text in options.data]
    check_folder(options.out)
    with use_machine(options) as machine:
        if len(sources) > 1 or not sources[0].labelled:
            if options.contrast or options.other_scene or options.learn:
                raise ValueError(
                    "--contrast, --other-scene and --learn are for labelled stills alone: give one corpus."
                )
            show(_train_on_films(options, sources, plan(options, machine)))
            return
        if options.space not in (None, "named"):
            raise ValueError(f"A {options.space} motion space is learnt from films: add a list of clips or plain:DIR.")
        settings = Stage1Settings(
            validation=options.validation,
            preset=options.preset,
            init=options.init,
            parts=options.parts,
            vgg=options.vgg,
            ablate=options.ablate,
            faces=options.faces,
            adversary=options.adversary,
            learn=options.learn,
            contrast=options.contrast,
            other_scene=options.other_scene,
        )
        show(train_stage1(sources[0].place, options.out, plan(options, machine), settings))


def _train_on_films(options: argparse.Namespace, sources: list, whole) -> Path:
    from ..learning.training.renderer.films import Withheld
    from ..learning.training.renderer.train_films import FilmSettings, train_films

    settings = FilmSettings(
        validation=options.validation,
        preset=options.preset,
        init=options.init,
        space=options.space,
        parts=options.parts,
        withheld=Withheld(named=options.withhold),
        ablate=options.ablate,
        vgg=options.vgg,
    )
    return train_films(sources, options.out, whole, settings)


def run_stage2(options: argparse.Namespace) -> None:
    """Train a motion model; prints the run's checkpoint. Stills of the corpus lend their looks to the clips."""
    from ..learning.corpus.speech.augment import augment
    from ..learning.corpus.speech.music import music
    from ..learning.training.motion_model.losses import Stage2Weights
    from ..learning.training.motion_model.train import Stage2Settings, train_stage2
    from ..learning.training.recipe import appearances, count_stills
    from ..model_loaders.checkpoint import load_renderer

    if bool(options.sync_judge) != bool(options.sync_portraits):
        raise ValueError("Give --sync-judge and --sync-portraits together: the judge sees the lips of portraits.")
    check_folder(options.out)
    with use_machine(options) as machine:
        whole = plan(options, machine)
        renderer = load_renderer(options.renderer).to(whole.device)
        looks = options.preset != "half" and count_stills(options.data)
        settings = Stage2Settings(
            preset=options.preset,
            init=options.init,
            batch=options.batch_size,
            augment=augment,
            music=music,
            live=options.live,
            appearances=appearances(renderer, options.data) if looks else None,
            workers=options.workers,
            sample=_portrait(options.sample) if options.sample else None,
            ablate=options.ablate,
            predicted_history=options.predicted_history,
            weights=Stage2Weights(sync=options.sync_weight),
            sync_judge=options.sync_judge,
            sync_portraits=[_portrait(file) for file in options.sync_portraits],
        )
        show(train_stage2(options.data, options.out, whole, settings, renderer))


def _portrait(file: str):
    """The portrait (S,S,3) around the face of a photograph."""
    from ..media.crop import crop_portrait
    from ..media.faces import find_face
    from ..media.photo import load_photo

    photo = load_photo(file)
    return crop_portrait(photo, find_face(photo))[0]


def run_all(options: argparse.Namespace) -> None:
    """Draw, train, measure; prints the folder of the weights. A killed run goes on when it is called again."""
    from ..learning.training.recipe import train_all

    check_folder(options.out)
    with use_machine(options) as machine:
        path = train_all(
            options.data,
            options.out,
            minutes=options.minutes,
            device=str(machine.device),
            held_out=options.validation,
            preset=options.preset,
            seed=options.seed,
            checkpoint_every=options.checkpoint_every,
            precision=None if options.precision == "auto" else options.precision,
            jobs=options.jobs,
            groups=options.stills,
            clips=options.clips,
            vgg=options.vgg,
        )
    show(path)
