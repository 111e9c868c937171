"""Motion of known phones: closures hold, other parts of the face stay, long speech takes little memory."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from mamba_portrait.media.motion import Motion
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.pipelines.phones import FIRM, SPOKEN, phones_to_motion, read_lips
from mamba_portrait.pipelines.regions import motion_to_parameters, parameters_to_motion
from mamba_portrait.pipelines.settings import LipSettings
from mamba_portrait.visemes import table
from mamba_portrait.visemes.phones import Phone
from mamba_portrait.visemes.table import closed, mouth_parameters
from mamba_portrait.vocabulary import COUNT, INDEX


@pytest.fixture
def small_renderer(tiny_config):
    torch.manual_seed(0)
    return Renderer(tiny_config).eval()


LIPS = [INDEX[name] for name in SPOKEN]
OTHERS = [i for i in range(COUNT) if i not in LIPS]
SAID = tuple(Phone(0.1 * i, 0.1 * i + 0.1, kind) for i, kind in enumerate("sil a p a f i sil".split()))


def expected(frames: int) -> np.ndarray:
    """The visemes, firmly shut in closures."""
    said = mouth_parameters(SAID, frames)
    both_lips = [phone for phone in SAID if phone.kind == "p"]
    said[:, INDEX["jaw"]] -= FIRM * closed(both_lips, (np.arange(frames) + 0.5) / 25) ** 4
    return said


def test_lips_alone_are_the_visemes_and_the_head_is_still(small_renderer):
    motion = phones_to_motion(SAID, small_renderer)
    found = motion_to_parameters(small_renderer, motion.values).numpy()
    assert motion.frames == 18 and motion.fps == 25 and motion.language == small_renderer.motion_language
    assert np.allclose(found, expected(18), atol=1e-3)
    assert np.allclose(found[:, OTHERS], 0, atol=1e-3) and found[:, INDEX["jaw"]].max() > 0.3
    assert torch.allclose(motion.reference, small_renderer.rest_motion())


def test_a_voices_motion_keeps_all_but_its_lips(small_renderer):
    torch.manual_seed(0)
    values = parameters_to_motion(small_renderer, torch.rand(20, COUNT))
    values = values + small_renderer.free_part(0.1 * torch.randn(20, 768)).detach()
    voice = Motion(values, small_renderer.rest_motion().detach(), Fraction(25), small_renderer.motion_language)
    mixed = phones_to_motion(SAID, small_renderer, LipSettings(share=1.0), voice=voice)
    before, after = (motion_to_parameters(small_renderer, m.values) for m in (voice, mixed))
    assert torch.allclose(after[:, OTHERS], before[:, OTHERS], atol=1e-3)
    assert np.allclose(after[:, LIPS], expected(20)[:, LIPS], atol=1e-3)
    free = small_renderer.free_part(mixed.values) - small_renderer.free_part(voice.values)
    assert free.abs().max() < 1e-4
    with pytest.raises(ValueError, match="another renderer"):
        phones_to_motion(SAID, small_renderer, voice=replace(voice, language="0" * 16))
    with pytest.raises(ValueError, match="no phones"):
        phones_to_motion((), small_renderer)


def test_lips_of_both_are_between_them_and_closed_where_the_phones_close_them(small_renderer):
    values = torch.zeros(20, COUNT)
    values[:, INDEX["jaw"]], values[:, INDEX["press"]] = 0.5, 0.3
    rest = small_renderer.rest_motion().detach()
    voice = Motion(parameters_to_motion(small_renderer, values), rest, Fraction(25), small_renderer.motion_language)
    both = phones_to_motion(SAID, small_renderer, LipSettings(share=0.5), voice=voice)
    found = motion_to_parameters(small_renderer, both.values)
    said = torch.from_numpy(mouth_parameters(SAID, 20))
    jaw, press = INDEX["jaw"], INDEX["press"]
    assert found[6, jaw] == pytest.approx(-FIRM, abs=1e-3) and found[11, jaw] == pytest.approx(0, abs=1e-3)  # p, f
    assert found[3, jaw] == pytest.approx(float(0.25 + 0.5 * said[3, jaw]), abs=0.02) and said[3, jaw] > 0.3
    assert torch.allclose(found[:, press], said[:, press], atol=1e-3)


def test_settings_scale_and_delay_the_lips(small_renderer):
    def jaw(**settings):
        motion = phones_to_motion(SAID, small_renderer, LipSettings(**settings), frames=30)
        return motion_to_parameters(small_renderer, motion.values)[:, INDEX["jaw"]]

    assert jaw(openness=0.5).max() == pytest.approx(0.5 * float(jaw().max()), abs=0.08)
    assert torch.allclose(jaw(late=0.2)[5:], jaw()[:-5], atol=0.02)


def test_long_speech_is_drawn_in_parts_that_fit_together(monkeypatch):
    rng = np.random.default_rng(0)
    said, at = [], 0.0
    for kind in rng.choice(["a", "p", "t", "i", "u", "s", "sil"], 600):
        said.append(Phone(at, at := at + rng.uniform(0.05, 0.15), kind))
    frames = int(at * 25)
    in_parts = mouth_parameters(said, frames)
    monkeypatch.setattr(table, "BLOCK", 10**9)
    assert np.abs(in_parts - mouth_parameters(said, frames)).max() < 1e-3


def test_bytes_of_a_file_become_phones():
    told = b'[{"phone": "B", "start": 0, "end": 0.1}, {"phone": "AA1", "start": 0.1, "end": 0.3}]'
    assert [phone.kind for phone in read_lips(told, "a.json")] == ["p", "a"]
    with pytest.raises(ValueError, match="a.json holds no times"):
        read_lips(b"hello", "a.json")
