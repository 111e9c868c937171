"""Graphs in which other nodes finish the frames: detail, size, frame rate; and one whose voice is made of text."""

from .examples import audio_features, collapsed, drawn, encoded, sampled, saved
from .forms import Group, Node, Note, Out, Workflow

Place = tuple[int, int]


def portrait_and_voice(portrait: Place, voice: Place, motion: Place, voice_title: str = "2 · Voice") -> list[Group]:
    """Portrait and voice, encoded, and the motion sampled for them: nodes 1 to 10, in groups at these places."""
    crop = Node("3", "MambaPortraitCrop", {"image": Out("2")})
    loaders = [Node("2", "MambaPortraitExamplePortrait"), Node("1", "MambaPortraitLoadRenderer")]
    spoken = [Node("6", "MambaPortraitExampleVoice"), Node("7", "MambaPortraitLoadMotionModel")]
    return [
        Group("1 · Portrait", "input", [loaders, collapsed([[crop], *encoded(4)])], portrait),
        Group(voice_title, "voice", [spoken, collapsed([audio_features(7, Out("6"))])], voice),
        Group("3 · Motion", "motion", [[sampled("10", 6, "5")]], motion),
    ]


def decoded(motion: Out, size: str = "512") -> Node:
    """Decode Motion, node 11."""
    return Node("11", "MambaPortraitDecodeMotion", drawn(4, motion) | {"size": size})


def carried(frames: Out, detailed: Out) -> Node:
    """Carry Detail Along, node 13."""
    inputs = {"frames": frames, "detailed": detailed, "flow": Out("11", 3), "mask": Out("11", 2)}
    return Node("13", "MambaPortraitCarryAlong", inputs)


def filmed(frames: str, fps: Out | float) -> Node:
    """Frames to Video, node 14."""
    inputs = {"frames": Out(frames), "audio": Out("6"), "fps": fps}
    return Node("14", "MambaPortraitFramesToVideo", inputs)


def note(title: str, text: str, packs: str, at: Place) -> Group:
    """The note: what the graph does, and what may stand in place of the host's own nodes."""
    combine = "*Video Combine* of VideoHelperSuite takes frames, audio and fps in place of *Frames to Video*."
    return Group("Start here", "help", [[Note(f"## {title}\n\n{text}\n\n- {packs}\n- {combine}\n", 260)]], at)


DETAILED = Workflow(
    "portrait_detailed",
    "08 Portrait with detail in mouth and eyes",
    [
        [
            *portrait_and_voice((0, 0), (0, 430), (560, 560)),
            Group("4 · Frames", "render", [[decoded(Out("10"))]], (840, 160)),
            Group(
                "5 · Restored",
                "help",
                [[Node("12", "ImageSharpen", {"image": Out("11"), "sigma": 0.8, "alpha": 0.1})]],
                (1070, 660),
            ),
            Group("6 · Carried along", "render", [[carried(Out("11"), Out("12"))]], (1130, 60)),
            Group("7 · Film", "render", [[filmed("13", Out("11", 1))]], (1360, 440)),
            Group("8 · Saved", "render", [[saved("15", "14", "video/detailed")]], (1670, 400)),
            note(
                "Detail where the picture is painted",
                "Most of a frame is the photo's own pixels, moved; the inside of the mouth and closed lids are "
                "painted. Only these are taken from the restored frames, and steadied on the moving face so that they "
                "do not flicker.",
                "*Sharpen Image* stands for a restorer: put CodeFormer or GFPGAN (facerestore_cf, ReActor), "
                "FaceDetailer (Impact Pack) or an upscale model in its place.",
                (1420, 30),
            ),
        ]
    ],
    room={"1": 30, "2": 110, "3": 120, "4": 80, "5": 80, "8": 70, "9": 70},
)

UPSCALED = Workflow(
    "portrait_upscaled",
    "09 Portrait upscaled",
    [
        [
            *portrait_and_voice((30, 90), (0, 500), (560, 530)),
            Group(
                "4 · Portrait, enlarged",
                "input",
                [[Node("12", "ImageScaleBy", {"image": Out("3"), "upscale_method": "bicubic", "scale_by": 2.0})]],
                (590, 90),
            ),
            Group("5 · Frames", "render", [[decoded(Out("10"), "256")]], (850, 430)),
            Group("6 · Carried along", "render", [[carried(Out("11"), Out("12"))]], (1100, 10)),
            Group("7 · Film", "render", [[filmed("13", Out("11", 1))]], (1350, 270)),
            Group("8 · Saved", "render", [[saved("15", "14", "video/upscaled")]], (1640, 120)),
            note(
                "The portrait is enlarged once, not every frame",
                "The enlarged portrait is moved by the flow; only the inside of the mouth and closed lids come from "
                "the small frames.",
                "*Upscale Image By* stands for an upscaler: put *Upscale Image (using Model)*, SUPIR or Ultimate SD "
                "Upscale in its place. It runs once for the whole film.",
                (1160, 680),
            ),
        ]
    ],
    room={"1": 40, "3": 40, "4": 80, "5": 80, "8": 50, "9": 80},
)

SLOWED = Node("12", "MambaPortraitEditMotion", {"motion": Out("10"), "renderer": Out("1"), "speed": 0.5})

INTERPOLATED = Workflow(
    "portrait_interpolated",
    "10 Portrait at twice the frame rate",
    [
        [
            *portrait_and_voice((0, 0), (0, 440), (560, 550)),
            Group("4 · Twice as many frames", "motion", [[SLOWED]], (850, 480)),
            Group("5 · Frames", "render", [[decoded(Out("12"), "256")]], (1090, 60)),
            Group("6 · Film", "render", [[filmed("11", 50.0)]], (1390, 370)),
            Group("7 · Saved", "render", [[saved("15", "14", "video/interpolated")]], (1740, 420)),
            note(
                "50 frames a second",
                "*Edit Motion* at speed 0.5 makes twice as many frames, *Frames to Video* at 50 plays them in the same "
                "time. What is interpolated is motion, not pictures, so nothing is blurred; size is free.",
                "For films that exist already: *RIFE VFI* or *FILM VFI* (ComfyUI-Frame-Interpolation) on the frames.",
                (1450, 0),
            ),
        ]
    ],
    room={"2": 50, "3": 60, "4": 70, "5": 150, "8": 60, "9": 70},
)

SPEAKING = Node("14", "MambaPortraitAssembleVideo", drawn(4, Out("10")) | {"audio": Out("6")})

TEXT = Workflow(
    "tts_to_portrait",
    "11 Portrait that speaks a text",
    [
        [
            *portrait_and_voice((30, 0), (0, 370), (560, 400), "2 · Voice: your text-to-speech node here"),
            Group("4 · Video", "render", [[SPEAKING]], (850, 180)),
            Group("5 · Saved", "render", [[saved("15", "14", "video/spoken_text")]], (1140, 130)),
            note(
                "A text is spoken",
                "Put a text-to-speech node in place of *Example Voice*, which only holds its place, and wire its audio "
                "to *Mamba Global Audio*, *Mamba Local Audio* and *Assemble Video*. Any rate and any number of "
                "channels will do.",
                "Nodes that give AUDIO: TTS Audio Suite, ComfyUI-F5-TTS, ChatterBox, Kokoro, and the paid ones of the "
                "host.",
                (1200, 690),
            ),
        ]
    ],
    room={"1": 10, "4": 80, "5": 80, "8": 50, "9": 80},
)

WORKFLOWS = [DETAILED, UPSCALED, INTERPOLATED, TEXT]
