"""Load Capture, Save Capture, Motion to Pose Pictures."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from mamba_portrait.host import ManagedModel
from mamba_portrait.host.headless import settings as headless
from mamba_portrait.media.captures import write_capture
from mamba_portrait.media.motion import Motion
from mamba_portrait.model_loaders.checkpoint import load_renderer
from mamba_portrait.nodes.captures import LoadCapture, PosePictures, SaveCapture, capture_files
from mamba_portrait.nodes.source import EncodeSource
from mamba_portrait.pipelines.regions import motion_to_parameters, parameters_to_motion
from mamba_portrait.vocabulary import COUNT, INDEX


@pytest.fixture
def renderer(tiny_host, tiny_networks):
    return ManagedModel(load_renderer(tiny_networks / "tiny_renderer.safetensors"), "tiny")


def moved(frames: int = 50) -> np.ndarray:
    values = np.zeros((frames, COUNT), np.float32)
    values[:, INDEX["jaw"]] = np.linspace(0, 0.8, frames)
    values[:, INDEX["yaw"]] = np.linspace(0.1, 0.3, frames)
    return values


def test_motion_goes_into_a_table_and_comes_back(renderer, tmp_path):
    with headless.configure(input_directory=tmp_path / "in", output_directory=tmp_path / "out"):
        module, rest = renderer.on_device(), renderer.module.rest_motion().detach()
        values = parameters_to_motion(module, torch.from_numpy(moved()))
        motion = Motion(values, rest, Fraction(25), module.motion_language)
        same, path = SaveCapture.execute(motion, renderer, "motion/take", "live link", 60.0).args
        assert same is motion and path.endswith("motion/take_00001_.csv")
        assert capture_files() == ["motion/take_00001_.csv [output]"]
        back = LoadCapture.execute(renderer, path, 25.0, "rest")[0]
        found = motion_to_parameters(module, back.values).numpy()
        assert back.fps == 25 and abs(back.frames - 50) <= 1 and back.language == motion.language
        assert np.abs(found[:49] - moved()[:49]).max() < 0.02
        from_first = LoadCapture.execute(renderer, "", 25.0, "first frame", file="motion/take_00001_.csv [output]")[0]
        yaw = motion_to_parameters(module, from_first.values)[:, INDEX["yaw"]]
        assert yaw[0].abs() < 1e-3 and yaw[-1] == pytest.approx(0.2, abs=0.02)
        assert LoadCapture.fingerprint_inputs(path) > 0 and LoadCapture.fingerprint_inputs("gone.csv") == ""
        with pytest.raises(ValueError, match="needs a path or a file"):
            LoadCapture.execute(renderer, "", 25.0, "rest")


def test_a_phones_table_of_sixty_frames_becomes_25(renderer, tmp_path):
    with headless.configure(input_directory=tmp_path):
        write_capture(tmp_path / "take.csv", moved(121), Fraction(60))
        motion = LoadCapture.execute(renderer, "take.csv", 25.0, "rest")[0]
        assert motion.fps == 25 and motion.frames == pytest.approx(50, abs=1)


@pytest.mark.parametrize(("count", "style"), [("70", "points"), ("68", "points and lines")])
def test_pose_pictures_show_the_motion(renderer, count, style):
    picture = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(2))
    source = EncodeSource.execute(renderer, picture)[0]
    module = renderer.on_device()
    motion = Motion(
        parameters_to_motion(module, torch.from_numpy(moved(30))),
        renderer.module.rest_motion().detach(),
        Fraction(25),
        module.motion_language,
    )
    frames, fps = PosePictures.execute(renderer, source, motion, 256, "absolute", count, style, 3.0).args
    assert frames.shape == (30, 256, 256, 3) and fps == 25 and 0 <= frames.min() and frames.max() == 1
    assert (frames.mean((1, 2, 3)) < 0.1).all()
    rows = [torch.nonzero(frame[..., 0].amax(1) > 0.5)[-1].item() for frame in frames]
    assert rows[-1] > rows[0] + 10  # the chin drops
