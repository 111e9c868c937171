"""In a real ComfyUI phones become motion, motion a table of blend shapes, the table motion again, and that pictures of
face points and a film."""

import json

import pytest

from mamba_portrait.media.captures import read_capture
from mamba_portrait.media.photo import load_photo
from mamba_portrait.vocabulary import INDEX

SAID = [{"phone": "m", "start": 0.0, "end": 0.3}, {"phone": "ɑ", "start": 0.3, "end": 0.8}]


def chained(tiny) -> dict:
    """The talking portrait with its motion replaced by that of a table of phones."""
    graph = tiny.workflow("talking_portrait")
    renderer, source = ["1", 0], ["4", 0]
    graph |= {
        "said": {
            "class_type": "MambaPortraitPhonesToMotion",
            "inputs": {"renderer": renderer, "path": "", "text": json.dumps(SAID), "voice": ["10", 0]},
        },
        "saved": {
            "class_type": "MambaPortraitSaveCapture",
            "inputs": {
                "motion": ["said", 0], "renderer": renderer, "filename_prefix": "motion/said", "form": "live link",
                "fps": 60.0,
            },
        },
        "loaded": {
            "class_type": "MambaPortraitLoadCapture",
            "inputs": {"renderer": renderer, "path": ["saved", 1], "fps": 25.0, "neutral": "rest"},
        },
        "points": {
            "class_type": "MambaPortraitPosePictures",
            "inputs": {
                "renderer": renderer, "source": source, "motion": ["loaded", 0], "size": 128, "mode": "absolute",
                "count": "70", "style": "points", "radius": 3.0,
            },
        },
        "kept": {"class_type": "SaveImage", "inputs": {"images": ["points", 0], "filename_prefix": "points"}},
    }  # fmt: skip
    graph["11"]["inputs"]["motion"] = ["loaded", 0]
    return graph


def test_phones_a_table_and_face_points(comfyui, tiny):
    entry = comfyui.run(chained(tiny))
    written = comfyui.saved(entry)
    film = next(path for path in written if path.suffix == ".mp4")
    pictures = sorted(path for path in written if path.suffix == ".png")
    (table,) = sorted((comfyui.base / "output" / "motion").glob("said_*.csv"))
    jaw = read_capture(table).parameters[:, INDEX["jaw"]]
    assert len(pictures) == tiny.facts(film)[0] == pytest.approx(len(jaw) * 25 / 60, abs=2)
    assert jaw.max() > 0.3 and jaw[6] < 0.05  # open in the vowel, shut in the m
    points = load_photo(pictures[0])
    assert points.shape == (128, 128, 3) and 0.001 < float((points > 0.5).float().mean()) < 0.1


def test_what_holds_no_times_is_told_by_the_node(comfyui, tiny):
    graph = chained(tiny)
    graph["said"]["inputs"]["text"] = "hello"
    assert comfyui.refusal(graph).startswith("The text holds no times: give a Praat TextGrid")
