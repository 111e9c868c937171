"""animate: a photo and a voice."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from ..pipelines.settings import AUTO, LANGUAGE, PHONE_SETS, LipSettings, SamplingSettings
from . import film
from .options import Machine, add_machine, add_networks, command, importing, use_machine
from .settings import add_setting, chosen
from .stages import Stages, progress


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "animate",
        "make a photo speak with a recorded voice",
        run,
        """
animate photo.jpg voice.wav -o talking.mp4
animate group.jpg voice.mp3 -o group.mp4 --which-face left --paste-back
animate photo.jpg voice.wav -o calm.mp4 --size 512 --gain 0.8 --seed 3
animate speaker.jpg voice.wav -o gesturing.mp4 --framing half
animate painting.png voice.wav -o out.mp4 --box 210,140,420,350 --mark
animate photo.jpg voice.wav -o exact.mp4 --phones voice.TextGrid
animate photo.jpg voice.wav -o said.mp4 --phones voice.srt --language de
animate photo.jpg one.wav two.wav three.wav -o films/{voice}.mp4
""",
    )
    parser.add_argument("photo", metavar="PHOTO", help="any picture with a face in it")
    parser.add_argument(
        "voice",
        metavar="VOICE",
        nargs="+",
        help="any sound or video file with speech in it; several make a film each, named by {voice} in --out",
    )
    film.add_film(parser)
    film.add_face(parser)
    add_speech(parser)
    _add_phones(parser)
    add_networks(parser, motion_model=True)
    add_machine(parser)
    return parser


def add_speech(parser: argparse.ArgumentParser) -> None:
    """Options of the voice's motion."""
    group = parser.add_argument_group("speech")
    add = partial(add_setting, group, SamplingSettings)
    add("--seed", "seed", "seed of the noise; another one gives another performance")
    add("--steps", "steps", "solver steps a window")
    add("--solver", "solver", "dpmpp_2m needs the fewest steps; ddim is plain; ddpm is the original, needs hundreds")
    add("--guidance", "audio_guidance", "guidance scale of the voice")
    add("--appearance-guidance", "appearance_guidance", "guidance scale of the appearance")
    add("--mode", "mode", "how long audio is cut: one window after another, overlapping, short ones, or frame by frame")
    add("--window", "window", "frames denoised at once")
    add("--overlap", "overlap", "frames that windows share, with --mode overlap")
    group.add_argument("--style", metavar="VOICE", help="use the speaking style of another recording")


def _add_phones(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("phones", "lips by times that are known, head, brows and eyes by the voice")
    group.add_argument(
        "--phones", metavar="FILE", help="a Praat TextGrid, or an SRT, a VTT or a JSON of words (needs espeak-ng)"
    )
    group.add_argument("--lips-only", action="store_true", help="with --phones: a head that is still")
    group.add_argument("--language", default=LANGUAGE, help="of words: a language of espeak-ng (%(default)s)")
    group.add_argument("--phone-set", choices=PHONE_SETS, default=AUTO, help="how phones are written (%(default)s)")
    add = partial(add_setting, group, LipSettings)
    add("--openness", "openness", "factor on how far the lips open")
    add("--width", "width", "factor on how far they round and spread")
    add("--late", "late", "seconds by which they follow the times")
    add("--share", "share", "of the phones in the lips, the rest is the voice's; closures are the phones'")


def run(options: argparse.Namespace) -> None:
    """Run the command; prints how long each stage took, and the file."""
    with importing():
        from ..media.sound_file import SoundFile
        from ..pipelines import speaking

    settings, stages, films = chosen(options, SamplingSettings), Stages(), _films(options)
    if options.phones and len(films) > 1:
        raise ValueError(f"--phones holds the times of one voice, and there are {len(films)}: animate them one by one.")
    for one in films:
        film.check_out(one)
    sounds = [SoundFile(one.voice) for one in films]
    with use_machine(options) as machine:
        renderer, model = film.load_networks(options, machine, stages, options.framing)
        face = film.portrait_of(options, renderer, machine, stages)
        for one, sound in zip(films, sounds, strict=True):
            with stages("read the voice"):
                voice = speaking.prepare_voice_file(sound)
            motion = _motion(one, renderer, model, voice, face, settings, machine, stages)
            film.write_film(one, renderer, face, motion, sound, machine, stages)
            stages = Stages()


def _motion(options: argparse.Namespace, renderer, model, voice, face, settings, machine: Machine, stages: Stages):
    """The motion of a voice, of phones alone, or of both."""
    from ..pipelines.phones import phones_to_motion

    phones = _read_phones(options, voice) if options.phones else None
    if phones and options.lips_only:
        return phones_to_motion(phones, renderer, chosen(options, LipSettings), frames=voice.frames)
    motion = generate_motion(model, voice, options.style, face.appearance, settings, machine, stages)
    return phones_to_motion(phones, renderer, chosen(options, LipSettings), voice=motion) if phones else motion


def _films(options: argparse.Namespace) -> list[argparse.Namespace]:
    """The options of each voice's film. ValueError where two would have one name."""
    if len(options.voice) == 1:
        return [argparse.Namespace(**vars(options) | {"voice": options.voice[0]})]
    found = []
    for voice in options.voice:
        named = {"out": options.out, "save_motion": options.save_motion}
        named = {key: name and name.replace("{voice}", Path(voice).stem) for key, name in named.items()}
        found.append(argparse.Namespace(**vars(options) | named | {"voice": voice}))
    for name in ("out", "save_motion"):
        places = [getattr(one, name) for one in found]
        if places[0] and len(set(places)) < len(places):
            raise ValueError(
                f"--{name.replace('_', '-')} must name a file for each of the {len(found)} voices: write {{voice}} "
                "where its name should stand, and give voices of different names."
            )
    return found


def _read_phones(options: argparse.Namespace, voice):
    """The phones of --phones. FileNotFoundError where there is no such file."""
    from ..pipelines.phones import read_lips

    path = Path(options.phones)
    if not path.is_file():
        raise FileNotFoundError(f"--phones {path}: there is no such file.")
    return read_lips(
        path.read_bytes(),
        path.name,
        language=options.language,
        phone_set=options.phone_set,
        sound=voice.waveform,
    )


def generate_motion(
    model,
    voice,
    style_file: str | None,
    appearance,
    settings: SamplingSettings,
    machine: Machine,
    stages: Stages,
):
    """Voice -> Motion, for the looks of a face (None: any); prints about how long it takes."""
    from ..media.sound_file import SoundFile
    from ..pipelines import speaking
    from ..pipelines.forecast import of_sampling

    placement = {"bf16": machine.bf16, "keep_on": machine.device}
    with stages("encode the whole voice"):
        global_audio = speaking.extract_global_audio(model, voice, **placement)
        style = None
        if style_file:
            other = speaking.prepare_voice_file(SoundFile(style_file))
            style = speaking.extract_global_audio(model, other, **placement)
    with stages("encode its sounds"):
        local_audio = speaking.extract_local_audio(model, voice, **placement)
    values = (model, global_audio, local_audio, appearance, settings)
    with stages("sample the motion"), of_sampling(*values, bf16=machine.bf16).told(print):
        with progress("motion", "step") as bar:
            return speaking.generate_motion(*values, style=style, bf16=machine.bf16, progress=bar)
