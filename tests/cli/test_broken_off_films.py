"""A film that was broken off goes on from its finished pieces: frames are the same to the bit as without a break, and
what was encoded stays as it was. (x264 itself gives other bytes now and then for the same pictures of this size.)"""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.files import writing
from mamba_portrait.media.audio import load_audio, write_wav
from mamba_portrait.media.photo import save_image
from mamba_portrait.media.video import VideoWriter
from mamba_portrait.pipelines import forecast, rendering, resuming
from mamba_portrait.unfinished import folder_of

pytestmark = pytest.mark.usefixtures("shipped_tiny")
FRAMES, PIECE = 50, 20


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    y, x = torch.meshgrid(torch.linspace(0, 1, 80), torch.linspace(0, 1, 91), indexing="ij")
    save_image(folder / "photo.png", torch.stack([x, y, 1 - x], -1))
    t = torch.arange(16000 * FRAMES // 25) / 16000
    write_wav(folder / "voice.wav", torch.sin(2 * math.pi * 200 * t)[None] * torch.sin(9 * t) * 0.4, 16000)
    return folder


def command(files: Path, out: Path, *more: str) -> list[str]:
    order = ["animate", str(files / "photo.png"), str(files / "voice.wav"), "-o", str(out), "--device", "cpu"]
    return [*order, "--finder", "whole", "--size", "64", "--steps", "1", "--threads", "1", *more]


class Rendered(dict):
    """Frames by number; `stop_after` so many, the run ends as Ctrl-C ends it."""

    stop_after = None


@pytest.fixture
def rendered(monkeypatch):
    render, seen = rendering.render, Rendered()

    def watched(*values, first=0, **more):
        for part in render(*values, first=first, **more):
            yield part
            for number, frame in enumerate(part, first + len(seen)):
                seen[number] = frame.clone()
            if seen.stop_after is not None and len(seen) >= seen.stop_after:
                raise KeyboardInterrupt

    monkeypatch.setattr(rendering, "render", watched)
    monkeypatch.setattr(forecast, "LEAST_BATCHES", 1000)  # no trial, whose frames would be counted
    monkeypatch.setattr(resuming, "LEAST", PIECE)
    return seen


def make(files, out, rendered, *more) -> dict:
    """The frames that a whole run renders."""
    rendered.clear()
    assert main(command(files, out, *more)) == 0
    return dict(rendered)


def break_off(files, out, rendered, after) -> list[Path]:
    """The finished pieces of a run that ends after so many frames."""
    rendered.clear()
    rendered.stop_after = after
    assert main(command(files, out)) == 130
    rendered.stop_after = None
    assert not out.exists()
    return sorted(folder_of(out).glob("*.mp4"))


def packets(*films: Path) -> list[bytes]:
    """The encoded pictures of films, one film after another."""
    found = []
    for path in films:
        with av.open(str(path)) as film:
            found += [bytes(packet) for packet in film.demux(video=0) if packet.size]
    return found


def same(frames: dict, others: dict, first: int) -> bool:
    return sorted(frames) == list(range(first, FRAMES)) and all(torch.equal(frames[n], others[n]) for n in frames)


def test_what_is_finished_is_not_made_again_and_the_rest_is_the_same(files, tmp_path, rendered, caplog):
    whole = make(files, tmp_path / "whole.mp4", rendered)
    (tmp_path / "whole.mp4").unlink()
    out = tmp_path / "film.mp4"
    caplog.set_level("INFO")
    pieces = break_off(files, out, rendered, 44)
    assert "film.mp4: 40 finished frames are kept; the same again goes on after them." in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == [folder_of(out).name] and len(pieces) == 2
    encoded = packets(*pieces)
    assert same(make(files, out, rendered), whole, 40)
    assert "film.mp4 goes on after 40 frames, which an earlier run finished." in caplog.text
    assert packets(out)[:40] == encoded and list(tmp_path.iterdir()) == [out]


@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_a_killed_run_goes_on(files, tmp_path, rendered):
    out = tmp_path / "film.mp4"
    code = "from mamba_portrait.pipelines import resuming; resuming.LEAST = 20\n"
    code += "import sys; from mamba_portrait.cli import main; sys.exit(main(sys.argv[1:]))"
    order = [sys.executable, "-c", code, *command(files, out)]
    run = subprocess.Popen(order, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 200
    while not (folder_of(out) / "record.json").exists() and run.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not out.exists() and (folder_of(out) / "record.json").is_file()
    assert len(make(files, out, rendered)) in (FRAMES - PIECE, FRAMES - 2 * PIECE)
    assert len(packets(out)) == FRAMES and list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("more", [("--gain", "0.5"), ("--seed", "3"), ("--mark",), ("--paste-back",)])
def test_other_settings_do_not_go_on(files, tmp_path, rendered, caplog, more):
    out = tmp_path / "film.mp4"
    break_off(files, out, rendered, 24)
    caplog.set_level("INFO")
    assert len(make(files, out, rendered, *more)) == FRAMES
    assert "film.mp4: an unfinished work of other inputs or settings is thrown away." in caplog.text


def test_another_photo_does_not_go_on_and_fresh_begins_anew(files, tmp_path, rendered):
    out, other = tmp_path / "film.mp4", tmp_path / "in"
    other.mkdir()
    save_image(other / "photo.png", torch.rand(80, 91, 3, generator=torch.Generator().manual_seed(1)))
    (other / "voice.wav").symlink_to(files / "voice.wav")
    break_off(other, out, rendered, 24)
    assert len(make(files, out, rendered)) == FRAMES
    out.unlink()
    break_off(files, out, rendered, 24)
    assert len(make(files, out, rendered, "--fresh")) == FRAMES


def test_a_damaged_piece_is_made_again(files, tmp_path, rendered, caplog):
    out = tmp_path / "film.mp4"
    _, piece = break_off(files, out, rendered, 44)
    data = bytearray(piece.read_bytes())
    data[len(data) // 2] ^= 255
    piece.write_bytes(data)
    caplog.set_level("INFO")
    assert sorted(make(files, out, rendered)) == list(range(PIECE, FRAMES))
    assert "film.mp4: what an earlier run finished is damaged after 20 frames; the rest is thrown away." in caplog.text


def test_a_full_disk_keeps_what_is_finished(files, tmp_path, rendered, capsys, monkeypatch):
    out, write = tmp_path / "film.mp4", VideoWriter.write

    def on_a_full_disk(self, frames):
        with writing(self.path):
            if self.path.name == "000002.mp4":
                raise OSError(28, "No space left on device")
        write(self, frames)

    monkeypatch.setattr(VideoWriter, "write", on_a_full_disk)
    assert main(command(files, out)) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith(f"error: film.mp4 cannot be written in {tmp_path}: the disk is full")
    monkeypatch.setattr(VideoWriter, "write", write)
    assert sorted(make(files, out, rendered)) == list(range(2 * PIECE, FRAMES))


def test_a_film_of_pieces_has_every_frame_at_its_time_and_the_whole_sound(files, tmp_path, rendered):
    make(files, tmp_path / "film.mp4", rendered)
    with av.open(str(tmp_path / "film.mp4")) as film:
        video = film.streams.video[0]
        parts = [packet for packet in film.demux(video) if packet.size]
        assert [n for n, packet in enumerate(parts) if packet.is_keyframe] == [0, 20, 40]
        assert sorted(p.pts * p.time_base * 25 for p in parts) == list(range(FRAMES)) and video.average_rate == 25
    with av.open(str(tmp_path / "film.mp4")) as film:
        assert [frame.pts * frame.time_base * 25 for frame in film.decode(video=0)] == list(range(FRAMES))
        assert film.metadata["comment"].startswith("AI-generated")
    heard, rate = load_audio(tmp_path / "film.mp4")
    assert heard.shape[1] / rate == pytest.approx(FRAMES / 25, abs=0.07)


def test_a_transparent_film_goes_on_too(files, tmp_path, rendered):
    from PIL import Image

    picture = Image.open(files / "photo.png").convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    (tmp_path / "in").mkdir()
    picture.save(tmp_path / "in" / "photo.png")
    (tmp_path / "in" / "voice.wav").symlink_to(files / "voice.wav")
    whole, out = tmp_path / "whole.webm", tmp_path / "film.webm"
    frames = make(tmp_path / "in", whole, rendered)
    break_off(tmp_path / "in", out, rendered, 24)
    assert same(make(tmp_path / "in", out, rendered), frames, PIECE) and frames[0].shape[-1] == 4
    for path in (whole, out):
        with av.open(str(path)) as film:
            stream, decoder = film.streams.video[0], av.CodecContext.create("libvpx-vp9", "r")
            parts = [packet for packet in film.demux(stream) if packet.size]
            assert [round(p.pts * p.time_base * 25) for p in parts] == list(range(FRAMES))
            assert [f.format.name for p in parts for f in decoder.decode(p)] == ["yuva420p"] * FRAMES
