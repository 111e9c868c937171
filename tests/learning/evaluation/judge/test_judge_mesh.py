"""MediaPipe's process, with a stand-in of known answers for MediaPipe."""

import sys

import numpy as np
import pytest

from mamba_portrait.learning.evaluation import face_mesh
from mamba_portrait.learning.evaluation.judge import mesh
from mamba_portrait.learning.evaluation.judge.mesh import MeshProcess, judge_python, mesh_process, without_gaps

STAND_IN = """
import os, runpy, sys
import numpy as np
served = runpy.run_path(sys.argv[1])
def look(frame):
    if frame.max() == 0:
        return None
    place = np.argwhere(frame[..., 0] == 255)[0]
    return np.tile(np.float32([place[1] / frame.shape[1], place[0] / frame.shape[0], 0.5]), (478, 1))
print("a native library talks", file=sys.stderr)
served["serve"](look, sys.stdin.buffer, sys.stdout.buffer)
"""


@pytest.fixture
def stand_in(tmp_path):
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    return MeshProcess([sys.executable, script, mesh.SCRIPT])


def test_frames_go_in_and_landmarks_come_out(stand_in):
    frames = np.zeros((3, 40, 60, 3), np.uint8)
    frames[0, 10, 30, 0] = frames[2, 39, 0, 0] = 255
    with stand_in as process:
        found = process.landmarks(frames)
        again = process.landmarks(frames[:1])  # one process for all films
        assert process.landmarks(frames[:0]).shape == (0, 478, 3)
    assert found.shape == (3, 478, 3) and np.isnan(found[1]).all()
    assert found[0, 7].tolist() == [30, 10, 30] and found[2, 7].tolist() == [0, 39, 30]
    assert np.array_equal(again, found[:1])
    assert process.process.returncode == 0


def test_a_process_that_ends_is_told():
    with MeshProcess([sys.executable, "-c", "pass"]) as process:
        process.process.wait()
        with pytest.raises(RuntimeError, match="make judge"):
            process.landmarks(np.zeros((1, 8, 8, 3), np.uint8))


def test_gaps_are_filled_between_their_neighbours():
    landmarks = np.repeat(np.arange(20, dtype=np.float32), 6).reshape(20, 2, 3)
    holes = landmarks.copy()
    holes[[0, 7]] = np.nan
    filled = without_gaps(holes)
    assert filled[7].ravel().tolist() == [7] * 6 and filled[0].ravel().tolist() == [1] * 6
    holes[[3, 9]] = np.nan  # four of twenty are too many
    assert without_gaps(holes) is None
    assert without_gaps(landmarks[:0]) is None
    assert without_gaps(landmarks) is landmarks


def test_the_cards_measures_use_the_process_where_this_one_has_no_mediapipe(stand_in, monkeypatch):
    def absent():
        raise ImportError("make judge")

    monkeypatch.setattr(face_mesh, "_solutions", absent)
    monkeypatch.setattr(face_mesh, "mesh_process", lambda: stand_in)
    look = face_mesh.media_pipe()
    picture = np.zeros((40, 60, 3), np.uint8)
    assert look(picture) is None
    picture[10, 30, 0] = 255
    assert look(picture).shape == (478, 2) and look(picture)[7].tolist() == [0.5, 0.25]
    stand_in.__exit__()
    monkeypatch.setattr(face_mesh, "mesh_process", lambda: None)
    with pytest.raises(ImportError, match="make judge"):
        face_mesh.media_pipe()


def test_where_mediapipe_lies(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv(mesh.VARIABLE, str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match=mesh.VARIABLE):
        judge_python()
    monkeypatch.setenv(mesh.VARIABLE, sys.executable)
    assert str(judge_python()) == sys.executable
    monkeypatch.delenv(mesh.VARIABLE)
    monkeypatch.setattr(mesh, "ROOT", tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert mesh_process() is None and "make judge" in caplog.text
    (tmp_path / ".venv-judge/bin").mkdir(parents=True)
    (tmp_path / ".venv-judge/bin/python").touch()
    assert judge_python() == tmp_path / ".venv-judge/bin/python"


def test_mediapipe_finds_the_face_of_a_portrait():
    try:
        process = mesh_process()
    except FileNotFoundError:
        process = None
    if process is None:
        pytest.skip("MediaPipe is not installed (make judge)")
    from mamba_portrait.learning.evaluation.real import SPEAKER
    from mamba_portrait.media.photo import load_photo, to_uint8

    photo = to_uint8(load_photo(SPEAKER))
    with process:
        [points] = process.landmarks(photo[None])
    assert photo.shape[1] > points[263, 0] > points[33, 0] + 20  # eyes, in pixels
    assert points[152, 1] > points[10, 1] + 100  # chin and forehead
