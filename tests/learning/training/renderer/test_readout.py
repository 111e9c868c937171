"""Names fitted to a free motion space: read and written as if they had been built in."""

import numpy as np
import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.training.renderer import readout
from mamba_portrait.learning.training.renderer.free_motion import with_space
from mamba_portrait.learning.training.renderer.readout import fit_readout, linear_maps
from mamba_portrait.model_loaders.checkpoint import load_renderer, save_checkpoint
from mamba_portrait.vocabulary import INDEX


@pytest.fixture
def free(tiny_weights):
    return with_space(load_renderer(tiny_weights / "renderer_lite.safetensors"), "free").eval()


def test_linear_maps_find_a_hidden_code_in_noise():
    rng = torch.Generator().manual_seed(0)
    hidden = torch.randn(30, 3, generator=rng, dtype=torch.double)
    parameters = torch.randn(400, 3, generator=rng, dtype=torch.double)
    noise = torch.randn(400, 30, generator=rng, dtype=torch.double)
    noise[:, :10] *= 20  # directions that say something else
    reader, writer = linear_maps(parameters @ hidden.T + noise, parameters)
    assert torch.allclose(reader @ writer, torch.eye(3).double(), atol=1e-6)
    assert (writer[10:] - hidden[10:]).abs().max() < 0.3
    fresh = torch.randn(200, 3, generator=rng, dtype=torch.double)
    other = torch.randn(200, 30, generator=rng, dtype=torch.double)
    other[:, :10] *= 20
    error = ((fresh @ hidden.T + other) @ reader.T - fresh).square().mean()
    plain = torch.linalg.pinv(writer)  # which trusts all directions alike
    assert error < 0.1 * ((fresh @ hidden.T + other) @ plain.T - fresh).square().mean()


def test_a_parameter_that_never_changes_is_neither_read_nor_written():
    parameters = torch.randn(100, 2, dtype=torch.double)
    parameters[:, 1] = 0
    reader, writer = linear_maps(torch.randn(100, 12, dtype=torch.double), parameters)
    assert reader[1].abs().max() == 0 == writer[:, 1].abs().max() and torch.isfinite(reader).all()


def test_a_free_space_gets_names(free, drawn_discs, monkeypatch):
    monkeypatch.setattr(readout, "SMALLEST", 4)
    truth = StillSet(drawn_discs).get(np.arange(12)).param
    directions = torch.randn(2, 768, generator=torch.Generator().manual_seed(1))
    told = truth[..., [INDEX["jaw"], INDEX["shift_x"]]] @ directions
    told = told + 0.01 * torch.randn(told.shape, generator=torch.Generator().manual_seed(2))
    looked = told.flatten(0, 1).double(), truth.flatten(0, 1).double()
    monkeypatch.setattr(readout, "_look", lambda *_: looked)
    fitted, read = fit_readout(free, StillSet(drawn_discs))
    assert fitted.config.readout and fitted.motion_language and not free.config.readout
    assert read["jaw"] > 0.95 and read["shift_x"] > 0.8 and read["yaw"] == 0
    motion = looked[0][0].float()
    assert float((fitted.read_parameters(motion) - looked[1][0].float()).abs().max()) < 0.1
    opened = torch.zeros(24)
    opened[INDEX["jaw"]] = 0.5
    back = fitted.read_parameters(fitted.motion_from_parameters(opened))
    assert float(back[INDEX["jaw"]]) == pytest.approx(0.5, abs=1e-3)
    centred = fitted.centred(motion)
    assert float(fitted.read_parameters(centred)[:, INDEX["shift_x"]].abs().max()) < 0.03


def test_the_command_writes_a_renderer_with_names(free, drawn_discs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(readout, "SMALLEST", 4)
    save_checkpoint(tmp_path / "free.safetensors", free, "renderer", free.config)
    out = tmp_path / "named.safetensors"
    command = ["fit", "--renderer", tmp_path / "free.safetensors", "--data", drawn_discs, "-o", out, "--device", "cpu"]
    assert main([str(word) for word in command]) == 0
    fitted = load_renderer(out)
    assert fitted.config.readout and "R2 of changes: jaw" in capsys.readouterr().out
    assert fitted.motion_encoder_id == free.motion_encoder_id  # the encoder is as it was


def test_what_has_names_is_not_named_again(free, drawn_discs, tiny_weights):
    with pytest.raises(ValueError, match="has names already .*named"):
        fit_readout(load_renderer(tiny_weights / "renderer_lite.safetensors"), StillSet(drawn_discs))
    with pytest.raises(ValueError, match="at least 40 groups of drawn stills, here are 12"):
        fit_readout(free, StillSet(drawn_discs))
