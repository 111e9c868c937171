"""Audio features: of the whole recording (Mamba-g) and around each frame (Mamba-l)."""

from ..host import intermediate_device, io, load_device, use_bf16
from ..pipelines import speaking
from .values.sockets import Encoded, MotionModel, schema
from .values.sockets import GlobalAudio as GlobalAudioSocket
from .values.sockets import LocalAudio as LocalAudioSocket
from .values.sound import sound_of


def voice_of(audio: dict) -> speaking.Voice:
    """A host's AUDIO value -> its recording, prepared for the motion model."""
    return speaking.prepare_voice(*sound_of(audio))


def _inputs(model_tooltip: str) -> list:
    return [
        MotionModel.Input("motion_model", tooltip=model_tooltip),
        io.Audio.Input(
            "audio", tooltip="Speech at any sample rate, mono or stereo. For several recordings see Batch to List."
        ),
    ]


class GlobalAudio(io.ComfyNode):
    """Mamba-g: style and prosody."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "GlobalAudio",
            "Mamba Global Audio",
            "Voice",
            ["mamba-g", "prosody", "speaking style", "audio features"],
            description="Encodes the whole recording: the speaking style, and the prosody of every frame, which moves "
            "head, brows and lids.",
            inputs=_inputs("From Load Motion Model."),
            outputs=[
                GlobalAudioSocket.Output(display_name="global_audio", tooltip="Style and prosody of the recording.")
            ],
        )

    @classmethod
    def execute(cls, motion_model, audio) -> io.NodeOutput:
        features = speaking.extract_global_audio(
            motion_model.on_device(), voice_of(audio), bf16=use_bf16(load_device()), keep_on=intermediate_device()
        )
        return io.NodeOutput(Encoded(features, motion_model.name))


class LocalAudio(io.ComfyNode):
    """Mamba-l: the sound around each frame."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "LocalAudio",
            "Mamba Local Audio",
            "Voice",
            ["mamba-l", "phoneme", "lip sync", "lipsync", "talk", "audio features"],
            description="Encodes the short slice of sound around every frame, which determines the lips, 25 times a "
            "second.",
            inputs=_inputs("From Load Motion Model; the same one as for the global audio."),
            outputs=[
                LocalAudioSocket.Output(display_name="local_audio", tooltip="One feature vector for every frame.")
            ],
        )

    @classmethod
    def execute(cls, motion_model, audio) -> io.NodeOutput:
        features = speaking.extract_local_audio(
            motion_model.on_device(), voice_of(audio), bf16=use_bf16(load_device()), keep_on=intermediate_device()
        )
        return io.NodeOutput(Encoded(features, motion_model.name))
