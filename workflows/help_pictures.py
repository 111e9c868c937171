"""Draws the pictures of the nodes' help pages: what each node of the main graphs does, by today's weights.

    python -m mamba_portrait.workflows.help_pictures [NODE ...]

Run it after new weights. NODE is a node's id without its prefix, such as Crop. The pictures hold no words: captions are
translated with the pages (`locales/`).
"""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

from ..media.crop import paste_back
from ..media.motion_edit import blend_motions, concatenate_motions, slice_motion
from ..media.motion_length import fit_length, repeat_motion
from ..media.photo import load_photo, to_uint8
from ..nodes.actalker.masks import ACTalkerMasks
from ..nodes.crop import face_mask
from ..nodes.examples import ASSETS, PORTRAITS
from ..nodes.pick_face import PickFace
from ..pipelines import portrait, rendering
from ..pipelines.dubbing import dub
from ..pipelines.expression import idle, set_mood, still
from ..pipelines.face_reading import read_face
from ..pipelines.framing import FramedPortrait
from ..pipelines.listening import listening_curves
from ..pipelines.moods import MOODS
from ..pipelines.neutral import with_neutral
from ..pipelines.phones import phones_to_motion as motion_of_phones
from ..pipelines.phones import read_lips
from ..pipelines.pose_pictures import pose_pictures
from ..pipelines.regions import edit_regions, plot_regions
from ..pipelines.settings import PoseSettings, RenderingSettings
from ..vocabulary import INDEX
from . import help_layers
from .help_results import Results
from .pictures import PAPER, VIDEO, VOICE, Picture, cell, filmed, grid, wave

FOLDER = Path(__file__).parent.parent / "web" / "docs" / "pictures"
WIDTH = 600
LARGEST = 24_000  # bytes a file
MOUTH, HEAD, OTHER = (233, 160, 60), (96, 160, 240), (230, 230, 230)  # colours of curves


def curves(height: int, *lines: tuple[np.ndarray, tuple[int, int, int]], in_turn: bool = False) -> Picture:
    """Curves on one scale, each (values (T,), colour), over the same time or one after the other."""
    picture = np.full((height, WIDTH, 3), PAPER, np.uint8)
    low = min(float(values.min()) for values, _ in lines)
    high = max(float(values.max()) for values, _ in lines)
    total, start = sum(len(values) for values, _ in lines), 0
    for values, colour in lines:
        x = (start + np.arange(len(values))) / total if in_turn else np.linspace(0, 1, len(values))
        y = (height - 6) - (values - low) / max(high - low, 1e-6) * (height - 12)
        points = np.stack([4 + x * (WIDTH - 9), y], 1)
        cv2.polylines(picture, [np.round(points * 16).astype(np.int32)], False, colour, 2, cv2.LINE_AA, 4)
        start += len(values)
    return picture


def heat(values: torch.Tensor, height: int, width: int = WIDTH) -> Picture:
    """Features (T,D) as a picture: time to the right, a row for each of some features, light where they are large."""
    image = values.float().cpu().T.numpy()
    spread = image.std(1, keepdims=True) + 1e-6
    image = np.clip((image - image.mean(1, keepdims=True)) / spread * 48 + 96, 0, 255).astype(np.uint8)
    image = cv2.resize(image[:: max(1, len(image) // 24)], (width, height), interpolation=cv2.INTER_NEAREST)
    return cv2.applyColorMap(image, cv2.COLORMAP_VIRIDIS)[..., ::-1]


def stacked(*pictures: Picture) -> Picture:
    """One below the other, with a gap."""
    gap = np.full((6, WIDTH, 3), PAPER, np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, gap)][:-1])


def outline(picture: Picture, x0: float, y0: float, x1: float, y1: float, colour) -> None:
    cv2.rectangle(picture, (round(x0), round(y0)), (round(x1), round(y1)), colour, 2, cv2.LINE_AA)


def height_of(picture: torch.Tensor | Picture, height: int) -> Picture:
    """The picture at this height."""
    pixels = to_uint8(picture)
    width = round(pixels.shape[1] * height / pixels.shape[0])
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)


def load_renderer(r: Results) -> Picture:
    turned = edit_regions(r.spoken, r.renderer.on_device(), {}, turn={"yaw": 12})
    (open_mouth,) = r.frames(r.spoken, r.moments(r.spoken, 0.97), 200)
    (aside,) = r.frames(turned, r.moments(r.spoken, 0.05), 200)
    return grid([cell(r.crop[0][0], 200, 200), open_mouth, aside])


def load_motion_model(r: Results) -> Picture:
    jaw, yaw = r.parameters(r.spoken, "jaw"), r.parameters(r.spoken, "yaw")
    return stacked(wave(70, WIDTH), curves(70, (jaw, MOUTH)), curves(70, (yaw, HEAD)))


def personalise(r: Results) -> Picture:
    some = np.linspace(0, len(r.driving_frames) - 1, 4).astype(int)
    return stacked(grid([cell(r.driving_frames[i], 150, 150) for i in some]), wave(60, WIDTH, "man"))


def crop(r: Results) -> Picture:
    photo, framed = r.in_room
    shown, scale = height_of(photo, 150), 150 / photo.shape[0]
    where, face = framed.crop, framed.face.box
    square = (where.x0, where.y0, where.x0 + where.size, where.y0 + where.size)
    outline(shown, *(scale * v for v in square), (90, 220, 90))
    outline(shown, *(scale * v for v in face), (255, 255, 255))
    return np.concatenate([shown, cell(framed.picture, 150, 150), crop_mask(photo, framed)], 1)


def crop_mask(photo: torch.Tensor, framed: FramedPortrait) -> Picture:
    mask = face_mask(framed.face, *photo.shape[:2]).reshape(photo.shape[:2])
    return height_of(mask[..., None].expand(-1, -1, 3), 150)


def encode_source(r: Results) -> Picture:
    planes = r.source.value.source_maps.mixing[0].sum(0)  # (S_d,H,W) weight of each depth plane
    number = (planes * torch.arange(len(planes))[:, None, None]).sum(0) / planes.sum(0)
    shown = (number - number.min()) / (number.max() - number.min())
    return grid([cell(r.crop[0][0], 240, 300), cell(shown[..., None].expand(-1, -1, 3), 240, 300)])


def extract_appearance(r: Results) -> Picture:
    rows = []
    other = portrait.extract_appearance(
        r.renderer.on_device(), portrait.encode_source(r.renderer.on_device(), r.in_room[1].picture)
    )
    both = torch.stack([r.appearance.value.flatten(), other.flatten()])
    both = (both / both.abs().quantile(0.95) * 0.5 + 0.5).clamp(0, 1)
    for face, vector in zip((r.crop[0][0], r.in_room[1].picture), both, strict=True):
        strip = (vector.reshape(8, -1)[..., None] * 255).byte().numpy()
        strip = cv2.applyColorMap(cv2.resize(strip, (500, 100), interpolation=cv2.INTER_NEAREST), cv2.COLORMAP_VIRIDIS)
        rows.append([cell(face, 100, 100), strip[..., ::-1]])
    return grid(*rows)


def global_audio(r: Results) -> Picture:
    return stacked(wave(70, WIDTH), heat(r.prosody.value.frames[0], 140))


def local_audio(r: Results) -> Picture:
    return stacked(wave(70, WIDTH), heat(r.sounds.value[0].flatten(1), 140))


def sample_motion(r: Results) -> Picture:
    rows = []
    for name, colour in (("jaw", MOUTH), ("yaw", HEAD)):
        rows.append(curves(80, *((r.parameters(m, name), c) for m, c in ((r.spoken_again, OTHER), (r.spoken, colour)))))
    return stacked(wave(60, WIDTH), *rows)


def encode_driving(r: Results) -> Picture:
    some = np.linspace(0, r.driven.frames - 1, 4).astype(int)
    shown = grid([cell(r.driving_frames[i], 150, 150) for i in some])
    return stacked(shown, *(curves(50, (r.parameters(r.driven, n), c)) for n, c in (("jaw", MOUTH), ("yaw", HEAD))))


def follow_driving(r: Results) -> Picture:
    late = slice_motion(r.driven, float((r.moments(r.driven, 0.97)[0] - 2) / r.driven.fps))
    first = replace(late, reference=late.values[0])
    found = with_neutral(first, r.renderer.on_device(), "found")
    own = r.parameters(replace(first, values=first.reference[None]), "jaw")
    neutral = r.parameters(replace(found, values=found.reference[None]), "jaw")
    jaw = r.parameters(first, "jaw")
    return stacked(curves(160, (jaw - own, HEAD), (jaw - neutral, MOUTH)))


def decode_motion(r: Results) -> Picture:
    return grid(r.frames(r.spoken, r.moments(r.spoken, 0.03, 0.5, 0.97), 200))


def pasted(r: Results) -> Picture:
    photo, framed = r.in_room
    spoken = r.frames(r.spoken, r.moments(r.spoken, 0.05, 0.97), 256, framed.picture)
    whole = paste_back(photo, torch.from_numpy(spoken[-1])[None].float() / 255, framed.crop)[0]
    left = np.concatenate([cell(face, 150, 150) for face in spoken])
    return np.concatenate([left, cell(whole, 300, WIDTH - 150)], 1)


def assemble(r: Results) -> Picture:
    spoken = r.frames(r.spoken, r.moments(r.spoken, 0.03, 0.6, 0.97), 150)
    return stacked(grid([cell(r.crop[0][0], 150, 150), *spoken]), wave(50, WIDTH))


def frames_to_video(r: Results) -> Picture:
    return stacked(grid(r.frames(r.spoken, list(range(20, 80, 10)), 100)), wave(50, WIDTH))


def save_alpha(r: Results) -> Picture:
    photo = r.crop[0][0]
    y, x = (torch.linspace(-1, 1, side) for side in photo.shape[:2])
    alpha = ((x[None] / 0.8) ** 2 + ((y[:, None] - 0.1) / 0.95) ** 2 < 1).float()
    network = r.renderer.on_device()
    source = portrait.encode_source(network, photo, alpha=alpha)
    turned = edit_regions(r.spoken, network, {}, turn={"yaw": 12})
    cells = []
    for motion, colour in ((r.spoken, (0.2, 0.45, 0.35)), (turned, (0.55, 0.35, 0.2))):
        one = replace(motion, values=motion.values[r.moments(r.spoken, 0.9)])
        (drawn,) = rendering.render(network, source, r.appearance.value, one, RenderingSettings(size=256))
        below = torch.tensor(colour).expand(256, 256, 3)
        cells.append(cell(torch.lerp(below, drawn[0, ..., :3], drawn[0, ..., 3:]), 200, 200))
    return grid(cells)


def batch_to_list(r: Results) -> Picture:
    faces = [cell(r.crop[0][0], 100, 100), cell(r.in_room[1].picture, 100, 100)]
    times = r.moments(r.spoken, 0.3, 0.7, 0.97)
    rows = [r.frames(r.spoken, times, 100, face) for face in (None, r.in_room[1].picture)]
    return grid(*([face, wave(100, 100), *row] for face, row in zip(faces, rows, strict=True)))


def save_motion(r: Results) -> Picture:
    return heat(r.spoken.values, 200)


def load_motion(r: Results) -> Picture:
    times = r.moments(r.spoken, 0.03, 0.5, 0.8, 0.97)
    return grid(r.frames(r.spoken, times, 150), r.frames(r.spoken, times, 150, r.in_room[1].picture))


def edit_motion(r: Results) -> Picture:
    network, when = r.renderer.on_device(), r.moments(r.spoken, 0.85)
    edits = [({}, {}), ({"mouth": 1.8}, {}), ({}, {"yaw": 12}), ({}, {"roll": 8})]
    return grid([r.frames(edit_regions(r.spoken, network, g, turn=t), when, 150)[0] for g, t in edits])


def edit_expression(r: Results) -> Picture:
    network = r.renderer.on_device()
    edits = [{}, {"smile": 0.7}, {"jaw": 0.5}, {"yaw": 15}]
    return grid([r.frames(still(network, values), [0], 150)[0] for values in edits])


def moods(r: Results) -> Picture:
    network, when = r.renderer.on_device(), [max(r.moments(r.spoken, 0.6, 0.65, 0.7))]
    return grid([r.frames(set_mood(r.spoken, network, mood), when, 150)[0] for mood in MOODS])


def idle_motion(r: Results) -> Picture:
    motion = idle(r.renderer.on_device(), 250, seed=2)
    return stacked(
        curves(80, (r.parameters(motion, "yaw"), HEAD)), curves(50, (r.parameters(motion, "blink_left"), MOUTH))
    )


def trim_motion(r: Results) -> Picture:
    part = repeat_motion(slice_motion(r.spoken, 1.0, 2.5), 3)
    return stacked(*(curves(60, (r.parameters(motion, "jaw"), c)) for motion, c in ((r.spoken, MOUTH), (part, HEAD))))


def fit_motion(r: Results) -> Picture:
    short = slice_motion(r.spoken, 1.0, 3.0)
    rows = [fit_length(short, 150, mode) for mode in ("hold", "loop", "bounce", "retime")]
    return stacked(*(curves(48, (r.parameters(motion, "jaw"), MOUTH)) for motion in rows))


def mix_motion(r: Results) -> Picture:
    blended, joined = blend_motions(r.spoken, r.driven), concatenate_motions(r.spoken, r.driven)
    first, second, both, turns = (r.parameters(motion, "jaw") for motion in (r.spoken, r.driven, blended, joined))
    rows = [curves(48, (first, MOUTH)), curves(48, (second, HEAD)), curves(48, (both, OTHER))]
    return stacked(*rows, curves(48, (turns[: len(first)], MOUTH), (turns[len(first) :], HEAD), in_turn=True))


def plot_motion(r: Results) -> Picture:
    plot = to_uint8(plot_regions(r.spoken, r.renderer.on_device(), (420, WIDTH)))
    return plot // 32 * 32 + 24  # few shades make a small file


def conversation(r: Results) -> Picture:
    first, second = (r.parameters(motion, "jaw") for motion in r.conversation["motions"])
    return stacked(two_voices(r), curves(70, (first, MOUTH)), curves(70, (second, HEAD)))


def two_filmed(r: Results) -> Picture:
    photo, crops, motions = r.conversation.values()
    times = [r.moments(speaker, 0.97)[0] for speaker in motions]
    shown = [cell(whole, 165, WIDTH // 2) for whole in filmed(r.renderer, photo, crops, motions, times)]
    return stacked(grid(shown), wave(50, WIDTH))


def track_face(r: Results) -> Picture:
    return cell(r.tracked.args[1][0], 300, 400)


def dub_video(r: Results) -> Picture:
    film, track = r.tracked.args[0].film, r.tracked.args[0].track
    network, times = r.renderer.on_device(), [20, 36, 50, 64]
    face = read_face(network, film.again(), track)
    dubbed = list(islice(dub(network, film.again, track, face, r.spoken), times[-1] + 1))
    return grid([cell(r.driving_frames[i], 150, 150) for i in times], [cell(dubbed[i][0], 150, 150) for i in times])


def pick_face(r: Results) -> Picture:
    photo = load_photo(ASSETS / PORTRAITS["two people"])
    return cell(PickFace.execute(photo[None], "right", "auto").args[3][0], 330, WIDTH)


def two_voices(r: Results) -> Picture:
    silence = np.full((70, WIDTH // 2, 3), PAPER, np.uint8)
    first, second = wave(70, WIDTH // 2), wave(70, WIDTH // 2, "man")
    return stacked(np.concatenate([first, silence], 1), np.concatenate([silence, second], 1))


def listening(r: Results) -> Picture:
    heard = listening_curves(250, Fraction(25), "right").numpy()
    shown = (("blink_left", OTHER), ("pitch", HEAD), ("jaw", MOUTH))
    return stacked(*(curves(70, (np.append(heard[:, INDEX[name]], 0), colour)) for name, colour in shown))


def joint_control(r: Results) -> Picture:
    face = r.crop[0]
    mouth = ACTalkerMasks.execute(face, "auto", "largest", 0, 1.2, "paper").args[2][0]
    tint = torch.lerp(torch.tensor(VIDEO) / 255, torch.tensor(VOICE) / 255, mouth[..., None])
    return grid([cell(face[0], 240, 300), cell(torch.lerp(face[0], tint, 0.45), 240, 300)])


def joint_motion(r: Results) -> Picture:
    times = sorted(r.moments(r.joined, 0.1, 0.5, 0.8, 0.97))
    return grid([cell(r.driving_frames[i], 150, 150) for i in times], r.frames(r.joined, times, 150))


def phones_to_motion(r: Results) -> Picture:
    said = [{"phone": phone, "start": 0.4 * i, "end": 0.4 * i + 0.4} for i, phone in enumerate("mɑfu")]
    spoken = motion_of_phones(read_lips(json.dumps(said).encode(), "phones"), r.renderer.on_device())
    return grid(r.frames(spoken, [5, 15, 25, 35], 150))


def load_capture(r: Results) -> Picture:
    names = (("jaw", MOUTH), ("smile_left", OTHER), ("blink_left", HEAD))
    lines = [curves(50, (r.parameters(r.driven, name), colour)) for name, colour in names]
    return stacked(*lines, grid(r.frames(r.driven, sorted(r.moments(r.driven, 0.03, 0.5, 0.8, 0.97)), 150)))


def save_capture(r: Results) -> Picture:
    lines = [curves(60, (r.parameters(r.spoken, n), c)) for n, c in (("jaw", MOUTH), ("smile_left", OTHER))]
    return stacked(wave(60, WIDTH), *lines)


def pose_points(r: Results) -> Picture:
    times = sorted(r.moments(r.joined, 0.03, 0.5, 0.8, 0.97))
    some = replace(r.joined, values=r.joined.values[times])
    drawn = pose_pictures(r.renderer.on_device(), r.source.value, some, PoseSettings(size=150, radius=6.0))
    return grid(r.frames(r.joined, times, 150), [to_uint8(picture) for batch in drawn for picture in batch])


def example_portraits(r: Results) -> Picture:
    return np.concatenate([height_of(load_photo(ASSETS / file), 180) for file in PORTRAITS.values()], 1)


def example_voices(r: Results) -> Picture:
    return stacked(wave(90, WIDTH), wave(90, WIDTH, "man"))


def example_driving(r: Results) -> Picture:
    some = np.linspace(0, len(r.driving_frames) - 1, 4).astype(int)
    return grid([cell(r.driving_frames[i], 150, 150) for i in some])


DRAWN: dict[str, Callable[[Results], Picture]] = {
    "LoadRenderer": load_renderer,
    "LoadMotionModel": load_motion_model,
    "Personalise": personalise,
    "Crop": crop,
    "EncodeSource": encode_source,
    "ExtractAppearance": extract_appearance,
    "GlobalAudio": global_audio,
    "LocalAudio": local_audio,
    "SampleMotion": sample_motion,
    "EncodeDriving": encode_driving,
    "FollowDriving": follow_driving,
    "DecodeMotion": decode_motion,
    "MotionField": help_layers.motion_field,
    "Warp": help_layers.warp_portrait,
    "Paint": help_layers.paint,
    "EditFlow": help_layers.edited,
    "CarryAlong": help_layers.carried,
    "PasteBack": pasted,
    "AssembleVideo": assemble,
    "FramesToVideo": frames_to_video,
    "SaveAlpha": save_alpha,
    "BatchToList": batch_to_list,
    "SaveMotion": save_motion,
    "LoadMotion": load_motion,
    "EditMotion": edit_motion,
    "EditExpression": edit_expression,
    "SetMood": moods,
    "IdleMotion": idle_motion,
    "TrimMotion": trim_motion,
    "FitLength": fit_motion,
    "MixMotion": mix_motion,
    "PlotMotion": plot_motion,
    "PickFace": pick_face,
    "TwoVoices": two_voices,
    "Listen": listening,
    "ConversationMotion": conversation,
    "FilmTwoPeople": two_filmed,
    "TrackFace": track_face,
    "DubVideo": dub_video,
    "JointControl": joint_control,
    "JointMotion": joint_motion,
    "PhonesToMotion": phones_to_motion,
    "LoadCapture": load_capture,
    "SaveCapture": save_capture,
    "PosePictures": pose_points,
    "ExamplePortrait": example_portraits,
    "ExampleVoice": example_voices,
    "ExampleDrivingVideo": example_driving,
}


def encoded(picture: Picture) -> bytes:
    """WebP of the best quality that stays below `LARGEST` bytes; 101 is OpenCV's word for lossless, good for curves."""
    for quality in (101, 75, 60, 50, 40):
        data = cv2.imencode(".webp", picture[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
        if len(data) <= LARGEST:
            return data
    raise ValueError(f"A help picture of {picture.shape[1]} x {picture.shape[0]} is larger than {LARGEST} bytes.")


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        results = Results(folder)
        for name in sys.argv[1:] or DRAWN:
            path = FOLDER / f"MambaPortrait{name}.webp"
            path.write_bytes(encoded(DRAWN[name](results)))
            print(path, path.stat().st_size)
