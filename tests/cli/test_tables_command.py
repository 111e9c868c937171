"""`tables`: the papers' tables on what is there, with tiny networks, and what is missing named in its cell."""

import pytest
import torch

from mamba_portrait.cli import main, tables
from mamba_portrait.learning.evaluation.judge import mesh, published, weights
from mamba_portrait.media.faces import Face

from ..learning.evaluation.judge.conftest import moving_film, write_film


@pytest.fixture
def listed(tmp_path, shipped_tiny, monkeypatch):
    """A folder with a list of two films, without MediaPipe and EfficientNet."""
    monkeypatch.setattr(mesh, "judge_python", lambda: None)
    monkeypatch.setattr(weights, "_packaged", dict)
    for seed, name in enumerate(("a", "b")):
        write_film(tmp_path / "set" / f"{name}.mkv", moving_film(seed, 12))
    (tmp_path / "set" / "clips.csv").write_text("video,speaker,split\na.mkv,set/a,test\nb.mkv,set/b,test\n", "utf8")
    return tmp_path / "set"


def made(tmp_path, *given):
    """The rows of a table of the command, each a list of cells."""
    assert main(["tables", *given, "--out", str(tmp_path / "out"), "--size", "64", "--films-shown", "0"]) == 0
    text = (tmp_path / "out" / "table.md").read_text("utf8")
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]


def test_our_figures_stand_above_the_papers_and_cells_say_what_they_lack(listed, tmp_path):
    given = ["--set", f"GRID={listed}", f"HDTF={tmp_path / 'absent'}", "--clips", "1"]
    head, video, voice, absent, *rest = made(tmp_path, "implicit-motion-talking-head", *given)
    assert head[:4] == ["data", "method", "Headpose ↓", "PSNR ↑"]
    assert video[:2] == ["GRID, 1 clip", "ours, video"] and voice[1] == "ours, voice"
    assert video[2] == "no MediaPipe (make judge)" and 3 < float(video[3]) < 60
    assert video[-1] == "no syncnet_v2.model" and video[-3] == "no i3d_torchscript.pt"
    assert absent == ["HDTF", "ours", *[f"no {tmp_path / 'absent'}"] * 7]
    assert ["MEAD", "ours", *["no MEAD"] * 7] in rest and ["DiverseHeads", "ours", *["no DiverseHeads"] * 7] in rest
    assert ["MEAD", "paper: the paper's", "1.465", "34.661", "0.953", "30.501", "92.179", "9.025", "2.672"] in rest
    assert (tmp_path / "out" / "GRID" / "table.md").is_file()


def test_a_set_of_the_paper_that_is_there_takes_the_place_of_its_gap(listed, tmp_path):
    rows = made(tmp_path, "implicit-motion-talking-head", "--set", f"MEAD={listed}", "--clips", "1")
    assert ["MEAD", "ours", *["no MEAD"] * 7] not in rows and rows[1][0] == "MEAD, 1 clip"


def test_half_bodies_without_weights_are_said(listed, tmp_path, monkeypatch):
    monkeypatch.setattr(published, "drawn_clips", lambda *_: pytest.fail("nothing is drawn without weights"))
    rows = made(tmp_path, "implicit-motion-gesture")
    assert rows[1] == ["drawn", "ours", *["no weights for half bodies"] * 10]
    assert ["PATS", "paper: ablation: w/o mamba-l", *["-"] * 4] == next(r for r in rows if "mamba-l" in r[1])[:6]


def test_drawn_people_are_held_out_and_painted(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "DRAWN_SIZE", 64)
    painted = []
    monkeypatch.setattr(
        published, "paint_clips", lambda clips, seed, size: painted.extend(write(clip) for clip in clips)
    )

    def write(clip):
        return write_film(clip / "video.mp4", moving_film(0, 12))

    (sample,) = published.drawn_clips(tmp_path, "half", 1)
    assert sample.entry.split == "test" and sample.entry.video in painted
    assert '"half"' in (sample.entry.video.parent / "meta.json").read_text("utf8")


def test_an_actalker_has_its_rows(listed, tmp_path, monkeypatch):
    pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
    pytest.importorskip("transformers", reason="ACTalker needs transformers (extra actalker)")
    from mamba_portrait.learning.evaluation.actalker import filming
    from mamba_portrait.model_loaders.actalker.load import save_actalker
    from mamba_portrait.model_loaders.actalker.reduced import reduced_actalker
    from mamba_portrait.pipelines.actalker import follower

    face = Face((16.0, 12.0, 48.0, 50.0), 1.0, None, "own", (64, 64))
    for module in (filming, follower):
        monkeypatch.setattr(module, "find_face", lambda picture: face)
    monkeypatch.setattr(follower, "follow_face", lambda picture, last: last)
    model = reduced_actalker()
    with torch.no_grad():
        save_actalker(model, tmp_path / "actalker.safetensors")
    given = ["--set", f"GRID={listed}", "--clips", "1", "--actalker", str(tmp_path / "actalker.safetensors")]
    rows = made(tmp_path, "actalker", *given, "--steps", "1")
    assert [row[1] for row in rows[1:5]] == ["ours, video", "ACTalker, video", "ours, voice", "ACTalker, voice"]
    assert all(3 < float(row[4]) < 60 for row in rows[1:5]), "PSNR"
    assert rows[5] == ["", "paper", *["not in the supplement"] * 12]
    assert rows[7] == ["ours", *["no participants"] * 3] and rows[-1] == ["ACTalker", "60.780", "68.890", "64.810"]


def test_what_is_no_set_is_refused(listed, tmp_path, capsys):
    assert main(["tables", "actalker", "--out", str(tmp_path / "out"), "--set", "GRID"]) == 2
    assert "is not NAME=PLACE" in capsys.readouterr().err
    given = ["tables", "implicit-motion-gesture", "--out", str(tmp_path / "out"), "--actalker", "x"]
    assert main(given) == 2 and "--actalker is for the table actalker" in capsys.readouterr().err
    assert tables.PROTOCOLS
