"""The example graph of expressions: a still, and a silent film."""

from .examples import assembled, collapsed, encoded, photo, read_me, saved
from .forms import Group, Node, Out, Workflow

EXPRESSION = "MambaPortraitEditExpression"
STILL = {"renderer": Out("1"), "source": Out("4"), "smile": 0.5, "brows": 0.25, "yaw": 8.0}
KEYS = "0.4: yaw=0, smile=0\n1.2: yaw=10, smile=0.5\n2.6: yaw=10, smile=0.5\n3.4: yaw=0, smile=0"
MOVEMENT = {"renderer": Out("1"), "preset": "idle", "end": 4.0, "keys": KEYS}
SOURCE, APPEARANCE = collapsed(encoded(4))
(PICTURE,), (CROP,) = photo(2, renderer=False)

EDITED = Workflow(
    "expression_edited",
    "12 Expression of a portrait edited",
    [
        [
            Group("Renderer", "input", [[Node("1", "MambaPortraitLoadRenderer")]], (0, 0)),
            Group("1 · Photo", "input", [[PICTURE]], (0, 226)),
            Group("Its face", "input", [[CROP]], (0, 660)),
            Group("2 · The portrait, encoded", "input", [[SOURCE]], (300, 0)),
            read_me(
                "An expression by sliders",
                "The first *Edit Expression* sets the expression of a still: move a slider, press **Run**, and look at "
                "the picture below the node. The second one makes motion of a preset and of key frames, and shows its "
                "curves; wire *source* to it for a picture. With *Sample Motion* wired to its *motion*, the movement "
                "is added to speech.",
                780,
                (290, 230),
                290,
            ),
            Group("3 · A still", "motion", [[Node("6", EXPRESSION, STILL)]], (620, 116)),
            Group("4 · A movement", "motion", [[Node("7", EXPRESSION, MOVEMENT)]], (908, 68)),
            Group("Its looks", "input", [[APPEARANCE]], (1196, 0)),
            Group("5 · Video", "render", [[assembled("8", Out("7"))]], (1460, 0)),
            Group("6 · Saved", "render", [[saved("9", "8", "video/expression")]], (1750, 0)),
        ]
    ],
)
