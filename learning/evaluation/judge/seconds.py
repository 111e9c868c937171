"""Inference time in the paper's form: seconds for one second of film at 25 fps, from pictures and from sound."""

from __future__ import annotations

import time
from statistics import median

import numpy as np

from ....media.audio import load_audio
from ....media.crop import resize
from ....media.photo import load_photo, to_uint8
from ....networks.motion_model.model import MotionModel
from ....networks.renderer.model import Renderer
from ....pipelines.speaking import prepare_voice
from ....vocabulary import FPS, SAMPLES_A_FRAME
from ..real import SPEAKER, VOICE
from ..speed import describe_machine
from . import protocols
from .filming import film_of

COLUMNS = {"img2img (s)": protocols.VIDEO, "audio2video (s)": protocols.VOICE}
TIMES = 3


def seconds_a_second(
    renderer: Renderer, model: MotionModel, size: int = 256, bf16: bool = False
) -> dict[str, dict[str, float]]:
    """{device: {column of the paper: seconds}}: everything from a photo and 25 pictures, or a second of sound, to 25
    frames of `size`, without reading and writing files; the median of three runs after one to warm up."""
    photo = load_photo(SPEAKER)
    side = min(photo.shape[:2])
    photo = to_uint8(resize(photo[:side, :side], size, size))
    frames = np.stack([np.roll(photo, i % 5, axis=1) for i in range(FPS)])
    sound = prepare_voice(*load_audio(VOICE)).waveform[0, : FPS * SAMPLES_A_FRAME]
    device = next(renderer.parameters()).device
    found = {}
    for column, drive in COLUMNS.items():
        taken = []
        for _ in range(TIMES + 1):
            begin = time.perf_counter()
            for _ in film_of(renderer, model, frames, sound, drive, bf16=bf16):
                pass  # frames come to the CPU, so that the device has finished
            taken.append(time.perf_counter() - begin)
        found[column] = median(taken[1:])
    machine = describe_machine(device)
    precision = "bf16" if bf16 else "fp32"
    return {f"{machine['device']}, {precision}, {machine['threads']} CPU threads": found}
