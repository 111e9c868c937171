"""Memory that runs out halves the batch, says so once, and loses nothing."""

import logging

import pytest
import torch

from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.pipelines import portrait, rendering
from mamba_portrait.pipelines.halving import Halving, out_of_memory
from mamba_portrait.pipelines.settings import RenderingSettings


def small_device(most, sizes):
    def work(batch):
        sizes.append(len(batch))
        if len(batch) > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return batch * 2

    return work


def test_the_batch_is_halved_until_it_fits_and_stays_so(caplog):
    sizes = []
    halving = Halving(small_device(2, sizes), "rendering")
    batch = torch.arange(7.0)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(halving(batch), batch * 2)
    assert sizes == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    assert [record.message for record in caplog.records] == [
        "Memory ran out: rendering goes on with 3 at once.",
        "Memory ran out: rendering goes on with 1 at once.",
    ]
    caplog.clear()
    assert torch.equal(halving(batch[:3]), batch[:3] * 2) and sizes[-3:] == [1, 1, 1] and not caplog.records


def test_one_that_does_not_fit_and_other_errors_are_raised():
    with pytest.raises(torch.cuda.OutOfMemoryError):
        Halving(small_device(0, []), "rendering")(torch.zeros(4))

    def broken(_):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        Halving(broken, "rendering")(torch.zeros(4))


def test_a_cpu_without_memory_is_told_by_its_words():
    assert out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
    assert out_of_memory(RuntimeError("MPS backend out of memory")) and not out_of_memory(RuntimeError("no"))


def test_a_film_is_the_same_after_memory_ran_out(shipped_tiny, monkeypatch):
    renderer = load_renderer()
    photo = torch.rand(64, 64, 3, generator=torch.Generator().manual_seed(0))
    source = portrait.encode_source(renderer, photo)
    look = portrait.extract_appearance(renderer, source)
    frames = photo[None] * torch.linspace(0.5, 1, 5)[:, None, None, None]
    motion = portrait.encode_driving_video(renderer, iter(frames), 25)
    settings = RenderingSettings(size=64, batch=4)
    whole = torch.cat(list(rendering.render(renderer, source, look, motion, settings)))
    decode = renderer.decode

    def short(source, appearance, target, **more):
        if len(target) > 1:
            raise RuntimeError("not enough memory: you tried to allocate 1 bytes")
        return decode(source, appearance, target, **more)

    monkeypatch.setattr(renderer, "decode", short)
    assert torch.cat(list(rendering.render(renderer, source, look, motion, settings))) == pytest.approx(whole, abs=1e-5)
