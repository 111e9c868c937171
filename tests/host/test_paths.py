"""Names in a graph are accepted only within the host's own folders, on both systems."""

import ntpath

import pytest

from mamba_portrait.host import paths

KINDS = ("input", "output", "temp")


def test_a_name_leads_nowhere_else(places, names_outside):
    for name in names_outside:
        assert paths.find_file(name, places) is None


def test_a_name_leads_to_files_of_the_folders(places, name_inside):
    found = paths.find_file(name_inside, places)
    assert found.is_file() and found == found.resolve() and {*found.parents} & {*places.values()}


def test_a_prefix_stays_in_the_output_folder(places, bad_prefix):
    told, prefix = bad_prefix
    if told == "cannot be used":  # only the system refuses it
        assert paths.check_prefix(prefix, places["output"]) == prefix
    else:
        with pytest.raises(ValueError, match=told):
            paths.check_prefix(prefix, places["output"])


def test_files_are_listed_by_the_names_that_lead_to_them(places, tmp_path, monkeypatch):
    (tmp_path / "input" / ".hidden").mkdir()
    (tmp_path / "input" / ".hidden" / "talk.safetensors").touch()
    (tmp_path / "input" / "bad\udcff.safetensors").touch()
    (tmp_path / "input" / "back\\slash.safetensors").touch()
    listed = paths.list_files({kind: places[kind] for kind in ("input", "output")}, ".safetensors")
    names = {"talk.safetensors", "sub/talk.safetensors", "to_output.safetensors", "motion/talk.safetensors [output]"}
    assert set(listed) == names and all(paths.find_file(name, places) for name in names)
    monkeypatch.setattr(paths, "MOST_LISTED", 1)
    assert len(paths.list_files(places, ".safetensors")) == 1
    monkeypatch.setattr(paths, "MOST_SEEN", 0)
    assert paths.list_files(places, ".safetensors") == []


def test_folders_that_are_links_are_folders(places, tmp_path):
    linked = {kind: tmp_path / "alias" / kind for kind in KINDS}
    talk = tmp_path / "output" / "motion" / "talk.safetensors"
    for name in (
        talk,
        tmp_path / "alias" / "output" / "motion" / "talk.safetensors",
        "motion/talk.safetensors [output]",
    ):
        assert paths.find_file(str(name), linked) == talk
    assert paths.find_file(str(tmp_path / "secret.safetensors"), linked) is None
    assert paths.check_prefix("motion/talk", linked["output"]) == "motion/talk"


def test_relative_folders_are_folders(places, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = {kind: kind for kind in KINDS}
    assert paths.find_file("talk.safetensors", relative) == tmp_path / "input" / "talk.safetensors"
    assert paths.find_file(str(tmp_path / "temp" / "talk.safetensors"), relative)
    assert paths.find_file("../secret.safetensors", relative) is None


def test_windows_names_stay_in_their_folders_on_windows(monkeypatch):
    looked_at = []

    def look(name):
        looked_at.append(name)
        return ntpath.normpath(name)

    monkeypatch.setattr(ntpath, "realpath", look)
    monkeypatch.setattr(ntpath, "isfile", lambda name: True)
    monkeypatch.setattr(paths, "path", ntpath)
    places = {kind: f"C:\\ComfyUI\\{kind}" for kind in KINDS}
    for name, found in {
        "sub\\talk.safetensors": "C:\\ComfyUI\\input\\sub\\talk.safetensors",
        "sub/talk.safetensors [output]": "C:\\ComfyUI\\output\\sub\\talk.safetensors",
        "c:/comfyui/OUTPUT/talk.safetensors": "c:\\comfyui\\OUTPUT\\talk.safetensors",
    }.items():
        assert str(paths.find_file(name, places)) == found
    for name in ("C:\\secret", "C:..\\..\\secret", "\\secret", "..\\..\\secret", "C:\\ComfyUI\\input2\\x", "C:"):
        assert paths.find_file(name, places) is None
    looked_at.clear()
    for name in (
        "\\\\server\\share\\x",
        "//server/share/x",
        "D:\\x",
        "D:x",
        "\\\\?\\C:\\ComfyUI\\input\\x",
        "\\\\.\\pipe\\x",
    ):
        assert paths.find_file(name, places) is None
    assert paths.check_prefix("motion/talk", places["output"]) == "motion\\talk"
    for prefix in ("..\\talk", "C:\\talk", "D:talk", "\\talk", "\\\\server\\share\\talk"):
        with pytest.raises(ValueError, match="leads out of the output folder"):
            paths.check_prefix(prefix, places["output"])
    assert str(paths.find_model("sub\\x", places.values())) == "C:\\ComfyUI\\input\\sub\\x"
    for name in ("..\\x", "C:\\x", "D:x", "\\x", "\\\\server\\share\\x", "//server/share/x", "x\0"):
        assert paths.find_model(name, places.values()) is None
    assert {*looked_at} == {
        *places.values(),
        "C:\\ComfyUI\\output\\motion",
    }  # checking a path on a server would log in there
