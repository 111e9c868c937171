"""In a real ComfyUI: a film is dubbed and two people talk, with the weights that ship; an image batch is a film too,
and a bounding box is wired where the host has one."""

import json
from itertools import islice
from pathlib import Path

import pytest

from mamba_portrait.media.video import VideoWriter, read_video

PACK = Path(__file__).parents[3]
FRAMES = 8


def template(name, **replaced):
    """A template's graph with some of its nodes replaced."""
    graph = json.loads((PACK / "workflows" / "api" / f"{name}.json").read_text())
    for node in graph.values():
        if other := replaced.get(node["class_type"].removeprefix("MambaPortrait")):
            node.update(class_type=other[0], inputs=other[1])
    return graph


@pytest.fixture(scope="module")
def short_film(comfyui):
    with VideoWriter(comfyui.base / "input" / "face.mp4", fps=24) as writer:
        for frame in islice(read_video(PACK / "assets" / "driving.mp4"), FRAMES):
            writer.write(frame)
    return "face.mp4"


VOICE = ("LoadAudio", {"audio": "voice.wav"})


def test_a_film_is_dubbed(comfyui, tiny, short_film):
    graph = template("dub_a_film", ExampleVoice=VOICE, ExampleDrivingVideo=("LoadVideo", {"file": short_film}))
    (path,) = [p for p in comfyui.saved(comfyui.run(graph)) if p.suffix == ".mp4"]
    assert tiny.facts(path)[:4] == (FRAMES, 24, 320, 320)


def test_a_generators_frames_are_dubbed(comfyui, tiny, short_film):
    graph = template("dub_a_film", ExampleVoice=VOICE, ExampleDrivingVideo=("LoadVideo", {"file": short_film}))
    graph["20"] = {"class_type": "GetVideoComponents", "inputs": {"video": ["2", 0]}}
    graph["21"] = {"class_type": "CreateVideo", "inputs": {"images": ["20", 0], "fps": 16.0}}
    graph["3"]["inputs"]["video"] = ["21", 0]
    (path,) = [p for p in comfyui.saved(comfyui.run(graph)) if p.suffix == ".mp4"]
    assert tiny.facts(path)[:4] == (FRAMES, 16, 320, 320)


def test_two_people_talk(comfyui, tiny):
    graph = template("two_people_talk", ExampleVoice=VOICE)
    graph["11"]["inputs"].update(order="as recorded")
    if "PrimitiveBoundingBox" in comfyui.get("/object_info"):
        box = {"x": 123, "y": 108, "width": 108, "height": 108}
        graph["30"] = {"class_type": "PrimitiveBoundingBox", "inputs": box}
        graph["3"]["inputs"].update(pick="box", bounding_box=["30", 0])
    (path,) = [p for p in comfyui.saved(comfyui.run(graph)) if p.suffix == ".mp4"]
    assert tiny.facts(path)[:4] == (16, 25, 640, 352)
