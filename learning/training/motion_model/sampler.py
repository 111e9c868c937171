"""A film of how far a motion model is: a photograph that speaks a voice kept for validation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....media.photo import to_uint8
from ....networks.motion_model.config import MotionModelConfig
from ....networks.motion_model.model import MotionModel
from ....networks.renderer.model import Renderer
from ....pipelines.portrait import encode_source, extract_appearance
from ....pipelines.rendering import render
from ....pipelines.settings import RenderingSettings
from ....vocabulary import FPS, SAMPLE_RATE
from ...datasets.tracks import load_tracks
from ...evaluation.speaking import motion_of_sound
from ..run import Run

SECONDS, SIZE = 3.0, 256


def kept_voice(data: str | Path, motion_file: str) -> np.ndarray:
    """The first SECONDS of the first clip of the split val or, where there is none, of the split train: (N,) at 16 kHz,
    whole frames."""
    try:
        track = load_tracks(data, "val", motion_file)[0]
    except FileNotFoundError:
        track = load_tracks(data, "train", motion_file)[0]
    return track.audio(0, min(len(track.values), round(SECONDS * FPS)))


class Sampler:
    """photo (S,S,3) in [0,1]; audio (N,) at 16 kHz, whole frames."""

    def __init__(self, photo: Tensor, renderer: Renderer, audio: np.ndarray):
        self.photo, self.renderer, self.audio = photo, renderer, audio

    @torch.inference_mode()
    def frames(self, model: MotionModel) -> np.ndarray:
        """(T,SIZE,SIZE,3) uint8."""
        source = encode_source(self.renderer, self.photo)
        appearance = extract_appearance(self.renderer, source)
        motion = motion_of_sound(model, torch.from_numpy(self.audio), appearance)
        pictures = render(self.renderer, source, appearance, motion, RenderingSettings(size=SIZE))
        return np.concatenate([to_uint8(batch) for batch in pictures])

    def show(self, run: Run, device: torch.device | str) -> None:
        """The averaged model's film and the voice, into the run's folder and TensorBoard, by the main process alone."""
        board = run.show()
        if board is None:
            return
        model = MotionModel(MotionModelConfig.from_dict(run.facts["config"]), run.facts["motion_language"])
        model.load_state_dict(run.average.values)
        frames = self.frames(model.eval().to(device))
        board.film("films", frames, FPS, run.step, self.audio, SAMPLE_RATE)
        board.sound("voices", self.audio, SAMPLE_RATE, run.step)
        board.picture("frames", np.concatenate(frames[:: max(1, len(frames) // 6)][:6], 1), run.step)
