"""A batch of portraits or of voices to lists, so that everything after runs once for each."""

from ..host import io
from .values.pictures import batch_of
from .values.sockets import schema

PAIRS, ALL = "pairs", "every voice with every portrait"


class BatchToList(io.ComfyNode):
    """Hosts run the nodes after a list once for each of its items."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "BatchToList",
            "Batch to List (Film of Each)",
            "Portrait",
            ["batch", "list", "several voices", "several photos", "for each"],
            description="Takes a batch of portraits, of voices, or of both apart, so that all nodes after it run once "
            "for each: as many films as there are portraits or voices.",
            inputs=[
                io.Image.Input("images", optional=True, tooltip="One or several portraits."),
                io.Audio.Input("audio", optional=True, tooltip="One or several recordings."),
                io.Combo.Input(
                    "how",
                    options=[PAIRS, ALL],
                    default=PAIRS,
                    tooltip="pairs: the first portrait with the first voice, and so on; one alone goes with all. every "
                    "voice with every portrait: all films that there can be.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", is_output_list=True, tooltip="One portrait at a time."),
                io.Audio.Output(display_name="audio", is_output_list=True, tooltip="One recording at a time."),
            ],
        )

    @classmethod
    def execute(cls, how, images=None, audio=None) -> io.NodeOutput:
        pictures = [] if images is None else [picture[None] for picture in batch_of(images, "images")]
        voices = [] if audio is None else _recordings(audio)
        if not pictures and not voices:
            raise ValueError("There is nothing to make a list of: wire a batch to images or to audio.")
        if pictures and voices and how == ALL:
            both = [(picture, voice) for picture in pictures for voice in voices]
            pictures, voices = (list(column) for column in zip(*both, strict=True))
        return io.NodeOutput(*_same_length(pictures, voices))


def _recordings(audio: dict) -> list[dict]:
    """AUDIO (B,C,N) -> B times AUDIO (1,C,N)."""
    waveform = audio["waveform"]
    waveform = waveform.reshape(-1, *waveform.shape[-2:])
    return [audio | {"waveform": one[None]} for one in waveform]


def _same_length(pictures: list, voices: list) -> tuple[list, list]:
    """Both as long as the longer, where the other has one item or none. ValueError otherwise: none is dropped."""
    count = max(len(pictures), len(voices))
    for one in (pictures, voices):
        if len(one) not in (0, 1, count):
            raise ValueError(
                f"{len(pictures)} portraits and {len(voices)} voices make no pairs: give as many of both, one of "
                f"either, or choose '{ALL}'."
            )
    return tuple(one * count if len(one) == 1 else one for one in (pictures, voices))
