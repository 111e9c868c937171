"""Two people who talk: their voices as two tracks, and a listener's motion."""

from ..host import io
from ..media.turns import ORDERS, split_by_times, two_tracks
from ..pipelines.listening import TOWARDS, ListeningSettings, listen
from .values.sockets import Motion, Renderer, schema
from .values.sound import sound_of
from .values.widgets import advanced, setting


def _audio(track, rate: int) -> dict:
    return {"waveform": track[None], "sample_rate": rate}


class TwoVoices(io.ComfyNode):
    """Two tracks of one length."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "TwoVoices",
            "Two Voices (Conversation)",
            "Voice",
            ["conversation", "dialogue", "two speakers", "two people", "multi speaker", "turns"],
            description="Makes two voice tracks of one length, each silent while the other speaks: from two "
            "recordings, or from one and the times at which each of the two speaks.",
            inputs=[
                io.Audio.Input("audio_1", tooltip="The first voice, or one recording of both."),
                io.Audio.Input("audio_2", optional=True, tooltip="The second voice; none with times."),
                io.Combo.Input(
                    "order",
                    options=list(ORDERS),
                    default=ORDERS[1],
                    tooltip="as recorded: both tracks begin together. one after the other: the second begins when the "
                    "first has ended.",
                ),
                io.Float.Input(
                    "pause",
                    display_name="pause (seconds)",
                    default=0.3,
                    min=0.0,
                    max=60.0,
                    step=0.05,
                    tooltip="Between the two, with order = one after the other.",
                ),
                io.String.Input(
                    "times",
                    default="",
                    tooltip="Who speaks from when to when, in seconds, in one recording of both, such as 1: 0-2.4, "
                    "2: 2.4-5. Only without a second recording.",
                ),
            ],
            outputs=[
                io.Audio.Output(display_name="voice_1", tooltip="The first voice, silent while the second speaks."),
                io.Audio.Output(display_name="voice_2", tooltip="The second voice, silent while the first speaks."),
                io.Audio.Output(display_name="both", tooltip="Both together, for the film."),
            ],
        )

    @classmethod
    def execute(cls, audio_1, order, pause, times, audio_2=None) -> io.NodeOutput:
        first = sound_of(audio_1)
        if audio_2 is not None:
            one, two, rate = two_tracks(first, sound_of(audio_2), order, pause)
        elif times.strip():
            (one, two), rate = split_by_times(*first, times), first[1]
        else:
            raise ValueError("Two Voices needs a second recording, or the times at which each of the two speaks.")
        return io.NodeOutput(_audio(one, rate), _audio(two, rate), _audio(one + two, rate))


class Listen(io.ComfyNode):
    """Listening motion where a voice is silent."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "Listen",
            "Listen While Silent",
            "Motion",
            ["listen", "listener", "idle", "conversation", "two people", "turn taking"],
            description="Where a voice is silent, its face listens: lips at rest, breath, blinks, a look at the "
            "speaker and a nod now and then. Where it speaks, the motion stays as it is.",
            inputs=[
                Motion.Input("motion", tooltip="From Sample Motion of this voice."),
                Renderer.Input("renderer", tooltip="From Load Renderer."),
                io.Audio.Input("audio", tooltip="The same voice: one of the tracks of Two Voices."),
                io.Combo.Input(
                    "speaker",
                    options=list(TOWARDS),
                    default="ahead",
                    tooltip="Where the other one is in the picture: left, ahead (where the camera is) or right.",
                ),
                setting(
                    ListeningSettings,
                    "amount",
                    "Factor on sway, nods and turns: 0 leaves breath and blinks.",
                ),
                advanced(
                    setting(
                        ListeningSettings,
                        "seed",
                        "Seed of blinks and nods: give each listener another.",
                        control_after_generate=True,
                    )
                ),
            ],
            outputs=[Motion.Output(display_name="motion", tooltip="The motion of a face that speaks and listens.")],
        )

    @classmethod
    def execute(cls, motion, renderer, audio, speaker, amount, seed) -> io.NodeOutput:
        settings = ListeningSettings(amount=amount, seed=seed)
        return io.NodeOutput(listen(motion, renderer.on_device(), *sound_of(audio), speaker, settings))
