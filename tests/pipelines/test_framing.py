"""A face is read alike in pictures of every size: by command, node and evaluation, from bytes and from floats."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.host.headless.video import VideoFromFile
from mamba_portrait.learning.evaluation import films
from mamba_portrait.media.crop import crop_box, cut, resize
from mamba_portrait.media.faces import NoFaceError, find_face
from mamba_portrait.media.motion import load_motion
from mamba_portrait.media.photo import load_photo, save_image
from mamba_portrait.media.video import VideoWriter, read_video
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.nodes.driving import EncodeDrivingVideo
from mamba_portrait.pipelines.framing import DRIVING_SIZE, frame_portrait, frame_video
from mamba_portrait.pipelines.portrait import encode_driving_video, encode_source

ASSETS = Path(__file__).resolve().parents[2] / "assets"
SIZES = (128, 256, 512, 800, 1600)  # the crop of the film is 138 to 1721 pixels: below and above every limit
NEAR = {128: 0.2, 256: 0.2, 800: 0.03, 1600: 0.03}  # largest difference of a parameter from those read at 512


@pytest.fixture(scope="module")
def renderer():
    return load_renderer(None)


@pytest.fixture(scope="module")
def drawn_films(tmp_path_factory) -> dict[int, Path]:
    """Three frames of the example video, at each size, as files."""
    folder = tmp_path_factory.mktemp("sizes")
    frames = list(read_video(ASSETS / "driving.mp4"))[5::40][:3]
    paths = {}
    for size in SIZES:
        paths[size] = folder / f"{size}.mp4"
        with VideoWriter(paths[size], fps=films.RATE, crf=1) as writer:
            for frame in frames:
                writer.write(resize(frame, size, size))
    save_image(folder / "photo.png", frames[0])
    return paths


class FilmOfTensors:
    """A host's VIDEO made of tensors."""

    def __init__(self, frames, rate):
        self.parts = SimpleNamespace(images=frames, frame_rate=rate, audio=None)

    def get_components(self):
        return self.parts


def parameters(renderer, values):
    with torch.no_grad():
        return renderer.read_parameters(values)


@pytest.fixture(scope="module")
def motions(drawn_films, renderer, tmp_path_factory):
    """(way, size) -> parameters (3,24), by the command, the node on a file and on tensors, and the evaluation."""
    folder, read = tmp_path_factory.mktemp("motions"), {}
    managed = SimpleNamespace(on_device=lambda: renderer, name="shipped")
    for size, path in drawn_films.items():
        saved = folder / f"{size}.safetensors"
        photo = str(path.parent / "photo.png")
        command = ["reenact", photo, str(path), "-o", str(folder / "out.mp4"), "--size", "64", "--device", "cpu"]
        command += ["--finder", "whole"]
        assert main([*command, "--save-motion", str(saved)]) == 0
        read["command", size] = load_motion(saved).values
        tensors = FilmOfTensors(torch.stack(list(read_video(path))), films.RATE)
        for way, video in (("file", VideoFromFile(path)), ("tensors", tensors)):
            read[way, size] = EncodeDrivingVideo.execute(managed, video, "face", 1.86, 8).result[0].values
        read["evaluation", size] = encode_driving_video(renderer, films.read_film(path), films.RATE).values
    return {key: parameters(renderer, values) for key, values in read.items()}


@pytest.mark.parametrize("size", SIZES)
def test_a_film_gives_one_motion_by_every_way(motions, size):
    for way in ("file", "tensors"):
        torch.testing.assert_close(motions[way, size], motions["command", size], atol=2e-5, rtol=1e-4)
    assert (motions["evaluation", size] - motions["command", size]).abs().max() < max(0.03, NEAR.get(size, 0))


@pytest.mark.parametrize("way", ["command", "file", "tensors", "evaluation"])
@pytest.mark.parametrize(("size", "near"), NEAR.items())
def test_a_film_gives_one_motion_at_every_size(motions, way, size, near):
    moved = motions[way, 512]
    assert (moved - moved[:1]).abs().max() > 0.3  # there is something to tell
    assert (motions[way, size] - moved).abs().max() < near


@pytest.mark.parametrize("around", [1.86, 0.9])  # of the picture in face boxes: the face fills it, and overflows it
def test_a_photo_has_one_motion_at_every_size(renderer, around):
    photo = load_photo(ASSETS / "portrait.jpg")
    square = cut(photo, crop_box(tuple(photo.shape[:2]), find_face(photo), around, 0.05), None)
    read = {}
    for size in SIZES:
        framed = frame_portrait(resize(square, size, size))
        read[size] = parameters(renderer, encode_source(renderer, framed.picture).motion)
        assert framed.picture.dtype == torch.float32
    for size, near in NEAR.items():
        assert (read[size] - read[512]).abs().max() < near


@pytest.mark.parametrize("kind", ["bytes", "too bright", "NaN"])
def test_pictures_of_another_kind_are_refused(renderer, kind):
    photo = load_photo(ASSETS / "portrait.jpg")
    spoilt = {
        "bytes": (photo * 255).byte(),
        "too bright": photo * 255,
        "NaN": photo.clone().index_fill_(0, torch.tensor(3), float("nan")),
    }[kind]
    for stage in (
        lambda: encode_source(renderer, spoilt),
        lambda: encode_driving_video(renderer, [spoilt], Fraction(25)),
        lambda: find_face(spoilt),
        lambda: frame_portrait(spoilt),
        lambda: frame_video([spoilt]),
    ):
        with pytest.raises(ValueError, match=r"(portrait|video|picture) has (uint8 pixels|pixels from).*\[0,1\]"):
            stage()


def test_the_crop_keeps_the_kind_of_what_it_is_given():
    bytes_ = (torch.rand(700, 700, 3, generator=torch.Generator().manual_seed(0)) * 255).byte()
    crop = crop_box((700, 700), None)
    small = cut(bytes_, crop, DRIVING_SIZE)
    assert small.dtype == torch.uint8 and small.shape == (DRIVING_SIZE, DRIVING_SIZE, 3)
    assert (small.float() / 255 - cut(bytes_.float() / 255, crop, DRIVING_SIZE)).abs().max() < 0.51 / 255


@pytest.mark.parametrize(
    "framing", [{"scale": float("nan")}, {"scale": 30.0}, {"shift": float("inf")}, {"shift": -6.0}]
)
def test_a_crop_beyond_the_picture_is_refused(framing):
    with pytest.raises(ValueError, match="must lie between"):
        crop_box((64, 64), None, **framing)


def test_a_film_without_a_face_names_the_ways_out(renderer):
    with pytest.raises(NoFaceError, match="No face was found in the first frame of the driving video.*, or else"):
        frame_video(torch.zeros(2, 64, 64, 3), remedy="or else")
    with pytest.raises(ValueError, match="no frames"):
        frame_video([])
