"""The headless stand-in (host/headless) beside a real ComfyUI: the same schemas, the same nodes of core, the same VIDEO
values, the same graphs refused and run, the same nodes run again. Where it differs on purpose, the test says so."""

import json
import os

import cv2
import numpy as np
import pytest

from mamba_portrait.host.headless import settings as headless
from mamba_portrait.host.headless.core_nodes import CORE_NODES
from mamba_portrait.nodes.workflow import node_classes, run_workflow

from .conftest import Refused

SIGNATURES = """
import inspect, json, sys
sys.argv = ["main.py", "--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
from comfy_api.latest import io as theirs
from mamba_portrait.host.headless import schema as ours

def taken(function):
    return {n: repr(p.default) for n, p in inspect.signature(function).parameters.items() if n not in ("self", "cls")}

kinds = ["Boolean", "Int", "Float", "String", "Combo", "Image", "Mask", "Audio", "Video", "Latent"]
pairs = {f"{k}.{part}": (getattr(ours, k), getattr(theirs, k), part) for k in kinds for part in ("Input", "Output")}
found = {name: [taken(getattr(x, part).__init__) for x in (a, b)] for name, (a, b, part) in pairs.items()}
found["Schema"] = [taken(ours.Schema.__init__), taken(theirs.Schema.__init__)]
found["NodeOutput"] = [taken(ours.NodeOutput.__init__), taken(theirs.NodeOutput.__init__)]
types = {k: [getattr(ours, k).io_type, getattr(theirs, k).io_type] for k in kinds + ["AnyType"]}
methods = [name for name in vars(ours.ComfyNode) if not name.startswith("_")]
missing = [name for name in methods if not hasattr(theirs.ComfyNode, name)]
output = theirs.NodeOutput(1, 2, ui={"text": ["x"]})
print(json.dumps([found, types, missing, [list(output.args), list(output.result), output[1], output.ui]]))
"""

VIDEOS = """
import json, sys
sys.argv = ["main.py", "--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
from comfy_api.latest import InputImpl
from mamba_portrait.host.headless.video import VideoFromFile

def told(video):
    parts = video.get_components()
    sound = parts.audio
    return {
        "source": video.get_stream_source(), "dimensions": list(video.get_dimensions()),
        "duration": round(video.get_duration(), 3), "frames": list(parts.images.shape),
        "type": str(parts.images.dtype), "rate": str(parts.frame_rate), "middle": parts.images.mean((1, 2)).tolist(),
        "sound": sound and [str(sound["waveform"].dtype), sound["waveform"].ndim, sound["waveform"].shape[1]],
        "sound_rate": sound and sound["sample_rate"], "samples": sound and sound["waveform"].shape[-1],
    }

print(json.dumps([told(kind(path)) for kind in (VideoFromFile, InputImpl.VideoFromFile) for path in PATHS]))
"""


@pytest.fixture
def root(comfyui):
    """The folder of `places`: ComfyUI's own."""
    return comfyui.base


@pytest.fixture(scope="module")
def signatures(run_in_comfyui):
    return run_in_comfyui(SIGNATURES)


def test_schemas_take_what_comfyuis_take(signatures):
    found, types, missing, _ = signatures
    for name, (ours, theirs) in found.items():
        assert set(ours) - set(theirs) <= {"search_aliases"}, name  # only where a host has it
        ours = {key: default for key, default in ours.items() if key in theirs}
        differing = {key for key in ours if ours[key] != theirs[key]}
        assert not differing or name == "Schema", f"{name}: {differing}"
    assert all(ours == theirs for ours, theirs in types.values())
    assert not missing


def test_a_nodes_output_is_read_the_same(signatures):
    output = headless.io.NodeOutput(1, 2, ui={"text": ["x"]})
    assert signatures[3] == [list(output.args), list(output.result), output[1], output.ui]


def test_videos_are_read_the_same(run_in_comfyui, tiny, tmp_path):
    paths = [str(tiny.write_driving(tmp_path / f"{fps}.mp4", frames=9, fps=fps)) for fps in (25, 30)]
    told = run_in_comfyui(VIDEOS.replace("PATHS", repr(paths)))
    for ours, theirs in zip(told[:2], told[2:], strict=True):
        middles = [value for film in (ours, theirs) for value in film.pop("middle")]
        half = len(middles) // 2
        for a, b in zip(middles[:half], middles[half:], strict=True):
            assert a == pytest.approx(b, abs=0.01)
        ours_samples, theirs_samples = ours.pop("samples"), theirs.pop("samples")
        assert abs(ours_samples - theirs_samples) <= 1024  # one block of AAC, its priming
        assert ours == theirs


def test_nodes_of_core_have_cores_inputs_and_outputs(comfyui):
    info = comfyui.get("/object_info")
    for node in CORE_NODES:
        schema = node.GET_SCHEMA()
        theirs = info[schema.node_id]
        listed = {**theirs["input"].get("required", {}), **theirs["input"].get("optional", {})}
        for socket in schema.inputs:
            kind = listed[socket.id][0]
            if isinstance(kind, list) or "COMBO" in kind:  # files are a list there and a text here
                assert socket.get_io_type() in ("COMBO", "STRING"), socket.id
            else:
                assert kind == socket.get_io_type(), socket.id
            assert not socket.optional or socket.id in theirs["input"].get("optional", {}), socket.id
        kinds = [output.get_io_type() for output in schema.outputs]
        assert theirs["output"][: len(kinds)] == kinds and theirs["output_node"] == schema.is_output_node


def graph(node: str = "MambaPortraitPasteBack", **changes) -> dict:
    """A small graph that runs: a crop of an example, pasted back; `changes` are inputs of `node`."""
    nodes = {
        "photo": {"class_type": "MambaPortraitExamplePortrait", "inputs": {"name": "Eileen Collins"}},
        "crop": {
            "class_type": "MambaPortraitCrop",
            "inputs": {
                **{"image": ["photo", 0], "finder": "box", "face": "largest", "face_number": 0, "scale": 2.0},
                **{"shift": 0.1, "box_x": 180, "box_y": 70, "box_width": 90, "box_height": 90},
            },
        },
        "paste": {
            "class_type": "MambaPortraitPasteBack",
            "inputs": {"photo": ["photo", 0], "frames": ["crop", 0], "crop": ["crop", 1], "feather": 0.1},
        },
        "shown": {"class_type": "PreviewImage", "inputs": {"images": ["paste", 0]}},
    }
    (key,) = [key for key, made in nodes.items() if made["class_type"] == node]
    for name, value in changes.items():
        if value is None:
            del nodes[key]["inputs"][name]
        else:
            nodes[key]["inputs"][name] = value
    return nodes


PICTURE_NODES = {
    "nearest": ("ImageScaleBy", {"upscale_method": "nearest-exact", "scale_by": 1.3}),
    "bilinear": ("ImageScaleBy", {"upscale_method": "bilinear", "scale_by": 0.7}),
    "area": ("ImageScaleBy", {"upscale_method": "area", "scale_by": 0.5}),
    "bicubic": ("ImageScaleBy", {"upscale_method": "bicubic", "scale_by": 2.0}),
    "lanczos": ("ImageScaleBy", {"upscale_method": "lanczos", "scale_by": 1.5}),
    "sharpened": ("ImageSharpen", {"sharpen_radius": 2, "sigma": 0.8, "alpha": 0.1}),
    "sharpened more": ("ImageSharpen", {"sharpen_radius": 1, "sigma": 3.0, "alpha": 1.0}),
}


@pytest.mark.parametrize("case", PICTURE_NODES)
def test_nodes_that_change_pictures_give_cores_pictures(comfyui, tmp_path, case):
    node, inputs = PICTURE_NODES[case]
    prompt = {key: node for key, node in graph().items() if key in ("photo", "crop")}
    prompt["changed"] = {"class_type": node, "inputs": {"image": ["crop", 0], **inputs}}
    prompt["saved"] = {"class_type": "SaveImage", "inputs": {"images": ["changed", 0], "filename_prefix": case}}
    (ours,) = run_workflow(prompt, output_dir=tmp_path).files
    (theirs,) = comfyui.saved(comfyui.run(prompt))
    ours, theirs = (cv2.imread(str(path)).astype(int) for path in (ours, theirs))
    assert ours.shape == theirs.shape and np.abs(ours - theirs).max() <= 1


CASES = {
    "as it is": (graph(), True),
    "a number at its least": (graph(feather=0), True),
    "a number at its most": (graph(feather=0.5), True),
    "below the least": (graph(feather=-0.01), False),
    "above the most": (graph(feather=0.51), False),
    "no number": (graph(feather="soft"), False),
    "an input is missing": (graph(frames=None), False),
    "a socket is given a value": (graph(crop="here"), False),
    "wire of another type": (graph(crop=["crop", 0]), False),
    "wire of any type": (graph(frames=["photo", 0]), True),
    "wire to no node": (graph(frames=["nobody", 0]), False),
    "wire to no output": (graph(frames=["crop", 9]), False),
    "wire to itself": (graph(frames=["paste", 0]), False),
    "no such class": ({**graph(), "odd": {"class_type": "NoSuchNode", "inputs": {}}}, False),
    "nothing is shown": ({key: node for key, node in graph().items() if key != "shown"}, False),
    "a whole number with a fraction of nothing": (graph("MambaPortraitCrop", face_number=0.0), True),
}
"""Graphs, and whether they run."""


def runs_in_comfyui(comfyui, prompt: dict) -> bool:
    try:
        entry = comfyui.wait(comfyui.queue(prompt))
    except Refused:
        return False
    return entry["status"]["status_str"] == "success"


@pytest.mark.parametrize("case", CASES)
def test_the_same_graphs_run(comfyui, tmp_path, case):
    prompt, wanted = CASES[case]
    try:
        run_workflow(prompt, output_dir=tmp_path)
        ours = True
    except (ValueError, RuntimeError):
        ours = False
    assert (ours, runs_in_comfyui(comfyui, prompt)) == (wanted, wanted)


def test_what_differs_on_purpose(comfyui, tmp_path):
    """ComfyUI passes over inputs that a node has not, and takes text for a number; without it they are told, as they
    are slips of the pen in a script."""
    for prompt in (graph(fether=0.2), graph(feather="0.2")):
        assert runs_in_comfyui(comfyui, prompt)
        with pytest.raises(ValueError, match="fether|must be a number"):
            run_workflow(prompt, output_dir=tmp_path)


def cached_in_comfyui(comfyui, prompt: dict) -> set[str]:
    """The nodes that were not run again."""
    entry = comfyui.wait(comfyui.queue(prompt))
    return {node for name, data in entry["status"]["messages"] if name == "execution_cached" for node in data["nodes"]}


def test_the_same_nodes_are_run_again(comfyui, places, root, tmp_path):
    motion = root / "input" / "talk.safetensors"
    prompt = {
        "load": {"class_type": "MambaPortraitLoadMotion", "inputs": {"path": "talk.safetensors"}},
        "save": {
            "class_type": "MambaPortraitSaveMotion",
            "inputs": {"motion": ["load", 0], "filename_prefix": "motion/again"},
        },
        "again": {"class_type": "MambaPortraitLoadMotion", "inputs": {"path": ["save", 1]}},
        "shown": {"class_type": "PreviewAny", "inputs": {"source": ["again", 0]}},
    }
    cache, ours, theirs = {}, [], []
    for step in ("first", "same", "file changed", "input changed"):
        if step == "file changed":
            os.utime(motion, (1, 1))
        if step == "input changed":
            prompt["save"]["inputs"]["filename_prefix"] = "motion/other"
        theirs.append("load" in cached_in_comfyui(comfyui, json.loads(json.dumps(prompt))))
        run = run_workflow(prompt, input_dir=root / "input", output_dir=tmp_path / "ours", cache=cache)
        ours.append("load" not in run.seconds)
    assert ours == theirs == [False, True, False, True]


def test_saved_files_are_counted_the_same(comfyui, places, root, tmp_path):
    prompt = {
        "1": {"class_type": "MambaPortraitLoadMotion", "inputs": {"path": "talk.safetensors"}},
        "2": {"class_type": "MambaPortraitSaveMotion", "inputs": {"motion": ["1", 0], "filename_prefix": "counted/a"}},
    }
    for number in range(3):
        prompt["2"]["inputs"]["filename_prefix"] = f"counted/{'ab'[number % 2]}"
        comfyui.run(prompt)
        run_workflow(prompt, input_dir=root / "input", output_dir=tmp_path / "ours")
    ours, theirs = (sorted(p.name for p in (f / "counted").iterdir()) for f in (tmp_path / "ours", root / "output"))
    assert ours == theirs


def test_every_node_of_ours_has_the_same_sockets_in_both(comfyui):
    info = comfyui.get("/object_info")
    for node_id, node in node_classes().items():
        if not node_id.startswith("MambaPortrait"):
            continue
        schema, theirs = node.GET_SCHEMA(), info[node_id]
        ours = {
            kind: [i.id for i in schema.inputs if i.optional == (kind == "optional")]
            for kind in ("required", "optional")
        }
        assert ours == {kind: list(theirs["input"].get(kind, {})) for kind in ours}, node_id
        assert [output.get_io_type() for output in schema.outputs] == theirs["output"], node_id
        for socket in schema.inputs:
            options = {**theirs["input"].get("required", {}), **theirs["input"].get("optional", {})}[socket.id][1]
            for limit in ("min", "max", "default"):
                if getattr(socket, limit, None) is not None and socket.id not in ("weights", "file"):
                    assert options[limit] == getattr(socket, limit), f"{node_id}.{socket.id}"
