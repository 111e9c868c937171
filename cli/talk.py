"""talk: a photo of two people and a voice for each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial

from ..pipelines.settings import Range, RenderingSettings, SamplingSettings
from . import film
from .animate import add_speech, generate_motion
from .options import Machine, add_machine, add_networks, box, command, number, use_machine
from .settings import add_setting, chosen
from .stages import Stages, progress

PAUSE = Range(0.0, 60.0)


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "talk",
        "make two people of a photo talk with each other",
        run,
        """
talk two.jpg first.wav second.wav -o talk.mp4
talk two.jpg first.wav second.wav -o talk.mp4 --order recorded
talk two.jpg both.wav -o talk.mp4 --times "1: 0-2.4, 2: 2.4-5"
talk group.jpg first.wav second.wav -o talk.mp4 --faces 0,2
""",
    )
    parser.add_argument("photo", metavar="PHOTO", help="a photo of two or more people")
    parser.add_argument("voice", metavar="VOICE", help="the first one's voice, or one recording of both, with --times")
    parser.add_argument("second", metavar="VOICE2", nargs="?", help="the second one's voice")
    _add_conversation(parser)
    add_speech(parser)
    add_networks(parser, motion_model=True)
    add_machine(parser)
    return parser


def _add_conversation(parser: argparse.ArgumentParser) -> None:
    from ..pipelines.settings import ListeningSettings

    group = parser.add_argument_group("conversation")
    group.add_argument("-o", "--out", required=True, metavar="OUT.mp4", help="the video to write (.mp4, .mov, .mkv)")
    group.add_argument(
        "--faces",
        default="left,right",
        metavar="FIRST,SECOND",
        help="left, right, center, largest, or numbers, 0 is the largest (default left,right)",
    )
    group.add_argument("--box-1", type=box, metavar="X0,Y0,X1,Y1", help="the first face's box, in place of --faces")
    group.add_argument("--box-2", type=box, metavar="X0,Y0,X1,Y1", help="the second face's box")
    group.add_argument("--finder", default="auto", help="face finder")
    group.add_argument(
        "--order",
        choices=("turns", "recorded"),
        default="turns",
        help="turns: the second voice begins when the first has ended; recorded: both from the beginning",
    )
    group.add_argument("--pause", type=number(PAUSE), default=0.3, metavar="SECONDS", help="between two turns")
    group.add_argument("--times", default="", help='who speaks when in one recording, such as "1: 0-2.4, 2: 2.4-5"')
    add = partial(add_setting, group)
    add(ListeningSettings, "--listening", "amount", "factor on what a listener does")
    add(RenderingSettings, "--gain", "gain", "factor on the motion")
    add(RenderingSettings, "--quality", "quality", "x264's rate factor, lower is better")
    add(RenderingSettings, "--batch", "batch", "frames rendered at once")
    film.add_fresh(group)
    group.add_argument("--mark", action="store_true", help="write a small 'AI generated' into a corner")


def run(options: argparse.Namespace) -> None:
    """Run the command; prints who was found where, how long each stage took, and the file."""
    from ..pipelines import speaking

    film.check_film(options.out)
    stages, sampling = Stages(), chosen(options, SamplingSettings)
    with use_machine(options) as machine:
        with stages("read the voices"):
            *tracks, rate = _tracks(options)
        renderer, model = film.load_networks(options, machine, stages)
        photo, faces = _faces(options, renderer, machine, stages)
        motions = []
        for (crop, _, appearance), track in zip(faces, tracks, strict=True):
            voice = speaking.prepare_voice(track, rate)
            motion = generate_motion(model, voice, options.style, appearance, sampling, machine, stages)
            others = [other for other, *_ in faces if other is not crop]
            motions.append(_listening(options, renderer, motion, track, rate, crop, others[0], len(motions)))
        _write(options, renderer, photo, faces, motions, (sum(tracks), rate), machine, stages)


def _tracks(options: argparse.Namespace):
    from ..media.audio import load_audio
    from ..media.turns import ORDERS, split_by_times, two_tracks

    first = load_audio(options.voice)
    if options.second:
        return two_tracks(first, load_audio(options.second), ORDERS[options.order == "turns"], options.pause)
    if not options.times.strip():
        raise ValueError("talk needs a second voice, or --times of who speaks when in the first.")
    return *split_by_times(*first, options.times), first[1]


def _faces(options: argparse.Namespace, renderer, machine: Machine, stages: Stages):
    """The photo, and (crop, source, appearance) of both faces."""
    from ..media.photo import load_photo
    from ..pipelines import portrait
    from ..pipelines.framing import frame_portrait

    names = options.faces.split(",")
    if len(names) != 2:
        raise ValueError(f"--faces {options.faces}: give two, such as left,right.")
    photo, placed, found = load_photo(options.photo), {"bf16": machine.bf16, "keep_on": machine.device}, []
    for name, given in zip(names, (options.box_1, options.box_2), strict=True):
        with stages("find the faces"):
            framed = frame_portrait(photo, finder=options.finder, box=given, which=name.strip())
        with stages("encode the sources"):
            source = portrait.encode_source(renderer, framed.picture, **placed)
            found.append((framed.crop, source, portrait.extract_appearance(renderer, source, **placed)))
    if found[0][0] == found[1][0]:
        raise ValueError("Both voices went to one and the same face: choose two with --faces, --box-1 and --box-2.")
    print("Faces at " + " and ".join(f"({c.x0 + c.size // 2}, {c.y0 + c.size // 2})" for c, *_ in found) + ".")
    return photo, found


def _listening(options: argparse.Namespace, renderer, motion, track, rate: int, own, other, seed: int):
    from ..pipelines.conversation import side_of_other
    from ..pipelines.listening import ListeningSettings, listen

    settings = ListeningSettings(amount=chosen(options, ListeningSettings).amount, seed=seed)
    return listen(motion, renderer, track, rate, side_of_other(own, other), settings)


def _write(options, renderer, photo, faces, motions, sound, machine: Machine, stages: Stages) -> None:
    from ..pipelines.conversation import film_of_people
    from ..pipelines.forecast import of_rendering
    from ..pipelines.resuming import assemble_in_pieces, film_key, rendered_length

    settings, crops = chosen(options, RenderingSettings), [crop for crop, *_ in faces]
    people = [(renderer, *face[1:], motion, settings) for face, motion in zip(faces, motions, strict=True)]
    key = film_key(people, photo, crops, machine.bf16, options.mark)

    def frames_from(first: int) -> Iterator:
        forecast = of_rendering(*people[0], bf16=machine.bf16, people=len(people), first=first)
        with stages("render"):
            print(forecast.text())
        with progress("frames", "frame") as bar:
            pictures = film_of_people(photo, crops, people, first=first, bf16=machine.bf16, progress=bar)
            yield from forecast.timed(stages.each("render", pictures))

    work = film.unfinished(options, key, rendered_length(renderer, settings))
    with stages("encode the video"), work:
        how = {"waveform": sound[0], "rate": sound[1], "mark": options.mark, "quality": settings.quality}
        path = assemble_in_pieces(options.out, frames_from, motions[0].fps, work, **how)
    print(stages.report(motions[0].frames, motions[0].duration))
    print(path)
