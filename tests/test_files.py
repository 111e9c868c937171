import pytest

from mamba_portrait.files import whole_file


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "clip.json"
    with whole_file(path) as partial:
        partial.write_text("half")
        assert not path.exists() and partial.parent.parent == path.parent
        assert not list(path.parent.rglob("*.json"))
        partial.write_text("whole")
    assert path.read_text() == "whole"
    assert [file.name for file in path.parent.iterdir()] == ["clip.json"]


@pytest.mark.parametrize("stop", [OSError, KeyboardInterrupt])
def test_what_fails_leaves_the_old_file_and_no_other(tmp_path, stop):
    path = tmp_path / "clip.json"
    path.write_text("old")
    with pytest.raises(stop), whole_file(path) as partial:
        partial.write_text("half")
        raise stop
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["clip.json"]


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with whole_file(tmp_path / "a") as last, whole_file(tmp_path / "a") as first:
        first.write_text("first")
        last.write_text("last")
    assert (tmp_path / "a").read_text() == "last"
