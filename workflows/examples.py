"""The four example graphs, described once."""

from .forms import Group, Node, Note, Out, Workflow

HELP = """## {title}

{text}

- **Your own files**: replace the Example nodes by *Load Image*, *Load Audio* or *Load Video*.
- **No face found**, or the wrong one: see *finder* and *face* of Portrait Crop.
- **Long audio** is no problem: Assemble Video writes the frames as they come.

The finished film says in its metadata that its picture is generated.
"""


def photo(first: int, name: str = "Grace Hopper", renderer: bool = True) -> list[list[Node]]:
    """Picture and crop, nodes `first` and `first + 1`, and the renderer, node 1, beside what it feeds."""
    picture = Node(str(first), "MambaPortraitExamplePortrait", {"name": name})
    return [[picture], cropped(str(first + 1), Out(str(first)), renderer)]


def cropped(key: str, image: Out, renderer: bool = True) -> list[Node]:
    """The crop of a picture, below the renderer, node 1."""
    crop = Node(key, "MambaPortraitCrop", {"image": image})
    return [Node("1", "MambaPortraitLoadRenderer"), crop] if renderer else [crop]


def encoded(first: int) -> list[list[Node]]:
    """Source and appearance of the crop in node `first - 1`: nodes `first` and `first + 1`."""
    crop, source, appearance = (str(first + i) for i in (-1, 0, 1))
    return [
        [Node(source, "MambaPortraitEncodeSource", {"renderer": Out("1"), "image": Out(crop)})],
        [Node(appearance, "MambaPortraitExtractAppearance", {"renderer": Out("1"), "source": Out(source)})],
    ]


def voice(first: int) -> list[list[Node]]:
    """Recording, motion model, global and local audio features; nodes `first` .. `first + 3`."""
    model = Node(str(first + 1), "MambaPortraitLoadMotionModel")
    return [
        [Node(str(first), "MambaPortraitExampleVoice"), model],
        audio_features(first + 1, Out(str(first))),
    ]


def audio_features(model: int, audio: Out) -> list[Node]:
    """Global and local audio features, nodes `model + 1` and `model + 2`."""
    inputs = {"motion_model": Out(str(model)), "audio": audio}
    return [
        Node(str(model + 1), "MambaPortraitGlobalAudio", inputs),
        Node(str(model + 2), "MambaPortraitLocalAudio", inputs),
    ]


def sampled(key: str, first_voice: int, appearance: str, seed: int | Out = 7) -> Node:
    """Sample Motion, wired to `voice(first_voice)` and an appearance node."""
    return Node(
        key,
        "MambaPortraitSampleMotion",
        {
            "motion_model": Out(str(first_voice + 1)),
            "global_audio": Out(str(first_voice + 2)),
            "local_audio": Out(str(first_voice + 3)),
            "appearance": Out(appearance),
            "seed": seed,
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


def read_me(title: str, text: str, height: int = 330) -> Group:
    """The note that explains the graph."""
    return Group("Start here", "help", [[Note(HELP.format(title=title, text=text), height)]])


def spoken(portrait_title: str, name: str, note: Group) -> list:
    """The stacks of portrait, voice and motion: nodes 1 to 10."""
    return [
        [Group(portrait_title, "input", photo(2, name)), note],
        [Group("2 · The portrait, encoded", "input", encoded(4)), Group("3 · Voice", "voice", voice(6))],
        [Group("4 · Motion", "motion", [[sampled("10", 6, "5")]])],
    ]


def film(number: int, title: str, video: Node, save: Node) -> list:
    """The stacks of the video and of its saving."""
    return [
        [Group(f"{number} · {title}", "render", [[video]])],
        [Group(f"{number + 1} · Saved", "render", [[save]])],
    ]


TALKING = Workflow(
    "talking_portrait",
    "2 Talking portrait, stage by stage",
    [
        *spoken(
            "1 · Portrait",
            "Grace Hopper",
            read_me(
                "A photograph speaks",
                "One portrait and one voice in, a talking portrait out. Press **Run**: picture, voice and weights come "
                "with the pack.",
            ),
        ),
        *film(5, "Video", assembled("11", Out("10"), audio=Out("6")), saved("12", "11", "video/talking_portrait")),
    ],
    room={"4": 130, "8": 190, "10": 400, "11": 250},
)

PASTED = Workflow(
    "talking_portrait_pasted_back",
    "3 Talking face in a large photo",
    [
        *spoken(
            "1 · Portrait in a large photo",
            "picture in a room",
            read_me(
                "A face speaks in a large photo",
                "The face is cropped, animated and put back into the whole photo with a soft edge. The photo keeps its "
                "size; everything outside the crop stays as it was.",
            ),
        ),
        *film(
            5,
            "Video of the whole photo",
            assembled("11", Out("10"), audio=Out("6"), photo=Out("2"), crop=Out("3", 1)),
            saved("12", "11", "video/pasted_back"),
        ),
    ],
    room={"1": 90, "4": 310, "8": 210, "10": 410, "11": 90},
)


def driving(first: int) -> list[list[Node]]:
    """Example video and its motion: nodes `first` and `first + 1`."""
    inputs = {"renderer": Out("1"), "video": Out(str(first)), "crop": "whole frame"}
    return [
        [Node(str(first), "MambaPortraitExampleDrivingVideo")],
        [Node(str(first + 1), "MambaPortraitEncodeDriving", inputs)],
    ]


DRIVEN = Workflow(
    "driven_by_video",
    "4 Portrait that moves as a video does",
    [
        [
            Group("1 · Portrait", "input", photo(2)),
            read_me(
                "A video drives a photograph",
                "The motion of a face is read from a video, frame by frame, and given to the portrait. The film keeps "
                "the video's frame rate and sound.",
            ),
        ],
        [
            Group("2 · The portrait, encoded", "input", encoded(4)),
            Group("3 · Driving video", "motion", driving(6)),
        ],
        *film(4, "Video", assembled("8", Out("7"), audio=Out("7", 1)), saved("9", "8", "video/driven")),
    ],
    room={"1": 70, "5": 260, "6": 160, "8": 200},
)

EDITED = Workflow(
    "motion_saved_edited_rerendered",
    "6 Motion edited and drawn on another face",
    [
        [
            Group("1 · The face it is made for", "input", photo(2, renderer=False)),
            Group("2 · Another face", "input", photo(16, "Eileen Collins")),
            read_me(
                "Motion is yours to keep",
                "Motion made for one face is saved, loaded again, edited by face region, looked at as curves, and "
                "drawn on another face.",
            ),
        ],
        [
            Group("3 · The portrait, encoded", "input", encoded(4)),
            Group("4 · The other face, encoded", "input", encoded(18)),
            Group("5 · Voice", "voice", voice(6)),
        ],
        [Group("6 · Motion", "motion", [[sampled("10", 6, "5")]])],
        [
            Group(
                "7 · Saved, loaded again, edited",
                "motion",
                [
                    [
                        Node(
                            "11", "MambaPortraitSaveMotion", {"motion": Out("10"), "filename_prefix": "motion/greeting"}
                        )
                    ],
                    [Node("12", "MambaPortraitLoadMotion", {"path": Out("11", 1)})],
                    [
                        Node(
                            "13",
                            "MambaPortraitEditMotion",
                            {"motion": Out("12"), "renderer": Out("1"), "mouth": 1.2, "pose": 0.6},
                        )
                    ],
                ],
            ),
        ],
        [
            Group(
                "8 · Looked at",
                "motion",
                [
                    [Node("14", "MambaPortraitPlotMotion", {"motion": Out("13"), "renderer": Out("1")})],
                    [Node("15", "PreviewImage", {"images": Out("14")})],
                ],
            ),
            Group(
                "9 · Frames and film",
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
        [Group("10 · Saved", "render", [[saved("22", "21", "video/rerendered")]])],
    ],
    room={"5": 90, "8": 230, "10": 880, "13": 210, "14": 60, "15": 160, "18": 300, "20": 90},
)

WORKFLOWS = [TALKING, PASTED, DRIVEN, EDITED]
