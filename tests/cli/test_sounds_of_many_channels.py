"""animate, and the nodes that hear a voice, on sounds of 1 to 32 channels: child processes that come to their end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mamba_portrait.media.photo import save_image
from mamba_portrait.media.video import probe_video

CHANNELS = (1, 2, 3, 6, 8, 9, 16, 32)
VOICES = [f"{kind}_{n}.wav" for kind in ("plain", "named") for n in CHANNELS]
GRAPH = {
    "1": {"class_type": "LoadAudio", "inputs": {"audio": ""}},
    "2": {"class_type": "MambaPortraitLoadMotionModel", "inputs": {}},
    "3": {"class_type": "MambaPortraitGlobalAudio", "inputs": {"motion_model": ["2", 0], "audio": ["1", 0]}},
    "4": {"class_type": "MambaPortraitLocalAudio", "inputs": {"motion_model": ["2", 0], "audio": ["1", 0]}},
    "5": {"class_type": "LoadImage", "inputs": {"image": "photo.png"}},
    "6": {"class_type": "MambaPortraitFramesToVideo", "inputs": {"frames": ["5", 0], "audio": ["1", 0], "fps": 25.0}},
    "7": {"class_type": "SaveVideo", "inputs": {"video": ["6", 0], "filename_prefix": "heard"}},
    "8": {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}},
    "9": {"class_type": "PreviewAny", "inputs": {"source": ["4", 0]}},
}
EACH = """
import sys
from mamba_portrait.cli import main
for command in [line.split() for line in sys.stdin]:
    print(main(command), *command, flush=True)
"""


@pytest.fixture(scope="module")
def folder(samples, tmp_path_factory) -> Path:
    """photo.png, graph.json, and a voice of each number of channels with and without a layout."""
    folder = tmp_path_factory.mktemp("channels")
    save_image(folder / "photo.png", torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0)))
    (folder / "graph.json").write_text(json.dumps(GRAPH))
    for n in CHANNELS:
        (folder / f"plain_{n}.wav").write_bytes(samples.wav(n, samples=3200))
        (folder / f"named_{n}.wav").write_bytes(samples.wav(n, (1 << min(n, 18)) - 1, samples=3200))
    return folder


def child(folder: Path, weights: Path, *arguments: str, lines: str = "") -> subprocess.CompletedProcess:
    """Python with these arguments in the folder, on tiny networks."""
    environment = os.environ | {"MAMBA_PORTRAIT_WEIGHTS": str(weights)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, input=lines, capture_output=True, text=True)


@pytest.fixture(scope="module")
def statuses(folder, tiny_weights) -> dict[str, str]:
    """What each command returned, of one process that runs them all and has to come to its end."""
    commands = [f"animate photo.png {v} -o {v}.mp4 --finder whole --size 64 --steps 1 --device cpu" for v in VOICES]
    commands += [f"run graph.json --set 1.audio={v} --device cpu" for v in VOICES]
    ended = child(folder, tiny_weights, "-c", EACH, lines="\n".join(commands))
    returned = [line.split(" ", 1) for line in ended.stdout.splitlines() if line[:1].isdigit()]
    assert ended.returncode == 0, f"died with {ended.returncode} after {returned[-1:]}: {ended.stderr}"
    return {command: status for status, command in returned if command in commands}


def test_animate_takes_them_all(folder, statuses):
    told = {command: status for command, status in statuses.items() if command.startswith("animate")}
    assert len(told) == len(VOICES) and set(told.values()) == {"0"}
    for voice in VOICES:
        info = probe_video(folder / f"{voice}.mp4")
        assert info.has_audio and info.duration == pytest.approx(0.2, abs=0.05)


def test_nodes_take_them_all(folder, statuses):
    told = {command: status for command, status in statuses.items() if command.startswith("run")}
    assert len(told) == len(VOICES) and set(told.values()) == {"0"}
    assert len(list((folder / "output").glob("heard_*.mp4"))) == len(VOICES)


def test_a_sound_that_cannot_be_is_a_sentence_and_an_exit_status(folder, samples, tiny_weights):
    (folder / "hours.wav").write_bytes(samples.wav(1, told=1))
    ended = child(folder, tiny_weights, "-m", "mamba_portrait", "animate", "photo.png", "hours.wav", "-o", "none.mp4")
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert ended.stderr.strip().splitlines()[-1].startswith("error: hours.wav says it has 1 samples a second")
    assert not (folder / "none.mp4").exists()
