"""Blend shapes and landmarks: there and back within the parameters' limits, times kept, damaged files told."""

import csv
from fractions import Fraction

import numpy as np
import pytest

from mamba_portrait.media.arkit import CARRIED, COLUMNS, PLACE, SHAPES, from_arkit, to_arkit
from mamba_portrait.media.captures import FORMS, MEDIAPIPE, read_capture, timecode, write_capture
from mamba_portrait.media.facegood import FACEGOOD
from mamba_portrait.media.mesh_parameters import BROWS, CORNERS, LIDS, LIPS, MESH, parameters_of_mesh
from mamba_portrait.vocabulary import COUNT, INDEX, MOTION

SMALL = 1e-3


def parameters(frames: int = 60, seed: int = 0) -> np.ndarray:
    """Random ones within limits and what is drawn, up to 1; a brow is lowered no further than one furrow does it."""
    rng = np.random.default_rng(seed)
    values = np.zeros((frames, COUNT), np.float32)
    for i, parameter in enumerate(MOTION):
        if parameter.name in CARRIED:
            low = max(parameter.limits[0], parameter.drawn[0])
            values[:, i] = rng.uniform(low, min(parameter.limits[1], parameter.drawn[1], 1.0), frames)
    brows = values[:, [INDEX["brow_left"], INDEX["brow_right"]]]
    furrow = values[:, INDEX["furrow"]] = np.minimum(values[:, INDEX["furrow"]], 2 * (1 - brows.max(1)))
    values[:, [INDEX["brow_left"], INDEX["brow_right"]]] = np.maximum(brows, -furrow[:, None] / 2)
    return values


def test_arkit_there_and_back():
    given = parameters(2000)
    table = to_arkit(given)
    assert len(SHAPES) == 52 and table.shape == (2000, 61)
    assert table[:, :52].min() >= 0 and table[:, :52].max() <= 1
    assert np.abs(from_arkit(table) - given).max() < 1e-5


def test_sides_are_the_persons_in_arkit_and_the_pictures_here():
    values = np.zeros((1, COUNT), np.float32)
    for name, value in {"blink_left": 1, "gaze_x": 0.3, "gaze_y": -0.2, "yaw": 0.2, "pitch": 0.1}.items():
        values[0, INDEX[name]] = value
    row = {name: float(to_arkit(values)[0, i]) for name, i in PLACE.items()}
    assert row["EyeBlinkRight"] == 1 and row["EyeBlinkLeft"] == 0
    assert row["EyeLookOutLeft"] > 0.4 and row["EyeLookInRight"] > 0.4 and row["EyeLookOutRight"] == 0
    assert row["EyeLookDownLeft"] > 0.3 and row["LeftEyeYaw"] == pytest.approx(-0.3)
    assert row["HeadYaw"] == pytest.approx(-0.2) and row["HeadPitch"] == pytest.approx(0.1)


def test_lips_that_close_over_an_open_jaw_are_closed():
    values = np.zeros((1, len(COLUMNS)), np.float32)
    values[0, [PLACE["JawOpen"], PLACE["MouthClose"]]] = 0.3
    assert from_arkit(values)[0, INDEX["jaw"]] == pytest.approx(0)


@pytest.mark.parametrize("form", FORMS)
def test_a_table_is_read_as_it_was_written(tmp_path, form):
    given = parameters()
    if form == "facegood":
        kept = ["pucker", "spread", "press", "upper_lip", "lower_lip", "smile_left", "smile_right", "jaw"]
        given = np.clip(given, 0, 1)
    else:
        kept = [name for name in CARRIED if form == "live link" or name not in ("yaw", "pitch", "roll")]
    path = write_capture(tmp_path / "a.csv", given, Fraction(30), form)
    found = read_capture(path)
    assert found.fps == 30 and found.parameters.shape == given.shape
    places = [INDEX[name] for name in kept]
    assert np.abs(found.parameters - given)[:, places].max() < SMALL
    head = path.read_text("utf8").splitlines()[0].split(",")
    wanted = {"live link": ("Timecode", "BlendshapeCount", *COLUMNS), "mediapipe": ("time", *MEDIAPIPE)}
    assert tuple(head) == wanted.get(form, ("time", *FACEGOOD))
    assert len(MEDIAPIPE) == 52 and MEDIAPIPE[:3] == ("_neutral", "browDownLeft", "browDownRight")


def write_rows(path, head, rows) -> None:
    with open(path, "w", encoding="utf8", newline="") as file:
        csv.writer(file).writerows([head, *rows])


def test_dropped_frames_are_filled_in_by_their_time_codes(tmp_path):
    path = tmp_path / "take.csv"
    times = [i for i in range(120) if i not in (50, 51, 52)]
    rows = [["23:59:59:" + timecode(i % 60, Fraction(60)).split(":")[-1] if i < 60 else
             "00:00:00:" + timecode(i - 60, Fraction(60)).split(":")[-1], 61, *([0] * 17), i / 200, *([0] * 43)]
            for i in times]  # fmt: skip
    rows.append(rows[-1][:9])  # a phone stops in the middle of a line
    write_rows(path, ("Timecode", "BlendshapeCount", *COLUMNS), rows)
    found = read_capture(path)
    assert found.fps == 60 and len(found.parameters) == pytest.approx(120, abs=3)
    step = np.diff(found.parameters[:, INDEX["jaw"]])
    assert step.max() < 1.1 * 1.5 / 200 and step.min() > 0.9 * 1.5 / 200


def test_columns_in_any_case_and_order_and_a_rate_that_is_told(tmp_path):
    path = tmp_path / "mp.csv"
    names = ["frame", *reversed(MEDIAPIPE)]
    row = [0.5 if name == "jawOpen" else 0 for name in names]
    write_rows(path, names, [row] * 10)
    assert read_capture(path).fps == 60 and read_capture(path, Fraction(24)).fps == 24
    assert read_capture(path).parameters[0, INDEX["jaw"]] == pytest.approx(0.75)


def mesh_face(**moved: float) -> np.ndarray:
    """Landmarks of a made-up face (478,3) in pixels; `moved` opens the lips, shuts a lid, lifts a brow, turns it."""
    points = np.zeros((MESH, 3))
    place = {33: (60, 100), 133: (90, 100), 362: (130, 100), 263: (160, 100), 159: (75, 94), 145: (75, 106),
             386: (145, 94), 374: (145, 106), 13: (110, 170), 14: (110, 170), 61: (85, 170), 291: (135, 170),
             105: (70, 80), 334: (150, 80), 107: (98, 82), 336: (122, 82), 468: (75, 100), 473: (145, 100),
             2: (110, 150), 10: (110, 40), 168: (110, 95), 6: (110, 110), 234: (45, 110), 454: (175, 110),
             127: (48, 95), 356: (172, 95)}  # fmt: skip
    for i, (x, y) in place.items():
        points[i, :2] = x, y
    points[LIPS[1], 1] += moved.get("open", 0)
    points[LIDS["left"][0], 1] += moved.get("lid", 0)
    points[BROWS["right"][0], 1] -= moved.get("brow", 0)
    points[list(CORNERS), 0] += np.array([-1, 1]) * moved.get("wide", 0)
    angle = moved.get("yaw", 0)
    away = points - [110, 100, 60]
    turned = away.copy()
    turned[:, 0] = np.cos(angle) * away[:, 0] - np.sin(angle) * away[:, 2]
    turned[:, 2] = np.sin(angle) * away[:, 0] + np.cos(angle) * away[:, 2]
    return turned + [110, 100, 60]


def test_landmarks_become_parameters(tmp_path):
    rest = [mesh_face()] * 10
    moves = {"open": 20, "lid": 12, "brow": 8, "wide": 6, "yaw": 0.3}
    points = np.stack(
        [*rest, *(mesh_face(**{name: value}) for name, value in moves.items()), np.full((MESH, 3), np.nan)]
    )
    found = parameters_of_mesh(points)
    assert np.abs(found[:10]).max() < 1e-6
    told = dict(zip(moves, found[10:], strict=False))
    assert told["open"][INDEX["jaw"]] == pytest.approx(20 / 100 / 0.29, rel=1e-3)
    assert told["lid"][INDEX["blink_left"]] == pytest.approx(1) and told["lid"][INDEX["blink_right"]] == 0
    assert told["brow"][INDEX["brow_right"]] > 0.5 and abs(told["brow"][INDEX["brow_left"]]) < 1e-6
    assert told["wide"][INDEX["spread"]] == pytest.approx(1) and told["wide"][INDEX["pucker"]] == 0
    assert told["yaw"][INDEX["yaw"]] == pytest.approx(0.3, abs=0.01)
    np.save(tmp_path / "mesh.npy", points.astype(np.float32))
    read = read_capture(tmp_path / "mesh.npy")
    assert read.fps == 25 and np.abs(read.parameters - found).max() < SMALL
    with pytest.raises(ValueError, match="No frame of the landmarks"):
        parameters_of_mesh(np.full((3, MESH, 3), np.nan))


def test_facegoods_arrays_are_read(tmp_path):
    names = np.array(FACEGOOD)
    weights = np.zeros((30, len(names)), np.float16)
    weights[:, FACEGOOD.index("mouth_stretch_c")] = 0.4
    weights[:, FACEGOOD.index("mouth_oh_c")] = 0.5
    np.savez(tmp_path / "take.npz", weights=weights, names=names, fps=30)
    found = read_capture(tmp_path / "take.npz")
    assert found.fps == 30 and found.parameters[0, INDEX["jaw"]] == pytest.approx(0.6, abs=1e-3)
    assert found.parameters[0, INDEX["pucker"]] == pytest.approx(0.125, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "has 0 frames"),
        ("a.csv", b"JawOpen\n1\n", "no columns of blend shapes"),
        ("a.csv", b"\xff\xfe\x00", "no CSV in UTF-8"),
        ("a.csv", ",".join(SHAPES).encode() + b"\n1,2\n", "no line has as many columns"),
        ("a.csv", ",".join(SHAPES).encode() + b"\n" + b",".join([b"x"] * 52), "in the column EyeBlinkLeft"),
        ("a.csv", ",".join(SHAPES).encode() + b"\n" + b",".join([b"nan"] * 52), "not finite"),
        ("a.npz", b"PK", "no NumPy file"),
        ("a.npy", b"\x93NUMPY", "no NumPy file"),
        ("a.txt", b"x", "is no capture"),
    ],
)
def test_what_is_no_capture_is_told_in_one_sentence(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as told:
        read_capture(tmp_path / name)
    assert "\n" not in str(told.value) and str(told.value).endswith(".")
    with pytest.raises(FileNotFoundError):
        read_capture(tmp_path / "gone.csv")


def test_a_pickle_is_not_read_and_other_shapes_are_told(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="no NumPy file"):
        read_capture(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.zeros((4, 68, 2), np.float32))
    with pytest.raises(ValueError, match="holds no landmarks"):
        read_capture(tmp_path / "b.npy")
