"""Films of our own weights for every sample: its first frame, driven by its pictures or by its sound."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....files import whole_file
from ....networks.motion_model.model import MotionModel
from ....networks.renderer.model import Renderer
from ....pipelines.phones import phones_to_motion
from ....pipelines.portrait import encode_driving_video, encode_source, extract_appearance
from ....pipelines.rendering import render
from ....pipelines.settings import RenderingSettings
from ....pipelines.writing import assemble
from ....visemes.phones import Phone
from ....visemes.textgrid import read_phones
from ....vocabulary import FPS, SAMPLE_RATE
from ..speaking import motion_of_sound
from .protocols import PHONES, VIDEO
from .samples import Sample, read_sound, read_truth

QUALITY = 10  # x264's constant rate factor: coding hardly adds to the differences


@torch.inference_mode()
def film_of(
    renderer: Renderer,
    model: MotionModel | None,
    frames: np.ndarray,
    sound: Tensor | None,
    drive: str,
    seed: int = 0,
    bf16: bool = False,
    phones: Sequence[Phone] = (),
):
    """Batches of frames (b,S,S,3) in [0,1] of the first of `frames` (T,S,S,3) uint8, driven by all of them (drive
    "video"), by their sound (640 * T,) at 16 kHz ("voice"), or by it with the lips of `phones` ("phones")."""
    pictures = torch.from_numpy(frames).float() / 255
    source = encode_source(renderer, pictures[0], bf16=bf16)
    appearance = extract_appearance(renderer, source, bf16=bf16)
    if drive == VIDEO:
        motion = encode_driving_video(renderer, pictures, Fraction(FPS), bf16=bf16)
    else:
        motion = motion_of_sound(model, sound, appearance, seed, bf16=bf16)
    if drive == PHONES:
        motion = phones_to_motion(phones, renderer, voice=motion)
    return render(renderer, source, appearance, motion, RenderingSettings(size=frames.shape[1]), bf16=bf16)


def make_films(
    renderer: Renderer,
    model: MotionModel | None,
    samples: Sequence[Sample],
    folder: str | Path,
    drive: str,
    size: int,
    *,
    seed: int = 0,
    bf16: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """FOLDER/NAME.mp4 for each sample; those that exist are kept, so that a run that was stopped goes on. Samples
    without sound have no film driven by the voice, and those without a TextGrid none driven by phones. ValueError where
    the films there are of other weights or settings."""
    folder = Path(folder)
    networks = (renderer,) if drive == VIDEO else (renderer, model)
    check_same(folder, {"weights": [fingerprint(each) for each in networks], "size": size, "seed": seed})
    for number, sample in enumerate(samples):
        path = folder / f"{sample.name}.mp4"
        if not path.exists():
            frames = read_truth(sample, size)
            sound = read_sound(sample, len(frames))
            phones = phones_of_sample(sample) if drive == PHONES else ()
            if drive == VIDEO or (sound is not None and (phones or drive != PHONES)):
                made = film_of(renderer, model, frames, sound, drive, seed, bf16, phones)
                heard = {} if sound is None else {"waveform": sound[None], "rate": SAMPLE_RATE}
                assemble(path, made, Fraction(FPS), quality=QUALITY, **heard)
        if progress is not None:
            progress(number + 1, len(samples))
    return folder


def phones_of_sample(sample: Sample) -> list[Phone]:
    """The phones of a clip's TextGrid from the clip's start; none where it has no TextGrid."""
    entry = sample.entry
    return [] if entry.textgrid is None else [phone.moved(-entry.start) for phone in read_phones(entry.textgrid)]


def fingerprint(network: torch.nn.Module) -> str:
    """A hash of all weights."""
    whole = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        whole.update(name.encode())
        whole.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()[:16]


def check_same(folder: Path, settings: dict) -> None:
    """Note what the films of a folder are made with; ValueError where they are of other weights or settings."""
    note = folder / "made.json"
    if note.is_file():
        if json.loads(note.read_text("utf8")) != settings:
            raise ValueError(f"{folder} holds films of other weights or settings; name another folder with --out")
        return
    with whole_file(note) as partial:
        partial.write_text(json.dumps(settings, indent=1) + "\n", "utf8")


def weights_in(folder: str | Path) -> tuple[Path | None, Path | None] | None:
    """The renderer and the motion model in a folder of weights, such as a training run's; None for other folders. What
    the folder lacks is None, and the shipped one takes its place."""
    for place in (Path(folder), Path(folder) / "weights"):
        found = [next(iter(sorted(place.glob(f"{part}_*.safetensors"))), None) for part in ("renderer", "motion")]
        if any(found):
            return tuple(found)
    return None
