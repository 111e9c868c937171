"""ACTalker's training step at a reduced size, from a clip on the disk to updated weights."""

from fractions import Fraction

import numpy as np
import pytest
import torch

diffusers = pytest.importorskip("diffusers", reason="ACTalker needs diffusers (extra actalker)")
pytest.importorskip("transformers", reason="ACTalker needs transformers (extra actalker)")

from mamba_portrait.learning.datasets.batch_slice import BatchSlice  # noqa: E402
from mamba_portrait.learning.training.actalker.data import read_window  # noqa: E402
from mamba_portrait.learning.training.actalker.task import (  # noqa: E402
    GATES,
    TRAINED,
    ACTalkerTask,
    Noise,
    TrainingSettings,
    noised,
)
from mamba_portrait.media.video import VideoWriter  # noqa: E402
from mamba_portrait.networks.actalker.config import ACTalkerConfig  # noqa: E402
from mamba_portrait.networks.actalker.model import ACTalker  # noqa: E402
from mamba_portrait.pipelines.actalker.follower import FoundFace  # noqa: E402

FACE = FoundFace((30.0, 20.0, 80.0, 70.0), torch.tensor([[45.0, 35], [65, 35], [55, 47], [47, 57], [63, 57]]))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return ACTalker(ACTalkerConfig.reduced())


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    import wave

    folder = tmp_path_factory.mktemp("clip")
    random = np.random.default_rng(0)
    with VideoWriter(folder / "video.mp4", fps=Fraction(25)) as writer:
        writer.write(torch.rand(10, 96, 112, 3))
    with wave.open(str(folder / "audio.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes((random.standard_normal(6400) * 3000).astype("<i2").tobytes())
    return folder


@pytest.fixture(scope="module")
def window(model, clip):
    return read_window(model, clip, np.random.default_rng(0), image_size=64, find=lambda picture: FACE)


def test_window_of_a_clip_is_complete(model, window):
    assert window.latents.shape == (3, 4, 8, 8) and window.reference.shape == (4, 8, 8)
    assert window.face.shape == (1, 16) and window.rotation.shape == (3, 3)
    assert window.speech.shape == (3, 10, 3, 16) and window.expression.shape == (3, 16)
    assert window.masks.face.shape == (64, 64)


def test_masks_are_the_supplements(model, clip):
    """A.3: the rectangles around all faces and all mouths of the window, not extended; the rest of the face moves."""
    faces = [FoundFace((8.0 * i, 16, 40 + 8 * i, 64), FACE.points - 24 + 8 * i) for i in range(3)]
    seen = iter([*faces, faces[0]])  # the window's frames, then the reference
    moving = read_window(model, clip, np.random.default_rng(0), image_size=64, find=lambda picture: next(seen))
    face, mouth, motion = moving.masks

    def rectangle(mask):
        rows, columns = mask.nonzero().T
        return [columns.min().item(), rows.min().item(), columns.max().item() + 1, rows.max().item() + 1]

    assert face.shape == (64, 64)
    across, down = 64 / 112, 64 / 96
    around = [0, 16 * down, 56 * across, 64 * down]
    np.testing.assert_allclose(rectangle(face > 0.5), around, atol=1)
    # the rightmost mouth, to 59, ends with the face
    lips = [(47 - 24 - 4) * across, (47 - 24) * down, 56 * across, (67 - 24 + 16) * down]
    np.testing.assert_allclose(rectangle(mouth > 0.5), lips, atol=1)
    assert 0 < mouth.sum() < face.sum() / 2
    torch.testing.assert_close(motion, face - mouth, atol=0.1, rtol=0)  # where edges meet, resizing rings and is cut


def test_short_clips_are_refused(model, clip):
    longer = ACTalker(ACTalkerConfig(**model.config.__dict__ | {"unet": model.config.unet | {"num_frames": 25}}))
    with pytest.raises(ValueError, match="a window needs 25"):
        read_window(longer, clip, np.random.default_rng(0), find=lambda picture: FACE)


def test_target_is_the_schedulers_v():
    scheduler = diffusers.EulerDiscreteScheduler(**ACTalkerConfig().scheduler)
    scheduler.set_timesteps(5)
    clean, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    time, sigma = scheduler.timesteps[0], float(scheduler.sigmas[0])
    given, v = noised(clean, noise, sigma)
    noisy = clean + sigma * noise
    torch.testing.assert_close(scheduler.scale_model_input(noisy, time), given)
    estimate = scheduler.step(v, time, noisy).pred_original_sample
    torch.testing.assert_close(estimate, clean, rtol=1e-3, atol=1e-2)


def noise(window, settings, step=0):
    return Noise.draw(BatchSlice(1, step, range(1), 1).draws(), window.latents, settings)


def test_one_step_moves_exactly_the_trained_parts(model, window):
    before = {name: x.clone() for name, x in model.state_dict().items()}
    task = ACTalkerTask(model, TrainingSettings(drop=0.0))
    optimizer = task.optimizer()
    task.loss(window, noise(window, task.settings)._replace(gates=(1.0, 1.0))).backward()
    optimizer.step()
    moved = {name.split(".")[0] for name, x in model.state_dict().items() if not torch.equal(x, before[name])}
    model.load_state_dict(before)
    assert moved == set(TRAINED)


def test_closed_gate_gives_its_branch_no_gradient(model, window):
    task = ACTalkerTask(model, TrainingSettings(drop=0.0))
    model.zero_grad(set_to_none=True)
    task.loss(window, noise(window, task.settings)._replace(gates=(1.0, 0.0))).backward()
    touched = {n for n, p in model.unet.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert not any("exp_unit" in name or "exp_proj" in name or "to_v_ip.1" in name for name in touched)
    assert any("audio_unit" in name for name in touched) and any("in_proj2" in name for name in touched)


def test_training_learns_a_window_by_heart(model, window):
    saved = {name: x.clone() for name, x in model.state_dict().items()}
    task = ACTalkerTask(model, TrainingSettings(rate=2e-3, warmup=1, drop=0.0, log_sigma=(0.7, 0.0)))
    optimizer, losses = task.optimizer(), []
    for step in range(12):
        loss = task.losses([(window, noise(window, task.settings, step))])["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.load_state_dict(saved)
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])


def test_conditions_are_dropped_and_gates_drawn_as_often_as_published(window):
    drawn = [noise(window, TrainingSettings(), step) for step in range(600)]
    for name in ("identity", "voice", "motion"):
        assert 0.86 < np.mean([getattr(d, name) for d in drawn]) < 0.94
    for gates in GATES:
        assert 0.27 < np.mean([d.gates == gates for d in drawn]) < 0.4
