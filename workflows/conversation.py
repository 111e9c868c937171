"""The graph in which two people of a photo talk."""

from .examples import audio_features, read_me, saved
from .forms import Group, Node, Out, Workflow


def picked(key: str, side: str) -> Node:
    return Node(key, "MambaPortraitPickFace", {"image": Out("2"), "pick": side})


def encoded(key: int, crop: str) -> list[Node]:
    """Source and appearance of a face: nodes `key` and `key + 1`."""
    source = Node(str(key), "MambaPortraitEncodeSource", {"renderer": Out("1"), "image": Out(crop)})
    look = Node(str(key + 1), "MambaPortraitExtractAppearance", {"renderer": Out("1"), "source": Out(str(key))})
    return [source, look]


def features(first: int, track: Out) -> list[Node]:
    """Audio features, nodes `first` and `first + 1`, of the motion model in node 12."""
    nodes = audio_features(12, track)
    return [Node(str(first + i), node.type, node.inputs) for i, node in enumerate(nodes)]


def sampled(key: str, first: int, appearance: str, seed: int) -> Node:
    inputs = {"motion_model": Out("12"), "global_audio": Out(str(first)), "local_audio": Out(str(first + 1))}
    return Node(key, "MambaPortraitSampleMotion", inputs | {"appearance": Out(appearance), "seed": seed})


def listening(key: str, motion: str, track: Out, speaker: str, seed: int) -> Node:
    inputs = {"motion": Out(motion), "renderer": Out("1"), "audio": track, "speaker": speaker, "seed": seed}
    return Node(key, "MambaPortraitListen", inputs)


def drawn(key: str, source: int, motion: str) -> Node:
    inputs = {"renderer": Out("1"), "source": Out(str(source)), "appearance": Out(str(source + 1))}
    return Node(key, "MambaPortraitDecodeMotion", inputs | {"motion": Out(motion), "size": "256"})


def pasted(key: str, photo: str, frames: str, crop: str, beside: str) -> Node:
    inputs = {"photo": Out(photo), "frames": Out(frames), "crop": Out(crop, 1), "beside": Out(beside, 1)}
    return Node(key, "MambaPortraitPasteBack", inputs)


FILM = Node("25", "MambaPortraitFramesToVideo", {"frames": Out("24"), "audio": Out("11", 2), "fps": Out("21", 1, 25.0)})

CONVERSATION = Workflow(
    "two_people_talk",
    "14 Two people talk",
    [
        [
            Group(
                "1 · Photo of two people",
                "input",
                [[Node("2", "MambaPortraitExamplePortrait", {"name": "two people"})]],
            ),
            Group(
                "2 · Two voices",
                "voice",
                [
                    [
                        Node("9", "MambaPortraitExampleVoice"),
                        Node("10", "MambaPortraitExampleVoice", {"name": "man"}),
                    ],
                    [Node("11", "MambaPortraitTwoVoices", {"audio_1": Out("9"), "audio_2": Out("10")})],
                ],
            ),
            read_me(
                "Two people of a photo talk",
                "Each face has its own voice, and listens while the other speaks: lips at rest, blinks, a look at the "
                "speaker. All frames are held in memory; for long talks or large photos use the command `talk`.",
            ),
        ],
        [
            Group("3 · Two faces", "input", [[picked("3", "left"), picked("4", "right")]]),
            Group(
                "Networks",
                "help",
                [[Node("1", "MambaPortraitLoadRenderer"), Node("12", "MambaPortraitLoadMotionModel")]],
            ),
        ],
        [
            Group("4 · Faces, encoded", "input", [[*encoded(5, "3"), *encoded(7, "4")]]),
            Group("Who is who", "input", [[Node("27", "PreviewImage", {"images": Out("3", 3)})]]),
            Group("5 · Voices, encoded", "voice", [[*features(13, Out("11")), *features(15, Out("11", 1))]]),
        ],
        [Group("6 · Motion of each voice", "motion", [[sampled("17", 13, "6", 7), sampled("18", 15, "8", 8)]])],
        [
            Group(
                "7 · Listening",
                "motion",
                [
                    [
                        listening("19", "17", Out("11"), "right", 0),
                        listening("20", "18", Out("11", 1), "left", 1),
                    ]
                ],
            )
        ],
        [Group("8 · Frames", "render", [[drawn("21", 5, "19"), drawn("22", 7, "20")]])],
        [Group("9 · Pasted back", "render", [[pasted("23", "2", "21", "3", "4"), pasted("24", "23", "22", "4", "3")]])],
        [Group("10 · Film", "render", [[FILM], [saved("26", "25", "video/two_people")]])],
    ],
    room={
        "2": 870,
        "11": 530,
        "4": 80,
        "5": 410,
        "6": 2890,
        "8": 420,
        "17": 1400,
        "21": 630,
        "22": 170,
        "23": 990,
        "24": 500,
        "25": 10,
    },
)

WORKFLOWS = [CONVERSATION]
