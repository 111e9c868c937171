"""The pack's own portrait, voice and driving video, so that its workflows run right after installation."""

from pathlib import Path

from ..host import VideoFromFile, intermediate_device, io
from ..media.audio import load_audio
from ..media.photo import load_photo
from .values.sockets import schema

ASSETS = Path(__file__).parent.parent / "assets"

PORTRAITS = {
    "Grace Hopper": "portrait_2.jpg",
    "Eileen Collins": "portrait.jpg",
    "picture in a room": "portrait_in_room.jpg",
    "two people": "two_portraits.jpg",
    "drawn half body": "half_body.jpg",
}
VOICES = {"greeting": "greeting.flac", "man": "voice_2.wav"}
DRIVING = {"drawn head": "driving.mp4"}


class ExamplePortrait(io.ComfyNode):
    """A picture to begin with."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ExamplePortrait",
            "Example Portrait",
            "Examples",
            ["sample image", "demo"],
            description="A portrait that comes with the pack. Use Load Image instead for your own photo.",
            inputs=[
                io.Combo.Input(
                    "name",
                    options=list(PORTRAITS),
                    default="Grace Hopper",
                    tooltip="Grace Hopper, Eileen Collins: public-domain portraits by the US Navy and NASA. "
                    "picture in a room: the second hung on a drawn wall, for pasting back. two people: both, side by "
                    "side. "
                    "drawn half body: with arms, for the networks for half bodies.",
                )
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The picture.")],
        )

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        return io.NodeOutput(load_photo(ASSETS / PORTRAITS[name])[None].to(intermediate_device()))


class ExampleVoice(io.ComfyNode):
    """A voice to begin with."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ExampleVoice",
            "Example Voice",
            "Examples",
            ["sample audio", "demo"],
            description="A short spoken sentence that comes with the pack. Use Load Audio instead for your own "
            "recording.",
            inputs=[
                io.Combo.Input(
                    "name",
                    options=list(VOICES),
                    default="greeting",
                    tooltip="greeting, man: sentences spoken by free speech synthesizers.",
                )
            ],
            outputs=[io.Audio.Output(display_name="audio", tooltip="The recording.")],
        )

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        waveform, rate = load_audio(ASSETS / VOICES[name])
        return io.NodeOutput({"waveform": waveform[None], "sample_rate": rate})


class ExampleDrivingVideo(io.ComfyNode):
    """A moving face to begin with."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ExampleDrivingVideo",
            "Example Driving Video",
            "Examples",
            ["sample video", "demo"],
            description="A short clip of a moving, speaking face that comes with the pack. Use Load Video instead "
            "for your own.",
            inputs=[
                io.Combo.Input(
                    "name",
                    options=list(DRIVING),
                    default="drawn head",
                    tooltip="drawn head: it speaks and looks around.",
                )
            ],
            outputs=[io.Video.Output(display_name="video", tooltip="The clip.")],
        )

    @classmethod
    def execute(cls, name) -> io.NodeOutput:
        return io.NodeOutput(VideoFromFile(str(ASSETS / DRIVING[name])))
