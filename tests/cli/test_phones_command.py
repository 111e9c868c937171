"""animate --phones: lips by known times, the rest by the voice; wrong files are told before anything is computed."""

import math

import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.media.audio import write_wav
from mamba_portrait.media.motion import load_motion
from mamba_portrait.media.photo import save_image
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.pipelines.phones import SPOKEN
from mamba_portrait.pipelines.regions import motion_to_parameters
from mamba_portrait.vocabulary import COUNT, INDEX

pytestmark = pytest.mark.usefixtures("shipped_tiny")
LIPS = [INDEX[name] for name in SPOKEN]
OTHERS = [i for i in range(COUNT) if i not in LIPS]
SAID = '[{"phone": "M", "start": 0, "end": 0.2}, {"phone": "AA1", "start": 0.2, "end": 0.5}]'


@pytest.fixture
def films(tmp_path):
    save_image(tmp_path / "photo.png", torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0)))
    write_wav(tmp_path / "voice.wav", 0.3 * torch.sin(2 * math.pi * 200 * torch.arange(8000) / 16000)[None], 16000)
    (tmp_path / "said.json").write_text(SAID)

    def animate(name, *more):
        files = [str(tmp_path / "photo.png"), str(tmp_path / "voice.wav"), "-o", str(tmp_path / "out.mp4")]
        saved = tmp_path / f"{name}.safetensors"
        options = ["--finder", "whole", "--size", "64", "--steps", "1", "--save-motion", str(saved)]
        status = main(["animate", *files, *options, *(part.replace("FOLDER", str(tmp_path)) for part in more)])
        return motion_to_parameters(load_renderer(), load_motion(saved).values) if status == 0 else status

    return animate


def test_lips_come_of_the_phones_and_the_rest_of_the_voice(films):
    voice, both = films("voice"), films("both", "--phones", "FOLDER/said.json", "--share", "1")
    alone = films("alone", "--phones", "FOLDER/said.json", "--lips-only")
    assert both.shape == voice.shape == alone.shape
    assert torch.allclose(both[:, LIPS], alone[:, LIPS], atol=5e-3)
    assert torch.allclose(both[:, OTHERS], voice[:, OTHERS], atol=1e-3) and alone[:, OTHERS].abs().max() < 1e-3
    wider = films("wider", "--phones", "FOLDER/said.json", "--lips-only", "--openness", "1.5")
    assert wider[:, INDEX["jaw"]].max() > 1.3 * alone[:, INDEX["jaw"]].max()


def test_wrong_files_are_told(films, tmp_path, capsys):
    (tmp_path / "no.srt").write_text("hello")
    assert films("a", "--phones", "FOLDER/no.srt") == 2
    assert "no.srt holds no times" in capsys.readouterr().err
    assert films("a", "--phones", "FOLDER/gone.srt") == 2
    assert "there is no such file" in capsys.readouterr().err and not (tmp_path / "out.mp4").exists()
