"""dub: a film and a voice to a film of the same frames and rate, by command and by nodes."""

from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.media.audio import load_audio, write_wav
from mamba_portrait.media.video import VideoWriter, probe_video, read_video
from mamba_portrait.nodes.dub import DubVideo, sound_of_film
from mamba_portrait.nodes.loaders import LoadRenderer
from mamba_portrait.nodes.track import TrackFace

ASSETS = Path(__file__).resolve().parents[2] / "assets"
FRAMES, RATE = 10, Fraction(30000, 1001)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dub")
    frames = list(islice(read_video(ASSETS / "driving.mp4"), FRAMES))
    with VideoWriter(folder / "film.mp4", fps=RATE, audio=(torch.full((8000,), 0.25), 24_000)) as writer:
        for frame in frames:
            writer.write(frame)
    with VideoWriter(folder / "empty.mp4", fps=RATE) as writer:
        for frame in frames:
            writer.write(torch.full_like(frame, 0.3))
    write_wav(folder / "voice.wav", load_audio(ASSETS / "greeting.flac")[0][:, :16_000], 16_000)
    return folder


def dubbed(files, out, *more):
    command = ["dub", str(files / "film.mp4"), str(files / "voice.wav"), "-o", str(out), "--device", "cpu"]
    return main([*command, "--steps", "1", *more])


def test_the_film_keeps_its_frames_rate_and_size_and_gets_the_voice(files, tmp_path, capsys):
    assert dubbed(files, tmp_path / "out.mp4") == 0
    info = probe_video(tmp_path / "out.mp4")
    assert (info.fps, info.width, info.height, info.has_audio) == (RATE, 320, 320, True)
    assert sum(1 for _ in read_video(tmp_path / "out.mp4")) == FRAMES
    assert "1 shot, 10 frames, all dubbed." in capsys.readouterr().out


def test_the_films_own_sound_goes_or_stays_under_the_voice(files, tmp_path):
    """The film's own sound is a constant, which nothing of the voice is."""
    for volume, expected in ((0, 0.0), (0.8, 0.2)):
        out = tmp_path / f"{volume}.mp4"
        assert dubbed(files, out, "--film-sound", str(volume), "--begin", "0.3", "--seconds", "0.2") == 0
        sound, rate = load_audio(out)
        assert float(sound[:, rate // 20 : rate // 10].mean()) == pytest.approx(expected, abs=0.05)


def test_a_film_without_a_face_is_one_sentence_and_leaves_no_file(files, tmp_path, capsys):
    command = ["dub", str(files / "empty.mp4"), str(files / "voice.wav"), "-o", str(tmp_path / "out.mp4")]
    assert main([*command, "--steps", "1"]) == 2
    assert "No face that looks at the camera" in capsys.readouterr().err
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("fps", [16, 24, 30])
def test_the_nodes_dub_a_generators_frames_at_their_rate(renderer_node, still_motion, fps):
    frames = torch.stack(list(islice(read_video(ASSETS / "driving.mp4"), 6)))
    parts = SimpleNamespace(images=frames, frame_rate=Fraction(fps), audio=None)
    video = Generated(parts)
    tracked, shots, report = TrackFace.execute(video, "auto", "largest", 0).args
    assert shots.shape[0] == 1 and "seen in 6 of 6 frames" in report
    film, told = DubVideo.execute(renderer_node, tracked, still_motion, 1.0, 1.0, 0.0, 0.0, 18, False).args
    assert told == "1 shot, 6 frames, all dubbed."
    made = film.get_components()
    assert made.frame_rate == fps and made.images.shape == frames.shape


def test_the_sound_of_the_nodes_has_the_voice_late_and_the_rest_at_its_volume():
    own = {"waveform": torch.full((1, 2, 8000), 0.5), "sample_rate": 8000}
    tracked = SimpleNamespace(film=SimpleNamespace(audio=own))
    voice = {"waveform": torch.full((1, 1, 4000), 0.1), "sample_rate": 4000}
    mixed = torch.cat(list(sound_of_film(tracked, voice, None, 0.5, 0.5)["sound"].stereo()), 1)
    assert mixed.shape[1] == 6000
    assert mixed[:, 500:1500].mean() == pytest.approx(0.25, abs=0.01)
    assert mixed[:, 2500:3500].mean() == pytest.approx(0.35, abs=0.01)
    assert mixed[:, 4500:5500].mean() == pytest.approx(0.1, abs=0.01)
    assert sound_of_film(tracked, None, None, 0.0, 0.0) == {}


class Generated:
    """A host's VIDEO made of tensors."""

    def __init__(self, parts):
        self.parts = parts

    def get_components(self):
        return self.parts


@pytest.fixture(scope="module")
def renderer_node():
    return LoadRenderer.execute("renderer_lite.safetensors").args[0]


@pytest.fixture(scope="module")
def still_motion(renderer_node):
    from mamba_portrait.media.motion import Motion

    network = renderer_node.module
    rest = network.rest_motion().detach().float()
    return Motion(rest.expand(25, -1).clone(), rest, Fraction(25), network.motion_language)
