"""Films and recordings with phones become clips of stage 2."""

import json
import wave

import numpy as np
import pytest
import torch

from mamba_portrait.learning.corpus.tracks import write_wave
from mamba_portrait.learning.datasets.films import CORNERS, EYES, LIPS
from mamba_portrait.learning.datasets.manifest import Entry, write_manifest
from mamba_portrait.learning.datasets.tracks import TrackBatches, load_tracks
from mamba_portrait.learning.training.motion_model.real_lips import FILMS_SHARE, main
from mamba_portrait.media.video import VideoWriter
from mamba_portrait.visemes.table import lips_of
from mamba_portrait.vocabulary import INDEX

FRAMES = 50
SAID = ((0.0, 0.6, ""), (0.6, 0.8, "AA1"), (0.8, 0.9, "M"), (0.9, 1.2, "IY1"), (1.2, 1.3, "T"), (1.3, 2.0, ""))


def write_phones(path):
    text = 'item []:\n    item [1]:\n        name = "phones"\n'
    for start, end, said in SAID:
        text += f'            xmin = {start}\n            xmax = {end}\n            text = "{said}"\n'
    path.write_text(text, "utf8")


def click(second: float) -> np.ndarray:
    """Two seconds of a quiet tone and a click."""
    audio = (0.05 * np.sin(np.arange(FRAMES * 640) * 0.1)).astype(np.float32)
    audio[round(second * 16_000)] = 0.9
    return audio


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("real")
    films, speech = root / "films", root / "speech"
    films.mkdir()
    speech.mkdir()
    opening = 0.02 + np.r_[np.zeros(15), 0.15 * np.ones(5), np.zeros(3), 0.08 * np.ones(7), np.zeros(20)]
    points = np.zeros((FRAMES, 478, 3), np.float32)
    points[:, EYES[1], 0], points[:, CORNERS[1], 0] = 100, 60 + 30 * (opening - 0.02)
    points[:, LIPS[1], 1] = 100 * opening
    rows = {}
    for name in ("ann_1", "bob_1", "bob_2", "bob_3", "bob_4"):
        with VideoWriter(films / f"{name}.mp4", fps=25, audio=(torch.from_numpy(click(1.0)), 16_000)) as writer:
            writer.write(torch.zeros(FRAMES, 16, 16, 3))
        write_phones(films / f"{name}.TextGrid")
        rows[name] = points
    np.savez(films / "landmarks.npz", **rows)
    for name in ("12-1-0001", "34-1-0001"):
        write_wave(speech / f"{name}.wav", click(1.0))
        write_phones(speech / f"{name}.TextGrid")
    return films, speech


@pytest.fixture(scope="module")
def clips(folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("clips")
    films, speech = map(str, folders)
    arguments = ["--films", films, "--speech", speech, "--sound-late", "0.04", "--out", str(out)]
    main(arguments)
    before = {file: file.stat().st_mtime_ns for file in out.glob("clips/*/labels.npz")}
    main(arguments)
    assert before == {
        file: file.stat().st_mtime_ns for file in out.glob("clips/*/labels.npz")
    }  # finished ones are kept
    return out


def test_a_film_teaches_the_lips_that_were_seen(clips):
    lips = lips_of(np.load(clips / "clips" / "film_ann_ann_1" / "labels.npz")["parameters"])
    assert np.abs(lips[:14, 0]).max() < 1e-5 and np.abs(lips[31:, 0]).max() < 1e-5  # rest is zero
    assert lips[15:20, 0] == pytest.approx(np.full(5, lips[15, 0]), rel=1e-4)
    assert lips[25, 0] == pytest.approx(lips[15, 0] * 0.08 / 0.15, rel=1e-3) and lips[16, 1] > lips[25, 1] > 0


def test_the_sound_of_a_film_is_moved_to_its_picture(clips):
    with wave.open(str(clips / "clips" / "film_ann_ann_1" / "audio.wav")) as file:
        audio = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert len(audio) == FRAMES * 640
    assert abs(np.abs(audio.astype(float)).argmax() - 0.96 * 16_000) < 40


def test_a_recording_has_the_lips_of_the_table(clips):
    parameters = np.load(clips / "clips" / "speech_34-1-0001" / "labels.npz")["parameters"]
    assert parameters[17, INDEX["jaw"]] > 0.2 and parameters[21, INDEX["jaw"]] < 0.05
    assert np.abs(parameters[:, INDEX["blink_left"]]).max() > 0  # the head is alive


def test_people_on_film_have_their_share(clips):
    tracks = load_tracks(clips)
    mass = {}
    for track in tracks:
        speaker = json.loads((track.folder / "meta.json").read_text("utf8"))["speaker"]
        mass[speaker] = mass.get(speaker, 0.0) + track.share * len(track.values)
    assert mass["film-bob"] == pytest.approx(2 * mass["film-ann"])  # four times the clips: twice as often
    films = mass["film-bob"] + mass["film-ann"]
    spoken = 2 * FRAMES  # one of the two speakers is kept for validation
    assert films == pytest.approx(spoken * FILMS_SHARE / (1 - FILMS_SHARE))
    assert TrackBatches(tracks).ends[-1] == pytest.approx(films + FRAMES)


def test_without_films_a_folder_of_recordings_is_enough(folders, tmp_path):
    main(["--speech", str(folders[1]), "--out", str(tmp_path)])
    splits = [json.loads(file.read_text("utf8"))["split"] for file in sorted(tmp_path.glob("clips/*/meta.json"))]
    assert splits == ["val", "train"]


def test_who_judges_is_left_out_and_refused(folders, tmp_path):
    """Of a speaker held out no clip is written; one that lies there from elsewhere is refused in one sentence."""
    speech = tmp_path / "speech"
    speech.mkdir()
    for name in ("103-1-0001", "14-1-0001", "16-1-0001"):
        write_wave(speech / f"{name}.wav", click(1.0))
        write_phones(speech / f"{name}.TextGrid")
    main(["--speech", str(speech), "--out", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.glob("clips/*")) == ["speech_14-1-0001", "speech_16-1-0001"]
    (tmp_path / "clips" / "speech_16-1-0001").rename(tmp_path / "clips" / "speech_103-1-0001")
    meta = tmp_path / "clips" / "speech_103-1-0001" / "meta.json"
    meta.write_text(json.dumps(json.loads(meta.read_text("utf8")) | {"speaker": "speech-103"}), "utf8")
    with pytest.raises(ValueError, match="speech_103-1-0001: librispeech/103 is held out of every training"):
        load_tracks(tmp_path)


def test_lists_of_clips_are_read(folders, tmp_path):
    films, speech = folders
    entries = [
        Entry(films / f"{name}.mp4", None, speaker, split=split, textgrid=films / f"{name}.TextGrid",
              landmarks=films / "landmarks.npz")
        for name, speaker, split in (("ann_1", "set/ann", "train"), ("bob_1", "grid/s33", "test"))
    ] + [Entry(None, speech / "34-1-0001.wav", "set/cy", textgrid=speech / "34-1-0001.TextGrid")]  # fmt: skip
    files = write_manifest(tmp_path / "clips.csv", entries), write_manifest(tmp_path / "said.jsonl", entries[2:])
    main(["--films", str(files[0]), "--speech", str(files[1]), "--out", str(tmp_path)])
    assert sorted(path.name for path in tmp_path.glob("clips/*")) == ["film_set-ann_ann_1", "speech_34-1-0001"]
