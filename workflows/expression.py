"""The example graph of expressions: a still, and a silent film."""

from .examples import assembled, encoded, photo, read_me, saved
from .forms import Group, Node, Out, Workflow

EXPRESSION = "MambaPortraitEditExpression"
WIRED = {"renderer": Out("1"), "source": Out("4")}
KEYS = "0.4: yaw=0, smile=0\n1.2: yaw=10, smile=0.5\n2.6: yaw=10, smile=0.5\n3.4: yaw=0, smile=0"

EDITED = Workflow(
    "expression_edited",
    "12 Expression of a portrait edited",
    [
        [
            Group("1 · Portrait", "input", photo(2)),
            read_me(
                "An expression by sliders",
                "The first *Edit Expression* sets the expression of a still: move a slider, press **Run**, and look at "
                "the picture below the node. The second one makes motion of a preset and of key frames; with *Sample "
                "Motion* wired to its *motion*, they are added to speech.",
                380,
            ),
        ],
        [Group("2 · The portrait, encoded", "input", encoded(4))],
        [Group("3 · A still", "motion", [[Node("6", EXPRESSION, WIRED | {"smile": 0.5, "brows": 0.25, "yaw": 8.0})]])],
        [
            Group(
                "4 · A movement",
                "motion",
                [[Node("7", EXPRESSION, WIRED | {"preset": "idle", "end": 4.0, "keys": KEYS})]],
            )
        ],
        [Group("5 · Video", "render", [[assembled("8", Out("7"))]])],
        [Group("6 · Saved", "render", [[saved("9", "8", "video/expression")]])],
    ],
    room={"1": 170, "4": 340, "6": 360, "7": 210, "8": 10, "9": 40},
)
