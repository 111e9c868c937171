"""What a person's file is worth, on clips of that person that it was not learnt from, and what it does to another face.

    python -m mamba_portrait.learning.training.personal.measure tune --films CLIP ... --fold 0 --out anna.safetensors
    python -m mamba_portrait.learning.training.personal.measure judge --films CLIP ... --fold 0 --others CLIP ...
        --person anna.safetensors --out anna.jsonl
    python -m mamba_portrait.learning.training.personal.measure table anna.jsonl ...
    python -m mamba_portrait.learning.training.personal.measure opening --films CLIP ...
    python -m mamba_portrait.learning.training.personal.measure draw --out FOLDER

Of the films every third is judged, from the fold's number on, the others tune. A judged clip's sound is spoken by the
person's portrait, a frame of the first film that tunes; lips and shape of the face are those of MediaPipe's mesh in
the finished film (speakers.py). `--others` are clips of somebody else, a third of which is spoken by that person's own
portrait, with the file.

`opening` needs no MediaPipe and draws nothing: of films with a row in the landmarks.npz beside them, how well the
encoder's keypoints see the lips' opening, and how well the regression says it on films of folds it was not solved on.
`draw` draws films of one person, a minute in all, whom nothing was trained on; they are measured as all others are.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....files import writing
from ....media.photo import to_uint8
from ....model_loaders.checkpoint import load_motion_model, load_renderer
from ....model_loaders.person import save_person
from ....networks.motion_model.model import MotionModel
from ....networks.renderer.model import Renderer
from ....sampling.settings import Range
from ...datasets.films import measure_lips, speaker_of
from ...evaluation.face_mesh import FaceMesh, lips_of, media_pipe
from ...evaluation.judge.statistics import DRAWS, interval
from ...evaluation.metrics import best_lag, correlation, reach
from ...evaluation.speakers import Speaker, animate_portrait, read_speaker
from ...evaluation.video_motion import over_copying, spread
from .drawn import draw_person
from .film import film_of_file, open_films, pieces_of
from .lips import listen, opening_of, seen_lips, solve_lips
from .task import read_piece
from .train import PersonSettings, personalise

FOLDS = 3
SIDE, SMALL = 256, 128  # of the portrait, and of the pictures of the re-enactment
RIGID = (33, 133, 362, 263, 1, 4, 5, 6, 168, 197, 195, 2, 98, 327, 10, 109, 338, 67, 297, 103, 332, 54, 284, 21, 251,
         127, 356, 234, 454, 46, 276, 52, 282, 105, 334)  # fmt: skip
"""Points of the mesh that speech hardly moves: eyes' corners, nose, brows, forehead and temples."""
ROWS = {
    "rendered": "lips' opening, correlation",
    "width": "lips' width, correlation",
    "reach": "opening's reach, of the film's",
    "reach_off": "opening's reach off the film's, abs(ln)",
    "width_reach": "width's reach, of the film's",
    "width_reach_off": "width's reach off the film's, abs(ln)",
    "over_copying": "re-enactment over copying, dB",
    "over_another_frame": "re-enactment over another frame, dB",
    "shape": "shape of the face, part of the way to the person",
}


def split(files: Sequence[Path], fold: int) -> tuple[list[Path], list[Path]]:
    """The films that tune, and those that are judged."""
    judged = list(files[fold::FOLDS])
    return [file for file in files if file not in judged], judged


def portrait_of(file: Path) -> Tensor:
    """(SIDE,SIDE,3) in [0,1]: the first frame of a film, cut to the face."""
    return torch.from_numpy(pieces_of(film_of_file(file), SIDE)[0].pictures[0]).float() / 255


def shape_of(points: Sequence[np.ndarray]) -> np.ndarray:
    """(len(RIGID),2) mean of the meshes (K,2) of pictures, each moved, turned and scaled onto the first."""
    shapes = [each[list(RIGID)] - each[list(RIGID)].mean(0) for each in points]
    shapes = [shape / np.linalg.norm(shape) for shape in shapes]
    return np.mean([onto(shape, shapes[0]) for shape in shapes], 0)


def onto(shape: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A centred shape (N,2) of norm 1 turned onto another."""
    u, _, v = np.linalg.svd(shape.T @ other)
    return shape @ u @ v


def way_to(before: np.ndarray, after: np.ndarray, target: np.ndarray) -> float:
    """How far a shape has gone towards another, 0 not at all and 1 all the way."""
    after, target = onto(after, before), onto(target, before)
    return float(((after - before) * (target - before)).sum() / np.square(target - before).sum())


def spoken(
    renderer: Renderer, model: MotionModel, speaker: Speaker, photo: Tensor, mesh: FaceMesh
) -> tuple[dict[str, float], np.ndarray]:
    """Lips of the finished film of a portrait with a speaker's sound, against the speaker's, and the face's shape."""
    head = animate_portrait(renderer, model, photo, speaker.audio)
    points = [mesh(to_uint8(frame)) for frame in head.frames]
    if any(each is None for each in points):
        return {}, np.zeros((0, 2))
    side = np.array(head.frames.shape[1:3])[::-1].astype(np.float32)
    picture = np.zeros((*head.frames.shape[1:3], 3), np.uint8)
    lips = torch.tensor([lips_of(lambda _, each=each: each, picture) for each in points])
    values = {"rendered": best_lag(lips[:, 0], speaker.opening)[0], "width": best_lag(lips[:, 1], speaker.width)[0]}
    for name, curve, own in (("reach", lips[:, 0], speaker.opening), ("width_reach", lips[:, 1], speaker.width)):
        values[name] = reach(curve) / max(reach(own), 1e-6)
        values[f"{name}_off"] = abs(math.log(max(values[name], 1e-3)))
    return values, shape_of([each * side for each in points])


def judge(options: argparse.Namespace) -> None:
    """Measure the clips of a fold without and with a person, and those of others with it; a line each."""
    mesh, (tuned, judged) = media_pipe(), split(options.films, options.fold)
    base = load_renderer(options.renderer), load_motion_model(options.motion_model)
    own = (
        load_renderer(options.renderer, person=options.person),
        load_motion_model(options.motion_model, person=options.person),
    )
    portrait = portrait_of(tuned[0])
    theirs = shape_of([mesh(to_uint8(portrait)) * np.float32(SIDE)])
    others = split(options.others, options.fold) if options.others else ([], [])
    for group, photo, files in (("own", portrait, judged), ("others", None, others[1])):
        photo = portrait_of(others[0][0]) if photo is None and files else photo
        for file in files:
            speaker = read_speaker(file, mesh)
            if speaker is None:
                continue
            clip = [spread(pieces_of(film_of_file(file), SMALL)[0].pictures)]
            rows, shapes = [], []
            for networks in (base, own):
                values, shape = spoken(*networks, speaker, photo, mesh)
                seen = over_copying(networks[0], clip, SMALL)
                rows.append(values | {name: seen[name] for name in ("over_copying", "over_another_frame")})
                shapes.append(shape)
            if group == "others" and all(len(shape) for shape in shapes):
                rows[0]["shape"], rows[1]["shape"] = 0.0, way_to(*shapes, theirs)
            line = {
                "clip": speaker.name,
                "speaker": speaker_of(file),
                "group": group,
                "person": Path(options.person).stem,
            }
            line |= {"before": rows[0], "after": rows[1]}
            with writing(options.out), open(options.out, "a", encoding="utf8") as out:
                out.write(json.dumps(line) + "\n")
            print(line, flush=True)


def tune(options: argparse.Namespace) -> None:
    """Learn a person from the clips of the other folds."""
    renderer, model = load_renderer(options.renderer), load_motion_model(options.motion_model)
    settings = PersonSettings(minutes=options.minutes, steps=options.steps)
    person, report = personalise(renderer, model, open_films(split(options.films, options.fold)[0]), settings)
    print(report)
    print(save_person(options.out, person))


@torch.inference_mode()
def opening(options: argparse.Namespace) -> None:
    """Correlations of openings with MediaPipe's: as seen by the keypoints, and as said, before and after; a line of
    each with the interval over films."""
    renderer, model = load_renderer(options.renderer), load_motion_model(options.motion_model)
    pieces = [pieces_of(film_of_file(file), renderer.config.motion_size)[0] for file in options.films]
    seen = [seen_lips(read_piece(renderer, piece).points) for piece in pieces]
    spoken, truth = listen(model, pieces, seen), []
    for file, one in zip(options.films, spoken, strict=True):
        with np.load(file.parent / "landmarks.npz") as landmarks:
            curve = measure_lips(landmarks[file.stem][..., :2].astype(np.float32))[0]
        truth.append(torch.from_numpy(curve)[: len(one.x)])
    pairs = np.zeros((len(spoken), 2))
    for fold in range(FOLDS):
        solved = solve_lips([one for number, one in enumerate(spoken) if number % FOLDS != fold])
        print(f"fold {fold}: held by {solved.held}, lips {solved.lag} frames late")
        for number in range(fold, len(spoken), FOLDS):
            for column, mouth in enumerate((0, spoken[number].x @ solved.weight.T + solved.bias)):
                pairs[number, column] = best_lag(opening_of(spoken[number].told + mouth), truth[number])[0]
    told = np.mean([correlation(one[:, 0], other) for one, other in zip(seen, truth, strict=True)])
    print(f"as the keypoints see it: {told:.3f}\nas the regression says it, before, after, change: {_change(pairs)}")


def table(files: Sequence[str]) -> str:
    """Means before and after, and the mean change with its 95 % interval by bootstrap over clips, of each group."""
    lines = [json.loads(line) for file in files for line in Path(file).read_text("utf8").splitlines()]
    out = ["| clips | measure | before | after | change |", "|---|---|---|---|---|"]
    people = sorted({line["speaker"] for line in lines})
    for group in ("own", "others"):
        for who in [*people, None] if len(people) > 1 else people:
            rows = [line for line in lines if line["group"] == group and who in (None, line["speaker"])]
            for name, told in ROWS.items():
                pairs = [(row["before"][name], row["after"][name]) for row in rows if name in row["after"]]
                if pairs:
                    out.append(f"| {group}, {who or 'all'} ({len(pairs)}) | {told} | {_change(np.array(pairs))} |")
    return "\n".join(out)


def _change(pairs: np.ndarray) -> str:
    generator, change = np.random.default_rng(0), pairs[:, 1] - pairs[:, 0]
    drawn = change[generator.integers(len(change), size=(DRAWS, len(change)))].mean(1)
    found = interval(float(change.mean()), drawn, len(change))
    before, after = pairs.mean(0)
    return f"{before:.3f} | {after:.3f} | {found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measure a person's file on films that it was not learnt from.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("tune", "judge", "opening"):
        command = commands.add_parser(name)
        command.add_argument("--films", nargs="+", type=Path, required=True, metavar="CLIP")
        command.add_argument("--renderer", metavar="FILE")
        command.add_argument("--motion-model", metavar="FILE")
        if name != "opening":
            command.add_argument("--fold", type=Range(0, FOLDS - 1).read, default=0, help="(%(default)s)")
            command.add_argument("--out", required=True, metavar="FILE")
    commands.choices["tune"].add_argument("--minutes", type=Range(0.05, 600.0).read, default=4.0)
    commands.choices["tune"].add_argument("--steps", type=Range(1, 1_000_000).read)
    commands.choices["judge"].add_argument("--person", required=True, metavar="FILE")
    commands.choices["judge"].add_argument("--others", nargs="*", type=Path, default=[], metavar="CLIP")
    commands.add_parser("table").add_argument("files", nargs="+")
    command = commands.add_parser("draw")
    command.add_argument("--out", required=True, metavar="FOLDER")
    command.add_argument("--person", type=Range(0, 1000).read, default=0, help="number of the person (%(default)s)")
    command.add_argument("--seconds", type=Range(1.0, 600.0).read, default=60.0, help="(%(default)s)")
    command.add_argument("--size", type=Range(64, 1024).read, default=256, help="side of the picture (%(default)s)")
    options = parser.parse_args(arguments)
    if options.command == "table":
        print(table(options.files))
    elif options.command == "draw":
        for film in draw_person(options.out, options.person, options.seconds, options.size):
            print(film)
    else:
        {"tune": tune, "judge": judge, "opening": opening}[options.command](options)


if __name__ == "__main__":
    main()
