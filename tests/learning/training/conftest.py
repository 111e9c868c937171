"""What tests of the trainings share."""

import contextlib
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from mamba_portrait.learning.training.renderer.half_body import half_body_start
from mamba_portrait.model_loaders.checkpoint import load_renderer, save_checkpoint
from mamba_portrait.vocabulary import ARMS


class Killed(Exception):
    """Ends a run in the middle of a step."""


@pytest.fixture
def killing(monkeypatch):
    """killing(owner, name, when): a run that dies in call number `when` of the method `owner.name`."""

    @contextlib.contextmanager
    def dies(owner, name, when):
        honest, calls = getattr(owner, name), []

        def method(*arguments):
            calls.append(1)
            if len(calls) == when:
                raise Killed
            return honest(*arguments)

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(owner, name, method)
            yield

    return dies


@pytest.fixture(scope="session")
def half_config(tiny_config):
    return replace(tiny_config, arms=len(ARMS), motion_widths=(4, 4, 4), use_appearance=False)


@pytest.fixture(scope="session")
def drawn_half(drawn_clips, tmp_path_factory):
    """The discs and the toy clips, whose parameters are followed by those of arms."""
    root = tmp_path_factory.mktemp("half")
    shutil.copytree(drawn_clips / "stills", root / "stills")
    shutil.copytree(drawn_clips / "clips", root / "clips")
    rng = np.random.default_rng(0)
    for file in root.glob("stills/*_param.npy"):
        known = np.load(file)
        arms = rng.normal(size=(*known.shape[:-1], len(ARMS))).astype(np.float32)
        np.save(file, np.concatenate([known, arms], -1))
    for file in root.glob("stills/*_mark.npy"):
        known = np.load(file)
        np.save(file, np.concatenate([known, rng.uniform(size=(*known.shape[:-2], 8, 2)).astype(np.float32)], -2))
    for file in root.glob("stills/*_rgb.npy"):
        rgb = np.load(file)
        np.save(str(file).replace("_rgb", "_bare"), rgb[..., ::-1])
        bone = rng.integers(0, 7, (*rgb.shape[:3], 128, 128), dtype=np.uint8)
        np.save(str(file).replace("_rgb", "_bone"), bone)
        np.save(str(file).replace("_rgb", "_part0"), bone[:, :, 0])
    for file in root.glob("clips/*/labels.npz"):
        known = np.load(file)["parameters"]
        np.savez(file, parameters=np.concatenate([known, np.repeat(known[:, :1], len(ARMS), 1)], 1))
    return root


@pytest.fixture(scope="session")
def half(tiny_weights, half_config, tmp_path_factory):
    """A checkpoint of a half body that goes on from the tiny head."""
    torch.manual_seed(0)
    network = half_body_start(load_renderer(tiny_weights / "renderer_lite.safetensors"), half_config)
    file = tmp_path_factory.mktemp("start") / "renderer_half.safetensors"
    return save_checkpoint(file, network, "renderer", network.config)
