"""One list of clips: what is read is what was written, and what is wrong is one sentence with file and line."""

import json

import pytest

from mamba_portrait.learning.datasets.manifest import Entry, read_manifest, write_manifest
from mamba_portrait.learning.datasets.splits import HeldOutError, check_training, held_out, rules, split_of


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "films").mkdir()
    for name in ("films/a.mkv", "films/b.mkv", "b.wav", "a.TextGrid", "landmarks.npz"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("name", ["clips.csv", "clips.jsonl", "lists/clips.csv"])
def test_what_is_written_is_read(folder, name):
    entries = [
        Entry(folder / "films/a.mkv", None, "set/ann", "a, \"blue\" room", "train", "two\nlines", folder / "a.TextGrid",
              folder / "landmarks.npz", start=1.5, seconds=2.25, fps=25.0),
        Entry(folder / "films/b.mkv", folder / "b.wav", "set/bob", split="test"),
        Entry(None, folder / "b.wav", "set/bob", split="val"),
    ]  # fmt: skip
    write_manifest(folder / name, entries)
    read = read_manifest(folder / name)
    assert [e.video and e.video.resolve() for e in read] == [e.video for e in entries]
    assert [(e.speaker, e.scene, e.split, e.transcript, e.start, e.seconds, e.fps) for e in read] == [
        (e.speaker, e.scene, e.split, e.transcript, e.start, e.seconds, e.fps) for e in entries
    ]
    assert [e.clip for e in read_manifest(folder / name, "test")] == ["b"]
    assert str(folder) not in (folder / name).read_text("utf8")  # paths are relative
    assert read[1].sound.name == "b.wav" and read[0].sound.name == "a.mkv"


WRONG = {
    "video,speaker\nfilms/none.mkv,ann\n": "line 2: there is no file .*none.mkv",
    "video,speaker\nfilms/a.mkv,ann\nfilms/a.mkv,\n": "line 3 names no speaker",
    "video,speeker\nfilms/a.mkv,ann\n": "line 2: there is no column 'speeker'; use video",
    "video,speaker\n,ann\n": "line 2 names neither",
    "video,speaker,split\nfilms/a.mkv,ann,dev\n": "line 2: there is no split 'dev'; use one of train, val, test",
    "video,speaker,start\nfilms/a.mkv,ann,soon\n": "line 2: start must be a number of seconds from 0, not 'soon'",
    "video,speaker,seconds\nfilms/a.mkv,ann,0\n": "line 2: seconds must be a number of seconds above 0, not '0'",
    "video,speaker,fps\nfilms/a.mkv,ann,nan\n": "line 2: fps must be a number of frames a second above 0",
    "video,speaker\nfilms/a.mkv\n": "line 2 has not as many columns",
    "video,speaker\n": "lists no clip",
    "video,speaker,split\nfilms/a.mkv,grid/s33,train\n": "line 2: grid/s33 is held out of every training",
    "video,speaker,split\nfilms/a.mkv,grid/s33,val\n": "line 2: grid/s33 is held out of every training",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_told_by_line(folder, text):
    (folder / "clips.csv").write_text(text, "utf8")
    with pytest.raises(ValueError, match=WRONG[text]) as error:
        read_manifest(folder / "clips.csv")
    assert "clips.csv" in str(error.value)


def test_lines_that_are_no_json_are_told(folder):
    good = json.dumps({"video": "films/a.mkv", "speaker": "ann"})
    for bad, told in (("{video", "line 3 is not JSON"), ("[1]", "line 3 must be an object")):
        (folder / "clips.jsonl").write_text(f"{good}\n\n{bad}\n", "utf8")
        with pytest.raises(ValueError, match=told):
            read_manifest(folder / "clips.jsonl")


def test_other_files_are_refused(folder):
    with pytest.raises(FileNotFoundError, match="no list of clips"):
        read_manifest(folder / "none.csv")
    for refused in (lambda: read_manifest(folder / "a.TextGrid"), lambda: write_manifest(folder / "a.txt", [])):
        with pytest.raises(ValueError, match=r"ends in .csv or .jsonl"):
            refused()
    with pytest.raises(ValueError, match="no split 'dev'"):
        read_manifest(folder / "none.csv", "dev")
    (folder / "latin.csv").write_bytes(b"video,speaker\nfilms/a.mkv,\xe9\n")
    with pytest.raises(ValueError, match="save it as UTF-8"):
        read_manifest(folder / "latin.csv")


def test_the_split_is_that_of_the_rules_where_none_is_told(folder):
    (folder / "clips.csv").write_text("video,speaker\nfilms/a.mkv,grid/s34\nfilms/b.mkv,grid/s30\n", "utf8")
    assert [entry.split for entry in read_manifest(folder / "clips.csv")] == ["test", "train"]


def test_who_judges():
    assert held_out("grid/s33") and held_out("s34", "s34_bbac4p") and not held_out("grid/s30", "s30_bbac3n")
    assert len(set(rules()["librispeech"]["held_out"])) == 80
    assert held_out("librispeech/103") and held_out("speech-103", "speech_103-1240-0000")
    assert not held_out("103") and not held_out("crema-d/1040")  # another data set's number
    assert not held_out("ann") and not held_out("librispeech/14")


def test_a_share_of_clips_and_of_portraits_is_held_out():
    clips = [f"{a}{b}{c}{d}{e}p" for a in "blps" for b in "bgrw" for c in "abiw" for d in "acgkm" for e in "159"]
    s1 = [clip for clip in clips if held_out("grid/s1", clip)]
    assert 0.12 < len(s1) / len(clips) < 0.22
    assert s1 == [clip for clip in clips if held_out("grid/s1", f"grid_s1_{clip}")]  # by the sentence alone
    assert not any(held_out("grid/s30", clip) for clip in clips)
    portraits = [held_out(f"portraits/A{i:06d}") for i in range(600)]
    assert 0.28 < sum(portraits) / 600 < 0.38


def test_training_on_a_judge_is_refused_in_one_sentence():
    with pytest.raises(HeldOutError, match="^list: grid/s33 is held out of every training, to judge by; .*'test'.$"):
        check_training("s33", "bbaf2n", "list")
    clip = next(clip for clip in (f"bba{letter}3s" for letter in "abcdefghijklmnopqrstuvwxyz") if held_out("s1", clip))
    with pytest.raises(HeldOutError, match=f"^clip {clip} of grid/s1 is held out"):
        check_training("grid/s1", clip)
    check_training("grid/s30", "bbaf2n")
    assert split_of("grid/s33") == "test" and split_of("grid/s30") == "train"
