"""The four example graphs, described once."""

from .forms import Group, Node, Note, Out, Workflow

HELP = """## {title}

{text}

- **Your own files**: replace the Example nodes by *Load Image*, *Load Audio* or *Load Video*.
- **No face found**, or the wrong one: see *finder* and *face* of Portrait Crop.
- **Long audio** is no problem: Assemble Video writes the frames as they come.

The finished film says in its metadata that its picture is generated.
"""


def portrait(first: int, name: str = "Grace Hopper", title: str | None = None) -> list[list[Node]]:
    """Picture, crop, source and appearance; nodes `first` .. `first + 3`. The renderer is node 1."""
    picture, crop, source, appearance = (str(first + i) for i in range(4))
    return [
        [
            Node(picture, "MambaPortraitExamplePortrait", {"name": name}, title),
            Node(crop, "MambaPortraitCrop", {"image": Out(picture)}),
        ],
        [
            Node(source, "MambaPortraitEncodeSource", {"renderer": Out("1"), "image": Out(crop)}),
            Node(appearance, "MambaPortraitExtractAppearance", {"renderer": Out("1"), "source": Out(source)}),
        ],
    ]


def voice(first: int) -> list[list[Node]]:
    """Recording, motion model, global and local audio features; nodes `first` .. `first + 3`."""
    recording, model, whole, local = (str(first + i) for i in range(4))
    return [
        [
            Node(recording, "MambaPortraitExampleVoice"),
            Node(model, "MambaPortraitLoadMotionModel"),
        ],
        [
            Node(whole, "MambaPortraitGlobalAudio", {"motion_model": Out(model), "audio": Out(recording)}),
            Node(local, "MambaPortraitLocalAudio", {"motion_model": Out(model), "audio": Out(recording)}),
        ],
    ]


def sampled(key: str, first_voice: int, appearance: str) -> Node:
    """Sample Motion, wired to `voice(first_voice)` and an appearance node."""
    return Node(
        key,
        "MambaPortraitSampleMotion",
        {
            "motion_model": Out(str(first_voice + 1)),
            "global_audio": Out(str(first_voice + 2)),
            "local_audio": Out(str(first_voice + 3)),
            "appearance": Out(appearance),
            "seed": 7,
        },
    )


def drawn(source: int, motion: Out) -> dict[str, Out]:
    """The inputs of the rendering nodes; the appearance node follows the source node."""
    return {"renderer": Out("1"), "source": Out(str(source)), "appearance": Out(str(source + 1)), "motion": motion}


def assembled(key: str, motion: Out, **rest: Out) -> Node:
    """Assemble Video of the portrait in nodes 2 to 5."""
    return Node(key, "MambaPortraitAssembleVideo", drawn(4, motion) | rest)


def saved(key: str, video: str, prefix: str) -> Node:
    """Save Video."""
    return Node(key, "SaveVideo", {"video": Out(video), "filename_prefix": prefix})


def read_me(title: str, text: str) -> Group:
    """The renderer of the whole graph, and the note that explains the graph."""
    note = Note(HELP.format(title=title, text=text), 230)
    return Group("Start here", "help", [[Node("1", "MambaPortraitLoadRenderer"), note]])


TALKING = Workflow(
    "talking_portrait",
    "1 Talking portrait from a photo and a voice",
    [
        [
            read_me(
                "A photograph speaks",
                "One portrait and one voice in, a talking portrait out. Press **Run**: picture, voice and weights "
                "come "
                "with the pack.",
            )
        ],
        [Group("1 · Portrait", "input", portrait(2)), Group("2 · Voice", "voice", voice(6))],
        [Group("3 · Motion", "motion", [[sampled("10", 6, "5")]])],
        [Group("4 · Video", "render", [[assembled("11", Out("10"), audio=Out("6"))]])],
        [Group("5 · Saved", "render", [[saved("12", "11", "video/talking_portrait")]])],
    ],
)

PASTED = Workflow(
    "talking_portrait_pasted_back",
    "2 Talking face in a large photo",
    [
        [
            read_me(
                "A face speaks in a large photo",
                "The face is cropped, animated and put back into the whole photo with a soft edge. The photo keeps "
                "its "
                "size; everything outside the crop stays as it was.",
            )
        ],
        [
            Group("1 · Portrait in a large photo", "input", portrait(2, "picture in a room")),
            Group("2 · Voice", "voice", voice(6)),
        ],
        [Group("3 · Motion", "motion", [[sampled("10", 6, "5")]])],
        [
            Group(
                "4 · Video of the whole photo",
                "render",
                [[assembled("11", Out("10"), audio=Out("6"), photo=Out("2"), crop=Out("3", 1))]],
            )
        ],
        [Group("5 · Saved", "render", [[saved("12", "11", "video/pasted_back")]])],
    ],
)

DRIVEN = Workflow(
    "driven_by_video",
    "3 Portrait that moves as a video does",
    [
        [
            read_me(
                "A video drives a photograph",
                "The motion of a face is read from a video, frame by frame, and given to the portrait. The film "
                "keeps "
                "the video's frame rate and sound.",
            )
        ],
        [
            Group("1 · Portrait", "input", portrait(2)),
            Group(
                "2 · Driving video",
                "motion",
                [
                    [Node("6", "MambaPortraitExampleDrivingVideo")],
                    [
                        Node(
                            "7",
                            "MambaPortraitEncodeDriving",
                            {"renderer": Out("1"), "video": Out("6"), "crop": "whole frame"},
                        )
                    ],
                ],
            ),
        ],
        [Group("3 · Video", "render", [[assembled("8", Out("7"), audio=Out("7", 1))]])],
        [Group("4 · Saved", "render", [[saved("9", "8", "video/driven")]])],
    ],
)

EDITED = Workflow(
    "motion_saved_edited_rerendered",
    "5 Motion edited and drawn on another face",
    [
        [
            read_me(
                "Motion is yours to keep",
                "Motion made for one face is saved, loaded again, edited by face region, looked at as curves, and "
                "drawn "
                "on another face.",
            )
        ],
        [Group("1 · The face it is made for", "input", portrait(2)), Group("2 · Voice", "voice", voice(6))],
        [
            Group("3 · Motion, made", "motion", [[sampled("10", 6, "5")]]),
            Group(
                "4 · Saved, and loaded again",
                "motion",
                [
                    [
                        Node(
                            "11", "MambaPortraitSaveMotion", {"motion": Out("10"), "filename_prefix": "motion/greeting"}
                        ),
                        Node("12", "MambaPortraitLoadMotion", {"path": Out("11", 1)}),
                    ]
                ],
            ),
        ],
        [
            Group(
                "5 · Edited",
                "motion",
                [
                    [
                        Node(
                            "13",
                            "MambaPortraitEditMotion",
                            {"motion": Out("12"), "renderer": Out("1"), "mouth": 1.2, "pose": 0.6},
                        )
                    ]
                ],
            ),
            Group(
                "6 · Looked at",
                "motion",
                [
                    [
                        Node("14", "MambaPortraitPlotMotion", {"motion": Out("13"), "renderer": Out("1")}),
                        Node("15", "PreviewImage", {"images": Out("14")}),
                    ]
                ],
            ),
        ],
        [
            Group("7 · Another face", "input", portrait(16, "Eileen Collins")),
            Group(
                "8 · Frames and film",
                "render",
                [
                    [Node("20", "MambaPortraitDecodeMotion", drawn(18, Out("13")) | {"size": "256"})],
                    [
                        Node(
                            "21",
                            "MambaPortraitFramesToVideo",
                            {"frames": Out("20"), "audio": Out("6"), "fps": Out("20", 1)},
                        )
                    ],
                ],
            ),
        ],
        [Group("9 · Saved", "render", [[saved("22", "21", "video/rerendered")]])],
    ],
)

WORKFLOWS = [TALKING, PASTED, DRIVEN, EDITED]
