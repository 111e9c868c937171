"""A checkpoint in small parts: it comes back whole, or in one sentence not at all, and the run goes on."""

import pytest
import torch

from mamba_portrait.learning.training import parts
from mamba_portrait.learning.training.loop import Every, Plan
from mamba_portrait.learning.training.parts import main, pack, unpack
from mamba_portrait.learning.training.renderer.schedule import Part
from mamba_portrait.learning.training.renderer.train_films import FilmSettings, Source, train_films


@pytest.fixture
def trained(tiny_weights, drawn_discs, tmp_path):
    def run(steps):
        settings = FilmSettings(
            init=tiny_weights / "renderer_lite.safetensors", schedule=(Part("films", 1.0, 64, 2, 1e-3),)
        )
        plan = Plan(steps=steps, saves=Every(steps=1), report=lambda _: None)
        return train_films([Source(str(drawn_discs), plain=True)], tmp_path / "run", plan, settings)

    return run


def test_a_checkpoint_survives_being_carried_in_parts(trained, tmp_path, capsys):
    checkpoint = trained(2)
    before = torch.load(checkpoint)
    files = pack(checkpoint, tmp_path / "parts", size=40_000)
    assert len(files) > 2 and max(file.stat().st_size for file in files) <= 40_000
    assert sum(file.stat().st_size for file in files) < 0.7 * checkpoint.stat().st_size
    checkpoint.unlink()
    main(["unpack", str(tmp_path / "parts"), str(checkpoint)])
    assert str(checkpoint) in capsys.readouterr().out
    after = torch.load(checkpoint)
    assert all(torch.equal(after["renderer"][name], value) for name, value in before["renderer"].items())
    for name, value in before["average"].items():
        far = (before["renderer"][name] - value).abs().max()
        assert (after["average"][name] - value).abs().max() <= 0.005 * far + 1e-7
    moments, kept = (state["optimizers"][0]["state"][0] for state in (before, after))
    assert torch.allclose(kept["exp_avg_sq"], moments["exp_avg_sq"], rtol=5e-3) and kept["exp_avg"].abs().max() == 0
    assert kept["exp_avg_sq"].dtype == torch.float32 and kept["step"] == moments["step"] == 2
    trained(3)
    assert torch.load(checkpoint)["step"] == 3  # it resumed


def test_parts_that_are_missing_or_damaged_are_refused(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART", 40_000)
    folder, out = tmp_path / "parts", tmp_path / "back.pt"
    with pytest.raises(FileNotFoundError, match="holds no parts.json"):
        unpack(folder, out)
    files = pack(trained(1), folder, 40_000)
    data = files[1].read_bytes()
    files[1].write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ValueError, match="are damaged or of two checkpoints"):
        unpack(folder, out)
    files[1].unlink()
    with pytest.raises(ValueError, match="lacks part.001"):
        unpack(folder, out)
    assert not out.exists()
