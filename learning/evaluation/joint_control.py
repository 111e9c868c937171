"""What joint control by parallel branches is worth, on drawn sequences of voices held out of training.

    python -m mamba_portrait.learning.evaluation.joint_control weights/joint_control.safetensors --data data/held_out

Each network joins a voice and a driver that shows expressions (silent, or speaking itself) through the same function as
the node; the truth is drawn (`corpus/joint_motion.py`). Beside it: the linear mode, the linear mode at whichever voice
gate is best for it here, and the plain sum of both mouths. Further networks on the command line are compared with the
first, such as one trained with `--mixing none`. Intervals (95 %) are by bootstrap over sequences.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from ...files import whole_file
from ...media.motion import Motion
from ...model_loaders.checkpoint import load_joint_control, load_renderer
from ...networks.joint_control import GRID, JointControl, claims, region_energy
from ...networks.renderer.model import Renderer
from ...pipelines.control import Control
from ...pipelines.joint import join_motions
from ...pipelines.regions import motion_to_parameters, parameters_to_motion
from ...sampling.settings import Range
from ...visemes.table import lips_of
from ...vocabulary import COUNT, FPS, MOTION, REGIONS
from ..corpus.acting.together import MOUTH
from ..corpus.joint_motion import ARTICULATION, JointMotion, draw_joint_motion
from ..datasets.tracks import load_tracks
from .method_findings import interval

SPREAD = np.array([parameter.spread for parameter in MOTION], np.float32)
SEED = 4000
WANTED = 0.15  # of a mouth's parameter, from which a source wants the mouth
GATES = np.arange(0, 1.01, 0.1)
DRIVERS = {"silent driver": 0.0, "talking driver": 1.0}
Method = Callable[[JointMotion], np.ndarray]


def read_clips(data: str | Path) -> list[np.ndarray]:
    """Parameters (T,24) of the clips whose voices are held out of training; FileNotFoundError where there is none."""
    held = []
    for split in ("val", "test"):
        try:
            held += [track.values for track in load_tracks(data, split) if track.drawn]
        except FileNotFoundError:
            continue
    if len(held) < 2:
        raise FileNotFoundError(f"{data} holds no two clips of held-out voices: draw more with `corpus --clips`")
    return held


def sequences(clips: Sequence[np.ndarray], talking: float) -> list[JointMotion]:
    """One sequence a clip: its voice, and a driver that moves as the person of the next one."""
    drawn = []
    for number, clip in enumerate(clips):
        rng = np.random.default_rng([SEED, number])
        drawn.append(draw_joint_motion(clip, clips[(number + 1) % len(clips)], rng, talking))
    return drawn


class Product:
    """Joint motion as the product computes it, from parameters to parameters."""

    def __init__(self, renderer: Renderer):
        self.renderer = renderer

    def track(self, parameters: np.ndarray) -> Motion:
        """Parameters (T,24) as motion relative to rest."""
        values = parameters_to_motion(self.renderer, torch.from_numpy(parameters).float())
        rest = parameters_to_motion(self.renderer, torch.zeros(1, COUNT))[0]
        return Motion(values, rest, Fraction(FPS), self.renderer.motion_language)

    def join(self, joint: JointMotion, control: Control, network: JointControl | None) -> np.ndarray:
        """(T,24) of `join_motions`."""
        joined = join_motions(self.track(joint.voice), self.track(joint.driving), self.renderer, control, network)
        return motion_to_parameters(self.renderer, joined.values).numpy()


def plain_sum(joint: JointMotion) -> np.ndarray:
    """Both mouths added, and the driver's other regions."""
    result = joint.driving.copy()
    result[:, MOUTH] += joint.voice[:, MOUTH]
    return result


def full(joint: JointMotion) -> np.ndarray:
    """The drawn truth with both gates open."""
    whole = np.ones((1, len(REGIONS)))
    return joint.joined(whole, whole)


def both_want(joint: JointMotion) -> np.ndarray:
    """(T,) bool: frames in which the voice articulates and the driver's expression moves the mouth."""
    return (np.abs(joint.said[:, ARTICULATION]).max(1) > WANTED) & (np.abs(joint.expression[:, MOUTH]).max(1) > WANTED)


def mouth_error(got: np.ndarray, truth: np.ndarray, frames: np.ndarray | None = None) -> float:
    """Root mean square error of the mouth's parameters, in their spreads, in some frames; NaN for none."""
    error = ((got - truth) / SPREAD)[:, MOUTH]
    error = error if frames is None else error[frames]
    return float(np.sqrt((error**2).mean())) if len(error) else float("nan")


def lip_error(got: np.ndarray, truth: np.ndarray, frames: np.ndarray) -> tuple[float, float]:
    """Root mean square error of the lips' opening and width (visemes/table.py) in some frames; NaN for none."""
    error = (lips_of(got) - lips_of(truth))[frames]
    return tuple(map(float, np.sqrt((error**2).mean(0)))) if len(error) else (float("nan"), float("nan"))


def share_of_variance(got: np.ndarray, truth: np.ndarray, columns: Sequence[int]) -> float:
    """1 - error over variance (R2) of some parameters, in their spreads."""
    got, truth = (x[:, columns] / SPREAD[columns] for x in (got, truth))
    return float(1 - ((got - truth) ** 2).sum() / max(((truth - truth.mean(0)) ** 2).sum(), 1e-9))


def best_gate(product: Product, drawn: Sequence[JointMotion]) -> float:
    """The voice's gate at which the linear mode comes nearest to the truth."""
    errors = []
    for gate in GATES:
        control = Control(audio=float(gate))
        errors.append(np.nanmean([mouth_error(product.join(j, control, None), full(j), both_want(j)) for j in drawn]))
    return float(GATES[int(np.argmin(errors))])


def measure_together(product: Product, networks: dict[str, JointControl], clips: Sequence[np.ndarray]) -> list[dict]:
    """Where both want the mouth: errors of every method, and what each costs more than the first network."""
    rows = []
    for driver, talking in DRIVERS.items():
        drawn = sequences(clips, talking)
        gate = best_gate(product, drawn)
        methods: dict[str, Method] = {
            name: lambda j, network=network: product.join(j, Control(), network) for name, network in networks.items()
        }
        methods["linear"] = lambda j: product.join(j, Control(), None)
        methods[f"linear, voice gate {gate:.1f}"] = lambda j, gate=gate: product.join(j, Control(audio=gate), None)
        methods["plain sum"] = plain_sum
        found = {name: [] for name in methods}
        for joint in drawn:
            truth, frames = full(joint), both_want(joint)
            for name, method in methods.items():
                got = method(joint)
                found[name].append((mouth_error(got, truth, frames), *lip_error(got, truth, frames)))
        values = {name: torch.tensor(numbers) for name, numbers in found.items()}
        first = next(iter(values.values()))
        for name, numbers in values.items():
            rows.append(
                {
                    "driver": driver,
                    "method": name,
                    "mouth": interval(numbers[:, 0]),
                    "opening": interval(numbers[:, 1]),
                    "width": interval(numbers[:, 2]),
                    "more than the first": interval(numbers[:, 0] - first[:, 0]),
                }
            )
    return rows


def measure_alone(product: Product, networks: dict[str, JointControl], clips: Sequence[np.ndarray]) -> list[dict]:
    """R2 of what one source alone moves, the other's gate being 0; of both; and of both with masks, the mouth's cells
    the voice's and the others the video's. Of every network, and how much more it is than the first's."""
    mouth = torch.zeros(GRID, GRID)
    mouth[4:7, 2:6] = 1
    masks = Control(audio_mask=mouth, motion_mask=1 - mouth)
    energy = region_energy(product.renderer.parameters_of_motion.writer.weight)
    strengths = [claims(cells.flatten() > 0, energy)[None].numpy() for cells in (mouth, 1 - mouth)]
    found: dict[tuple[str, str], list[float]] = {}
    for joint in sequences(clips, 0.5):
        tests = {
            "voice alone": (Control(motion=0.0), joint.voice),
            "video alone": (Control(audio=0.0), joint.driving),
            "both": (Control(), full(joint)),
            "both, with masks": (masks, joint.joined(*strengths)),
        }
        for what, (control, truth) in tests.items():
            for name, network in networks.items():
                got = product.join(joint, control, network)
                for part, columns in (("mouth", MOUTH), ("all", list(range(COUNT)))):
                    value = share_of_variance(got, truth, columns)
                    found.setdefault((f"{what}: {part}", name), []).append(value)
    values = {key: torch.tensor(numbers) for key, numbers in found.items()}
    first = next(iter(networks))
    return [
        {"what": what, "method": name, "R2": interval(v), "more than the first": interval(v - values[what, first])}
        for (what, name), v in values.items()
    ]


def table(together: list[dict], alone: list[dict]) -> str:
    """Both tables in Markdown."""

    def row(values: Sequence) -> str:
        return "| " + " | ".join(value if isinstance(value, str) else said(value) for value in values) + " |"

    def said(found: tuple) -> str:
        return f"{found[0]:.3f} [{found[1]:.3f}, {found[2]:.3f}]"

    lines = []
    for rows in (together, alone):
        lines += [row(list(rows[0])), "|---" * len(rows[0]) + "|", *(row(list(found.values())) for found in rows), ""]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measure joint control by parallel branches.")
    parser.add_argument("networks", nargs="+", metavar="FILE", help="the first is compared with the others")
    parser.add_argument("--data", required=True, metavar="DIR", help="a corpus with clips of held-out voices")
    parser.add_argument("--renderer", metavar="FILE", help="whose motion it is (default: the shipped one)")
    parser.add_argument("--clips", type=Range(1, 1_000_000).read, default=64, metavar="N", help="at most (%(default)s)")
    parser.add_argument("--out", metavar="FILE.json", help="the figures as numbers")
    parser.add_argument("--threads", type=Range(1, 1024).read, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    product, clips = Product(load_renderer(options.renderer)), read_clips(options.data)[: options.clips]
    networks = {Path(file).stem: load_joint_control(file) for file in options.networks}
    together = measure_together(product, networks, clips)
    alone = measure_alone(product, networks, clips)
    if options.out:
        with whole_file(Path(options.out)) as part:
            part.write_text(json.dumps({"together": together, "alone": alone}, indent=1), "utf8")
    print(table(together, alone), end="")


if __name__ == "__main__":
    main()
