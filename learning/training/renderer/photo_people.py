"""Stills with exact labels of people in photographs: real skin, hair, glasses and teeth.

    python -m mamba_portrait.learning.training.renderer.photo_people --faces data/faces --out data/photo_people

The folder holds faces (real_faces.py), whose portraits are taken: none of who is held out of training, where it was
written for training. The corpus's rig is fitted to each (learning/corpus/photos), by MediaPipe's face mesh and a matte
of the shipped renderer, and drawn with the photo as its texture. `train stage1 --data` reads the result as it reads
drawn people. MediaPipe lies beside the pack or in the environment of `make judge`. A run that broke off goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ....files import whole_file
from ....model_loaders.checkpoint import load_renderer
from ....networks.renderer.layers import resize
from ....networks.renderer.model import Renderer
from ....sampling.settings import Range
from ...corpus.drawing.rasterizer import HeadRasterizer
from ...corpus.photos.mesh_places import MeshPlaces, drawn_faces
from ...corpus.photos.stills import Photos, draw_photo_stills
from ...datasets.face_groups import read_face_groups
from ...evaluation.face_mesh import FaceMesh, media_pipe
from .real_mattes import portraits_of

DRAWN = 100  # faces that the mesh looks at to learn its places
FILE = "photos.npz"


def learn_places(mesh: FaceMesh, count: int = DRAWN) -> MeshPlaces:
    """Where the mesh's points lie on the rig, from drawn faces. ValueError where it sees hardly any."""
    meshes, vertices, head = [], [], None
    faces = drawn_faces(HeadRasterizer(256), count)
    for picture, clip, head in tqdm(faces, total=count, desc="drawn faces"):  # noqa: B007 (any head has the same grid)
        found = mesh(picture)
        if found is not None:
            meshes.append(found)
            vertices.append(clip)
    if len(meshes) < count / 2:
        raise ValueError(f"The face mesh sees {len(meshes)} of {count} drawn faces, too few to learn its points from.")
    columns = head.bands[0][1]
    angles = head.canonical[:columns, 2]
    return MeshPlaces.learn(np.stack(meshes), np.stack(vertices), (len(head.rest) // columns, columns), angles)


@torch.no_grad()
def read_photos(pictures: np.ndarray, mesh: FaceMesh, renderer: Renderer) -> Photos:
    """Of pictures (N,S,S,3) uint8 those with a face that the mesh sees, with their mattes and meshes."""
    kept = []
    for picture in tqdm(pictures, desc="photographs", unit="photo"):
        found = mesh(picture)
        if found is not None:
            image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
            matte = resize(renderer.matte.of(image), picture.shape[0])[0, 0].clamp(0, 1)
            kept.append((picture, matte.mul(255).round().byte().numpy(), found))
    if not kept:
        raise ValueError("The face mesh sees a face in none of the pictures.")
    return Photos(*(np.stack(field) for field in zip(*kept, strict=True)))


def _prepared(faces: Path, file: Path, most: int | None) -> tuple[Photos, MeshPlaces]:
    """The photos and the mesh's places, from `file` where an earlier run has written them."""
    if not file.exists():
        mesh = media_pipe()
        places = learn_places(mesh)
        photos = read_photos(portraits_of(read_face_groups(faces))[:most], mesh, load_renderer(None).eval())
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as part, part.open("wb") as written:
            np.savez(written, **photos._asdict(), points=places.points, grid=places.grid)
    with np.load(file) as fields:
        photos = Photos(*(fields[name] for name in Photos._fields))
        return photos, MeshPlaces(fields["points"], fields["grid"])


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Draw people of photographs with exact labels.")
    parser.add_argument("--faces", required=True, type=Path, metavar="DIR", help="faces that real_faces wrote")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="gets stills, and photos.npz")
    parser.add_argument("--photos", type=Range(2, 1_000_000).read, metavar="N", help="at most (default: all)")
    parser.add_argument("--rounds", type=Range(1, 64).read, default=2, help="groups of each two people (%(default)s)")
    parser.add_argument("--size", type=Range(64, 256).read, default=128, help="side of the pictures (%(default)s)")
    parser.add_argument("--seed", type=Range(0, 1 << 31).read, default=0)
    options = parser.parse_args(arguments)
    photos, places = _prepared(options.faces, options.out / FILE, options.photos)
    with tqdm(desc="stills", unit="group") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        groups = draw_photo_stills(
            options.out, photos, places, options.rounds, options.seed, options.size, progress=progress
        )
    print(f"{groups} groups of {len(photos.rgb)} people in {options.out / 'stills'}")


if __name__ == "__main__":
    main()
