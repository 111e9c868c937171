"""The example workflows on tiny networks, so that each runs in seconds; a short voice and a short video; names that a
graph may and may not hold, and a place to try them."""

import json
import math
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import pytest
import torch
from PIL import Image

from mamba_portrait.host import paths
from mamba_portrait.host.headless import settings as headless
from mamba_portrait.media.audio import write_wav
from mamba_portrait.media.motion import Motion, save_motion
from mamba_portrait.media.video import VideoWriter

WORKFLOWS = Path(__file__).parents[2] / "workflows"

TINY = {
    "MambaPortraitLoadRenderer.weights": "tiny_renderer.safetensors",
    "MambaPortraitLoadMotionModel.weights": "tiny_motion.safetensors",
}
"""Overrides that put the tiny networks in the place of the shipped ones."""


def write_voice(path: Path, samples: int = 8000, rate: int = 16000) -> Path:
    """A buzz that opens and closes."""
    t = torch.arange(samples) / rate
    return write_wav(path, (torch.sin(2 * math.pi * 140 * t) * torch.sin(2 * math.pi * 3 * t).abs() * 0.5)[None], rate)


def write_driving_video(path: Path, frames: int = 7, fps: int = 30) -> Path:
    """A bright disc that wanders, with sound."""
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    t = torch.arange(frames * 16000 // fps) / 16000
    with VideoWriter(path, fps=fps, audio=(torch.sin(2 * math.pi * 200 * t)[None] * 0.3, 16000)) as writer:
        for i in range(frames):
            disc = ((x - 28 - i) ** 2 + (y - 32) ** 2 < 300).float()
            writer.write(disc[..., None].expand(-1, -1, 3) * 0.8 + 0.1)
    return path


def facts(path) -> tuple:
    """(frames, rate, width, height, seconds of sound) of a video file."""
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        frames = sum(1 for _ in container.decode(video))
        return frames, video.average_rate, video.width, video.height, float(sound.duration * sound.time_base)


def example_workflow(name: str, **replace) -> dict:
    """An example workflow on tiny networks, with no face finder needed, and some nodes replaced."""
    graph = json.loads((WORKFLOWS / "api" / f"{name}.json").read_text())
    for node in graph.values():
        if node["class_type"] == "MambaPortraitCrop":
            node["inputs"].update(finder="box", scale=2.0, box_x=180, box_y=70, box_width=90, box_height=90)
        if weights := TINY.get(node["class_type"] + ".weights"):
            node["inputs"]["weights"] = weights
        if other := replace.get(node["class_type"].removeprefix("MambaPortrait")):
            node.update(class_type=other[0], inputs=other[1])
    return graph


@pytest.fixture(scope="session")
def tiny() -> SimpleNamespace:
    """The helpers of this file, for the tests of this folder."""
    return SimpleNamespace(
        write_voice=write_voice,
        write_driving=write_driving_video,
        workflow=example_workflow,
        facts=facts,
    )


@pytest.fixture(scope="session")
def tiny_networks(tiny_weights, tmp_path_factory) -> Path:
    """A model folder with the tiny networks, under names that are not the shipped ones'."""
    folder = tmp_path_factory.mktemp("models")
    for shipped, name in (("renderer_lite", "tiny_renderer"), ("motion_lite", "tiny_motion")):
        shutil.copy(tiny_weights / f"{shipped}.safetensors", folder / f"{name}.safetensors")
    return folder


@pytest.fixture
def tiny_host(tiny_networks, tmp_path):
    """A headless host whose models are the tiny ones and whose output goes to tmp_path."""
    with headless.configure(model_folders=[tiny_networks], device="cpu", precision="fp32", output_directory=tmp_path):
        yield tmp_path


OUTSIDE = {
    "absolute": ("{root}/secret.safetensors", "{root}/gone.safetensors"),
    "above": ("../secret.safetensors", "../gone.safetensors"),
    "down and up": ("sub/../../secret.safetensors", "sub/../../gone.safetensors"),
    "through no folder": ("nothing/../../secret.safetensors", "nothing/../../gone.safetensors"),
    "above, annotated": ("../secret.safetensors [output]", "../gone.safetensors [output]"),
    "absolute, annotated": ("{root}/secret.safetensors [temp]", "{root}/gone.safetensors [temp]"),
    "link": ("link.safetensors", "dangling.safetensors"),
    "linked folder": ("linked/secret.safetensors", "linked/gone.safetensors"),
    "folder": ("sub", "no_sub"),
    "the folders themselves": (".", "{root}/output"),
    "circle of links": ("circle.safetensors", "circle.safetensors/x"),
    "zero byte": ("talk.safetensors\0", "gone.safetensors\0"),
    "zero byte and more": ("\0../secret.safetensors", "\0../gone.safetensors"),
    "no text": ("talk.safetensors\ud800", "gone.safetensors\ud800"),
    "line feed": ("talk.safetensors\n", "gone.safetensors\n"),
    "backslashes": ("..\\secret.safetensors", "..\\gone.safetensors"),
    "Windows drive": ("C:\\secret.safetensors", "C:/gone.safetensors"),
    "folder of a drive": ("C:secret.safetensors", "c:..\\gone.safetensors"),
    "server": ("\\\\server\\share\\secret.safetensors", "//server/share/gone.safetensors"),
    "as a server": ("/{root}/input/talk.safetensors", "/{root}/input/gone.safetensors"),
    "device": ("\\\\?\\C:\\secret.safetensors", "\\\\.\\pipe\\gone"),
    "address": ("file://{root}/secret.safetensors", "http://127.0.0.1/gone.safetensors"),
    "home": ("~/secret.safetensors", "~/gone.safetensors"),
    "long": ("x" * 5000, "y/" * 5000),
    "empty": (" [output]", " "),
}
"""Names that no node may follow, in pairs: what is there (where it can be), and what is not."""

FILE_WIDGETS = {
    "MambaPortraitLoadMotion.path": {},
    "MambaPortraitLoadMotion.file": {"path": ""},
    "MambaPortraitSaveMotion.filename_prefix": {"motion": ["motion", 0]},
    "MambaPortraitSaveAlpha.filename_prefix": {
        "frames": ["frames", 0],
        "mask": ["frames", 1],
        "format": "webm",
        "fps": 25.0,
        "quality": 18,
    },
    "MambaPortraitLoadCapture.path": {"renderer": ["renderer", 0], "fps": 25.0, "neutral": "rest"},
    "MambaPortraitLoadCapture.file": {"renderer": ["renderer", 0], "path": "", "fps": 25.0, "neutral": "rest"},
    "MambaPortraitSaveCapture.filename_prefix": {
        "motion": ["motion", 0],
        "renderer": ["renderer", 0],
        "form": "live link",
        "fps": 60.0,
    },
    "MambaPortraitPersonalise.filename_prefix": {
        "renderer": ["renderer", 0],
        "motion_model": ["motion_model", 0],
        "images": ["frames", 0],
        "minutes": 1.0,
        "fps": 25.0,
        "seed": 0,
    },
    "MambaPortraitPhonesToMotion.path": {"renderer": ["renderer", 0]},
    "MambaPortraitPhonesToMotion.file": {"renderer": ["renderer", 0], "path": ""},
    "MambaPortraitLoadRenderer.weights": {},
    "MambaPortraitLoadMotionModel.weights": {},
    "MambaPortraitLoadACTalker.weights": {"precision": "auto"},
    "MambaPortraitExamplePortrait.name": {},
    "MambaPortraitExampleVoice.name": {},
    "MambaPortraitExampleDrivingVideo.name": {},
}
"""Every widget of our nodes that names a file: the node's other inputs, in the graph of `file_widget_graph`."""

NO_NAMES = {
    "above": "../secret.safetensors",
    "far above": "../" * 40 + "etc/passwd",
    "down and up": "motion/../../secret.safetensors",
    "absolute": "{root}/secret.safetensors",
    "absolute elsewhere": "/etc/passwd",
    "linked folder": "linked/secret.safetensors",
    "circle of links": "circle/circle.safetensors",
    "zero byte": "talk.safetensors\0",
    "zero byte alone": "\0",
    "escape": "\x1b[31mtalk",
    "delete": "talk\x7f",
    "line feed": "talk\n.safetensors",
    "lone surrogate": "talk\ud800",
    "second half of a pair": "\udcfftalk",
    "300 characters": "x" * 300,
    "300 letters of three bytes": "\u8a71" * 300,
    "backslashes": "..\\..\\secret.safetensors",
    "drive": "C:\\secret.safetensors",
    "server": "\\\\server\\share\\secret.safetensors",
}
"""What is no name for any of them. Each makes one sentence, and nothing is read or written."""


def file_widget_graph(widget: str, name: str) -> dict:
    """A graph in which a file-name widget holds a name, and whose result is shown."""
    node, _, socket = widget.partition(".")
    graph = {
        "file": {"class_type": node, "inputs": FILE_WIDGETS[widget] | {socket: name}},
        "shown": {"class_type": "PreviewAny", "inputs": {"source": ["file", 0]}},
    }
    if FILE_WIDGETS[widget].get("motion"):
        graph["motion"] = {"class_type": "MambaPortraitLoadMotion", "inputs": {"path": "talk.safetensors"}}
    if FILE_WIDGETS[widget].get("renderer"):
        shipped = {"weights": "renderer_lite.safetensors"}
        graph["renderer"] = {"class_type": "MambaPortraitLoadRenderer", "inputs": shipped}
    if FILE_WIDGETS[widget].get("motion_model"):
        shipped = {"weights": "motion_lite.safetensors"}
        graph["motion_model"] = {"class_type": "MambaPortraitLoadMotionModel", "inputs": shipped}
    if {"frames", "images"} & FILE_WIDGETS[widget].keys():
        graph["frames"] = {"class_type": "LoadImage", "inputs": {"image": "picture.png"}}
    return graph


INSIDE = {
    "name": "talk.safetensors",
    "subfolder": "sub/talk.safetensors",
    "backslash": "sub\\talk.safetensors",
    "own annotation": "talk.safetensors [input]",
    "another folder's": "motion/talk.safetensors [output]",
    "temporary": "talk.safetensors [temp]",
    "absolute in input": "{root}/input/sub/talk.safetensors",
    "absolute in output": "{root}/output/motion/talk.safetensors",
    "absolute in temp": "{root}/temp/talk.safetensors",
    "over to output": "../output/motion/talk.safetensors",
    "down and up": "nothing/../talk.safetensors",
    "link that stays": "to_output.safetensors",
    "through a link to the folders": "{root}/alias/output/motion/talk.safetensors",
    "up from a link elsewhere": "{root}/alias/../input/talk.safetensors",
    "up from nothing elsewhere": "{root}/nothing/../input/talk.safetensors",
}

PREFIXES = {
    "leads out of the output folder": [
        "../talk",
        "motion/../../talk",
        "{root}/talk",
        "{root}/output_2/talk",
        "linked/talk",
        "linked/deep/talk",
        "..\\talk",
        "motion\\..\\..\\talk",
        "C:\\talk",
        "C:talk",
        "\\\\server\\share\\talk",
        "//server/share/talk",
        "\\\\?\\C:\\talk",
    ],
    "is empty or no name": ["", "  ", ".", "..", "motion/..", "...", "talk\0", "ta\0lk/x", "talk\ud800", "talk\nx"],
    "cannot be used": ["taken/talk", "circle/talk", "x" * 300 + "/talk"],
}
"""Prefixes that no save node may follow, by what is said of them."""


def some_motion() -> Motion:
    return Motion(torch.zeros(2, 768), torch.zeros(768), Fraction(25))


@pytest.fixture
def root(tmp_path) -> Path:
    """The folder that holds input, output and temp."""
    return tmp_path


@pytest.fixture
def places(root) -> Iterator[dict[str, Path]]:
    """Input, output and temp with a motion in each, another outside, and links out and in."""
    inside = ("input/talk", "input/sub/talk", "output/motion/talk", "temp/talk")
    files = [root / f"{name}.safetensors" for name in ("secret", "output_2/talk", *inside)]
    for file in files:
        save_motion(file, some_motion())
    links = {
        "input/link.safetensors": "secret.safetensors",
        "input/dangling.safetensors": "gone.safetensors",
        "input/linked": "",
        "output/linked": "output_2",
        "input/circle.safetensors": "input/circle.safetensors",
        "output/circle": "output/circle",
        "input/to_output.safetensors": "output/motion/talk.safetensors",
        "alias": "",
    }
    for name, target in links.items():
        (root / name).symlink_to(root / target)
    (root / "output" / "taken").touch()
    picture = root / "input" / "picture.png"
    Image.new("RGBA", (8, 8)).save(picture)
    yield {kind: root / kind for kind in ("input", "output", "temp")}
    for file in (*files, *(root / name for name in links), root / "output" / "taken", picture):
        file.unlink()


@pytest.fixture(params=OUTSIDE)
def names_outside(request, root) -> list[str]:
    """Two names that no node may follow."""
    return [name.format(root=root) for name in OUTSIDE[request.param]]


@pytest.fixture(params=FILE_WIDGETS)
def file_widget(request) -> str:
    """node.widget of a file name."""
    return request.param


@pytest.fixture(params=NO_NAMES)
def no_name(request, root) -> str:
    """What is no name for a file-name widget."""
    return NO_NAMES[request.param].format(root=root)


@pytest.fixture
def graph_of_widget():
    """`file_widget_graph`."""
    return file_widget_graph


@pytest.fixture
def known_file_widgets() -> set[str]:
    """All file-name widgets that are tried."""
    return set(FILE_WIDGETS)


@pytest.fixture(params=INSIDE)
def name_inside(request, root) -> str:
    """A name of a motion in one of the folders."""
    return INSIDE[request.param].format(root=root)


@pytest.fixture(params=[(told, prefix) for told, many in PREFIXES.items() for prefix in many])
def bad_prefix(request, root) -> tuple[str, str]:
    """What is said of a prefix, and the prefix."""
    return request.param[0], request.param[1].format(root=root)


@pytest.fixture
def one_sentence():
    """A function that makes a call refuse a name, and gives what it says in one sentence, the name taken out."""

    def told(call, name: str) -> str:
        with pytest.raises((OSError, ValueError, RuntimeError)) as refused:
            call(name)
        text, quoted = str(refused.value), f"'{paths.shown(name)}'"
        assert "\n" not in text and text.endswith(".") and ". " not in text.replace(quoted, "")
        assert len(text) < 600 + paths.SHOWN
        return text.replace(quoted, "NAME")

    return told
