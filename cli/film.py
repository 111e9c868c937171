"""From a photo to an encoded portrait, and from motion to a video: shared by `animate` and `reenact`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..pipelines.settings import Range, RenderingSettings
from ..vocabulary import FRAMINGS
from . import motion_changes
from .options import Machine, box, number
from .settings import add_setting, chosen
from .stages import Stages, progress

ALPHA = (".webm",)  # films that keep what is transparent in a photo
PHOTO = "photo"  # --size photo: the portrait's own size
SCALE, SHIFT = Range(1.0, 5.0), Range(-1.0, 1.0)  # as of the node Portrait Crop


def add_face(parser: argparse.ArgumentParser) -> None:
    """Which face of the photo, and how much around it."""
    group = parser.add_argument_group("face")
    group.add_argument(
        "--framing",
        choices=FRAMINGS,
        default="head",
        help="half: down to the hips with arms that gesture, by the networks for half bodies (%(default)s)",
    )
    group.add_argument(
        "--finder", default="auto", help="auto, whole (take the whole picture), or the name of one, such as cascade"
    )
    group.add_argument("--box", type=box, metavar="X0,Y0,X1,Y1", help="the face's box in pixels, from brows to chin")
    group.add_argument(
        "--which-face",
        default="largest",
        metavar="WHICH",
        help="largest, left, right, center, or a number (0 is the largest)",
    )
    group.add_argument(
        "--scale",
        type=number(SCALE),
        help=f"side of the crop in face boxes ({SCALE}; default: the framing of the training pictures)",
    )
    group.add_argument(
        "--shift", type=number(SHIFT), help=f"how far the crop's centre lies above the box's, in boxes ({SHIFT})"
    )


def add_film(parser: argparse.ArgumentParser) -> None:
    """Options of the video."""
    group = parser.add_argument_group("film")
    group.add_argument(
        "-o",
        "--out",
        required=True,
        metavar="OUT.mp4",
        help="the video to write (.mp4, .mov, .mkv; .webm keeps what is transparent in the photo)",
    )
    add = partial(add_setting, group, RenderingSettings)
    size = "side of the portrait, by default the crop's own, at least 256"
    add("--size", "size", size, none=PHOTO, metavar="PIXELS")
    group.add_argument("--paste-back", action="store_true", help="the whole photo with the moving face in it")
    mode = (
        "relative: to the photo's own pose, parted lips closing for a voice (keep_lips: not); absolute: the driver's "
    )
    add("--motion", "mode", mode + "own; expression: the driver's expression, the photo's pose")
    add("--gain", "gain", "factor on the motion")
    add("--articulation", "articulation", "how strongly the generated mouth articulates")
    add_fresh(group)
    group.add_argument("--save-motion", metavar="FILE", help="keep the motion as well (.safetensors)")
    group.add_argument("--mark", action="store_true", help="write a small 'AI generated' into a corner")
    add("--quality", "quality", "x264's rate factor, lower is better")
    add("--batch", "batch", "frames rendered at once")
    motion_changes.add_changes(parser)


@dataclass
class Portrait:
    """An encoded portrait, its crop and its photo."""

    photo: object  # (H,W,3)
    crop: object
    source: object
    appearance: object


def framing(options: argparse.Namespace) -> dict[str, float]:
    """The options of the crop that were given; the others have the framing's defaults."""
    from ..media.crop import HALF_SCALE, HALF_SHIFT

    usual = {"scale": HALF_SCALE, "shift": HALF_SHIFT} if options.framing == "half" else {}
    given = {name: getattr(options, name) for name in ("scale", "shift") if getattr(options, name) is not None}
    return usual | given


def check_film(out: str, also: tuple[str, ...] = ()) -> None:
    """Refuse a wrong name of a film, and a place that cannot be written. also: other endings that are allowed."""
    from ..files import check_place
    from ..media.video import CONTAINERS

    endings = (*CONTAINERS, *ALPHA, *also)
    if Path(out).suffix.lower() not in endings:
        raise ValueError(f"--out {out}: name a video file that ends in {', '.join(endings)}.")
    check_place(out)


def check_out(options: argparse.Namespace, also: tuple[str, ...] = ()) -> None:
    """`check_film`, and what else of a portrait's film can be refused before any work is done."""
    from ..files import check_place

    check_film(options.out, also)
    if Path(options.out).suffix.lower() in ALPHA and options.paste_back:
        raise ValueError("--paste-back gives the whole photo, which is opaque: leave it out, or write .mp4.")
    motion_changes.additions(options)
    if options.save_motion:
        check_place(options.save_motion)


def load_networks(options: argparse.Namespace, machine: Machine, stages: Stages, framing: str = "head") -> tuple:
    """The renderer and the motion model that speaks its language, on the machine's device."""
    from ..media.motion import check_language
    from ..model_loaders.checkpoint import load_motion_model, load_renderer

    with stages("load the networks"):
        renderer = load_renderer(options.renderer, framing, options.person).to(machine.device)
        model = load_motion_model(options.motion_model, framing, options.person).to(machine.device)
        check_language(model.motion_language, renderer)
    return renderer, model


def portrait_of(options: argparse.Namespace, renderer, machine: Machine, stages: Stages) -> Portrait:
    """Photo -> face -> crop -> source and appearance."""
    from ..media.crop import cut
    from ..media.photo import load_cutout, load_photo
    from ..pipelines import portrait
    from ..pipelines.framing import frame_portrait

    with stages("find the face"):
        alpha = None
        if Path(options.out).suffix.lower() in (*ALPHA, ".png") and not options.paste_back:
            photo, alpha = load_cutout(options.photo)
        else:
            photo = load_photo(options.photo)
        framed = frame_portrait(
            photo, finder=options.finder, box=options.box, which=options.which_face, **framing(options)
        )
    face, (height, width) = framed.face, framed.picture.shape[:2]
    print(f"{_found(face, framed.faces)} The portrait is a square of {width} x {height} pixels around it.")
    with stages("encode the source"):
        clear = None if alpha is None else cut(alpha[..., None], framed.crop)[..., 0]
        placement = {"bf16": machine.bf16, "keep_on": machine.device}
        source = portrait.encode_source(renderer, framed.picture, alpha=clear, **placement)
    with stages("appearance"):
        appearance = portrait.extract_appearance(renderer, source, bf16=machine.bf16, keep_on=machine.device)
    return Portrait(photo, framed.crop, source, appearance)


def _found(face, count: int) -> str:
    """A sentence about the face that is animated."""
    if face.finder == "whole":
        return "The whole photo is taken as the face."
    if face.finder == "box":
        return f"The face is the given box, {round(face.size)} pixels wide."
    many = "1 face is" if count == 1 else f"{count} faces are"
    return f"{many} in the photo; the one that is animated is {round(face.size)} pixels wide (finder: {face.finder})."


def write_film(
    options: argparse.Namespace, renderer, face: Portrait, motion, sound, machine: Machine, stages: Stages
) -> Path:
    """Render, paste back if wanted, encode; one batch of frames at a time, after those that an earlier run of the same
    film finished. sound: a SoundFile, or None."""
    from ..media.motion import save_motion
    from ..pipelines import rendering
    from ..pipelines.forecast import of_rendering
    from ..pipelines.resuming import assemble_in_pieces, film_key, rendered_length

    settings = chosen(options, RenderingSettings)
    motion = motion_changes.changed(options, renderer, motion)
    if options.save_motion:
        save_motion(options.save_motion, motion)
    pasted = (face.photo, face.crop) if options.paste_back else ()
    finish = partial(_pasted, face) if options.paste_back else iter
    values = (renderer, face.source, face.appearance, motion, settings)
    key = film_key(*values, pasted, motion.fps, machine.bf16, options.mark, Path(options.out).suffix)

    def frames_from(first: int) -> Iterator:
        forecast = of_rendering(*values, bf16=machine.bf16, finish=finish, first=first)
        with stages("render"):
            print(forecast.text())
        with progress("frames", "frame") as bar:
            frames = stages.each("render", rendering.render(*values, first=first, bf16=machine.bf16, progress=bar))
            yield from forecast.timed(stages.each("paste back", finish(frames)) if options.paste_back else frames)

    work = unfinished(options, key, rendered_length(renderer, settings))
    with stages("encode the video"), work:
        how = {"sound": sound, "mark": options.mark, "quality": settings.quality}
        path = assemble_in_pieces(options.out, frames_from, motion.fps, work, **how)
    print(stages.report(motion.frames, motion.duration))
    print(path)
    return path


def unfinished(options: argparse.Namespace, key: str, length: int):
    """What an earlier run finished of the film --out, whose frames depend on `key`."""
    from ..unfinished import Unfinished, folder_of

    return Unfinished(folder_of(options.out), key, Path(options.out).name, length, "frames", fresh=options.fresh)


def add_fresh(group) -> None:
    """--fresh."""
    group.add_argument(
        "--fresh", action="store_true", help="begin anew where an earlier run of the same film was broken off"
    )


def _pasted(face: Portrait, frames: Iterator) -> Iterator:
    from ..media.crop import paste_back

    for batch in frames:
        for frame in batch:  # one by one: the photo may be large
            yield paste_back(face.photo, frame[None], face.crop)
