"""Phones with known times to motion."""

import contextlib

from ..host import input_file, io, listed_files
from ..pipelines import speaking
from ..pipelines.phones import SUFFIXES, phones_to_motion, read_lips
from ..pipelines.settings import AUTO, LANGUAGE, PHONE_SETS, LipSettings
from .values.sockets import Motion, Renderer, schema
from .values.sound import sound_of
from .values.widgets import advanced, setting

NO_FILE = "none"


def phone_files() -> list[str]:
    """Files with times in the input and output folders, the newest first of each kind; JSON only by path."""
    return [name for suffix in SUFFIXES[:3] for name in listed_files(suffix)]


class PhonesToMotion(io.ComfyNode):
    """Visemes with coarticulation."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "PhonesToMotion",
            "Phones to Motion",
            "Motion",
            ["visemes", "TextGrid", "subtitles to lips", "phonemes", "lip sync", "TTS time stamps"],
            description="Moves the lips by phones or words whose times are known: a Praat TextGrid, subtitles, or the "
            "time stamps of a speech synthesiser. With the motion of the voice, head, brows and eyes are the voice's.",
            inputs=[
                Renderer.Input("renderer", tooltip="From Load Renderer: the motion is written in its language."),
                io.String.Input(
                    "path",
                    default="",
                    tooltip="The name of a .TextGrid, .srt, .vtt or .json in the input folder, or a path in the input, "
                    "output or temp folder.",
                ),
                io.Combo.Input(
                    "file",
                    options=[NO_FILE, *phone_files()],
                    default=NO_FILE,
                    optional=True,
                    tooltip="none: the path says which file, or the text is given. Or a file in the input or output "
                    "folder; a path, if there is one, counts before it.",
                ),
                io.String.Input(
                    "text",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="The content of such a file, written here or from a node; it counts before path and file.",
                ),
                io.String.Input(
                    "language",
                    default=LANGUAGE,
                    optional=True,
                    tooltip="Of subtitles and words: a language of espeak-ng such as en-us, de, fr or cmn. Files with "
                    "phones do not need it.",
                ),
                advanced(
                    io.Combo.Input(
                        "phone_set",
                        options=list(PHONE_SETS),
                        default=AUTO,
                        optional=True,
                        tooltip="How the phones of a file are written. auto: arpabet (English) where all of them are, "
                        "else ipa. sampa: Italian, Catalan; finnish, czech, russian: as festival writes these.",
                    )
                ),
                setting(
                    LipSettings,
                    "openness",
                    "How far the lips open, 1 as people measured; closures stay shut.",
                    optional=True,
                ),
                setting(
                    LipSettings, "width", "How far the lips round and spread, 1 as people measured.", optional=True
                ),
                advanced(
                    setting(
                        LipSettings,
                        "late",
                        "Seconds by which the lips follow the times; below 0 they come first.",
                        display_name="late (seconds)",
                        optional=True,
                    )
                ),
                setting(
                    LipSettings,
                    "share",
                    "With voice: the share of the phones in the lips, the rest is the voice's; 1 is the phones alone. "
                    "Closures are the phones'.",
                    display_name="share of the phones",
                    optional=True,
                ),
                Motion.Input(
                    "voice",
                    optional=True,
                    tooltip="From Sample Motion: its lips are mixed with the phones'; smile, brows, eyes and head "
                    "stay. Without it the head is still.",
                ),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="The voice: the motion becomes as long, and words are spoken where it is not silent.",
                ),
            ],
            outputs=[Motion.Output(display_name="motion", tooltip="25 motion vectors a second.")],
        )

    @classmethod
    def fingerprint_inputs(cls, path: str | None = None, file: str = NO_FILE, text: str = "", **rest) -> float | str:
        with contextlib.suppress(OSError, ValueError):
            return "" if text else input_file(_chosen(path, file)).stat().st_mtime
        return ""

    @classmethod
    def execute(
        cls,
        renderer,
        path,
        file=NO_FILE,
        text="",
        language=LANGUAGE,
        phone_set=AUTO,
        openness=LipSettings.openness,
        width=LipSettings.width,
        late=LipSettings.late,
        share=LipSettings.share,
        voice=None,
        audio=None,
    ) -> io.NodeOutput:
        if text.strip():
            data, name = text.encode("utf8", "replace"), "The text"
        else:
            found = input_file(_chosen(path, file))
            data, name = found.read_bytes(), found.name
        heard = None if audio is None else speaking.prepare_voice(*sound_of(audio))
        phones = read_lips(
            data, name, language=language, phone_set=phone_set, sound=None if heard is None else heard.waveform
        )
        settings = LipSettings(openness=openness, width=width, late=late, share=share)
        frames = None if heard is None else heard.frames
        return io.NodeOutput(phones_to_motion(phones, renderer.on_device(), settings, frames=frames, voice=voice))


def _chosen(path: str | None, file: str | None) -> str:
    for name in (path, None if file == NO_FILE else file):
        if isinstance(name, str) and name.strip():
            return name
    raise ValueError(
        "Phones to Motion needs times: give the path of a TextGrid, SRT, VTT or JSON, choose a file, or give its text."
    )
