import numpy as np
import pytest

from mamba_portrait.learning.datasets.films import CORNERS, EYES, LIPS, Film, measure_lips, read_films, rest_of
from mamba_portrait.learning.datasets.manifest import Entry, write_manifest


def face(opening: np.ndarray, width: float = 40.0) -> np.ndarray:
    """Landmarks (T,478,3) of a face whose eyes are 80 pixels apart."""
    points = np.zeros((len(opening), 478, 3))
    points[:, EYES[1], 0] = 80
    points[:, LIPS[1], 1] = 80 * opening
    points[:, CORNERS[1], 0] = width
    return points


@pytest.fixture
def folder(tmp_path):
    """Films of two people, one of them doubtful, one without phones."""
    names = ("ann_one", "ann_two", "bob_one", "bob_two", "bob_three")
    for name in names:
        (tmp_path / f"{name}.mkv").touch()
        if name != "bob_three":
            (tmp_path / f"{name}.TextGrid").touch()
    np.savez(tmp_path / "landmarks.npz", **{name: face(np.linspace(0, 0.2, 10)) for name in names})
    (tmp_path / "doubtful.txt").write_text("bob_two\ta word is late\n", "utf8")
    return tmp_path


def test_films_have_speakers_and_lips(folder):
    films = read_films([folder])
    assert [(film.speaker, film.path.stem) for film in films] == [
        ("ann", "ann_one"), ("ann", "ann_two"), ("bob", "bob_one"),
    ]  # fmt: skip
    assert films[0].opening == pytest.approx(np.linspace(0, 0.2, 10)) and films[0].width == pytest.approx(0.5)
    assert [film.speaker for film in read_films([folder], ["ann"])] == ["bob"]


def test_a_folder_without_films_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="landmarks.npz"):
        read_films([tmp_path])


def test_lips_are_measured_in_distances_of_the_eyes():
    points = face(np.full(3, 0.25))
    small = points / 2
    assert measure_lips(points)[0] == pytest.approx(measure_lips(small)[0])


def test_rest_is_before_the_breath_that_precedes_speech(folder):
    opening = np.r_[np.full(15, 0.05), np.full(35, 0.3)].astype(np.float32)
    film = Film("ann", folder / "ann_one.mkv", opening, np.full(50, 0.5, np.float32))
    assert rest_of([film], [0.7]) == pytest.approx((0.05, 0.5))


def test_who_judges_is_no_film_to_train_on(folder):
    for name in ("s33_one", "s30_one"):
        (folder / f"{name}.mkv").touch()
        (folder / f"{name}.TextGrid").touch()
    rows = {name: face(np.linspace(0, 0.2, 10)) for name in ("s33_one", "s30_one")}
    np.savez(folder / "landmarks.npz", **rows)
    assert [(film.speaker, film.split) for film in read_films([folder])] == [("s30", "train"), ("s33", "test")]
    assert [film.speaker for film in read_films([folder], training=True)] == ["s30"]


def test_films_of_a_list(folder):
    entries = [
        Entry(folder / "ann_one.mkv", None, "set/ann", textgrid=folder / "bob_two.TextGrid",
              landmarks=folder / "landmarks.npz"),
        Entry(folder / "bob_three.mkv", None, "set/bob", landmarks=folder / "landmarks.npz"),
    ]  # fmt: skip
    (film,) = read_films([write_manifest(folder / "clips.csv", entries)])
    assert film.speaker == "set/ann" and film.phones.name == "bob_two.TextGrid"
    assert film.opening == pytest.approx(np.linspace(0, 0.2, 10))
    entries = [Entry(folder / "ann_one.mkv", None, "set/ann", textgrid=folder / "ann_one.TextGrid",
                     landmarks=folder / "other.npz")]  # fmt: skip
    np.savez(folder / "other.npz", ann_two=face(np.zeros(3)))
    with pytest.raises(ValueError, match="holds no landmarks named ann_one"):
        read_films([write_manifest(folder / "clips.csv", entries)])
