"""Graphs of joint control: in implicit motion, and ACTalker by voice, by video, and by both."""

from .examples import assembled, collapsed, driving, encoded, photo, read_me, sampled, saved, voice
from .forms import Group, Node, Note, Out, Workflow

ACTALKER_FOLDER = "actalker"  # not listed by hosts: its weights do not ship

NOISE_STEPS = 3  # so that the reduced graphs end within a minute on two slow cores

ACTALKER_HELP = """## {title}

{text}

- **No weights ship with the pack.** As it opens, this graph runs on *reduced random weights*: it shows that everything
is wired, and its picture is noise, after few steps. Choose your files in *Load ACTalker* (its help page says which, and
where they go) and 25 *steps* in *ACTalker Sample*.
- Needs `pip install diffusers transformers`.
- ACTalker makes 12.5 frames a second; any frame interpolation node fits between *ACTalker Decode* and *Frames to
Video*.
"""


def actalker_note(title: str, text: str) -> Group:
    """The networks, node 1, and the note."""
    note = Note(ACTALKER_HELP.format(title=title, text=text).strip() + "\n", 330)
    return Group("Start here", "help", [[note, Node("1", "MambaPortraitLoadACTalker")]])


def actalker_portrait() -> Group:
    """Photo, masks and identity: nodes 2 to 4."""
    identity = {"actalker": Out("1"), "image": Out("2"), "face_box": Out("3"), "face_mask": Out("3", 1)}
    return Group(
        "1 · Portrait",
        "input",
        [
            [Node("2", "MambaPortraitExamplePortrait")],
            [Node("3", "MambaPortraitACTalkerMasks", {"image": Out("2")})],
            [Node("4", "MambaPortraitACTalkerEncodeIdentity", identity)],
        ],
    )


def actalker_voice() -> Group:
    """Recording and audio tokens: nodes 5 and 6."""
    inputs = {"actalker": Out("1"), "audio": Out("5")}
    return Group(
        "2 · Voice",
        "voice",
        [[Node("5", "MambaPortraitExampleVoice")], [Node("6", "MambaPortraitACTalkerEncodeVoice", inputs)]],
    )


def actalker_driving(number: int) -> Group:
    """Driving video and motion tokens: nodes 7 and 8."""
    inputs = {"actalker": Out("1"), "video": Out("7"), "finder": "whole", "follow": "first frame"}
    return Group(
        f"{number} · Driving video",
        "motion",
        [[Node("7", "MambaPortraitExampleDrivingVideo")], [Node("8", "MambaPortraitACTalkerEncodeDriving", inputs)]],
    )


def actalker_film(first: int, number: int, prefix: str, audio: Out, **driven: Out) -> list[list[Group]]:
    """Sample, decode, assemble and save: nodes `first` .. `first + 3`."""
    sample, decode, film, save = (str(first + i) for i in range(4))
    sampling = {"actalker": Out("1"), "identity": Out("4"), "steps": NOISE_STEPS, **driven}
    pictures = {"frames": Out(decode), "audio": audio, "fps": Out(sample, 1)}
    return [
        [Group(f"{number} · Diffusion", "motion", [[Node(sample, "MambaPortraitACTalkerSample", sampling)]])],
        [
            Group(
                f"{number + 1} · Frames and film",
                "render",
                [
                    [
                        Node(decode, "MambaPortraitACTalkerDecode", {"actalker": Out("1"), "latent": Out(sample)}),
                    ],
                    [Node(film, "MambaPortraitFramesToVideo", pictures)],
                ],
            )
        ],
        [Group(f"{number + 2} · Saved", "render", [[saved(save, film, f"video/{prefix}")]])],
    ]


VOICE = Workflow(
    "actalker_voice",
    "actalker_voice",
    [
        [actalker_note("ACTalker: a voice drives a photo", "One photo and one voice in, a talking photo out.")],
        [actalker_portrait(), actalker_voice()],
        *actalker_film(9, 3, "actalker_voice", Out("5"), voice=Out("6")),
    ],
    ACTALKER_FOLDER,
    room={"1": 60, "3": 380, "5": 100, "9": 190, "10": 90, "11": 860},
)

VIDEO = Workflow(
    "actalker_video",
    "actalker_video",
    [
        [
            actalker_note(
                "ACTalker: a video drives a photo",
                "Expression and head rotation are read from a video and given to the photo.",
            )
        ],
        [actalker_portrait(), actalker_driving(2)],
        *actalker_film(9, 3, "actalker_video", Out("8", 1), driving=Out("8")),
    ],
    ACTALKER_FOLDER,
    room={"1": 100, "2": 50, "3": 470, "7": 50, "9": 310, "10": 170, "11": 620},
)

CONTROL = Node("9", "MambaPortraitJointControl", {"audio_mask": Out("3", 2), "motion_mask": Out("3", 3)})

JOINT = Workflow(
    "actalker_joint",
    "actalker_joint",
    [
        [
            actalker_note(
                "ACTalker: voice and video together",
                "The voice and the video drive one photo. The gates say how far each is heard, the masks where; edit "
                "the masks with any mask node. *ACTalker Masks* has the published masks (release) and the paper's.",
            )
        ],
        [actalker_portrait(), actalker_voice(), actalker_driving(3)],
        [Group("4 · Control", "help", [[CONTROL]])],
        *actalker_film(10, 5, "actalker_joint", Out("5"), voice=Out("6"), driving=Out("8"), control=Out("9")),
    ],
    ACTALKER_FOLDER,
    room={"1": 410, "2": 500, "4": 500, "6": 140, "7": 50, "10": 240, "11": 50, "12": 680},
)

JOINED = Node(
    "14",
    "MambaPortraitJointMotion",
    {"voice": Out("10"), "driving": Out("12"), "renderer": Out("1"), "control": Out("13")},
)

IMPLICIT = Workflow(
    "joint_control",
    "05 Lips from a voice and head from a video",
    [
        [
            Group("1 · Portrait", "input", photo(2, renderer=False), (0, 560)),
            Group("2 · Renderer", "input", [[Node("1", "MambaPortraitLoadRenderer")]], (0, 0)),
            Group("3 · The portrait, encoded", "input", [collapsed(encoded(4))], (740, 100)),
            Group("4 · Driving video", "motion", driving(11), (70, 230)),
            Group("5 · Voice", "voice", [voice(6)[0], collapsed(voice(6)[1:])], (580, 600)),
            Group("6 · Motion of the voice", "motion", [[sampled("10", 6, "5")]], (1140, 630)),
            Group("7 · Gates", "help", [[Node("13", "MambaPortraitJointControl")]], (720, 350)),
            Group("8 · Joined", "motion", [[JOINED]], (1150, 0)),
            Group("9 · Video", "render", [[assembled("15", Out("14"), audio=Out("6"))]], (1440, 220)),
            Group("10 · Saved", "render", [[saved("16", "15", "video/joint_control")]], (1730, 200)),
            read_me(
                "The voice moves the mouth, a video the rest",
                "Motion from a voice and motion from a video are joined: mouth from the voice, brows, eyes and head "
                "from the video. What a gate gives up goes to the other.",
                260,
                (1440, 760),
            ),
        ]
    ],
    room={"5": 90, "8": 170, "9": 110, "11": 10},
)

WORKFLOWS = [IMPLICIT, VOICE, VIDEO, JOINT]
