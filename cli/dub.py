"""dub: a film and a new voice."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from ..pipelines.settings import Range, RenderingSettings, SamplingSettings
from . import film
from .animate import add_speech, generate_motion
from .options import Machine, add_machine, add_networks, command, number, seconds, use_machine
from .settings import add_setting, chosen
from .stages import Stages, progress

VOLUME = Range(0.0, 2.0)


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "dub",
        "give a filmed face another voice; the mouth follows it, the rest stays as filmed",
        run,
        """
dub film.mp4 voice.wav -o dubbed.mp4
dub film.mp4 voice.wav -o dubbed.mp4 --film-sound 0.2
dub film.mp4 voice.wav -o dubbed.mp4 --other-sound music.wav --begin 1.5
dub two.mp4 voice.wav -o dubbed.mp4 --which-face left --start 10 --seconds 20
""",
    )
    parser.add_argument("video", metavar="VIDEO", help="a film with a face in it, a camera's or a generator's")
    parser.add_argument("voice", metavar="VOICE", help="any sound or video file with speech in it")
    _add_film(parser)
    add_speech(parser)
    add_networks(parser, motion_model=True)
    add_machine(parser)
    return parser


def _add_film(parser: argparse.ArgumentParser) -> None:
    from ..pipelines.settings import DubbingSettings

    group = parser.add_argument_group("film")
    group.add_argument("-o", "--out", required=True, metavar="OUT.mp4", help="the video to write (.mp4, .mov, .mkv)")
    group.add_argument("--finder", default="auto", help="face finder")
    group.add_argument(
        "--which-face",
        default="largest",
        metavar="WHICH",
        help="at the beginning of each shot: largest, left, right, center, or a number (0 is the largest)",
    )
    group.add_argument("--start", type=seconds, default=0.0, metavar="SECONDS", help="begin later in the film")
    group.add_argument("--seconds", type=seconds, metavar="SECONDS", help="length of the part (default: to the end)")
    add_setting(group, DubbingSettings, "--begin", "begin", "second of the part at which the voice begins")
    add_setting(group, DubbingSettings, "--gain", "gain", "factor on the motion of the mouth")
    add_setting(group, DubbingSettings, "--articulation", "articulation", "how strongly the mouth articulates")
    volume = partial(group.add_argument, type=number(VOLUME), metavar="VOLUME")
    volume("--film-sound", default=0.0, help="volume of the film's own sound under the voice (default 0: replaced)")
    group.add_argument("--other-sound", metavar="FILE", help="music and noises of the film, kept at full volume")
    film.add_fresh(group)
    group.add_argument("--mark", action="store_true", help="write a small 'AI generated' into a corner")
    add_setting(group, RenderingSettings, "--quality", "quality", "x264's rate factor, lower is better")


def run(options: argparse.Namespace) -> None:
    """Run the command; prints what was dubbed and what was left as filmed, how long each stage took, and the file."""
    from ..media.sound_file import SoundFile
    from ..media.video import probe_video
    from ..pipelines import speaking

    film.check_film(options.out)
    stages, sampling = Stages(), chosen(options, SamplingSettings)
    with use_machine(options) as machine:
        with stages("read the voice"):
            voice = speaking.prepare_voice_file(SoundFile(options.voice))
            info = probe_video(options.video)
        renderer, model = film.load_networks(options, machine, stages)
        motion = generate_motion(model, voice, options.style, None, sampling, machine, stages)
        _write(options, info, renderer, motion, machine, stages)


def _write(options: argparse.Namespace, info, renderer, motion, machine: Machine, stages: Stages) -> None:
    from ..media.video import read_video
    from ..pipelines.dubbing import dub
    from ..pipelines.face_reading import read_face
    from ..pipelines.forecast import of_dubbing
    from ..pipelines.resuming import assemble_in_pieces, film_key, piece_length
    from ..pipelines.settings import DubbingSettings
    from ..pipelines.tracking import track_face

    most = None if options.seconds is None else max(1, round(options.seconds * info.fps))
    length = info.duration - options.start if options.seconds is None else options.seconds

    def read():
        return islice(read_video(options.video, info.fps, options.start, most, info.zero), most)

    total = max(0, round(length * info.fps)) or None
    with stages("follow the face"), progress("face", "frame") as bar:
        track = track_face(read(), info.fps, finder=options.finder, which=options.which_face, total=total, progress=bar)
    with stages("read the face"), progress("lips", "frame") as bar:
        face = read_face(renderer, read(), track, bf16=machine.bf16, progress=bar)
    print(face.report)
    settings, quality = chosen(options, DubbingSettings), chosen(options, RenderingSettings).quality
    file = Path(options.video).stat()
    part = (file.st_size, file.st_mtime_ns, options.start, options.seconds)
    key = film_key(renderer, track.shots, face, motion, settings, part, machine.bf16, options.mark, quality)

    def frames_from(first: int) -> Iterator:
        print(of_dubbing(renderer, track, machine.bf16, first).text())
        with progress("frames", "frame") as bar:
            more = {"first": first, "bf16": machine.bf16, "progress": bar}
            yield from stages.each("draw the mouth", dub(renderer, read, track, face, motion, settings, **more))

    with stages("encode the video"), film.unfinished(options, key, piece_length()) as work:
        how = {"sound": _sound(options, info), "mark": options.mark, "quality": quality}
        path = assemble_in_pieces(options.out, frames_from, info.fps, work, **how)
    print(stages.report(track.frames, float(track.frames / info.fps)))
    print(path)


def _sound(options: argparse.Namespace, info):
    """The voice in its place, with what is kept of the film's own sound."""
    from ..media.mixed_sound import MixedSound
    from ..media.sound_file import SoundFile, film_sound
    from ..pipelines.settings import DubbingSettings

    begin = chosen(options, DubbingSettings).begin
    parts = [(SoundFile(options.voice, late=begin), 1.0)]
    if options.film_sound and info.has_audio:
        own = film_sound(options.video, info.zero, options.start, options.seconds)
        parts += [(own, options.film_sound)] if own is not None else []
    if options.other_sound:
        parts.append((SoundFile(options.other_sound, late=-options.start), 1.0))
    return parts[0][0] if len(parts) == 1 else MixedSound(parts)
