"""Personalise: a film in, a person's file and both networks with it out; the loaders list the file."""

from pathlib import Path

import pytest
import torch

from mamba_portrait.host import Interrupted
from mamba_portrait.host.headless import settings as headless
from mamba_portrait.learning.training.personal import film as films
from mamba_portrait.media.audio import load_audio
from mamba_portrait.media.photo import load_photo
from mamba_portrait.nodes.loaders import LoadMotionModel, LoadRenderer
from mamba_portrait.nodes.personalise import Personalise, person_files

ASSETS = Path(__file__).resolve().parents[2] / "assets"
RENDERER, MODEL = "renderer_lite.safetensors", "motion_lite.safetensors"


@pytest.fixture(autouse=True)
def host(tiny_weights, tmp_path, tmp_path_factory, monkeypatch):
    """Tiny networks beside the shipped face finder, an output folder, and short films."""
    for file in (*tiny_weights.iterdir(), ASSETS.parent / "weights" / "face_finder.safetensors"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("MAMBA_PORTRAIT_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(films, "SHORTEST", 2.0)
    monkeypatch.setattr(films, "PIECE", 1.0)
    output = tmp_path_factory.mktemp("output")
    with headless.configure(
        device="cpu", input_directory=tmp_path / "input", output_directory=output, model_folders=[tmp_path]
    ):
        yield output


def loaded(person="none"):
    return LoadRenderer.execute(RENDERER, person).args[0], LoadMotionModel.execute(MODEL, person).args[0]


def execute(minutes=0.01, **film):
    if not film:
        photo = load_photo(ASSETS / "portrait.jpg")[25:207, 133:315]
        waveform, rate = load_audio(ASSETS / "greeting.flac")
        film = {"images": torch.stack([photo.roll(i % 3, 1) for i in range(60)])}
        film["audio"] = {"waveform": waveform[None], "sample_rate": rate}
    with torch.inference_mode():  # as hosts run nodes
        return Personalise.execute(*loaded(), minutes, 25.0, 0, "persons/anna", **film).args


def test_the_loaders_take_what_was_written(host):
    renderer, model, path, report = execute()
    assert Path(path).is_file() and "2 s of film" in report
    [name] = person_files()
    assert name.startswith("persons/anna") and name.endswith("[output]")
    for made, again, base in zip((renderer, model), loaded(name), loaded(), strict=True):
        assert made.name != base.name != again.name and Path(path).name in made.name
        own, taken, before = (network.module.state_dict() for network in (made, again, base))
        assert all(torch.equal(own[key], taken[key]) for key in before)
    assert not torch.equal(model.module.ear.weight, loaded()[1].module.ear.weight)
    assert name in LoadRenderer.GET_SCHEMA().inputs[1].options


def test_another_network_refuses_it(host, tmp_path):
    execute()
    [name] = person_files()
    weights = (tmp_path / MODEL).read_bytes()
    (tmp_path / RENDERER).rename(tmp_path / "kept.safetensors")
    with torch.no_grad():
        from mamba_portrait.model_loaders.checkpoint import load_renderer, save_checkpoint

        other = load_renderer(tmp_path / "kept.safetensors")
        other.decoder.beta += 0.1
        save_checkpoint(tmp_path / RENDERER, other, "renderer", other.config)
    with pytest.raises(ValueError, match="made with another renderer"):
        LoadRenderer.execute(RENDERER, name)
    assert (tmp_path / MODEL).read_bytes() == weights


@pytest.mark.parametrize("part", [0.05, 0.5])
def test_cancel_leaves_no_file(host, part):
    """Cancelled while the film is read, and while the face is learnt."""

    def progress(done, total):
        if done >= part * total:
            headless.interrupt()

    with headless.configure(progress=progress), pytest.raises(Interrupted):
        execute(minutes=1.0)
    assert not list(host.rglob("*.safetensors")) and not person_files()


def test_a_film_is_needed_and_one_alone():
    for film in ({}, {"images": torch.rand(2, 64, 64, 3), "video": object()}):
        with pytest.raises(ValueError, match="one of them is needed"):
            Personalise.execute(*loaded(), 0.01, 25.0, 0, "persons/anna", **film)
    with pytest.raises(ValueError, match="The image batch has no sound"):
        execute(images=torch.rand(60, 64, 64, 3))
