"""Each data set is told by its names and its published lists, in small made-up trees of the same form."""

import json

import numpy as np
import pytest

from mamba_portrait.learning.datasets.manifest import Entry, write_manifest
from mamba_portrait.learning.datasets.preparing.layouts import LAYOUTS, grid_sentence, grid_speaker
from mamba_portrait.learning.datasets.preparing.published import PUBLISHED, seconds_of
from mamba_portrait.learning.datasets.preparing.source import Window

from .trees import touch


def read(name, folder, lists=None):
    layout = (LAYOUTS | PUBLISHED)[name](folder, lists=lists or folder)
    return {source.name: source for source in layout.sources}, layout.notes


def test_grid(tmp_path):
    """Videos, alignments and TextGrids in folders of their own, or beside each other; sentences from the names."""
    touch(tmp_path, "s1/bbaf2n.mpg", "s33/video/lwie9s.mpg", "more/s30_pgid6a.mkv", "s1/notes.mp4", "s1/zzzzzz.mpg")
    touch(tmp_path, "align/s1/bbaf2n.align", "more/s30_pgid6a.TextGrid", "more/s30_sbig2n.mkv")
    np.savez(tmp_path / "more" / "landmarks.npz", s30_pgid6a=np.zeros((3, 478, 3)))
    (tmp_path / "more" / "doubtful.txt").write_text("s30_sbig2n\ta word is late\n", "utf8")
    sources, notes = read("grid", tmp_path)
    assert sorted(sources) == ["grid_s1_bbaf2n", "grid_s30_pgid6a", "grid_s33_lwie9s"]
    assert len(notes) == 2 and "s1/notes.mp4" in notes[0]
    first, more, held = (sources[f"grid_{name}"] for name in ("s1_bbaf2n", "s30_pgid6a", "s33_lwie9s"))
    assert first.words == tmp_path / "align/s1/bbaf2n.align" and first.entry.textgrid is None
    assert more.entry.textgrid.name == "s30_pgid6a.TextGrid" and more.entry.landmarks.name == "landmarks.npz"
    assert held.entry.split == "test" and more.entry.split == "train" and held.entry.speaker == "grid/s33"
    assert first.entry.transcript == "bin blue at f two now"
    assert grid_sentence("lwie9s") == "lay white in e nine soon" and grid_sentence("swwz9s") != grid_sentence("swwv9s")
    assert grid_speaker(tmp_path / "grid_s1" / "bbaf2n.mkv") == "s1"


def test_crema_d(tmp_path):
    touch(tmp_path, "VideoFlash/1001_DFA_ANG_XX.flv", "VideoFlash/1080_IEO_HAP_LO.flv", "VideoFlash/readme_1.flv")
    touch(tmp_path, "AudioWAV/1001_DFA_ANG_XX.wav")
    (tmp_path / "SentenceFilenames.csv").write_text(
        '"Stimulus_Number","Filename"\n1,"1001_DFA_ANG_XX"\n2,"1080_IEO_HAP_LO"\n3,"1002_TIE_SAD_XX"\n', "utf8"
    )
    sources, notes = read("crema-d", tmp_path)
    one, two = sources["crema-d_1001_DFA_ANG_XX"].entry, sources["crema-d_1080_IEO_HAP_LO"].entry
    assert one.speaker == "crema-d/1001" and one.audio.name == "1001_DFA_ANG_XX.wav" and one.scene == "ANG-XX"
    assert one.transcript == "Don't forget a jacket" and (one.split, two.split) == ("train", "test")
    assert two.audio is None
    assert any("1002_TIE_SAD_XX" in note for note in notes) and any("readme_1.flv" in note for note in notes)


def test_ravdess(tmp_path):
    touch(tmp_path, *(f"Actor_{a}/{m}-{c}-06-01-02-01-{a}.mp4" for a, m, c in (
        ("12", "01", "01"), ("12", "02", "01"), ("12", "01", "02"), ("23", "01", "01"), ("21", "01", "01"),
    )))  # fmt: skip
    sources, notes = read("ravdess", tmp_path)
    assert sorted((s.entry.speaker, s.entry.split) for s in sources.values()) == [
        ("ravdess/12", "train"), ("ravdess/21", "val"), ("ravdess/23", "test"),
    ]  # fmt: skip
    assert sources["ravdess_01-01-06-01-02-01-12"].entry.transcript == "Dogs are sitting by the door" and not notes


def test_mead(tmp_path):
    touch(tmp_path, "M005/video/front/angry/level_1/001.mp4", "M005/video/left_30/angry/level_1/001.mp4")
    touch(tmp_path, "M005/audio/angry/level_1/001.m4a", "M005/audio/happy/level_1/001.m4a")
    touch(tmp_path, "W015/video/front/neutral/level_1/012.mp4", "W015/video/front/odd.mp4")
    sources, notes = read("mead", tmp_path)
    assert sorted(sources) == ["mead_M005_front_angry_1_001", "mead_W015_front_neutral_1_012"]
    one, two = (sources[name].entry for name in sorted(sources))
    assert one.audio == tmp_path / "M005/audio/angry/level_1/001.m4a" and one.scene == "angry-1-front"
    assert (one.split, two.split) == ("train", "test") and two.audio is None and len(notes) == 1


def test_cmlr(tmp_path):
    names = ("20170121/section_4_000.00_001.55", "20170121/section_4_001.55_003.10", "20170122/section_1_000.10_002.00")
    for name in names:
        touch(tmp_path, f"video/s1/{name}.mp4", f"audio/s1/{name}.wav")
    (tmp_path / "text/s1/20170121").mkdir(parents=True)
    (tmp_path / f"text/s1/{names[0]}.txt").write_text("各位观众晚上好\n", "utf8")
    (tmp_path / "train.csv").write_text(f"s1/{names[0]}\n", "utf8")
    (tmp_path / "test.csv").write_text(f"s1/{names[1].replace('/', '_')}\n", "utf8")
    sources, notes = read("cmlr", tmp_path)
    found = {source.entry.clip: source.entry for source in sources.values()}
    assert {name: entry.split for name, entry in found.items()} == {
        "section_4_000.00_001.55": "train", "section_4_001.55_003.10": "test",
    }  # fmt: skip
    first = found["section_4_000.00_001.55"]
    assert first.transcript == "各位观众晚上好" and first.audio.suffix == ".wav" and first.speaker == "cmlr/s1"
    assert len(notes) == 1 and "20170122" in notes[0]
    assert not any("." in name for name in sources)


def hdtf_lists(folder):
    folder.mkdir()
    (folder / "RD_annotion_time.txt").write_text(
        "Radio1.mp4 00:20-01:35\nRadio11.mp4 00:30-01:00 01:30-02:30\nRadio9.mp4 00:00-00:09\n", "utf8"
    )
    (folder / "RD_crop_wh.txt").write_text("Radio11_0.mp4 412 599 7 599\nRadio11_1.mp4 557 478 0 478\n", "utf8")
    (folder / "RD_resolution.txt").write_text("Radio1.mp4 720\nRadio11.mp4 1080\n", "utf8")
    (folder / "RD_video_url.txt").write_text("Radio1 https://host/watch?v=abc\n", "utf8")
    (folder / "WRA_annotion_time.txt").write_text("AnnMarie0.mp4 00:05-00:10\n", "utf8")
    (folder / "WRA_crop_wh.txt").write_text("AnnMarie0_0.mp4 421 407 0 407\nRadio9_0.mp4 1 2 3 2\n", "utf8")
    return folder


def test_hdtf(tmp_path):
    """Clips, windows and heights from three lists; films under either name; clips that were cut already."""
    lists = hdtf_lists(tmp_path / "HDTF_dataset")
    touch(tmp_path / "films", "Radio11.mp4", "_videos_raw/WRA_AnnMarie0.mp4", "Radio1.mp4")
    sources, notes = read("hdtf", tmp_path / "films", lists)
    assert sorted(sources) == ["hdtf_AnnMarie0_0", "hdtf_Radio11_0", "hdtf_Radio11_1"]
    second = sources["hdtf_Radio11_1"]
    assert (second.entry.start, second.entry.seconds) == (90, 60)
    assert second.window == Window(557, 0, 478, 1080) and second.window.pixels(1280, 720) == (371, 0, 319)
    assert sources["hdtf_Radio11_0"].window.top == 7 and sources["hdtf_Radio11_0"].entry.speaker == "hdtf/Radio"
    assert sources["hdtf_AnnMarie0_0"].entry.speaker == "hdtf/AnnMarie"
    assert notes == ["Radio1_0 has no window in RD_crop_wh.txt", "Radio9_0 has no window in RD_crop_wh.txt"]
    touch(tmp_path / "cut", "Radio11_0.mp4", "RD_Radio11_001.mp4")
    sources, notes = read("hdtf", tmp_path / "cut", lists)
    assert {name: source.entry.start for name, source in sources.items()} == {"hdtf_Radio11_0": 0, "hdtf_Radio11_1": 0}
    assert "AnnMarie0 is not here" in notes
    with pytest.raises(ValueError, match="--lists"):
        read("hdtf", tmp_path / "films", tmp_path / "cut")


PATS = """delta_time,speaker,interval_id,video_fn,start_time,end_time,video_link,dataset
9.5,oliver,67583,John_1.mp4,2020-08-01 00:01:02.500000,2020-08-01 00:01:12.000000,https://www.youtube.com/watch?v=abcdefghijk,train
30,jon,10012,Jon_a.mp4,0 days 00:00:10.000000,0 days 00:00:40.000000,http://media.host/video/x1y2,dev
4,oliver,67999,John_1.mp4,00:00:01,00:00:05,https://www.youtube.com/watch?v=abcdefghijk,test
4,seth,100905,Seth.mp4,00:00:01,00:00:05,https://www.youtube.com/watch?v=zzzzzzzzzzz,train
4,bee,1,Bee.mp4,00:00:01,00:00:05,https://www.youtube.com/watch?v=yyyyyyyyyyy,train
"""


def test_pats(tmp_path):
    """Four speakers, the intervals and the square of S2G-MDDiffusion, at most 15 s."""
    (tmp_path / "cmu_intervals_df.csv").write_text(PATS, "utf8")
    touch(tmp_path, "raw_data/oliver/abcdefghijk.mp4", "raw_data/jon/x1y2.mp4", "raw_data/bee/yyyyyyyyyyy.mp4")
    sources, notes = read("pats", tmp_path)
    assert {name: source.entry.split for name, source in sources.items()} == {
        "pats_oliver_67583": "train", "pats_jon_10012": "val", "pats_oliver_67999": "test",
    }  # fmt: skip
    assert notes == ["seth/zzzzzzzzzzz.mp4 is not here"]
    one, jon = sources["pats_oliver_67583"], sources["pats_jon_10012"]
    assert (one.entry.start, one.entry.seconds) == (62.5, 9.5) and (jon.entry.start, jon.entry.seconds) == (10, 15)
    assert one.window.pixels(1280, 720) == (486, 0, 720) and jon.window.pixels(1280, 720) == (560, 0, 720)
    (tmp_path / "filtered_intervals.json").write_text(json.dumps({"train": [67999], "test": [10012]}), "utf8")
    sources, _ = read("pats", tmp_path)
    assert {name: source.entry.split for name, source in sources.items()} == {
        "pats_jon_10012": "test", "pats_oliver_67999": "train",
    }  # fmt: skip
    with pytest.raises(ValueError, match="cmu_intervals_df.csv"):
        read("pats", tmp_path / "raw_data")


def test_times_of_lists():
    assert seconds_of("01:35") == 95 and seconds_of("0 days 01:00:02.5") == 3602.5
    with pytest.raises(ValueError, match="'soon'"):
        seconds_of("soon")


def test_speech_portraits_and_blend_shapes(tmp_path):
    touch(tmp_path, "a/103-1240-0000.flac", "a/103-1240-0000.TextGrid", "b/14-1-0001.wav", "b/noise.wav")
    (tmp_path / "b/14-1.trans.txt").write_text("14-1-0001 HELLO THERE\n", "utf8")
    sources, notes = read("speech", tmp_path)
    assert [(s.entry.speaker, s.entry.split) for s in sources.values()] == [
        ("librispeech/103", "test"), ("librispeech/14", "train"),
    ]  # fmt: skip
    assert sources["librispeech_14-1-0001"].entry.transcript == "HELLO THERE" and len(notes) == 1
    touch(tmp_path / "photos", *(f"A{i:06d}.jpg" for i in range(30)))
    splits = [source.entry.split for source in read("portraits", tmp_path / "photos")[0].values()]
    assert 4 <= splits.count("test") <= 16
    touch(tmp_path / "takes", "1114_2_01.flac", "1114_2_02.flac")
    np.savez(tmp_path / "takes/1114_2_01.npz", weights=np.zeros((3, 33)), names=np.array(["jaw"] * 33), fps=30)
    (take,) = read("facegood", tmp_path / "takes")[0].values()
    assert take.entry.fps == 30 and take.entry.labels.name == "1114_2_01.npz" and take.entry.video is None


def test_the_drawn_corpus_and_any_films(tmp_path):
    touch(tmp_path, "corpus/clips/voice_1_000000/audio.wav", "corpus/clips/voice_1_000000/labels.npz")
    meta = {"speaker": "awb", "split": "val", "text": "hello"}
    (tmp_path / "corpus/clips/voice_1_000000/meta.json").write_text(json.dumps(meta), "utf8")
    (clip,) = read("corpus", tmp_path / "corpus")[0].values()
    assert (clip.entry.speaker, clip.entry.split, clip.entry.video) == ("drawn/awb", "val", None)
    assert clip.entry.labels.name == "labels.npz" and clip.entry.clip == "voice_1_000000"
    touch(
        tmp_path, "mine/ann/one.mp4", "mine/two.mov", "mine/two.TextGrid", "mine/.hidden/three.mp4", "mine/ann/one.wav"
    )
    sources, _ = read("films", tmp_path / "mine")
    assert {name: source.entry.speaker for name, source in sources.items()} == {
        "ann_one": "mine/ann",
        "two": "mine/two",
    }
    assert sources["two"].entry.textgrid.name == "two.TextGrid" and sources["ann_one"].entry.audio.name == "one.wav"


def test_lists_keep_what_they_say(tmp_path):
    touch(tmp_path, "a.mp4")
    entries = [Entry(tmp_path / "a.mp4", None, "set/ann", start=start, seconds=2.0) for start in (0.0, 2.0)]
    sources, _ = read("list", write_manifest(tmp_path / "clips.csv", entries))
    assert len(sources) == 2 and [s.entry.start for s in sources.values()] == [0, 2]
    with pytest.raises(ValueError, match="lists a of set/ann twice"):
        read("list", write_manifest(tmp_path / "clips.csv", [entries[1], entries[1]]))
