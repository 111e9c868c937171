"""Finished pieces of a broken-off work: taken up by the same work, thrown away where they are another's or damaged."""

import os
import time

import pytest

from mamba_portrait import unfinished
from mamba_portrait.unfinished import KEPT, Unfinished, folder_of


@pytest.fixture
def said():
    return []


@pytest.fixture
def work(tmp_path, said):
    def begin(key="key", **more):
        return Unfinished(folder_of(tmp_path / "film.mp4"), key, "film.mp4", 100, "frames", say=said.append, **more)

    return begin


def broken_off(work, *contents, **more):
    with pytest.raises(KeyboardInterrupt), work(**more) as begun:
        for content in contents:
            path = begun.place(".bin")
            path.write_text(content)
            begun.add(path)
        begun.place(".bin").write_text("half")
        raise KeyboardInterrupt


def contents(begun):
    return [path.read_text() for path in begun.pieces]


def test_finished_pieces_are_taken_up_in_order_and_go_with_the_end(work, tmp_path, said):
    broken_off(work, "a", "b")
    assert said == ["film.mp4: 200 finished frames are kept; the same again goes on after them."]
    broken_off(work, "c")  # broken off again
    with work() as begun:
        assert contents(begun) == ["a", "b", "c"] and begun.done == 300
        assert begun.place(".bin").name == "000003.bin" and not begun.place(".bin").exists()  # the half one is gone
    assert said[-1] == "film.mp4 goes on after 300 frames, which an earlier run finished."
    assert not list(tmp_path.iterdir())


def test_nothing_stays_where_no_piece_was_finished(work, tmp_path, said):
    broken_off(work)
    assert not list(tmp_path.iterdir()) and not said


def test_other_inputs_do_not_go_on(work, said):
    broken_off(work, "a")
    with work("other") as begun:
        assert begun.pieces == []
    assert said[-1] == "film.mp4: an unfinished work of other inputs or settings is thrown away."


def test_fresh_begins_anew(work, said):
    broken_off(work, "a")
    with work(fresh=True) as begun:
        assert begun.pieces == [] and len(said) == 1


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_damaged_piece_and_those_after_it_are_thrown_away(work, tmp_path, said, harm):
    broken_off(work, "a", "b", "c")
    piece = folder_of(tmp_path / "film.mp4") / "000001.bin"
    piece.write_text("x") if harm == "changed" else piece.unlink()
    with work() as begun:
        assert contents(begun) == ["a"] and [p.name for p in begun.folder.glob("*.bin")] == ["000000.bin"]
    assert said[-2:] == [
        "film.mp4: what an earlier run finished is damaged after 100 frames; the rest is thrown away.",
        "film.mp4 goes on after 100 frames, which an earlier run finished.",
    ]


@pytest.mark.parametrize("record", ["", "{", "[]", '{"key": "key"}', '{"key": "key", "pieces": ["a"], "sums": []}'])
def test_a_damaged_record_is_told(work, tmp_path, said, record):
    broken_off(work, "a")
    (folder_of(tmp_path / "film.mp4") / "record.json").write_text(record)
    with work() as begun:
        assert begun.pieces == []
    assert said[-1] == "film.mp4: an unfinished work is damaged and thrown away."


def test_two_runs_of_one_film_do_not_meet(work):
    with work(), pytest.raises(ValueError, match="film.mp4 is being made by another run"), work():
        pass


def test_what_nobody_went_on_with_is_removed_after_a_week(work, tmp_path):
    broken_off(work, "a")
    old = folder_of(tmp_path / "film.mp4")

    def another():
        with Unfinished(folder_of(tmp_path / "other.mp4"), "key", "other.mp4", 100, "frames"):
            pass

    another()
    assert old.exists()
    for path in (*old.iterdir(), old):
        os.utime(path, (time.time() - KEPT - 60,) * 2)
    another()
    assert not old.exists() and unfinished.KEPT == 7 * 86400
