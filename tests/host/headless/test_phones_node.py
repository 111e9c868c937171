"""Phones to Motion: what it reads, how long its motion is, what it says where there are no times."""

import json
import os

import pytest
import torch

from mamba_portrait.host import ManagedModel
from mamba_portrait.host.headless import settings as headless
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.nodes.phones import PhonesToMotion, phone_files

SAID = json.dumps([{"phone": "m", "start": 0.0, "end": 0.2}, {"phone": "ɑ", "start": 0.2, "end": 0.6}])


@pytest.fixture
def renderer(tiny_host, tiny_networks):
    return ManagedModel(load_renderer(tiny_networks / "tiny_renderer.safetensors"), "tiny")


def test_text_and_files_give_the_same_motion(renderer, tmp_path):
    with headless.configure(input_directory=tmp_path, output_directory=tmp_path / "out"):
        (tmp_path / "said.json").write_text(SAID, "utf8")
        os.mkdir(tmp_path / "films")
        (tmp_path / "films" / "a.TextGrid").write_text("File type x", "utf8")
        from_text = PhonesToMotion.execute(renderer, "", text=SAID)[0]
        from_file = PhonesToMotion.execute(renderer, "said.json")[0]
        assert torch.equal(from_text.values, from_file.values) and from_text.frames == 15
        assert phone_files() == ["films/a.TextGrid"]
        assert PhonesToMotion.fingerprint_inputs("said.json") > 0 and PhonesToMotion.fingerprint_inputs("no") == ""
        with pytest.raises(ValueError, match="a.TextGrid is no TextGrid"):
            PhonesToMotion.execute(renderer, "", file="films/a.TextGrid")


def test_the_sound_and_the_voices_motion_decide_the_length(renderer):
    sound = {"waveform": torch.zeros(1, 2, 44100), "sample_rate": 44100}
    whole = PhonesToMotion.execute(renderer, "", text=SAID, audio=sound)[0]
    assert whole.frames == 25
    again = PhonesToMotion.execute(renderer, "", text=SAID, voice=whole, share=1.0)[0]
    assert again.frames == 25 and torch.allclose(again.values, whole.values, atol=1e-3)


def test_without_times_one_sentence_says_what_is_needed(renderer):
    with pytest.raises(ValueError, match="needs times: give the path"):
        PhonesToMotion.execute(renderer, "")
    with pytest.raises(ValueError, match="The text holds no times"):
        PhonesToMotion.execute(renderer, "", text="hello")
