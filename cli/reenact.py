"""reenact: a photo and a driving video."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..vocabulary import LENGTH_MODES
from . import film
from .import_motion import add_capture, captured
from .options import Machine, add_machine, add_networks, box, command, importing, seconds, use_machine
from .stages import Stages, progress

REMEDY = "give its place with --driving-box, or say --driving-finder whole if the video is cut to a face already"
RECORDED = (".safetensors", ".csv", ".npz", ".npy")


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "reenact",
        "animate a photo with the motion of a face in a video",
        run,
        """
reenact photo.jpg driving.mp4 -o moved.mp4
reenact photo.jpg driving.mp4 -o moved.mp4 --gain 1.3 --paste-back
reenact photo.jpg cropped.mp4 -o moved.mp4 --driving-finder whole
reenact photo.jpg driving.mp4 -o moved.mp4 --start 2.5 --seconds 10
reenact photo.jpg MySlate_1_iPhone_cal.csv --sound take.wav -o moved.mp4
reenact photo.jpg filmed.mp4 -o moved.mp4 --follow --neutral found
reenact photo.jpg driving.mp4 -o song.mp4 --sound song.mp3 --length loop
""",
    )
    parser.add_argument("photo", metavar="PHOTO", help="any picture with a face in it")
    parser.add_argument(
        "video",
        metavar="VIDEO",
        help="a video of one face that stays in about the same place; or a captured face, as of import-motion, or a "
        "motion file",
    )
    film.add_film(parser)
    film.add_face(parser)
    group = parser.add_argument_group("driving video")
    group.add_argument("--driving-finder", default="auto", help="face finder; whole: the video is cropped already")
    group.add_argument("--driving-box", type=box, metavar="X0,Y0,X1,Y1", help="the face's box in its first frame")
    group.add_argument("--driving-face", default="largest", metavar="WHICH", help="as --which-face, in its first frame")
    group.add_argument("--start", type=seconds, default=0.0, metavar="SECONDS", help="begin later in the video")
    group.add_argument("--seconds", type=seconds, metavar="SECONDS", help="length of the part (default: to the end)")
    group.add_argument("--follow", action="store_true", help="the crop follows the face; a face that is lost is held")
    group.add_argument(
        "--neutral",
        type=neutral,
        default="first",
        metavar="FRAME",
        help="the face that expressions are told from: first, found (the most neutral frames), or SECONDS",
    )
    group.add_argument("--sound", metavar="FILE", help="another sound than the video's own, or a capture's")
    group.add_argument(
        "--length",
        choices=LENGTH_MODES,
        default="cut",
        help="where --sound lasts longer than the motion: cut (it ends with it), hold, loop, bounce; or retime the "
        "motion to it; what is too long is cut",
    )
    add_capture(parser.add_argument_group("captured face"), "--capture-neutral")
    add_networks(parser, motion_model=False)
    add_machine(parser)
    return parser


def neutral(text: str) -> str | float:
    """first, found, or seconds."""
    return text if text in ("first", "found") else seconds(text)


def run(options: argparse.Namespace) -> None:
    """Run the command; prints how long each stage took, and the file."""
    with importing():
        from ..media.audio import frame_count
        from ..media.motion_length import fit_length
        from ..media.sound_file import SoundFile, film_sound
        from ..media.video import probe_video
        from ..model_loaders.checkpoint import load_renderer

    film.check_out(options)
    if Path(options.video).suffix.lower() in RECORDED:
        _run_recorded(options)
        return
    stages = Stages()
    with use_machine(options) as machine:
        info = probe_video(options.video)
        with stages("load the networks"):
            renderer = load_renderer(options.renderer, options.framing, options.person).to(machine.device)
        face = film.portrait_of(options, renderer, machine, stages)
        motion = _encode_driving_video(options, info, renderer, machine, stages)
        sound = film_sound(options.video, info.zero, options.start, options.seconds) if info.has_audio else None
        if options.sound:
            sound = SoundFile(options.sound)
            motion = fit_length(motion, max(1, frame_count(sound.samples(), sound.rate, motion.fps)), options.length)
        film.write_film(options, renderer, face, motion, sound, machine, stages)


def _run_recorded(options: argparse.Namespace) -> None:
    """A capture or a motion file in place of a video."""
    from ..media.motion import load_motion
    from ..media.sound_file import SoundFile
    from ..model_loaders.checkpoint import load_renderer

    stages = Stages()
    with use_machine(options) as machine:
        with stages("load the networks"):
            renderer = load_renderer(options.renderer, options.framing, options.person).to(machine.device)
        sound = SoundFile(options.sound) if options.sound else None
        with stages("read the motion"):
            saved = Path(options.video).suffix.lower() == RECORDED[0]
            motion = load_motion(options.video) if saved else captured(options, options.video, renderer)
        face = film.portrait_of(options, renderer, machine, stages)
        film.write_film(options, renderer, face, motion, sound, machine, stages)


def _encode_driving_video(options: argparse.Namespace, info, renderer, machine: Machine, stages: Stages):
    """Video -> Motion."""
    from ..media.video import read_video
    from ..pipelines import portrait
    from ..pipelines.framing import frame_video
    from ..pipelines.neutral import with_neutral

    if options.follow:
        return _followed(options, info, renderer, machine, stages)
    length = info.duration - options.start if options.seconds is None else options.seconds
    most = None if options.seconds is None else max(1, round(options.seconds * info.fps))
    frames = read_video(options.video, info.fps, options.start, most, info.zero)
    frames = stages.each("read the video", frames)
    with stages("find the face"):
        _, pictures = frame_video(
            frames,
            finder=options.driving_finder,
            box=options.driving_box,
            which=options.driving_face,
            remedy=REMEDY,
            **film.framing(options),
        )
    with stages("encode the motion"), progress("motion", "frame") as bar:
        motion = portrait.encode_driving_video(
            renderer,
            pictures,
            info.fps,
            bf16=machine.bf16,
            total=max(0, round(length * info.fps)) or None,
            progress=bar,
        )
    return with_neutral(motion, renderer, options.neutral)


def _followed(options: argparse.Namespace, info, renderer, machine: Machine, stages: Stages):
    """Video -> Motion, with a crop that follows the face; prints where it was lost."""
    from ..media.video import read_video
    from ..pipelines.followed_driving import follow_driving

    if options.driving_box or options.driving_finder in ("box", "whole"):
        raise ValueError("--follow finds the face in every scene: leave out --driving-box, or leave out --follow.")
    most = None if options.seconds is None else max(1, round(options.seconds * info.fps))
    with stages("follow and encode the face"), progress("face", "frame") as bar:
        followed = follow_driving(
            renderer,
            lambda: read_video(options.video, info.fps, options.start, most, info.zero),
            info.fps,
            finder=options.driving_finder,
            which=options.driving_face,
            neutral=options.neutral,
            bf16=machine.bf16,
            progress=bar,
        )
    print(followed.report())
    return followed.motion
