"""Lips that are parted in the photo close for a voice, and for nothing else."""

from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch

from mamba_portrait.media.motion import Motion
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.pipelines import lips, rendering
from mamba_portrait.pipelines.regions import motion_to_parameters, parameters_to_motion
from mamba_portrait.pipelines.settings import RenderingSettings
from mamba_portrait.pipelines.threads import threads_a_thread
from mamba_portrait.vocabulary import COUNT, INDEX

JAW, SMILE, YAW = (INDEX[name] for name in ("jaw", "smile_left", "yaw"))


@pytest.fixture(scope="module")
def renderer(tiny_config):
    return Renderer(tiny_config).eval()


def face(renderer, **values):
    parameters = torch.zeros(1, COUNT)
    for name, value in values.items():
        parameters[0, INDEX[name]] = value
    return parameters_to_motion(renderer, parameters)[0]


def shown(renderer, photo, motion, **settings):
    """Parameters (T,24) of the motions that a photo standing at `photo` (768,) is decoded with."""
    wanted = []

    def decode(source, appearance, motion, **_):
        wanted.append(motion)
        return SimpleNamespace(image=torch.zeros(len(motion), 3, 8, 8))

    class Watched:
        parameters_of_motion = renderer.parameters_of_motion
        parameters, motion_language = renderer.parameters, renderer.motion_language
        config, motion_encoder_id = renderer.config, renderer.motion_encoder_id
        read_parameters, motion_from_parameters = renderer.read_parameters, renderer.motion_from_parameters

    watched, source = Watched(), SimpleNamespace(motion=photo[None], image=torch.zeros(1, 3, 8, 8))
    watched.decode, source.to, source.at_size = decode, lambda device: source, lambda size: source
    watched.within_limits = lambda motion, source: motion
    with threads_a_thread(1):  # several would decode in any order
        list(rendering.render(watched, source, torch.zeros(1, 4), motion, RenderingSettings(**settings)))
    return motion_to_parameters(renderer, torch.cat(wanted))


def voice(renderer, frames=12):
    """Silence for ten frames, then a word."""
    rest, word = face(renderer), face(renderer, jaw=0.5)
    values = torch.stack([rest] * (frames - 2) + [word] * 2)
    return Motion(values, rest, Fraction(25), renderer.motion_language)


def test_a_gaping_smile_closes_for_a_voice_and_goes_on_smiling(renderer):
    photo = face(renderer, jaw=0.6, upper_lip=0.4, smile_left=0.7, yaw=0.2)
    seen = shown(renderer, photo, voice(renderer))
    assert abs(seen[0, JAW] - 0.6) < 1e-3  # the first frame is the photo
    assert (seen[:7, JAW].diff() < 1e-4).all() and abs(seen[9, JAW]) < 1e-3
    assert abs(seen[11, JAW] - 0.5) < 1e-3
    assert ((seen[:, SMILE] - 0.7).abs() < 1e-3).all() and ((seen[:, YAW] - 0.2).abs() < 1e-3).all()


def test_batches_close_the_lips_as_one(renderer):
    photo = face(renderer, jaw=0.6)
    whole, parts = (shown(renderer, photo, voice(renderer), batch=size) for size in (12, 5))
    assert torch.allclose(whole, parts, atol=1e-5)


@pytest.mark.parametrize("mode", ["keep_lips", "relative"])
def test_lips_stay_parted_when_asked_or_when_a_video_drives(renderer, mode):
    photo, motion = face(renderer, jaw=0.6), voice(renderer)
    if mode == "relative":  # a video whose first frame looks aside: its reference is no face at rest
        motion = Motion(motion.values, face(renderer, yaw=0.3), motion.fps, motion.language)
    assert abs(shown(renderer, photo, motion, mode=mode)[9, JAW] - 0.6) < 1e-3


def test_what_the_encoder_may_get_wrong_is_left(renderer):
    photo = face(renderer, jaw=0.6 * lips.PARTED)
    assert abs(shown(renderer, photo, voice(renderer))[9, JAW] - 0.6 * lips.PARTED) < 1e-3
    still = shown(renderer, face(renderer, jaw=0.6), voice(renderer), gain=0.0)
    assert ((still[:, JAW] - 0.6).abs() < 1e-3).all()  # a gain of 0 is the photo
