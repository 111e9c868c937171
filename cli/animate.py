"""animate: a photo and a voice."""

from __future__ import annotations

import argparse

from . import film
from .options import add_machine, add_networks, command, positive_int, use_machine
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
animate painting.png voice.wav -o out.mp4 --box 210,140,420,350 --mark
""",
    )
    parser.add_argument("photo", metavar="PHOTO", help="any picture with a face in it")
    parser.add_argument("voice", metavar="VOICE", help="any sound or video file with speech in it")
    film.add_film(parser)
    film.add_face(parser)
    _add_speech(parser)
    add_networks(parser, motion_model=True)
    add_machine(parser)
    return parser


def _add_speech(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("speech")
    group.add_argument("--seed", type=int, default=0, help="another seed, another performance (%(default)s)")
    group.add_argument("--steps", type=positive_int, default=12, help="solver steps a window (%(default)s)")
    group.add_argument("--solver", choices=("dpmpp_2m", "ddim", "ddpm"), default="dpmpp_2m")
    group.add_argument("--guidance", type=float, default=1.5, help="how much the voice commands (%(default)s)")
    group.add_argument(
        "--appearance-guidance", type=float, default=1.0, help="how much the face shapes the motion (%(default)s)"
    )
    group.add_argument(
        "--mode",
        choices=("window", "overlap", "stream", "strict"),
        default="window",
        help="how long audio is cut: one window after another, overlapping, short ones, or frame by frame",
    )
    group.add_argument("--window", type=positive_int, default=80, help="frames made at once (%(default)s)")
    group.add_argument("--overlap", type=int, default=20, help="frames that windows share, with --mode overlap (20)")
    group.add_argument("--style", metavar="VOICE", help="borrow the way of speaking of another recording")


def run(options: argparse.Namespace) -> None:
    """Do it; prints how long each stage took, and the file."""
    from ..media.audio import load_audio
    from ..media.motion import check_language
    from ..model_loaders.checkpoint import load_motion_model, load_renderer

    film.check_out(options)
    stages = Stages()
    with use_machine(options) as machine:
        with stages("read the voice"):
            waveform, rate = load_audio(options.voice)
        with stages("load the networks"):
            renderer = load_renderer(options.renderer).to(machine.device)
            model = load_motion_model(options.motion_model).to(machine.device)
            check_language(model.motion_language, renderer)
        face = film.portrait_of(options, renderer, machine, stages)
        motion = _speak(options, model, waveform, rate, face, machine, stages)
        film.write_film(options, renderer, face, motion, {"waveform": waveform, "rate": rate}, machine, stages)


def _speak(options: argparse.Namespace, model, waveform, rate: int, face, machine, stages: Stages):
    """Voice -> Motion."""
    from ..media.audio import load_audio
    from ..pipelines import portrait

    with stages("read the voice"):
        voice = portrait.prepare_voice(waveform, rate)
    with stages("Mamba-g"):
        heard = portrait.listen_globally(model, voice, bf16=machine.bf16, keep_on=machine.device)
        style = None
        if options.style:
            other = portrait.prepare_voice(*load_audio(options.style))
            style = portrait.listen_globally(model, other, bf16=machine.bf16, keep_on=machine.device)
    with stages("Mamba-l"):
        local = portrait.listen_locally(model, voice, bf16=machine.bf16, keep_on=machine.device)
    with stages("sample the motion"), progress("motion", "step") as bar:
        return portrait.speak(
            model,
            heard,
            local,
            face.appearance,
            style=style,
            bf16=machine.bf16,
            progress=bar,
            steps=options.steps,
            solver=options.solver,
            audio_guidance=options.guidance,
            appearance_guidance=options.appearance_guidance,
            mode=options.mode,
            window=options.window,
            overlap=options.overlap,
            seed=options.seed,
        )
