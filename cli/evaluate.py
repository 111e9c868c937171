"""evaluate: the figures of the model card."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from ..vocabulary import FRAMINGS
from .judging import add_judging, open_judge, report_judged, samples_of
from .options import add_machine, add_networks, command, positive_int, seed, use_machine

REAL = {
    "portraits": "photographs of one face: commanded motion, and a voice",
    "videos": "films of a moving head, re-enacted from their first frame",
    "speakers": "films of people speaking: their lips compared with the animated ones",
    "faces": "pictures with faces, for the face finder",
    "faceless": "pictures without faces, for the face finder",
}


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "evaluate",
        "measure the networks on people and voices held out of training",
        run,
        """
evaluate --out runs/figures
evaluate --corpus data/held_out --out runs/figures --renderer runs/renderer.safetensors
evaluate --framing half --corpus data/half_held_out --out runs/half
evaluate --method --out runs/method --groups 24
evaluate --out runs/real --no-drawn --portraits photos --videos films --speakers talks --faces crowds --faceless views
evaluate --out runs/judged --protocol implicit-motion-talking-head --manifest data/grid.csv --networks networks
""",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="for figures.json, figures.md and contact sheets")
    parser.add_argument("--corpus", metavar="DIR", help="held-out corpus (default: drawn anew, from the card's seed)")
    parser.add_argument("--groups", type=positive_int, default=64, help="groups of stills (%(default)s)")
    parser.add_argument("--clips", type=positive_int, default=16, help="talking clips (%(default)s)")
    parser.add_argument(
        "--framing", choices=FRAMINGS, default="head", help="half: of the networks for half bodies (%(default)s)"
    )
    parser.add_argument("--no-voice", action="store_true", help="the renderer alone")
    parser.add_argument("--no-drawn", action="store_true", help="measure on real files only, without the drawn corpus")
    parser.add_argument(
        "--method",
        action="store_true",
        help="instead of the figures: what each branch of the method contributes, by replacing what it says",
    )
    group = parser.add_argument_group("real files", "files or folders, evaluated with MediaPipe (extra eval)")
    for name, what in REAL.items():
        group.add_argument(f"--{name}", nargs="+", metavar="PATH", default=[], help=what)
    add_judging(parser, None)
    parser.add_argument("--seed", type=seed, default=0, help="of the sampler, for films driven by the voice")
    parser.add_argument(
        "--phones", action="store_true", help="films with the lips of the clips' TextGrids as well, beside the others"
    )
    parser.add_argument("--no-seconds", action="store_true", help="do not measure the time of inference")
    add_networks(parser, motion_model=True)
    add_machine(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Run the command; prints the tables of the card, or those of a protocol."""
    if options.protocol:
        run_protocol(options)
        return
    from ..learning.evaluation.method import measured_weights, method_figures, method_table, probe_method
    from ..learning.evaluation.real import PICTURES, VIDEOS, RealFiles, evaluate_real, files_of, real_table
    from ..learning.evaluation.report import evaluate, table, write_report
    from ..model_loaders.checkpoint import load_motion_model, load_renderer

    kinds = {name: VIDEOS if name in ("videos", "speakers") else PICTURES for name in REAL}
    files = RealFiles(**{name: files_of(getattr(options, name), kind) for name, kind in kinds.items()})
    with use_machine(options) as machine, tqdm(disable=None, leave=False) as bar:

        def report(what: str, done: int, total: int) -> None:
            bar.set_description(what, refresh=False)
            bar.total, bar.n = total, done
            bar.refresh()

        renderer = load_renderer(options.renderer, options.framing, options.person).to(machine.device)
        model = None
        if not options.no_voice:
            model = load_motion_model(options.motion_model, options.framing, options.person).to(machine.device)
        figures, tables = {}, []
        if options.method:
            found = probe_method(
                renderer,
                model,
                corpus=options.corpus,
                out=options.out,
                groups=options.groups,
                clips=options.clips,
                progress=report,
            )
            voice = {} if model is None else {"motion_model": options.motion_model}
            weights = measured_weights(renderer=options.renderer, **voice)
            figures, tables = {"weights": weights, "method": method_figures(found)}, [method_table(found)]
        elif not options.no_drawn:
            figures = evaluate(
                renderer,
                model,
                corpus=options.corpus,
                out=options.out,
                groups=options.groups,
                clips=options.clips,
                progress=report,
            )
            tables.append(table(figures))
        if any(vars(files).values()):
            figures["real"] = evaluate_real(renderer, model, files, options.out, progress=report)
            tables.append(real_table(figures["real"]))
        if not tables:
            raise ValueError("--no-drawn leaves nothing to measure: name real files, such as --portraits FOLDER")
        write_report(figures, "\n".join(tables), options.out)
    print("\n".join(tables), end="")
    print(Path(options.out) / "figures.json")


def run_protocol(options: argparse.Namespace) -> None:
    """Make films of the networks for every clip of the manifest, and judge them."""
    from ..files import check_folder
    from ..learning.evaluation.judge.filming import make_films
    from ..learning.evaluation.judge.papers import SECONDS
    from ..learning.evaluation.judge.protocols import DRIVES, PHONES, VIDEO, protocol_of
    from ..learning.evaluation.judge.run import Bar, Method, judge_methods
    from ..learning.evaluation.judge.samples import films_in
    from ..learning.evaluation.judge.seconds import seconds_a_second
    from ..learning.evaluation.judge.tables import paper_table, seconds_table
    from ..model_loaders.checkpoint import load_motion_model, load_renderer

    out = check_folder(options.out)
    protocol, samples = protocol_of(options.protocol), samples_of(options)
    size, drives = options.size or protocol.size, (VIDEO,) if options.no_voice else DRIVES
    drives += (PHONES,) if options.phones and not options.no_voice else ()
    with use_machine(options) as machine:
        renderer = load_renderer(options.renderer, options.framing, options.person).to(machine.device)
        model = None
        if not options.no_voice:
            model = load_motion_model(options.motion_model, options.framing, options.person).to(machine.device)
        bar, methods = Bar(), []
        for drive in drives:

            def report(done: int, total: int, drive: str = drive) -> None:
                bar(f"films driven by {drive}", done, total)

            folder = make_films(
                *(renderer, model, samples, out / "films" / drive, drive, size),
                seed=0 if drive == VIDEO else options.seed,
                bf16=machine.bf16,
                progress=report,
            )
            methods.append(Method(f"ours, {drive}", "", films_in(folder, samples)))
        with open_judge(options, renderer, machine.device) as judge:
            verdict = judge_methods(judge, samples, methods, size, bar)
        bar.close()
        times = {}
        if model is not None and not options.no_seconds:
            times = seconds_a_second(renderer, model, size, machine.bf16)

    def tables(statistics) -> list[str]:
        made = [seconds_table(times, SECONDS)] if times else []
        return [paper_table(statistics, protocol, drives), *made]

    print(report_judged(options, samples, verdict, tables, extra={"seconds": times} if times else None), end="")
    print(out / "table.md")
