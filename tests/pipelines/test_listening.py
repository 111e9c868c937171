"""A listener: lips at rest, breath, blinks, a look at the speaker; the speaker's motion is left as it is."""

from fractions import Fraction
from pathlib import Path

import pytest
import torch

from mamba_portrait.media.audio import load_audio
from mamba_portrait.media.motion import Motion
from mamba_portrait.media.turns import split_by_times, two_tracks
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.pipelines.lips import AT_REST
from mamba_portrait.pipelines.listening import ListeningSettings, listen, listening_curves, speaking
from mamba_portrait.vocabulary import COUNT, INDEX, REGIONS

FPS, RATE = Fraction(25), 16_000
MOUTH = [INDEX[name] for name in REGIONS["mouth"]]
VOICE = load_audio(Path(__file__).resolve().parents[2] / "assets" / "greeting.flac")[0]


@pytest.fixture(scope="module")
def renderer():
    return load_renderer(None)


def chatter(renderer, frames):
    """A motion that opens the jaw all the time."""
    parameters = torch.zeros(frames, COUNT)
    parameters[:, INDEX["jaw"]] = 0.6
    with torch.no_grad():
        values, rest = (renderer.motion_from_parameters(p).float() for p in (parameters, torch.zeros(COUNT)))
    return Motion(values, rest, FPS, renderer.motion_language)


def test_a_listener_keeps_its_lips_at_rest_and_blinks_nods_and_looks_at_the_speaker():
    curves = listening_curves(500, FPS, "right")
    assert not curves[:, MOUTH].any()
    blinks = curves[:, INDEX["blink_left"]]
    begun = int(((blinks[1:] > 0.5) & (blinks[:-1] <= 0.5)).sum())
    assert 3 <= begun <= 14 and float(blinks.max()) > 0.9
    assert float(curves[:, INDEX["gaze_x"]].mean()) > 0.1 and float(curves[:, INDEX["yaw"]].mean()) > 0.05
    assert float(listening_curves(500, FPS, "left")[:, INDEX["gaze_x"]].mean()) < -0.1
    assert float(curves[:, INDEX["pitch"]].max() - curves[:, INDEX["pitch"]].median()) > 0.02


def test_no_more_moves_than_in_idle_people_and_nothing_jumps():
    curves = listening_curves(1000, FPS, "ahead", ListeningSettings(seed=3))
    head = curves[:, [INDEX[name] for name in ("yaw", "pitch", "roll")]]
    assert float(head.abs().max()) < 0.16
    assert float((head[1:] - head[:-1]).abs().max()) < 0.02
    assert torch.equal(curves, listening_curves(1000, FPS, "ahead", ListeningSettings(seed=3)))
    assert not torch.equal(curves, listening_curves(1000, FPS, "ahead", ListeningSettings(seed=4)))
    still = listening_curves(1000, FPS, "right", ListeningSettings(amount=0.0))
    assert float(still[:, INDEX["yaw"]].abs().max()) == 0 and float(still[:, INDEX["blink_left"]].max()) > 0.9


def test_speech_is_told_from_silence():
    track = torch.cat([torch.zeros(1, RATE), VOICE[:, :RATE], torch.zeros(1, 2 * RATE)], 1)
    weight = speaking(track, RATE, 100, FPS)
    assert float(weight[:18].max()) < 0.05 and float(weight[30:48].min()) > 0.9 and float(weight[70:].max()) < 0.05
    assert not speaking(torch.zeros(1, RATE), RATE, 25, FPS).any()


def test_the_command_of_the_listeners_lips_is_rest_and_the_speakers_is_untouched(renderer):
    track = torch.cat([VOICE[:, : 2 * RATE], torch.zeros(1, 2 * RATE)], 1)
    spoken = chatter(renderer, 100)
    heard = listen(spoken, renderer, track, RATE, "right")
    with torch.no_grad():
        read = renderer.read_parameters(heard.values)
    assert float(read[75:, MOUTH].abs().max()) < AT_REST / 5
    assert float(read[75:, INDEX["gaze_x"]].mean()) > 0.1
    loud = speaking(track, RATE, 100, FPS) > 0.999
    assert loud.sum() > 10
    assert heard.values[loud] == pytest.approx(spoken.values[loud], abs=2e-2)
    assert torch.equal(heard.reference, spoken.reference)


def test_each_keeps_its_own_voice_when_the_two_change_sides(renderer):
    """Who is named first gets the first track, whichever side that face is on."""
    one, two, rate = two_tracks(
        (VOICE[:, :RATE], RATE), (0.5 * VOICE[:, RATE : 3 * RATE], RATE), "one after the other", 0
    )
    frames, spoken = one.shape[1] * 25 // rate, None
    for sides in (("left", "right"), ("right", "left")):
        spoken = chatter(renderer, frames)
        motions = [listen(spoken, renderer, track, rate, side) for track, side in zip((one, two), sides, strict=True)]
        with torch.no_grad():
            jaws = [renderer.read_parameters(motion.values)[:, INDEX["jaw"]] for motion in motions]
        assert float(jaws[0][5:20].min()) > 0.4 and float(jaws[0][50:].max()) < 0.05
        assert float(jaws[1][:8].max()) < 0.05 and float(jaws[1][45:60].min()) > 0.4


def test_two_tracks_have_one_length_and_follow_each_other():
    first, second = (torch.full((2, 800), 0.5), 8000), (torch.full((1, 3200), 0.25), 16_000)
    one, two, rate = two_tracks(first, second, "one after the other", 0.05)
    assert rate == 8000 and one.shape == two.shape == (1, 800 + 400 + 1600)
    assert (
        not one[:, 800:].any() and not two[:, :1200].any() and two[:, 1500:2500].mean() == pytest.approx(0.25, abs=0.01)
    )
    one, two, _ = two_tracks(first, second, "as recorded")
    assert one.shape == two.shape == (1, 1600) and two[:, :800].abs().mean() > 0.2


def test_one_recording_is_divided_by_times():
    one, two = split_by_times(torch.ones(1, 8000), 1000, "1: 0-2.5, 2: 2.5-5; 1: 6-7")
    assert one[:, 100:2400].all() and not one[:, 2600:5900].any() and one[:, 6100:6900].all()
    assert two[:, 2600:4900].all() and not two[:, :2400].any()


@pytest.mark.parametrize(
    ("times", "told"),
    [("", "could not be read"), ("1: 0-2 and 2", "could not be read"), ("1: 2-1, 2: 3-4", "ends before it begins"),
     ("1: 0-1", "one of the two voices only")],
)  # fmt: skip
def test_wrong_times_are_one_sentence(times, told):
    with pytest.raises(ValueError, match=told):
        split_by_times(torch.ones(1, 100), 1000, times)
