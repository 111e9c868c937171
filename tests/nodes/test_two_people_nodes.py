"""Sample Conversation and Film Two People: whose voice goes to whom, one film written as it is rendered, cancelled and
gone on with, and the same as the command's."""

import math
from dataclasses import replace

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.host import Interrupted, ManagedModel
from mamba_portrait.host.headless import settings as headless
from mamba_portrait.media.audio import load_audio, write_wav
from mamba_portrait.media.crop import Crop
from mamba_portrait.media.motion import Motion
from mamba_portrait.media.photo import load_photo, save_image
from mamba_portrait.media.video import read_video
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer
from mamba_portrait.nodes import assemble, two_people
from mamba_portrait.nodes.conversation import TwoVoices
from mamba_portrait.nodes.pick_face import PickFace
from mamba_portrait.nodes.values.video_input import open_video
from mamba_portrait.pipelines import rendering, resuming
from mamba_portrait.pipelines.settings import SamplingSettings
from mamba_portrait.workflows.conversation import CONVERSATION

LEFT, RIGHT = Crop(4, 40, 60, 140, 300), Crop(200, 40, 60, 140, 300)
RATE = 16000


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(assemble, "temp_directory", lambda: tmp_path)
    with headless.configure(device="cpu"):
        yield tmp_path


@pytest.fixture(scope="module")
def networks(tiny_weights):
    renderer = ManagedModel(load_renderer(tiny_weights / "renderer_lite.safetensors"), "tiny")
    return renderer, ManagedModel(load_motion_model(tiny_weights / "motion_lite.safetensors"), "tiny")


@pytest.fixture(scope="module")
def photo():
    return (torch.rand(1, 140, 300, 3, generator=torch.Generator().manual_seed(2)) * 255).round() / 255


def tone(pitch, seconds=0.4):
    wave = torch.sin(math.tau * pitch * torch.arange(round(RATE * seconds)) / RATE) * 0.4
    return {"waveform": wave[None, None], "sample_rate": RATE}


def sampled(networks, photo, *crops):
    (renderer, model), voices = networks, (tone(150), tone(240))
    return two_people.ConversationMotion.execute(model, renderer, photo, *crops, *voices, 0, 1.5, 1.0).args


def filmed(networks, photo, crops, motions, gain=1.0):
    return two_people.FilmTwoPeople.execute(networks[0], photo, *crops, *motions, gain, 4, 0, False).args[0]


def frames_of(video):
    return torch.stack(list(open_video(video).frames))


@pytest.fixture
def moving(networks):
    """30 frames of motion."""
    network = networks[0].module
    rest = network.rest_motion().detach().cpu()
    values = rest + torch.randn(30, len(rest), generator=torch.Generator().manual_seed(3)) * 0.3
    return Motion(values, rest, 25, network.motion_language, network.motion_encoder_id)


@pytest.mark.parametrize(("crops", "sides"), [((LEFT, RIGHT), ["right", "left"]), ((RIGHT, LEFT), ["left", "right"])])
def test_each_follows_its_voice_and_looks_at_the_other_when_they_change_sides(
    networks, photo, monkeypatch, crops, sides
):
    listen, told = two_people.listen, []

    def watched(motion, renderer, track, rate, side, settings):
        told.append((track, side, settings.seed))
        return listen(motion, renderer, track, rate, side, settings)

    monkeypatch.setattr(two_people, "listen", watched)
    first, second, both = sampled(networks, photo, *crops)
    assert [side for _, side, _ in told] == sides and [seed for *_, seed in told] == [0, 1]
    assert all(
        torch.equal(track, tone(pitch)["waveform"][0]) for (track, *_), pitch in zip(told, (150, 240), strict=True)
    )
    assert first.frames == second.frames == 10 and not torch.equal(first.values, second.values)
    assert torch.equal(both["waveform"], told[0][0][None] + told[1][0][None]) and both["sample_rate"] == RATE


@pytest.mark.parametrize("crops", [(LEFT, RIGHT), (RIGHT, LEFT)])
def test_the_first_motion_moves_the_first_face_whichever_side_it_is_on(networks, photo, moving, crops):
    still = replace(moving, values=moving.reference.repeat(30, 1))
    frames = frames_of(filmed(networks, photo, crops, (moving, still)))
    assert frames.shape == (30, 140, 300, 3)
    moved = [float((frames[1:] - frames[:1])[:, c.y0 : c.y0 + c.size, c.x0 : c.x0 + c.size].abs().max()) for c in crops]
    assert moved[0] > 0.05 > 0.02 > moved[1]


def test_the_frames_are_written_as_they_are_rendered_and_the_work_is_told(networks, photo, moving, monkeypatch, caplog):
    render, write, waiting, most = rendering.render, resuming.for_film, [0], [0]

    def watched(*values, **more):
        for part in render(*values, **more):
            waiting[0] += len(part)
            most[0] = max(most[0], waiting[0])
            yield part

    def written(picture, channels):
        waiting[0] -= 2
        return write(picture, channels)

    monkeypatch.setattr(rendering, "render", watched)
    monkeypatch.setattr(resuming, "for_film", written)
    caplog.set_level("INFO")
    filmed(networks, photo, (LEFT, RIGHT), (moving, moving))
    assert waiting == [0] and 0 < most[0] <= 2 * 4
    assert "30 frames of" in caplog.text and "Rendering" in caplog.text


def test_a_cancelled_film_goes_on_when_the_graph_is_queued_again(networks, photo, moving, folder, monkeypatch, caplog):
    render, seen, cancel_at = rendering.render, [], 20

    def watched(*values, first=0, **more):
        done = first
        seen.append(first)
        for part in render(*values, first=first, **more):
            done += len(part)
            if done == cancel_at:
                headless.interrupt()
            yield part

    monkeypatch.setattr(rendering, "render", watched)
    monkeypatch.setattr(resuming, "LEAST", 12)
    with pytest.raises(Interrupted):
        filmed(networks, photo, (LEFT, RIGHT), (moving, moving))
    assert [path.name[-16:] for path in folder.iterdir()] == [".unfinished.part"]
    seen.clear()
    cancel_at = 0
    caplog.set_level("INFO")
    video = filmed(networks, photo, (LEFT, RIGHT), (moving, moving))
    assert seen == [12, 12] and len(frames_of(video)) == 30
    assert "Film Two People goes on after 12 frames, which an earlier run finished." in caplog.text
    seen.clear()
    filmed(networks, photo, (RIGHT, LEFT), (moving, moving))
    assert seen == [0, 0]


@pytest.mark.usefixtures("shipped_tiny")
def test_the_command_makes_the_same_film(networks, photo, tmp_path_factory):
    """Both faces by boxes, voices in turns, all settings as they are by default."""
    folder = tmp_path_factory.mktemp("talk")
    save_image(folder / "two.png", photo[0])
    for name, pitch in (("first", 150), ("second", 240)):
        write_wav(folder / f"{name}.wav", tone(pitch)["waveform"][0], RATE)
    files = [str(folder / name) for name in ("two.png", "first.wav", "second.wav")]
    boxes = ["--box-1", "30,40,70,80", "--box-2", "180,40,220,80"]
    more = ["--device", "cpu", "--threads", "1", "--quality", "0", "--batch", "4"]
    assert main(["talk", *files, "-o", str(folder / "talk.mp4"), *boxes, *more]) == 0
    picture = load_photo(folder / "two.png")[None]
    crops = [PickFace.execute(picture, "box", "auto", x=x, y=40, width=40, height=40).args[1] for x in (30, 180)]
    voices = [{"waveform": load_audio(file)[0][None], "sample_rate": RATE} for file in files[1:]]
    tracks = TwoVoices.execute(voices[0], "one after the other", 0.3, "", audio_2=voices[1]).args[:2]
    renderer, model = networks
    defaults = (SamplingSettings.seed, SamplingSettings.audio_guidance, 1.0)
    first, second, _ = two_people.ConversationMotion.execute(model, renderer, picture, *crops, *tracks, *defaults).args
    ours, theirs = frames_of(filmed(networks, picture, crops, (first, second))), list(read_video(folder / "talk.mp4"))
    assert len(ours) == len(theirs) == 28
    assert (ours - torch.stack(theirs)).abs().max() <= 2 / 255
    assert (ours - ours[:1]).abs().max() > 0.02


def test_what_does_not_fit_is_one_sentence(networks, photo, moving, folder):
    for call in (
        lambda: sampled(networks, photo, LEFT, LEFT),
        lambda: filmed(networks, photo, (LEFT,) * 2, (moving,) * 2),
    ):
        with pytest.raises(ValueError, match="crop_1 and crop_2 are one and the same face"):
            call()
    shorter = replace(moving, values=moving.values[:20])
    with pytest.raises(ValueError, match="motion_1 has 30 frames at 25 a second and motion_2 20 at 25"):
        filmed(networks, photo, (LEFT, RIGHT), (moving, shorter))
    with pytest.raises(ValueError, match="The crop was made for a 300x140 picture, but this one is 300x100"):
        filmed(networks, photo[:, :100], (LEFT, RIGHT), (moving, moving))
    assert not list(folder.iterdir())


def test_the_template_is_short():
    types = [node.type.removeprefix("MambaPortrait") for node in CONVERSATION.nodes()]
    assert len(types) < 16 and types.count("FilmTwoPeople") == types.count("ConversationMotion") == 1
