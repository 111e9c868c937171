"""The graph in which two people of a photo talk."""

from .examples import read_me, saved
from .forms import Group, Node, Out, Workflow

PEOPLE = {"renderer": Out("1"), "photo": Out("2"), "crop_1": Out("3", 1), "crop_2": Out("4", 1)}
VOICES = {"voice_1": Out("11"), "voice_2": Out("11", 1)}


def picked(key: str, side: str) -> Node:
    return Node(key, "MambaPortraitPickFace", {"image": Out("2"), "pick": side})


MOTION = Node("17", "MambaPortraitConversationMotion", {"motion_model": Out("12"), **PEOPLE, **VOICES, "seed": 7})
FILM = Node(
    "25",
    "MambaPortraitFilmTwoPeople",
    {**PEOPLE, "motion_1": Out("17"), "motion_2": Out("17", 1), "audio": Out("17", 2)},
)

CONVERSATION = Workflow(
    "two_people_talk",
    "14 Two people talk",
    [
        [
            Group(
                "1 · Photo of two people",
                "input",
                [[Node("2", "MambaPortraitExamplePortrait", {"name": "two people"})]],
                (0, 0),
            ),
            Group("2 · Two faces", "input", [[picked("3", "left"), picked("4", "right")]], (290, 200)),
            Group("Who is who", "input", [[Node("27", "PreviewImage", {"images": Out("4", 3)})]], (1450, 710)),
            Group("Renderer", "help", [[Node("1", "MambaPortraitLoadRenderer")]], (580, 440)),
            Group("Motion model", "help", [[Node("12", "MambaPortraitLoadMotionModel")]], (870, 10)),
            Group(
                "3 · Two voices",
                "voice",
                [
                    [
                        Node("9", "MambaPortraitExampleVoice"),
                        Node("10", "MambaPortraitExampleVoice", {"name": "man"}),
                    ]
                ],
                (580, 760),
            ),
            Group(
                "4 · In turns",
                "voice",
                [[Node("11", "MambaPortraitTwoVoices", {"audio_1": Out("9"), "audio_2": Out("10")})]],
                (870, 840),
            ),
            Group("5 · Motion of both", "motion", [[MOTION]], (1160, 410)),
            Group("6 · Film", "render", [[FILM]], (1450, 210)),
            Group("7 · Saved", "render", [[saved("26", "25", "video/two_people")]], (1740, 90)),
            read_me(
                "Two people of a photo talk",
                "Each face has its own voice, and listens while the other speaks: lips at rest, blinks, a look at the "
                "speaker.",
                560,
                (0, 420),
                250,
            ),
        ],
    ],
)

WORKFLOWS = [CONVERSATION]
