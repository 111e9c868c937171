"""Draws the thumbnails of ComfyUI's template browser: a workflow's inputs, and some frames of its output.

    python -m mamba_portrait.workflows.pictures [NAME ...]

Run it after new weights. ACTalker's weights do not ship: its thumbnails show the masks.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

from ..host.headless.workflow import Run
from ..media.audio import load_audio
from ..media.crop import paste_back
from ..media.photo import load_photo, to_uint8
from ..media.video import read_video
from ..nodes.actalker.masks import ACTalkerMasks
from ..nodes.examples import ASSETS, DRIVING, PORTRAITS, VOICES
from ..nodes.two_people import two_faces
from ..nodes.workflow import run_workflow
from ..pipelines import layers, rendering
from ..pipelines.conversation import film_of_people
from ..pipelines.dubbing import dub
from ..pipelines.face_reading import read_face
from ..pipelines.regions import motion_to_parameters
from ..pipelines.settings import RenderingSettings
from ..vocabulary import ARMS, COUNT, INDEX
from . import build, half_body, one_node
from .build import FOLDER

WORKFLOWS = {workflow.name: workflow for workflow in build.WORKFLOWS}
SIDE, HALF = 640, 320
PAPER, VOICE, VIDEO, INK = (32, 32, 34), (136, 170, 136), (192, 96, 184), (225, 225, 225)  # as the groups are coloured
NOT_INCLUDED = ("ACTalker's graph.", "Its weights are", "not included:", "bring your own.")
DRAWING = tuple(f"MambaPortrait{name}" for name in ("AssembleVideo", "DecodeMotion", "DubVideo", "FilmTwoPeople"))
HEIGHT = COUNT + [parameter.name for parameter in ARMS].index("left_up")
FILMS = ("MambaPortraitPasteBack", "MambaPortraitFramesToVideo", "SaveVideo")

Picture = np.ndarray  # (H,W,3) uint8 RGB


def cell(image: torch.Tensor | Picture, height: int = HALF, width: int = HALF) -> Picture:
    """The middle of a picture, at the cell's shape and size."""
    pixels = to_uint8(image)
    h, w = pixels.shape[:2]
    scale = max(height / h, width / w)
    cut_h, cut_w = round(height / scale), round(width / scale)
    y, x = (h - cut_h) // 2, (w - cut_w) // 2
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(pixels[y : y + cut_h, x : x + cut_w], (width, height), interpolation=method)


def wave(height: int = HALF, width: int = HALF, voice: str = "greeting") -> Picture:
    """An example voice's waveform as bars."""
    sound = load_audio(ASSETS / VOICES[voice])[0].mean(0)
    loud = torch.stack([part.abs().amax() for part in sound.tensor_split(width // 8)])
    picture = np.full((height, width, 3), PAPER, np.uint8)
    for i, level in enumerate((loud / loud.amax() * 0.42 * height).tolist()):
        cv2.line(picture, (8 * i + 4, round(height / 2 - level)), (8 * i + 4, round(height / 2 + level)), VOICE, 4)
    return picture


def with_wave(picture: Picture) -> Picture:
    """A picture with the voice's waveform below it."""
    return np.concatenate([picture[: HALF - 64], wave(64)])


def words(*lines: str) -> Picture:
    """A cell of text."""
    picture = np.full((HALF, HALF, 3), PAPER, np.uint8)
    for i, line in enumerate(lines):
        cv2.putText(picture, line, (22, 110 + 42 * i), cv2.FONT_HERSHEY_SIMPLEX, 0.95, INK, 2, cv2.LINE_AA)
    return picture


def driving() -> list[Picture]:
    """The frames of the example video."""
    return [to_uint8(frame) for frame in read_video(ASSETS / DRIVING["drawn head"])]


def grid(*rows: list[Picture]) -> Picture:
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


@dataclass
class Made:
    """The results of a workflow up to its rendering node, and the nodes wired to that."""

    run: Run
    wired: dict[str, list]  # input of the drawing node -> the node it is wired to, and the number of its output

    def __getitem__(self, name: str):
        node, slot = self.wired[name]
        return self.run.outputs[node][slot]

    def moments(self, *quantiles: float, of: str = "motion") -> list[int]:
        """The frames at these quantiles of the jaw's opening."""
        jaw = motion_to_parameters(self["renderer"].module, self[of].values)[:, INDEX["jaw"]]
        order = jaw.argsort()
        return [int(order[round(q * (len(order) - 1))]) for q in quantiles]

    def frames(self, numbers: list[int], side: int = HALF) -> list[torch.Tensor]:
        """These frames of the film only."""
        motion = replace(self["motion"], values=self["motion"].values[numbers])
        portraits = self["source"].value, self["appearance"].value
        drawn = rendering.render(self["renderer"].on_device(), *portraits, motion, RenderingSettings(size=side))
        return [frame for batch in drawn for frame in batch]


def _origins(node: dict) -> list[str]:
    """The nodes that a node is wired to."""
    return [value[0] for value in node["inputs"].values() if isinstance(value, list)]


def make(name: str, folder: str) -> Made:
    """Run a workflow up to the inputs of its rendering node, of several the first."""
    graph = json.loads((FOLDER / WORKFLOWS[name].api_file).read_text(encoding="utf-8"))
    drawing = [node["inputs"] for node in graph.values() if node["class_type"] in DRAWING][0]
    wired = {key: link for key, link in drawing.items() if isinstance(link, list)}
    gone = {key for key, node in graph.items() if node["class_type"] in (*DRAWING, *FILMS)}
    while after := {key for key, node in graph.items() if key not in gone and gone & set(_origins(node))}:
        gone |= after
    graph = {key: node for key, node in graph.items() if key not in gone}
    for key in wired:
        graph[key] = {"class_type": "PreviewAny", "inputs": {"source": drawing[key]}}
    return Made(run_workflow(graph, output_dir=folder), wired)


def talking(made: Made) -> Picture:
    photo = with_wave(cell(made.run.outputs["3"][0][0]))
    spoken = [cell(frame) for frame in made.frames(made.moments(0.97, 0.75, 0.05))]
    return grid([photo, spoken[0]], spoken[1:])


def pasted(made: Made) -> Picture:
    photo, crop = made["photo"][0], made.run.outputs["3"][1]
    spoken = made.frames(made.moments(0.05, 0.75, 0.97), crop.size)
    faces = [cell(frame, 240, width) for frame, width in zip(spoken, (213, 214, 213), strict=True)]
    return grid(faces, [cell(paste_back(photo, spoken[-1][None], crop)[0], 400, SIDE)])


def driven(made: Made) -> Picture:
    times = made.moments(0.97, 0.5)
    return grid([cell(driving()[i]) for i in times], [cell(frame) for frame in made.frames(times)])


def edited(made: Made) -> Picture:
    plot = cv2.resize(to_uint8(made.run.outputs["14"][0][0]), (HALF, HALF), interpolation=cv2.INTER_AREA)
    moved = [cell(frame) for frame in made.frames(made.moments(0.97, 0.4))]
    return grid([with_wave(cell(made.run.outputs["3"][0][0])), plot], moved)


def expressed(made: Made) -> Picture:
    """the photo and the still above; below, the movement."""
    still = cell(made.run.outputs["6"][1][0])
    moved = [cell(frame) for frame in made.frames([5, 45])]
    return grid([cell(made.run.outputs["3"][0][0]), still], moved)


def joint(made: Made) -> Picture:
    times = made.moments(0.97, 0.4)
    return grid([wave(), cell(driving()[times[0]])], [cell(frame) for frame in made.frames(times)])


def detailed(made: Made) -> Picture:
    """A frame; where it is painted; both once more from nearby."""
    (when,) = made.moments(0.97)
    motion = replace(made["motion"], values=made["motion"].values[[when]])
    settings, portraits = RenderingSettings(size=1024), (made["source"].value, made["appearance"].value)
    (drawn,) = layers.render_layers(made["renderer"].on_device(), *portraits, motion, settings, (1024, 1024))
    frame, where = drawn.frames[0], drawn.painted[0][..., None].expand(-1, -1, 3)
    row, column = (int(axis.float().mean()) for axis in (drawn.painted[0] > 0.5).nonzero(as_tuple=True))
    near = [picture[row - 120 : row + 120, column - 120 : column + 120] for picture in (frame, where)]
    return grid([cell(frame), cell(where)], [cell(picture) for picture in near])


def upscaled(made: Made) -> Picture:
    """The crop as it is and enlarged, from nearby, below the whole; and a moved one."""
    small = to_uint8(made.run.outputs["3"][0][0])
    large = cv2.resize(small, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    moved = made.frames(made.moments(0.97))[0]
    eyes = [picture[int(0.3 * len(picture)) : int(0.6 * len(picture))] for picture in (small, large)]
    near = [eye[:, int(0.35 * eye.shape[1]) : int(0.65 * eye.shape[1])] for eye in eyes]
    blocks = cv2.resize(near[0], (HALF, HALF), interpolation=cv2.INTER_NEAREST)
    return grid([with_wave(cell(small)), cell(moved)], [blocks, cell(near[1])])


def interpolated(made: Made) -> Picture:
    """Sixteen frames in a row, from nearby: every second one stands between two of 25 a second."""
    opening = motion_to_parameters(made["renderer"].module, made["motion"].values)[:, INDEX["jaw"]].diff().abs()
    first = max(0, int(opening.argmax()) - 7)
    frames = [picture[120:260, 90:230] for picture in made.frames(list(range(first, first + 16)))]
    small = [cell(frame, SIDE // 4, SIDE // 4) for frame in frames]
    return grid(*(small[i : i + 4] for i in range(0, 16, 4)))


def text_spoken(made: Made) -> Picture:
    spoken = [cell(frame) for frame in made.frames(made.moments(0.97, 0.6))]
    return grid([words('"Good morning.', "This is a text,", "and a portrait", 'that speaks it."'), wave()], spoken)


def actalker(by_voice: bool, by_video: bool) -> Picture:
    """The inputs above, the photo tinted by its masks below."""
    photo = load_photo(ASSETS / next(iter(PORTRAITS.values())))
    _, face, mouth, rest = ACTalkerMasks.execute(photo[None], "auto", "largest", 0, 1.2, "paper").args
    masks = [(mouth, VOICE), (rest, VIDEO)] if by_voice and by_video else [(face, VOICE if by_voice else VIDEO)]
    tinted = photo.clone()
    for mask, colour in masks:
        tinted = torch.lerp(tinted, torch.tensor(colour) / 255.0, 0.45 * mask[0][..., None])
    sources = [wave()] if by_voice else []
    sources += [cell(driving()[0])] if by_video else []
    return grid([cell(photo), *sources][-2:], [cell(tinted), words(*NOT_INCLUDED)])


def dubbed(made: Made) -> Picture:
    """Two frames of the film above, and below what the new voice makes of them."""
    tracked, network = made["face_track"], made["renderer"].on_device()
    film, track = tracked.film, tracked.track
    times = [t for t in made.moments(*(1 - q / 50 for q in range(51))) if t < track.frames]
    times = [times[0], times[-1]]  # the widest mouth, and the most closed one
    face = read_face(network, film.again(), track)
    drawn = dict(enumerate(islice(dub(network, film.again, track, face, made["motion"]), max(times) + 1)))
    shown = dict(enumerate(islice(film.again(), max(times) + 1)))
    return grid([cell(shown[i]) for i in times], [cell(drawn[i][0]) for i in times])


def two_people(made: Made) -> Picture:
    """Each of two people speaking, while the other listens."""
    photo, crops = made["photo"][0], (made["crop_1"], made["crop_2"])
    motions = made["motion_1"], made["motion_2"]
    times = [made.moments(0.97, of=speaker)[0] for speaker in ("motion_1", "motion_2")]
    return grid(*([cell(whole, HALF, SIDE)] for whole in filmed(made["renderer"], photo, crops, motions, times)))


def filmed(renderer, photo: torch.Tensor, crops, motions, times: list[int]) -> list[torch.Tensor]:
    """These frames (H,W,3) of a film of two people."""
    some = [replace(motion, values=motion.values[times]) for motion in motions]
    faces = two_faces(renderer, photo, crops)
    people = [(renderer.on_device(), *face, part, RenderingSettings()) for face, part in zip(faces, some, strict=True)]
    return [whole[0] for whole in film_of_people(photo, crops, people)]


def gesturing(made: Made) -> Picture:
    """The input, and three frames in which the hands are at different heights."""
    values = made["motion"].values
    height = made["renderer"].module.read_parameters(values)[:, HEIGHT]
    order = height.argsort()
    picked = [int(order[round(q * (len(order) - 1))]) for q in (0.97, 0.7, 0.4)]
    moved = [cell(frame) for frame in made.frames(picked)]
    return grid([with_wave(cell(made.run.outputs["3"][0][0])), moved[0]], moved[1:])


SPOKEN: dict[str, Callable[[Made], Picture]] = {
    "talking_portrait": talking,
    "talking_portrait_pasted_back": pasted,
    "driven_by_video": driven,
    "motion_saved_edited_rerendered": edited,
    "joint_control": joint,
    "portrait_detailed": detailed,
    "portrait_upscaled": upscaled,
    "portrait_interpolated": interpolated,
    "tts_to_portrait": text_spoken,
    "dub_a_film": dubbed,
    "two_people_talk": two_people,
    "expression_edited": expressed,
    **{workflow.name: gesturing for workflow in half_body.WORKFLOWS},
}
ACTALKER = {"actalker_voice": (True, False), "actalker_video": (False, True), "actalker_joint": (True, True)}


def draw(name: str) -> list[Path]:
    """Write a workflow's picture; the talking portrait's is that of both its templates."""
    if name in ACTALKER:
        picture = actalker(*ACTALKER[name])
    else:
        with tempfile.TemporaryDirectory() as folder:
            picture = SPOKEN[name](make(name, folder))
    files = [WORKFLOWS[name].page_file] + [one_node.OUTSIDE.page_file] * (name == "talking_portrait")
    encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    paths = [(FOLDER / file).with_suffix(".jpg") for file in files]
    for path in paths:
        path.write_bytes(encoded.tobytes())
    return paths


if __name__ == "__main__":
    for name in sys.argv[1:] or (*SPOKEN, *ACTALKER):
        print(*draw(name), sep="\n")
