"""The memory of animate does not grow with the film: the sound goes from the file to the encoder block by block."""

import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import torch

from mamba_portrait.media.photo import save_image

GROWTH = 1.15  # of three minutes over six seconds; holding the waveform makes it 1.56
PEAK = """
import json, resource, sys
from mamba_portrait.cli import main
status = main(sys.argv[1:])
print(json.dumps([status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def voice(path: Path, seconds: int) -> Path:
    """Noise in two channels at 48 kHz."""
    second = np.random.default_rng(0).integers(-3000, 3000, (48_000, 2)).astype("<i2").tobytes()
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 48_000, 0, "NONE", ""))
        for _ in range(seconds):
            file.writeframesraw(second)
    return path


def peak(folder: Path, weights: Path, seconds: int) -> int:
    """Peak resident memory in KiB of a child process that animates a photo."""
    sound = voice(folder / f"{seconds}.wav", seconds)
    command = [
        "animate",
        str(folder / "photo.png"),
        str(sound),
        "-o",
        str(folder / f"{seconds}.mp4"),
        "--device",
        "cpu",
    ]
    command += ["--finder", "whole", "--size", "64", "--steps", "1", "--batch", "16"]
    environment = os.environ | {"MAMBA_PORTRAIT_WEIGHTS": str(weights), "OMP_NUM_THREADS": "1"}
    child = subprocess.run([sys.executable, "-c", PEAK, *command], env=environment, capture_output=True, text=True)
    status, kilobytes = json.loads(child.stdout.strip().splitlines()[-1])
    assert status == 0, child.stderr
    return kilobytes


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other ways")
def test_three_minutes_take_the_memory_of_six_seconds(tmp_path, tiny_weights):
    save_image(tmp_path / "photo.png", torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0)))
    assert peak(tmp_path, tiny_weights, 180) < GROWTH * peak(tmp_path, tiny_weights, 6)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other ways")
def test_ten_minutes_take_a_quarter_more_than_twenty_four_seconds_at_most(tmp_path, tiny_weights, capsys):
    save_image(tmp_path / "photo.png", torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0)))
    short, long = (peak(tmp_path, tiny_weights, seconds) for seconds in (24, 600))
    with capsys.disabled():
        print(f"\npeak of animate: {short >> 10} MB for 24 s, {long >> 10} MB for 600 s")
    assert long < 1.25 * short
