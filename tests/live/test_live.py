"""A portrait that speaks while somebody does: pictures in step with the sound, whatever the machine, the page and the
voice do."""

import json
import socket
import struct
import threading
import time
import urllib.request
from queue import Empty

import numpy as np
import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.live.server import MOST_BYTES, Server
from mamba_portrait.live.session import PICTURE, SOUND, WAITING, Message, Session, Viewer
from mamba_portrait.media.audio import write_wav
from mamba_portrait.media.photo import save_image
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer
from mamba_portrait.pipelines.live import LiveMotion
from mamba_portrait.pipelines.settings import LiveSettings, RenderingSettings
from mamba_portrait.vocabulary import SAMPLES_A_FRAME

SETTINGS = LiveSettings(chunk=5, ahead=3, context=40, steps=1)


@pytest.fixture
def networks(shipped_tiny):
    return load_renderer(), load_motion_model()


@pytest.fixture
def session(networks):
    photo = torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0))
    with Session(*networks, photo, SETTINGS, RenderingSettings(size=64)) as running:
        yield running


def speech(frames: int, seed: int = 0) -> np.ndarray:
    """Noise, every frame of which is recognised by its first sample."""
    sound = np.random.default_rng(seed).normal(0, 0.1, frames * SAMPLES_A_FRAME).astype(np.float32).clip(-0.5, 0.5)
    sound[::SAMPLES_A_FRAME] = np.arange(frames) / 1000
    return sound


def messages(viewer: Viewer, until: int, kind: bytes = SOUND) -> list[Message]:
    """All messages until the sound or picture of a frame."""
    found = []
    while not found or found[-1].kind != kind or found[-1].frame < until:
        found.append(viewer.get(60))
    return found


def wait_for(condition) -> None:
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come about within a minute")


def test_every_frame_of_a_voice_is_made_once_and_memory_stays(networks):
    live, sound, rng = LiveMotion(networks[1], None, SETTINGS), torch.from_numpy(speech(300)), np.random.default_rng(1)
    at, made, most = 0, 0, 0
    while at < len(sound):
        step = int(rng.integers(1, 9000))
        live.push(sound[at : at + step])
        at += step
        while (motion := live.next()) is not None:
            assert motion.frames >= SETTINGS.chunk and torch.isfinite(motion.values).all()
            made += motion.frames
        most = max(most, len(live.sound))
    assert made == live.made and 300 - SETTINGS.ahead - SETTINGS.chunk < made <= 300 - SETTINGS.ahead
    assert most < (SETTINGS.context + SETTINGS.ahead + SETTINGS.chunk + 20) * SAMPLES_A_FRAME


def test_the_sound_that_is_not_heard_yet_has_no_say(networks):
    first, second = (LiveMotion(networks[1], None, SETTINGS) for _ in range(2))
    sound = torch.from_numpy(speech(30))
    other = torch.cat([sound[: 20 * SAMPLES_A_FRAME], torch.zeros(10 * SAMPLES_A_FRAME)])
    made = []
    for live, heard in ((first, sound), (second, other)):
        live.push(heard[: 20 * SAMPLES_A_FRAME])
        made.append(live.next().values)
        live.push(heard[20 * SAMPLES_A_FRAME :])
        made.append(live.next().values)
    assert torch.equal(made[0], made[2]) and len(made[0]) == 17 and not torch.equal(made[1], made[3])


def test_sound_and_pictures_go_out_under_the_number_of_their_frame(session):
    viewer, sound = session.viewer(), speech(50)
    session.hear(sound[:16000])
    found = messages(viewer, 15)
    session.hear(sound[16000:])
    found += messages(viewer, 45)
    heard = [message for message in found if message.kind == SOUND]
    assert [message.frame for message in heard] == list(range(len(heard)))
    for message in heard:
        samples = np.frombuffer(message.data, "<i2") / 32767
        assert len(samples) == SAMPLES_A_FRAME and samples[0] == pytest.approx(message.frame / 1000, abs=1e-4)
    wait_for(lambda: session.status()["pictures"] and not session.to_draw)
    status = session.status()
    assert status["frames"] >= 45 and status["pictures"] + status["left_out"] >= 45 and status["error"] is None
    assert status["delay_ms"] > 0 and status["behind"] < SETTINGS.chunk + 1


def test_a_slow_machine_shows_fewer_pictures_and_none_at_another_time(session, monkeypatch):
    monkeypatch.setattr(Session, "_account", lambda self, frame, seconds: setattr(self, "pictures", self.pictures + 1))
    session.cost = 0.1  # seconds of a picture: one in three frames fits
    viewer = session.viewer()
    assert session.stride() == 3
    session.hear(speech(80))
    wait_for(lambda: session.frames_out >= 75 and not session.to_draw)
    frames, heard = [], -1
    while not frames or frames[-1] < 72:
        message = viewer.get(60)
        heard = message.frame if message.kind == SOUND else heard
        if message.kind == PICTURE:
            frames.append(message.frame)
            assert message.frame == heard + 1  # a picture comes right before its sound
    assert frames == sorted(frames) and sum(frame % 3 == 0 for frame in frames) >= len(frames) - 1
    assert session.left_out >= 50


def test_pictures_wait_for_motion_that_is_far_behind(session):
    session.samples = 60 * SAMPLES_A_FRAME  # heard, and not moved yet
    assert session.behind() == 57 and session._hurried()
    session.hear(speech(20))
    wait_for(lambda: session.frames_out >= 15 and not session.to_draw)
    assert session.pictures == 0 and session.left_out >= 15


def test_a_stall_and_silence_are_survived(session):
    session.hear(np.zeros(16000, np.float32))
    wait_for(lambda: session.frames_out >= 20)
    before = session.frames_out
    session.hear(np.zeros(0, np.float32))
    session.hear(np.full(9000, np.nan, np.float32))
    session.hear(speech(25))
    wait_for(lambda: session.frames_out >= before + 30)
    assert session.status()["error"] is None
    with pytest.raises(ValueError, match="faster than it can be heard"):
        session.hear(np.zeros(16000 * 11, np.float32))


def test_sound_that_comes_while_pictures_are_accounted_for_does_no_harm(session):
    ended = threading.Event()

    def ask():
        while not ended.is_set():
            session.status()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    viewer = session.viewer()
    for _ in range(600):
        session.hear(np.zeros(320, np.float32))
        wait_for(lambda: sum(map(len, session.incoming)) < 60_000)
    messages(viewer, 250)
    ended.set()
    for thread in threads:
        thread.join()
    assert session.status()["error"] is None


def test_a_viewer_that_does_not_look_loses_the_oldest_and_holds_up_nobody():
    viewer = Viewer()
    for frame in range(WAITING + 7):
        viewer.put(Message(SOUND, frame, b""))
    assert [viewer.get(1).frame for _ in range(WAITING)] == list(range(7, WAITING + 7))
    with pytest.raises(Empty):
        viewer.get(0.01)


def test_a_fault_of_drawing_is_told(session, monkeypatch):
    monkeypatch.setattr(session.portrait, "draw", lambda *a: (_ for _ in ()).throw(ValueError("no picture")))
    viewer = session.viewer()
    session.hear(speech(20))
    wait_for(lambda: session.error is not None)
    while viewer.get(10) is not None:
        pass
    assert session.status()["error"] == "no picture"


@pytest.fixture
def server(session):
    running = Server(session, port=0)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def fetch(server, place, data=None, **headers):
    request = urllib.request.Request(server.address + place, data, headers)
    return urllib.request.urlopen(request, timeout=60)


def test_the_page_sends_sound_and_gets_pictures_and_sound_back(server):
    assert b"<canvas" in fetch(server, "").read()
    stream = fetch(server, "stream")
    wait_for(lambda: server.session.viewers)
    pcm = (speech(20) * 32767).astype("<i2").tobytes()
    assert fetch(server, "sound", pcm).status == 200
    kinds = {}
    while not {SOUND, PICTURE} <= kinds.keys():
        kind, frame, length = struct.unpack("<cII", stream.read(9))
        kinds[kind] = stream.read(length)
    assert len(kinds[SOUND]) == 2 * SAMPLES_A_FRAME and kinds[PICTURE].startswith(b"\xff\xd8")
    assert json.loads(fetch(server, "status").read())["frames"] >= 15
    stream.close()
    with fetch(server, "video.mjpg") as film:
        fetch(server, "sound", pcm)
        assert film.readline() == b"--frame\r\n" and film.readline() == b"Content-Type: image/jpeg\r\n"


@pytest.mark.parametrize(
    ("place", "data", "headers", "code"),
    [
        ("status", None, {"Host": "evil.example"}, 403),
        ("sound", b"\0\0", {"Origin": "http://evil.example"}, 403),
        ("sound", b"\0" * (MOST_BYTES + 1), {}, 400),
        ("other", b"\0\0", {}, 400),
        ("../cli/live.py", None, {}, 404),
    ],
)
def test_other_sites_and_wrong_requests_are_refused(server, place, data, headers, code):
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(server, place, data, **headers)
    assert refused.value.code == code


def test_a_closed_page_is_forgotten(server):
    with socket.create_connection(server.server_address[:2]) as page:
        page.sendall(b"GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        wait_for(lambda: server.session.viewers)
    server.session.hear(speech(40))
    server.session.hear(speech(40))
    wait_for(lambda: not server.session.viewers)


@pytest.fixture
def files(tmp_path):
    save_image(tmp_path / "photo.png", torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0)))
    write_wav(tmp_path / "voice.wav", torch.from_numpy(speech(50))[None], 16000)
    return tmp_path


def command(files, *more: str) -> list[str]:
    given = ["live", str(files / "photo.png"), "--finder", "whole", "--size", "64", "--port", "0", "--steps", "1"]
    return [*given, "--sound", str(files / "voice.wav"), *more]


@pytest.mark.usefixtures("shipped_tiny")
def test_the_command_speaks_a_file_and_says_how_it_went(files, capsys):
    report = files / "live.jsonl"
    assert main(command(files, "--seconds", "1.5", "--report", str(report))) == 0
    printed = capsys.readouterr().out
    assert "Open http://127.0.0.1:" in printed and "1.5 s heard" in printed and "delay" in printed
    assert json.loads(report.read_text().splitlines()[0])["heard_seconds"] == 0


@pytest.mark.usefixtures("shipped_tiny")
def test_a_port_that_is_taken_is_told(files, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        given = command(files, "--seconds", "1")
        given[given.index("--port") + 1] = str(taken.getsockname()[1])
        assert main(given) == 2
    assert "choose another --port" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.usefixtures("shipped_tiny")
def test_ten_minutes_do_not_drift_and_take_no_more_memory(files):
    report = files / "live.jsonl"
    assert main(command(files, "--seconds", "600", "--report", str(report))) == 0
    lines = [json.loads(line) for line in report.read_text().splitlines()][3:]
    assert len(lines) >= 55
    late = [25 * line["seconds"] - line["frames"] for line in lines]  # frames by which motion is behind the clock
    third = len(late) // 3
    assert abs(min(late[-third:]) - min(late[:third])) <= 1  # the least: what a busy machine adds comes and goes
    assert lines[-1]["heard_seconds"] * 25 - lines[-1]["frames"] <= LiveSettings.ahead + 2 * LiveSettings.chunk
    memory = [line["memory_mb"] for line in lines]
    assert max(memory[-third:]) - max(memory[:third]) < 10
