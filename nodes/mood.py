"""The mood and liveliness of motion."""

from ..host import io
from ..pipelines.expression import set_mood
from ..pipelines.moods import LIVELINESS, MANNERS, MOODS, STRENGTH, Manner
from .values.sockets import Motion, Renderer, schema

OWN = "own settings"


class SetMood(io.ComfyNode):
    """One control for the mood, one for how lively."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "SetMood",
            "Set Mood",
            "Motion",
            ["emotion", "happy", "sad", "surprised", "calm", "lively", "amplitude", "speaking style"],
            description="Makes a speaker happy, sad or surprised, calm or lively. The lips keep following the voice.",
            inputs=[
                Motion.Input("motion", tooltip="Any motion, best that of a voice from Sample Motion."),
                Renderer.Input("renderer", tooltip="From Load Renderer: its read-out maps motion to face regions."),
                io.Combo.Input(
                    "manner",
                    options=[OWN, *MANNERS],
                    default=OWN,
                    tooltip="own settings: the three below. Or settings of all three: newsreader: calm. storyteller: "
                    "lively, a little happy. cheerful: happy. condolence: sad and calm. astonished: surprised and "
                    "lively.",
                ),
                io.Combo.Input(
                    "mood",
                    options=list(MOODS),
                    default="neutral",
                    tooltip="neutral: as the motion is. happy: smiling. sad: corners of the mouth, lids and head "
                    "lowered, brows drawn together. surprised: brows raised, eyes wide.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=STRENGTH.low,
                    max=STRENGTH.high,
                    step=STRENGTH.step,
                    tooltip="How strong the mood is: 0 none of it.",
                ),
                io.Float.Input(
                    "liveliness",
                    default=1.0,
                    min=LIVELINESS.low,
                    max=LIVELINESS.high,
                    step=LIVELINESS.step,
                    tooltip="Factor on the motion of head, brows and gaze: 0 still, 0.5 calm, 1 as it is, 1.5 lively. "
                    "Lips and blinks are not changed.",
                ),
            ],
            outputs=[Motion.Output(display_name="motion", tooltip="The motion in that mood.")],
        )

    @classmethod
    def execute(cls, motion, renderer, manner, mood, strength, liveliness) -> io.NodeOutput:
        chosen = MANNERS.get(manner, Manner(mood, strength, liveliness))
        return io.NodeOutput(set_mood(motion, renderer.on_device(), chosen.mood, chosen.strength, chosen.liveliness))
