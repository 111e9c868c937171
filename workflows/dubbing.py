"""The graph that dubs a film."""

from .examples import film, read_me, saved, voice
from .forms import Group, Node, Out, Workflow

SAMPLED = Node(
    "8",
    "MambaPortraitSampleMotion",
    {"motion_model": Out("5"), "global_audio": Out("6"), "local_audio": Out("7"), "seed": 7},
)
DUBBED = Node(
    "9",
    "MambaPortraitDubVideo",
    {"renderer": Out("1"), "face_track": Out("3"), "motion": Out("8"), "audio": Out("4")},
)

DUBBING = Workflow(
    "dub_a_film",
    "13 Film dubbed with another voice",
    [
        [
            Group(
                "1 · Film",
                "input",
                [
                    [Node("2", "MambaPortraitExampleDrivingVideo")],
                    [Node("3", "MambaPortraitTrackFace", {"video": Out("2")})],
                ],
            ),
            read_me(
                "A film gets another voice",
                "The face of a film is followed through its shots, a new voice moves its mouth, and all the rest stays "
                "the film's own picture. A generator's frames: put *Create Video* before Track Face, with their rate.",
            ),
        ],
        [
            Group("2 · What is tracked", "input", [[Node("11", "PreviewImage", {"images": Out("3", 1)})]]),
            Group("3 · New voice", "voice", voice(4)),
        ],
        [
            Group("4 · Motion of the mouth", "motion", [[SAMPLED]]),
            Group("5 · Renderer", "render", [[Node("1", "MambaPortraitLoadRenderer")]]),
        ],
        *film(6, "Dubbed film", DUBBED, saved("10", "9", "video/dubbed")),
    ],
    room={"6": 160, "8": 290, "11": 50},
)

WORKFLOWS = [DUBBING]
