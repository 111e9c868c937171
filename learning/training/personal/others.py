"""Other faces, which a person's changes must leave as the base draws them: the portraits that come with the pack and
two drawn people. Each is driven by the person's own movements, in other light, mirrored, longer or broader."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ....media.crop import Crop, cut, resize
from ....media.photo import load_photo, to_uint8
from ....media.video import read_video
from ...datasets.batch_slice import Draws
from ...datasets.preparing.faces import face_square, look

ASSETS = Path(__file__).parents[3] / "assets"
PORTRAITS = ("portrait.jpg", "portrait_2.jpg", "half_body.jpg")
FILM = "driving.mp4"
STRETCH = 0.12  # deviation of the logarithm of how much longer than broad a face becomes


def other_faces(size: int) -> Tensor:
    """(N,3,size,size) in [0,1], cut as the person's film is; those whose file is not there are left out."""
    photos = [load_photo(ASSETS / name) for name in PORTRAITS if (ASSETS / name).is_file()]
    if (ASSETS / FILM).is_file():
        photos.append(next(iter(read_video(ASSETS / FILM, max_frames=1))))
    faces = []
    for photo in photos:
        track = look([to_uint8(photo)])
        if len(track.boxes):
            height, width = photo.shape[:2]
            crop = Crop(*face_square(track, width, height), height, width)
            faces.append(resize(cut(photo[None], crop, None), size, size)[0].permute(2, 0, 1))
    return torch.stack(faces) if faces else torch.zeros(0, 3, size, size)


def varied(faces: Tensor, draws: Draws) -> Tensor:
    """Faces (N,3,S,S), each mirrored or not, and made longer or broader about its middle."""
    mirrored = 1 - 2 * (draws.uniform(1) < 0.5).float()
    longer = (STRETCH * draws.normal(1)).exp()
    zero = torch.zeros_like(longer)
    turned = torch.stack([torch.cat([mirrored * longer, zero, zero], 1), torch.cat([zero, 1 / longer, zero], 1)], 1)
    grid = F.affine_grid(turned, list(faces.shape), align_corners=False)
    return F.grid_sample(faces, grid, padding_mode="reflection", align_corners=False)
