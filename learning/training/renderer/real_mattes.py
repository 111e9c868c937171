"""Mattes of real photographs, for the matte of a renderer: what MediaPipe's selfie segmentation sees of them.

    python -m mamba_portrait.learning.training.renderer.real_mattes data/faces
    python -m mamba_portrait.learning.training.renderer.real_mattes data/faces_held --judge runs/matte.safetensors

The folder holds faces (real_faces.py): portraits, and of each clip of a film its first picture. Drawn people alone
teach a matte that cuts hats, collars and dark hair from photographs. MediaPipe (Apache-2.0) lies beside the pack or in
the environment of `make judge`; pictures that it sees hardly anybody in are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ....files import whole_file
from ....model_loaders.checkpoint import load_renderer
from ....networks.renderer.model import Renderer
from ....networks.renderer.plate import SIZE
from ...datasets.face_groups import FaceGroups, read_arrays, read_face_groups

FILE = "mattes.npz"
LEAST, MOST = 0.1, 0.95  # share of a picture that is a person


class RealMattes(NamedTuple):
    """N pictures of real people, in the layout of the file."""

    rgb: np.ndarray  # (N,SIZE,SIZE,3) uint8
    matte: np.ndarray  # (N,SIZE,SIZE) uint8: 255 where the person is

    def batch(self, indices: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
        """Pictures (n,3,SIZE,SIZE) and mattes (n,1,SIZE,SIZE) in [0,1]."""
        rgb, matte = (torch.from_numpy(x[indices]).to(device).float() / 255 for x in self)
        return rgb.permute(0, 3, 1, 2), matte[:, None]


def read_real_mattes(folder: str | Path) -> RealMattes:
    """The mattes in a folder. FileNotFoundError where there are none."""
    return read_arrays(RealMattes, Path(folder) / FILE, "real_mattes")


def pictures_of(folder: str | Path) -> np.ndarray:
    """Distinct pictures (N,S,S,3) uint8 of a folder of faces: each portrait once, of each clip the first one."""
    faces = read_face_groups(folder)
    return np.concatenate([portraits_of(faces), faces.rgb[faces.person >= 0, 0]])


def portraits_of(faces: FaceGroups) -> np.ndarray:
    """Its portraits (N,S,S,3) uint8, each once: those that teach stand in several groups."""
    portraits = faces.rgb[faces.person < 0].reshape(-1, *faces.rgb.shape[2:])
    first = {picture.tobytes(): number for number, picture in reversed(list(enumerate(portraits)))}
    return portraits[sorted(first.values())]


def write_real_mattes(folder: str | Path) -> RealMattes:
    """Look at the faces of a folder, and write their mattes beside them."""
    import mediapipe

    pictures, mattes = [], []
    with mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as segment:
        for picture in tqdm(pictures_of(folder), desc="mattes", unit="picture"):
            matte = segment.process(picture).segmentation_mask
            if LEAST < float((matte > 0.5).mean()) < MOST:
                pictures.append(cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA))
                mattes.append(cv2.resize(matte, (SIZE, SIZE), interpolation=cv2.INTER_AREA))
    if not pictures:
        raise ValueError(f"{folder}: nobody is seen in its pictures.")
    found = RealMattes(np.stack(pictures), (np.stack(mattes).clip(0, 1) * 255).round().astype(np.uint8))
    with whole_file(Path(folder) / FILE) as part, part.open("wb") as file:
        np.savez_compressed(file, **found._asdict())
    return found


@torch.no_grad()
def overlap(renderer: Renderer, real: RealMattes) -> np.ndarray:
    """(N,) intersection over union of the renderer's mattes with those of the file."""
    values = []
    for indices in np.array_split(np.arange(len(real.rgb)), max(1, len(real.rgb) // 32)):
        pictures, truth = real.batch(indices, next(renderer.parameters()).device)
        mine, truth = renderer.matte.of(pictures) > 0.5, truth > 0.5
        union = (mine | truth).flatten(1).sum(1).clamp_min(1)
        values.append(((mine & truth).flatten(1).sum(1) / union).cpu().numpy())
    return np.concatenate(values)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Mattes of real photographs, by MediaPipe's selfie segmentation.")
    parser.add_argument("faces", type=Path, metavar="FOLDER", help="faces that real_faces wrote; gets mattes.npz")
    parser.add_argument("--judge", metavar="FILE", help="a renderer whose mattes are compared with those there are")
    options = parser.parse_args(arguments)
    if options.judge is None:
        found = write_real_mattes(options.faces)
        print(f"{len(found.rgb)} mattes in {options.faces / FILE}")
        return
    renderer = load_renderer(options.judge).eval()
    if not renderer.config.matte_widths:
        parser.error(f"{options.judge} has no matte: train one with `train stage1 --parts matte`.")
    values = overlap(renderer, read_real_mattes(options.faces))
    print(f"intersection over union {values.mean():.3f}, of the worst tenth {np.quantile(values, 0.1):.3f}")


if __name__ == "__main__":
    main()
