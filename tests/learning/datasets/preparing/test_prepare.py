"""Films become clips: square, 25 frames a second, 16 kHz; what is not kept has its reason; a kill loses nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import mamba_portrait
from mamba_portrait.cli import main
from mamba_portrait.learning.datasets.manifest import Entry, read_manifest
from mamba_portrait.learning.datasets.preparing import clip as clip_module
from mamba_portrait.learning.datasets.preparing.clip import ATTEMPTS, Settings, prepare_clip
from mamba_portrait.learning.datasets.preparing.faces import Filters, cuts, turn_of
from mamba_portrait.learning.datasets.preparing.report import write_report
from mamba_portrait.learning.datasets.preparing.run import _alone, in_pieces, prepare_all
from mamba_portrait.learning.datasets.preparing.source import Source, Window
from mamba_portrait.media.audio import load_audio
from mamba_portrait.media.finders.face import Face
from mamba_portrait.media.photo import load_photo, to_uint8
from mamba_portrait.media.video import probe_video, read_video
from mamba_portrait.visemes.textgrid import read_phones

from .trees import film, scene, silent_film, tags_of, textgrid, tone, wav

FRAMES = 30


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """(200,200,3) uint8 of a head."""
    photo = to_uint8(load_photo(Path(mamba_portrait.__file__).parent / "assets" / "portrait.jpg"))
    return cv2.resize(photo[40:240, 125:325], (200, 200))


@pytest.fixture(scope="module")
def films(face, tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("films")
    still = torch.full((FRAMES, 240, 320, 3), 90, dtype=torch.uint8)
    one = scene(face, (240, 320), (20, 60), FRAMES)
    two = one.clone()
    two[:, 20:220, 0:100] = torch.from_numpy(cv2.resize(face, (100, 200)))[:, :100]
    pair = scene(face, (240, 460), (20, 10), FRAMES)
    pair[:, 20:220, 240:440] = torch.from_numpy(face)
    changed = one.clone()
    changed[FRAMES // 2 :] = 255 - changed[FRAMES // 2 :]
    made = {
        "good": film(root / "good.mp4", one),
        "empty": film(root / "empty.mp4", still),
        "pair": film(root / "pair.mp4", pair),
        "cut": film(root / "cut.mp4", changed),
        "mute": silent_film(root / "mute.mp4", one),
        "quiet": film(root / "quiet.mp4", one, sound=tone(FRAMES / 25, level=1e-5)),
        "short": film(root / "short.mp4", one[:12]),
    }
    (root / "broken.mp4").write_bytes(made["good"].read_bytes()[:300])
    return made | {"broken": root / "broken.mp4"}


def source(path: Path, name: str = "", **fields) -> Source:
    return Source(name or path.stem, Entry(path, None, f"set/{path.stem}", **fields))


def reason(path: Path, out: Path, settings: Settings) -> str:
    assert prepare_clip(source(path), out, settings) is None
    assert not (out / "clips" / path.stem).exists() and not list((out / "clips").glob(".*"))
    return json.loads((out / "rejected" / f"{path.stem}.json").read_text("utf8"))["reason"]


def test_a_clip_is_square_at_25_frames_with_its_sound(films, tmp_path):
    meta = prepare_clip(source(films["good"], transcript="hello"), tmp_path, Settings(size=64))
    info, folder = probe_video(tmp_path / "clips/good/video.mp4"), tmp_path / "clips/good"
    assert (info.width, info.height, info.fps, meta["frames"]) == (64, 64, 25, FRAMES) and info.has_audio
    audio, rate = load_audio(folder / "audio.wav")
    assert rate == 16_000 and audio.shape == (1, FRAMES * 640)
    assert meta["speaker"] == "set/good" and meta["text"] == "hello" and meta["cpu_seconds"] > 0
    assert not tags_of(folder / "video.mp4").get("comment")  # real film is not said to be generated
    left, top, side = meta["square"]
    assert side % 2 == 0 and 0 <= left and left + side <= 320 and 0 <= top and top + side <= 240
    first = next(read_video(folder / "video.mp4"))
    given = to_uint8(next(read_video(films["good"])))[top : top + side, left : left + side]
    assert np.abs(to_uint8(first).astype(int) - cv2.resize(given, (64, 64), interpolation=cv2.INTER_AREA)).mean() < 6
    before = (folder / "video.mp4").stat().st_mtime_ns
    assert prepare_clip(source(films["good"]), tmp_path, Settings(size=64)) == meta
    assert (folder / "video.mp4").stat().st_mtime_ns == before


def test_the_loud_tenth_of_the_sound_stays_in_its_place(films, tmp_path):
    """A part from .4 s on has the tone's loud tenth, at 1.0 s of the film, at .6 s."""
    prepare_clip(
        source(films["good"], start=0.4, seconds=0.8), tmp_path, Settings(size=32, filters=Filters(seconds=0.5))
    )
    audio = load_audio(tmp_path / "clips/good/audio.wav")[0][0].numpy()
    assert len(audio) == 20 * 640
    loud = np.square(audio).reshape(-1, 160).mean(1)
    assert abs(np.flatnonzero(loud > 0.5 * loud.max())[0] * 0.01 - 0.6) < 0.03


@pytest.mark.parametrize("name, told", [
    ("empty", "no face: in 6 of 6"), ("pair", "two faces"), ("cut", "cut: at 0.60 s"), ("mute", "no sound"),
    ("quiet", "silent"), ("short", "too short"), ("broken", "cannot be read"),
])  # fmt: skip
def test_what_is_not_kept_has_its_reason(films, tmp_path, name, told):
    assert reason(films[name], tmp_path, Settings(size=32)).startswith(told)


def late(video: Path, audio: Path) -> float:
    """A judge of sync that finds every sound three frames late."""
    assert video.is_file() and audio.is_file()
    return 3.0


def test_filters_that_a_set_asks_for(films, tmp_path):
    small, turned = Filters(face=150), Filters(turn=0.01)
    assert reason(films["good"], tmp_path / "small", Settings(size=32, filters=small)).startswith("small face: 96")
    assert reason(films["good"], tmp_path / "turned", Settings(size=32, filters=turned)).startswith("turned away")
    assert reason(films["good"], tmp_path / "moved", Settings(size=32, filters=Filters(moves=0.001))).startswith(
        "moves"
    )
    assert (
        reason(films["good"], tmp_path / "late", Settings(size=32, sync=late))
        == "out of sync: the sound is +3.0 frames late"
    )
    assert (
        prepare_clip(source(films["good"]), tmp_path / "kept", Settings(32, 32, Filters(offset=3.5), late)) is not None
    )


def test_a_published_window_is_taken_and_half_a_body(films, tmp_path):
    windowed = replace(source(films["good"]), window=Window(20, 10, 100, 120))
    assert prepare_clip(windowed, tmp_path / "a", Settings(size=32))["square"] == [40, 20, 200]
    assert prepare_clip(windowed, tmp_path / "b", Settings("face", 32))["square"] != [40, 20, 200]
    left, top, side = prepare_clip(windowed, tmp_path / "c", Settings("half-body", 32))["square"]
    assert (top, side) == (0, 240) and 0 <= left <= 80
    right = replace(windowed, window=Window(-1, 0, 1))
    assert prepare_clip(right, tmp_path / "d", Settings(size=32))["square"] == [80, 0, 240]


def test_phones_and_landmarks_follow_the_part_and_the_square(films, tmp_path):
    points = np.zeros((FRAMES, 478, 2), np.float32)
    points[:, :, 0] = np.arange(FRAMES)[:, None]
    np.save(tmp_path / "points.npy", points)
    grid = textgrid(tmp_path / "good.TextGrid", [(0, 0.5, ""), (0.5, 0.7, "AA1"), (0.7, 1.2, "")])
    (tmp_path / "good.align").write_text("0 10000 sil\n10000 20000 bin\n20000 30000 sil\n", "utf8")
    given = source(films["good"], start=0.2, seconds=0.8, textgrid=grid, landmarks=tmp_path / "points.npy")
    given = replace(given, words=tmp_path / "good.align")
    meta = prepare_clip(given, tmp_path, Settings(size=32, filters=Filters(seconds=0.5)))
    left, top, side = meta["square"]
    rows = np.load(tmp_path / "clips/good/landmarks.npy")
    assert rows.shape == (20, 478, 2) and rows[:, 0, 0] == pytest.approx(
        (np.arange(5, 25) - left) * 32 / side, abs=0.02
    )
    assert rows[:, 0, 1] == pytest.approx(-top * 32 / side, abs=0.02)
    said = [
        (round(p.start, 3), round(p.end, 3))
        for p in read_phones(tmp_path / "clips/good/phones.TextGrid")
        if p.kind != "sil"
    ]
    assert said[0] == (0.3, 0.5)
    assert '"bin"' in (tmp_path / "clips/good/phones.TextGrid").read_text("utf8")


def test_recordings_without_a_picture(tmp_path):
    sound = wav(tmp_path / "1-2-3.wav", 2.02)
    entry = Entry(None, sound, "librispeech/1", textgrid=textgrid(tmp_path / "a.TextGrid", [(0, 2, "AA")]))
    meta = prepare_clip(Source("one", entry), tmp_path, Settings())
    assert meta["frames"] == 50 and load_audio(tmp_path / "clips/one/audio.wav")[0].shape[1] == 50 * 640
    write_report(tmp_path)
    (read,) = read_manifest(tmp_path / "clips.csv")
    assert read.video is None and read.clip == "one" and read.textgrid.name == "phones.TextGrid"


def test_a_part_of_a_long_film_is_copied_out(face, tmp_path):
    """Twenty-five seconds in, sound and picture are those that decoding the whole film gives."""
    pictures = scene(face, (240, 320), (20, 60), 28 * 25)
    pictures[:, :10] = (torch.arange(28 * 25) % 200).to(torch.uint8)[:, None, None, None]  # tells the frame
    long = film(tmp_path / "long.mp4", pictures)
    settings = Settings("half-body", 240, Filters(seconds=0.5))
    meta = prepare_clip(source(long, start=25.2, seconds=1.2), tmp_path, settings)
    assert meta["frames"] == 30
    told = [float(f[2, 120].mean()) * 255 for f in read_video(tmp_path / "clips/long/video.mp4")]
    assert np.abs(np.array(told) - np.arange(630, 660) % 200).max() < 3
    audio = load_audio(tmp_path / "clips/long/audio.wav")[0][0].numpy()
    loud = np.square(audio).reshape(-1, 160).mean(1)
    assert abs(np.flatnonzero(loud > 0.5 * loud.max())[0] * 0.01 - 0.8) < 0.03  # at 26.0 s


def test_pieces(films):
    whole = source(films["good"])
    pieces = in_pieces([whole, source(films["broken"])], 0.5, 0.15)
    assert [(p.name, round(p.entry.start, 3), round(p.entry.seconds or 0, 3)) for p in pieces] == [
        ("good_0000", 0.0, 0.5), ("good_0001", 0.5, 0.5), ("good_0002", 1.0, 0.2), ("broken", 0.0, 0),
    ]  # fmt: skip
    assert in_pieces([whole], 5.0, 1.0) == [whole]


def test_cuts_are_no_movement():
    rng = np.random.default_rng(0)
    shaking = rng.random((1, 9, 16, 3)) * 0.2 + np.linspace(0.2, 0.6, 40)[:, None, None, None]
    assert cuts(shaking) == [] and cuts(shaking[:1]) == []
    shaking[25:] = 1 - shaking[25:]
    shaking[30:] *= 0.2
    assert cuts(shaking)[-1] == 30


def test_a_turned_head_has_its_nose_aside():
    def head(nose: float) -> Face:
        return Face(
            (0, 0, 9, 9), 1.0, np.array([[10, 10], [30, 10], [20 + nose, 20], [14, 28], [26, 28]]), "own", (9, 9)
        )

    assert turn_of(head(0)) == pytest.approx(0) and turn_of(head(11)) == pytest.approx(45) == turn_of(head(-11))


def tree(films, root: Path, names=("good", "empty", "pair", "mute")) -> Path:
    (root / "ann").mkdir(parents=True)
    for name in names:
        (root / "ann" / f"{name}.mp4").write_bytes(films[name].read_bytes())
    return root


def test_the_command_writes_clips_lists_and_a_report(films, tmp_path, capsys):
    folder, out = tree(films, tmp_path / "mine"), tmp_path / "out"
    command = ["prepare", str(folder), "--layout", "films", "--out", str(out), "--size", "32"]
    assert main([*command, "--shard", "2/2"]) == 0
    done = [*out.glob("rejected/*.json"), *out.glob("clips/*")]
    assert sorted(path.stem for path in done) == ["ann_good", "ann_pair"]  # every second one
    assert main([*command, "--jobs", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out / "report.md")
    text = (out / "report.md").read_text("utf8")
    assert "1 clips kept, 3 rejected" in text and "| two faces | 1 |" in text and "core-hours" in text
    assert (out / "kept.jpg").is_file() and (out / "rejected_no_face.jpg").is_file()
    assert [entry.clip for entry in read_manifest(out / "clips.csv")] == ["ann_good"]
    assert 'ann_mute,"no sound: ' in (out / "rejected.csv").read_text("utf8")
    assert main([*command, "--face", "20"]) == 2
    assert "was begun with another filters" in capsys.readouterr().err


def test_lists_alone(films, tmp_path, capsys):
    folder = tree(films, tmp_path / "mine")
    assert main(["prepare", str(folder), "--layout", "films", "--list-only", str(tmp_path / "list.jsonl")]) == 0
    assert len(read_manifest(tmp_path / "list.jsonl")) == 4
    again = ["prepare", str(tmp_path / "list.jsonl"), "--layout", "list", "--out", str(tmp_path / "out")]
    assert main([*again, "--first", "1", "--size", "32"]) == 0
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").touch()
    for wrong, told in (
        ([str(folder), "--layout", "films"], "--out DIR"),
        ([str(tmp_path / "none"), "--layout", "grid", "--out", "o"], "There is no folder"),
        ([str(folder), "--layout", "grid", "--out", "o"], "holds no clip of the layout grid"),
        ([str(folder), "--layout", "portraits", "--out", "o"], "holds no clip"),
        ([str(photos), "--layout", "portraits", "--out", "o"], "portraits needs no preparing: write its list"),
    ):
        capsys.readouterr()
        assert main(["prepare", *wrong]) == 2
        assert told in capsys.readouterr().err


def test_a_sync_judge_is_asked_where_one_is_named(films, tmp_path, monkeypatch, capsys):
    class Found:
        offset = 4

    folder = tree(films, tmp_path / "mine", ["good"])
    command = ["prepare", str(folder), "--layout", "films", "--size", "32", "--sync-judge", str(tmp_path / "judge")]
    assert main([*command, "--out", str(tmp_path / "none")]) == 2  # before anything is prepared
    assert not (tmp_path / "none" / "clips").exists()
    judge = "mamba_portrait.learning.evaluation.sync.judge."
    monkeypatch.setattr(judge + "load_sync_judge", lambda path: path)
    monkeypatch.setattr(judge + "judge_film", lambda network, film: Found)
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert "out of sync: the sound is +4.0 frames late" in (tmp_path / "out/rejected.csv").read_text("utf8")
    assert main([*command, "--out", str(tmp_path / "wide"), "--offset", "4"]) == 0
    assert (tmp_path / "wide/clips/ann_good/meta.json").exists()


def test_two_runs_do_not_work_on_one_shard(films, tmp_path):
    given = [source(films["empty"])]
    with _alone(tmp_path, (1, 1)), pytest.raises(ValueError, match="Another run prepares part 1 of 1"):
        prepare_all(given, tmp_path, Settings(size=32))
    assert prepare_all(given, tmp_path, Settings(size=32), shard=(1, 1)) == ["empty"]


def test_a_disk_that_is_gone_says_nothing_of_a_clip(films, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError):
        prepare_clip(source(tmp_path / "gone.mp4"), tmp_path, Settings(size=32))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(clip_module, "write_wav", full)
    with pytest.raises(OSError, match="No space"):
        prepare_clip(source(films["good"]), tmp_path, Settings(size=32))
    assert not (tmp_path / "rejected").exists() and not list((tmp_path / "clips").iterdir())


def test_a_clip_that_ends_its_process_is_left_out_at_last(films, tmp_path):
    partial = tmp_path / "clips" / ".good.part"
    partial.mkdir(parents=True)
    (partial / "attempts").write_text(str(ATTEMPTS))
    assert "ended the process" in reason(films["good"], tmp_path, Settings(size=32))


def dies(source, out, settings):
    """`prepare_clip`, in whose place the process ends once for each clip."""
    mark = out / f"died_{source.name}"
    if not mark.exists():
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        os._exit(9)
    return clip_module.prepare_clip(source, out, settings)


def test_a_worker_that_dies_takes_no_clip_with_it(films, tmp_path, monkeypatch):
    monkeypatch.setattr("mamba_portrait.learning.datasets.preparing.run.prepare_clip", dies)
    prepare_all([source(films["good"])], tmp_path, Settings(size=32), jobs=2)
    assert (tmp_path / "clips/good/meta.json").exists()


def test_kill_9_loses_nothing(films, tmp_path):
    """A run that is killed at any moment leaves whole clips only, and the next one does the rest."""
    folder, out = tmp_path / "mine", tmp_path / "out"
    folder.mkdir()
    for number in range(6):
        (folder / f"film{number}.mp4").write_bytes(films["good"].read_bytes())
    command = [sys.executable, "-m", "mamba_portrait", "prepare", str(folder), "--layout", "films", "--out", str(out)]
    run = subprocess.Popen([*command, "--size", "32"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 120
        while not list(out.glob("clips/*/meta.json")) and time.monotonic() < until and run.poll() is None:
            time.sleep(0.02)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    done = {file: file.stat().st_mtime_ns for file in out.glob("clips/*/meta.json")}
    assert done
    for meta in done:
        assert probe_video(meta.parent / "video.mp4").fps == 25
    assert main([*command[3:], "--size", "32"]) == 0
    assert len(list(out.glob("clips/*/meta.json"))) == 6 and not list(out.glob("clips/.*"))
    assert all(file.stat().st_mtime_ns == when for file, when in done.items())


def test_data_sets_go_the_whole_way(films, face, tmp_path, capsys):
    """GRID with its words, CREMA-D with its sound beside the film, HDTF and PATS with the lists' parts and windows."""
    one = films["good"].read_bytes()
    pictures = scene(face, (240, 320), (20, 60), 3 * 25)
    grid, crema, hdtf, pats = (tmp_path / name for name in ("grid", "crema", "hdtf", "pats"))
    (grid / "s30").mkdir(parents=True)
    (grid / "s30" / "bbaf2n.mpg").write_bytes(one)
    (grid / "s30" / "bbaf2n.align").write_text("0 10000 sil\n10000 20000 bin\n", "utf8")
    (crema / "VideoFlash").mkdir(parents=True)
    film(
        crema / "VideoFlash" / "1001_DFA_ANG_XX.flv", scene(face, (240, 320), (20, 60), 30), sound=tone(1.2, level=1e-6)
    )
    wav(crema / "AudioWAV" / "1001_DFA_ANG_XX.wav", 1.2)
    (hdtf / "lists").mkdir(parents=True)
    film(hdtf / "Ann0.mp4", pictures)
    (hdtf / "lists" / "WRA_annotion_time.txt").write_text("Ann0.mp4 00:01-00:02\n", "utf8")
    (hdtf / "lists" / "WRA_crop_wh.txt").write_text("Ann0_0.mp4 120 600 30 600\n", "utf8")
    (hdtf / "lists" / "WRA_resolution.txt").write_text("Ann0.mp4 720\n", "utf8")
    (pats / "oliver").mkdir(parents=True)
    film(pats / "oliver" / "abcdefghijk.mp4", pictures)
    (pats / "cmu_intervals_df.csv").write_text(
        "speaker,interval_id,start_time,end_time,video_link,dataset\n"
        "oliver,7,0 days 00:00:01,0 days 00:00:02.2,https://host/youtube?v=abcdefghijk,test\n", "utf8"
    )  # fmt: skip
    given = {"grid": grid, "crema-d": crema, "hdtf": hdtf, "pats": pats}
    clips = {}
    for layout, folder in given.items():
        out = tmp_path / "out" / layout
        assert main(["prepare", str(folder), "--layout", layout, "--out", str(out), "--size", "32"]) == 0
        (clips[layout],) = read_manifest(out / "clips.csv")
    metas = {name: json.loads((entry.video.parent / "meta.json").read_text("utf8")) for name, entry in clips.items()}
    assert '"bin"' in clips["grid"].textgrid.read_text("utf8") and metas["grid"]["text"] == "bin blue at f two now"
    assert float(load_audio(clips["crema-d"].audio)[0].abs().max()) > 0.1  # not the film's own, which is silent
    assert (metas["hdtf"]["square"], metas["hdtf"]["frames"], metas["hdtf"]["start"]) == ([40, 10, 200], 25, 1.0)
    assert (metas["pats"]["square"], metas["pats"]["frames"]) == ([122, 0, 240], 30) and clips["pats"].split == "test"
