"""The example graphs of one portrait, described once."""

from .forms import NOTE_WIDTH, Group, Node, Note, Out, Workflow

ASSEMBLE = "MambaPortraitAssembleVideo"

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


def collapsed(columns: list[list[Node]]) -> list[Node]:
    """The nodes of these columns as titles, below each other: nodes in which there is nothing to set."""
    nodes = [node for column in columns for node in column]
    for node in nodes:
        node.collapsed = True
    return nodes


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
    return Node(key, ASSEMBLE, drawn(4, motion) | rest)


def saved(key: str, video: str, prefix: str) -> Node:
    """Save Video."""
    return Node(key, "SaveVideo", {"video": Out(video), "filename_prefix": prefix})


def read_me(
    title: str, text: str, height: int = 330, at: tuple[int, int] | None = None, width: int = NOTE_WIDTH
) -> Group:
    """The note that explains the graph."""
    return Group("Start here", "help", [[Note(HELP.format(title=title, text=text), height, width)]], at)


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
    "02 Talking portrait, stage by stage",
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
    "03 Talking face in a large photo",
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
    "04 Portrait that moves as a video does",
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


def face(number: int, title: str, first: int, name: str, at: tuple[int, int], renderer: bool = False) -> Group:
    """A portrait, cropped and encoded, nodes `first` to `first + 3`, with the renderer, node 1, or without."""
    picture, (crop,) = photo(first, name, renderer=False)
    titles = collapsed([[crop], *encoded(first + 2)])
    loader = [Node("1", "MambaPortraitLoadRenderer")] if renderer else []
    return Group(f"{number} · {title}", "input", [[*picture, *loader], titles], at)


SAVED_MOTION = Node("11", "MambaPortraitSaveMotion", {"motion": Out("10"), "filename_prefix": "motion/greeting"})
LOADED_MOTION = Node("12", "MambaPortraitLoadMotion", {"path": Out("11", 1)})
EDITED_MOTION = Node(
    "13", "MambaPortraitEditMotion", {"motion": Out("12"), "renderer": Out("1"), "mouth": 1.2, "pose": 0.6}
)
PLOTTED = Node("14", "MambaPortraitPlotMotion", {"motion": Out("13"), "renderer": Out("1")}, collapsed=True)

EDITED = Workflow(
    "motion_saved_edited_rerendered",
    "06 Motion edited and drawn on another face",
    [
        [
            face(1, "The face it is made for", 2, "Grace Hopper", (50, 0), renderer=True),
            face(2, "Another face", 16, "Eileen Collins", (870, 230)),
            Group("3 · Voice", "voice", [voice(6)[0], collapsed(voice(6)[1:])], (20, 470)),
            Group("4 · Motion", "motion", [[sampled("10", 6, "5")]], (580, 550)),
            Group("5 · Saved, loaded again", "motion", [[SAVED_MOTION], [LOADED_MOTION]], (600, 0)),
            Group("6 · Edited", "motion", [[EDITED_MOTION]], (1140, 600)),
            Group(
                "7 · Looked at", "motion", [[PLOTTED], [Node("15", "PreviewImage", {"images": Out("14")})]], (1430, 0)
            ),
            Group(
                "8 · Film",
                "render",
                [[Node("20", ASSEMBLE, drawn(18, Out("13")) | {"audio": Out("6"), "size": "512"})]],
                (1430, 430),
            ),
            Group("9 · Saved", "render", [[saved("22", "20", "video/rerendered")]], (1720, 450)),
            read_me(
                "Motion is yours to keep",
                "Motion made for one face is saved, loaded again, edited by face region, looked at as curves, and "
                "drawn on another face.",
                200,
                (0, 800),
            ),
        ],
    ],
    room={"1": 140, "4": 80, "5": 80, "8": 90, "9": 40, "14": 130, "18": 80, "19": 80},
)

WORKFLOWS = [TALKING, PASTED, DRIVEN, EDITED]
