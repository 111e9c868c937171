"""In a real ComfyUI the templates are wired to nodes of another pack (other_pack) and of core: a voice from text, a
portrait enlarged before it is cropped, and frames enlarged after they are rendered."""

import shutil

import pytest
import torch
from safetensors.torch import save_file

SPOKEN = ["talking_portrait", "talking_portrait_pasted_back", "joint_control", "motion_saved_edited_rerendered"]
TEXT = "Good morning."


@pytest.fixture(autouse=True)
def espeak():
    if shutil.which("espeak-ng") is None:
        pytest.skip("no espeak-ng here: install it to have a voice from text")


def rewired(graph: dict, node: str, socket: str, between: str, taken: str) -> dict:
    """The graph with a node of class `between` in the wire to an input; `taken` is that node's input."""
    (key,) = [key for key, n in graph.items() if n["class_type"] == node][:1]
    origin = graph[key]["inputs"][socket]
    for other in graph.values():
        for name, value in other["inputs"].items():
            if value == origin:
                other["inputs"][name] = ["between", 0]
    graph["between"] = {"class_type": between, "inputs": {taken: origin}}
    return graph


def speaking(tiny, name: str, channels: int = 1) -> dict:
    spoken = ("OtherPackSpeak", {"text": TEXT, "channels": channels})
    return tiny.workflow(name, ExampleVoice=spoken, ExampleDrivingVideo=("LoadVideo", {"file": "driver.mp4"}))


@pytest.mark.parametrize("name", SPOKEN)
def test_a_voice_from_text_and_an_enlarged_portrait_become_a_film(comfyui, tiny, name):
    graph = rewired(speaking(tiny, name), "MambaPortraitCrop", "image", "OtherPackEnlarge", "image")
    (path,) = comfyui.saved(comfyui.run(graph))
    frames, rate, width, height, seconds = tiny.facts(path)
    assert rate == 25
    if name == "joint_control":
        assert frames == 6  # the driving video has no more
    else:
        assert frames > 12 and seconds == pytest.approx(frames / 25, abs=0.09)
    if name == "talking_portrait_pasted_back":
        assert (width, height) == (2880, 1800)


@pytest.mark.parametrize("channels", [2, 6])
def test_a_voice_of_several_channels_from_another_pack(comfyui, tiny, channels):
    graph = speaking(tiny, "talking_portrait", channels)
    graph["12"]["inputs"]["filename_prefix"] = f"video/channels_{channels}"
    (path,) = comfyui.saved(comfyui.run(graph))
    assert tiny.facts(path)[0] > 12


def test_a_driven_portrait_may_be_enlarged_before(comfyui, tiny):
    graph = tiny.workflow("driven_by_video", ExampleDrivingVideo=("LoadVideo", {"file": "driver.mp4"}))
    (path,) = comfyui.saved(comfyui.run(rewired(graph, "MambaPortraitCrop", "image", "OtherPackEnlarge", "image")))
    assert tiny.facts(path)[:2] == (7, 30)


def test_frames_may_be_enlarged_by_cores_upscaler(comfyui, tiny):
    generator = torch.Generator().manual_seed(0)
    shapes = {"body.0": (8, 3, 3, 3), "body.2": (8, 8, 3, 3), "body.4": (12, 8, 3, 3)}  # a tiny Real-ESRGAN, compact
    weights = {f"{k}.weight": 0.05 * torch.randn(shape, generator=generator) for k, shape in shapes.items()}
    weights |= {f"{k}.bias": torch.zeros(shape[0]) for k, shape in shapes.items()}
    weights |= {"body.1.weight": torch.full((8,), 0.2), "body.3.weight": torch.full((8,), 0.2)}
    folder = comfyui.base / "models" / "upscale_models"
    folder.mkdir(exist_ok=True)
    save_file(weights, str(folder / "random.safetensors"))
    graph = speaking(tiny, "motion_saved_edited_rerendered")
    assembled = graph["20"]["inputs"]
    names = ("renderer", "source", "appearance", "motion", "mode", "gain", "articulation", "batch")
    inputs = {name: assembled[name] for name in names} | {"size": "256"}
    graph["20"] = {"class_type": "MambaPortraitDecodeMotion", "inputs": inputs}
    inputs = {"frames": ["large", 0], "audio": assembled["audio"], "fps": ["20", 1], "visible_mark": False}
    graph["film"] = {"class_type": "MambaPortraitFramesToVideo", "inputs": inputs | {"quality": 18}}
    graph["22"]["inputs"].update(video=["film", 0], filename_prefix="video/enlarged")
    graph["large"] = {
        "class_type": "ImageUpscaleWithModel",
        "inputs": {"upscale_model": ["model", 0], "image": ["20", 0]},
    }
    graph["model"] = {"class_type": "UpscaleModelLoader", "inputs": {"model_name": "random.safetensors"}}
    (path,) = comfyui.saved(comfyui.run(graph))
    assert tiny.facts(path)[2:4] == (512, 512)
