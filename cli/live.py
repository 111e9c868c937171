"""live: a portrait that speaks while somebody does."""

from __future__ import annotations

import argparse
import json
import threading
import time
from functools import partial
from pathlib import Path

from ..pipelines.settings import LiveSettings, Range, RenderingSettings
from . import film
from .options import add_machine, add_networks, command, number, seconds, use_machine
from .settings import add_setting, chosen
from .stages import Stages

PORT = Range(0, 65535)
REPORTS = 10.0  # seconds between lines of a report
PIECE = 1600  # samples that are sent at once: 100 ms


def add(commands) -> argparse.ArgumentParser:
    """Declare the command."""
    parser = command(
        commands,
        "live",
        "a portrait that speaks what the microphone hears, on a page of this machine",
        run,
        """
live photo.jpg
live photo.jpg --sound voice.wav --seconds 600 --report live.jsonl
live photo.jpg --host 0.0.0.0 --port 8765 --size 384
""",
    )
    parser.add_argument("photo", metavar="PHOTO", help="any picture with a face in it")
    parser.add_argument("--host", default="127.0.0.1", help="address of the page (%(default)s: this machine alone)")
    parser.add_argument("--port", type=number(PORT), default=8765, help="of the page; 0 takes a free one (%(default)s)")
    parser.add_argument("--sound", metavar="FILE", help="speak a file at its own speed, in place of the microphone")
    parser.add_argument(
        "--seconds", type=seconds, metavar="SECONDS", help="of the file, said again and again till then"
    )
    parser.add_argument("--report", metavar="FILE.jsonl", help="write how it goes, a line every 10 seconds")
    film.add_face(parser)
    group = parser.add_argument_group("live")
    add = partial(add_setting, group, LiveSettings)
    add("--chunk", "chunk", "frames that are sampled at once; fewer are said sooner")
    add("--ahead", "ahead", "frames of sound that are heard before a frame is made; more follow the lips better")
    add("--steps", "steps", "solver steps of the head; the lips do not depend on them")
    add("--seed", "seed", "of the head's motion")
    add = partial(add_setting, group, RenderingSettings)
    add("--size", "size", "side of the pictures, 256 by default", none=film.PHOTO, metavar="PIXELS")
    add("--motion", "mode", "relative: to the photo's own pose, parted lips closing (keep_lips: not)")
    add("--gain", "gain", "factor on the motion")
    add_networks(parser, motion_model=True)
    add_machine(parser)
    return parser


def run(options: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C, or speak the file and print how it went."""
    from ..files import check_place
    from ..live.server import LOOPBACK, Server
    from ..live.session import Session
    from ..media.photo import load_photo
    from ..media.sound_file import SoundFile
    from ..pipelines.framing import frame_portrait

    sound = SoundFile(options.sound) if options.sound else None
    if options.report:
        check_place(options.report)
    stages = Stages()
    with use_machine(options) as machine:
        renderer, model = film.load_networks(options, machine, stages, options.framing)
        face = {"finder": options.finder, "box": options.box, "which": options.which_face}
        framed = frame_portrait(load_photo(options.photo), **face, **film.framing(options))
        rendering = chosen(options, RenderingSettings)
        settings = (chosen(options, LiveSettings), rendering)
        with Session(renderer, model, framed.picture, *settings, machine.bf16) as session:
            server = _server(Server, session, options)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            print(f"Open {server.address} in a browser; Ctrl-C ends.", flush=True)
            if options.host not in LOOPBACK:
                print("Everybody who reaches this address can hear and see it.", flush=True)
            try:
                _wait(session, sound, options)
            except KeyboardInterrupt:
                pass
            finally:
                server.shutdown()
                server.server_close()
            status = session.status()
    print(told(status))


def _server(kind, session, options: argparse.Namespace):
    try:
        return kind(session, options.host, options.port)
    except OSError as error:
        raise ValueError(
            f"The page cannot be served at {options.host}:{options.port} ({error.strerror or error}): choose another "
            "--port, or --host."
        ) from error


def told(status: dict) -> str:
    """A sentence of how it went."""
    if status["delay_ms"] is None:
        return "Nothing was shown."
    return (
        f"{status['heard_seconds']:.1f} s heard, {status['pictures']} pictures, {status['fps']:.1f} a second; delay "
        f"{status['delay_ms']:.0f} ms (95 %: {status['delay_95_ms']:.0f} ms)."
    )


def _wait(session, sound, options: argparse.Namespace) -> None:
    """Speak the file at the speed of time, or wait; a line of the report every REPORTS seconds."""
    mono = None if sound is None else sound.mono_16k()[0].numpy()
    length = None if mono is None else (options.seconds or len(mono) / 16000)
    begun, told_at, said = time.monotonic(), 0.0, 0
    if options.report:
        Path(options.report).write_text("", "utf8")
    while session.error is None:
        now = time.monotonic() - begun
        if mono is not None and now * 16000 >= said + PIECE:
            places = range(said, said + PIECE)
            session.hear(mono.take(places, mode="wrap"))
            said += PIECE
        if options.report and now >= told_at:
            told_at += REPORTS
            with open(options.report, "a", encoding="utf8") as file:
                line = {"seconds": round(now, 3), **session.status(), "memory_mb": _memory()}
                file.write(json.dumps(line) + "\n")
        if length is not None and said >= length * 16000:
            time.sleep(1.0)  # for what is still to be shown
            return
        time.sleep(0.01)
    raise RuntimeError(f"The portrait stopped: {session.error}")


def _memory() -> float | None:
    """Megabytes that this process has in memory, where the system tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * 4096 / 2**20
