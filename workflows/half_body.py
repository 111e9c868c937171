"""The graph of a half body whose arms gesture; it is built where the weights for half bodies ship."""

from ..media.crop import HALF_SCALE, HALF_SHIFT
from ..nodes.loaders import SHIPPED_HALF, half_bodies_ship
from .examples import assembled, audio_features, encoded, film, read_me, sampled, saved
from .forms import Group, Node, Out, Workflow

TALKING = Workflow(
    "speaking_half_body",
    "07 Half body that speaks and gestures",
    [
        [
            Group(
                "1 · Portrait",
                "input",
                [
                    [Node("2", "MambaPortraitExamplePortrait", {"name": "drawn half body"})],
                    [
                        Node("1", "MambaPortraitLoadRenderer", {"weights": SHIPPED_HALF["renderer"]}),
                        Node("3", "MambaPortraitCrop", {"image": Out("2"), "scale": HALF_SCALE, "shift": HALF_SHIFT}),
                    ],
                ],
            ),
            read_me(
                "A half body speaks and gestures",
                "Head and lips as in the other graphs, and arms that beat with the voice's stress. The network was "
                "trained on drawn people whose hands rest before the belly, at 128 pixels: a picture like that "
                "works best.",
            ),
        ],
        [
            Group("2 · The portrait, encoded", "input", encoded(4)),
            Group(
                "3 · Voice",
                "voice",
                [
                    [
                        Node("6", "MambaPortraitExampleVoice"),
                        Node("7", "MambaPortraitLoadMotionModel", {"weights": SHIPPED_HALF["motion_model"]}),
                    ],
                    audio_features(7, Out("6")),
                ],
            ),
        ],
        [Group("4 · Motion", "motion", [[sampled("10", 6, "5")]])],
        *film(5, "Video", assembled("11", Out("10"), audio=Out("6")), saved("12", "11", "video/half_body")),
    ],
    room={"4": 130, "8": 190, "10": 400, "11": 250},
)

WORKFLOWS = [TALKING] if half_bodies_ship() else []
