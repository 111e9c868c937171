"""Guidance rows, circular windows and the sampler's loop, with a stand-in for the UNet."""

import pytest
import torch

from mamba_portrait.pipelines.control import Control
from mamba_portrait.sampling.actalker import (
    DrivingConditions,
    GuidanceScales,
    circular_windows,
    guidance_rows,
    guided,
    sample_latents,
)

SCALES = GuidanceScales(2.0, 7.5, 3.0)


def test_four_rows_chain_identity_voice_motion():
    rows = guidance_rows(1.0, 1.0, SCALES)
    u, d1, d2, c = torch.randn(4, 3)
    want = u + 2.0 * (d1 - u) + 7.5 * (d2 - d1) + 3.0 * (c - d2)
    torch.testing.assert_close(guided(torch.stack([u, d1, d2, c]), rows), want)


def test_a_closed_gate_leaves_three_rows_that_equal_the_four_bit_for_bit():
    four = guidance_rows(1.0, 1.0, SCALES)
    u, d1, c = torch.randn(3, 100)
    assert torch.equal(
        guided(torch.stack([u, d1, c]), guidance_rows(1.0, 0.0, SCALES)), guided(torch.stack([u, d1, c, c]), four)
    )
    assert torch.equal(
        guided(torch.stack([u, d1, c]), guidance_rows(0.0, 1.0, SCALES)), guided(torch.stack([u, d1, d1, c]), four)
    )


def test_windows_cover_the_circle():
    for shift in range(7):
        seen = torch.cat(circular_windows(17, 5, 0, shift))
        assert set(seen.tolist()) == set(range(17))
        assert seen[0] == -shift % 17
    assert len(circular_windows(20, 5, 2, 0)) == 7
    with pytest.raises(ValueError, match="overlap"):
        circular_windows(10, 5, 5, 0)


class Recorder(torch.nn.Module):
    """Predicts v from nothing but the tokens, so that results can be foretold."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, sample, timestep, *, audio, motion, identity, **rest):
        self.calls.append((len(sample), sample.shape[1]))
        rows, frames = sample.shape[:2]
        drive = (identity + audio.mean((1, 2), keepdim=True) + motion).mean((1, 2))
        return sample[:, :, :4] * 0.1 + drive.view(rows, frames, 1, 1, 1)


def drive(length=7):
    g = torch.Generator().manual_seed(0)
    token = torch.randn(length, 2, 8, generator=g)
    return DrivingConditions(
        identity=torch.ones(1, 1, 8),
        audio=token,
        no_audio=torch.zeros(1, 2, 8),
        motion=token[:, :1] * 0.5,
        no_motion=torch.zeros(1, 1, 8),
        image_latent=torch.ones(4, 2, 2),
        face_feature=torch.zeros(1, 3, 2, 2),
        audio_mask=torch.ones(1, 1, 16, 16),
        motion_mask=torch.ones(1, 1, 16, 16),
        time_ids=torch.tensor([12.5, 12.0, 20.0]),
    )


@pytest.fixture
def scheduler():
    diffusers = pytest.importorskip("diffusers", reason="the scheduler is diffusers' (extra actalker)")
    from mamba_portrait.networks.actalker.config import EDM_SCHEDULER

    return diffusers.EulerDiscreteScheduler(**EDM_SCHEDULER)


def test_noise_levels_are_the_published_ones(scheduler):
    scheduler.set_timesteps(25)
    assert len(scheduler.timesteps) == 25 and scheduler.sigmas[-1] == 0
    torch.testing.assert_close(
        scheduler.sigmas[:4].double(), torch.tensor([700, 545.73, 421.57, 322.45]).double(), rtol=2e-5, atol=0
    )
    torch.testing.assert_close(scheduler.sigmas[-3:-1], torch.tensor([0.0079, 0.0020]), rtol=0, atol=5e-5)
    torch.testing.assert_close(scheduler.timesteps[[0, -1]], torch.tensor([1.6378, -1.5537]), rtol=0, atol=5e-5)


def sampled(scheduler, unet=None, rows=None, **kwargs):
    rows = rows or guidance_rows(1.0, 1.0, SCALES)
    start = torch.zeros(4, 2, 2)
    return sample_latents(unet or Recorder(), scheduler, drive(), start, rows, steps=4, window=3, **kwargs)


def test_seed_decides_the_result(scheduler):
    assert torch.equal(sampled(scheduler, seed=5), sampled(scheduler, seed=5))
    assert not torch.equal(sampled(scheduler, seed=5), sampled(scheduler, seed=6))


def test_rows_at_once_changes_memory_not_numbers(scheduler):
    one, four = Recorder(), Recorder()
    torch.testing.assert_close(sampled(scheduler, one, rows_at_once=1), sampled(scheduler, four, rows_at_once=4))
    assert {rows for rows, _ in one.calls} == {1} and {rows for rows, _ in four.calls} == {4}


def test_overlap_and_shift_do_not_matter_where_frames_are_independent(scheduler):
    want = sampled(scheduler)
    torch.testing.assert_close(sampled(scheduler, overlap=1, shift_step=2), want, rtol=1e-4, atol=1e-4)


def test_progress_counts_every_window_and_may_cancel(scheduler):
    told = []
    sampled(scheduler, progress=lambda done, total: told.append((done, total)))
    assert told == [(i + 1, 12) for i in range(12)]  # 4 steps of 3 windows over 7 frames

    class Cancelled(Exception):
        pass

    def cancel(done, total):
        raise Cancelled

    unet = Recorder()
    with pytest.raises(Cancelled):
        sampled(scheduler, unet, progress=cancel)
    assert len(unet.calls) == 1


def test_preview_is_every_steps_estimate_of_the_result(scheduler):
    """From the noisiest level on it is free of noise, and the last one is the result."""
    seen = []
    result = sampled(scheduler, preview=seen.append)
    assert len(seen) == 4 and torch.equal(seen[-1], result)
    assert max(x.abs().max() for x in seen) < 10  # the noise begins at a deviation of 700
    assert not torch.allclose(seen[0], result, atol=1e-2)


def test_control_refuses_what_it_cannot_mean():
    with pytest.raises(ValueError, match="audio gate"):
        Control(audio=1.5)
    with pytest.raises(ValueError, match="motion mask"):
        Control(motion_mask=torch.ones(1, 4, 4))
