"""The committed list of real files, and putting them together from clones."""

import dataclasses
import hashlib
import json
import subprocess
import wave

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.learning.evaluation.test_set import (
    LIST,
    USES,
    Sample,
    clone_of,
    missing,
    put_together,
    read_list,
    target,
)
from mamba_portrait.media.audio import load_audio
from mamba_portrait.media.photo import load_photo
from mamba_portrait.media.video import VideoWriter, read_video

FACES = ("close-up", "glasses", "beard", "teeth", "dark skin", "painting")


def test_list_holds_enough_of_each_kind():
    samples = read_list()
    count = {use: sum(sample.use == use for sample in samples) for use in USES}
    assert count["speakers"] >= 12 and count["films"] >= 18 and count["portraits"] >= 25
    films = [sample for sample in samples if sample.use == "films"]
    assert sum("close-up" in sample.tags for sample in films) >= 6
    portraits = {tag for sample in samples if sample.use == "portraits" for tag in sample.tags}
    assert set(FACES) <= portraits


def test_list_names_every_file_whole_and_once():
    samples = read_list()
    assert len({(sample.use, sample.name) for sample in samples}) == len(samples)
    for sample in samples:
        assert len(sample.commit) == 40 and len(sample.sha256) == 64 and sample.repository.count("/") == 1
        assert (sample.seconds is not None) == (sample.use != "portraits")
        assert (sample.sound is None) == (sample.sound_sha256 is None)


def git(folder, *words):
    command = ["git", "-C", str(folder), "-c", "user.name=test", "-c", "user.email=test@example.org", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def clones(tmp_path_factory):
    """A folder with one clone, someone/films, that holds a film without sound, a voice and a text; and its commit."""
    folder = tmp_path_factory.mktemp("clones")
    clone = folder / "someone" / "films"
    clone.mkdir(parents=True)
    frames = torch.stack([torch.full((64, 64, 3), level) for level in (0.25, 0.5, 0.75)])
    with VideoWriter(clone / "film.mp4", fps=25) as writer:
        writer.write(frames)
    tone = (torch.sin(torch.arange(1920) * 0.1) * 20000).short()
    with wave.open(str(clone / "voice.wav"), "wb") as voice:
        voice.setparams((1, 2, 16000, 0, "NONE", ""))
        voice.writeframes(tone.numpy().tobytes())
    subprocess.run(["git", "init", "-q", str(clone)], check=True)
    git(clone, "add", ".")
    git(clone, "commit", "-qm", "films")
    return folder


def sample(clones, use, name, path, **more):
    clone = clones / "someone" / "films"
    known = hashlib.sha256((clone / path).read_bytes()).hexdigest()
    return Sample(use, name, "someone/films", git(clone, "rev-parse", "HEAD"), path, known, **more)


def test_files_are_written_as_they_are_in_the_clone(clones, tmp_path):
    one = sample(clones, "films", "one", "film.mp4")
    (path,) = put_together([one], clones, tmp_path)
    assert path == tmp_path / "films" / "one.mp4" == target(one, tmp_path)
    assert path.read_bytes() == (clones / "someone/films/film.mp4").read_bytes()


def test_portrait_from_a_film_is_its_first_frame(clones, tmp_path):
    (path,) = put_together([sample(clones, "portraits", "one", "film.mp4")], clones, tmp_path)
    assert path.suffix == ".png"
    assert abs(float(load_photo(path).mean()) - 0.25) < 0.02


def test_voice_of_its_own_file_joins_the_pictures(clones, tmp_path):
    sound = sample(clones, "speakers", "x", "voice.wav").sha256
    one = sample(clones, "speakers", "one", "film.mp4", sound="voice.wav", sound_sha256=sound)
    (path,) = put_together([one], clones, tmp_path)
    joined, alone = load_audio(path), load_audio(clones / "someone/films/voice.wav")
    assert joined[1] == alone[1] and torch.equal(joined[0], alone[0])
    before, after = (list(read_video(p, 25)) for p in (clones / "someone/films/film.mp4", path))
    assert len(before) == len(after) and torch.equal(torch.stack(before), torch.stack(after))


def test_another_file_under_the_name_is_refused(clones, tmp_path):
    one = dataclasses.replace(sample(clones, "films", "one", "film.mp4"), sha256="0" * 64)
    with pytest.raises(ValueError, match="has no film.mp4 as it was at commit"):
        put_together([one], clones, tmp_path)
    assert not list(tmp_path.rglob("*.mp4"))


def test_file_of_an_older_commit_is_found(clones, tmp_path):
    one = sample(clones, "films", "one", "film.mp4")
    clone = clones / "someone" / "films"
    git(clone, "rm", "-q", "film.mp4")
    git(clone, "commit", "-qm", "without")
    try:
        assert put_together([one], clones, tmp_path)[0].exists()
    finally:
        git(clone, "reset", "-q", "--hard", "HEAD~1")


def test_clones_are_found_by_three_names_and_the_others_named(tmp_path):
    rows = [Sample("films", name, f"someone/{name}", "0", "x", "0") for name in "abcd"]
    for folder in ("someone/a", "someone+b", "c"):
        (tmp_path / folder).mkdir(parents=True)
    assert [clone_of(tmp_path, row.repository) is not None for row in rows] == [True, True, True, False]
    assert missing(rows, tmp_path) == [f"git clone https://github.com/someone/d {tmp_path / 'someone/d'}"]


def test_command_says_what_to_clone(tmp_path, capsys):
    assert main(["test-set", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    repositories = {json.loads(line)["repository"] for line in LIST.read_text().splitlines()}
    assert all(f"git clone https://github.com/{name} " in told for name in repositories)
    assert main(["test-set", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
