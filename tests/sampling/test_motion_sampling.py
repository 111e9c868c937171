"""Schedule, solvers, guidance and windows."""

import copy

import pytest
import torch

from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.motion_model.mamba_global import GlobalAudio
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.sampling import windows
from mamba_portrait.sampling.guidance import branches, guided
from mamba_portrait.sampling.noise import frame_noise
from mamba_portrait.sampling.schedule import NoiseSchedule
from mamba_portrait.sampling.settings import SOLVERS, SamplingSettings
from mamba_portrait.sampling.solvers import solve
from mamba_portrait.sampling.windows import plan, sample_motion

TINY = MotionModelConfig(
    motion_dim=12,
    mels=16,
    global_width=16,
    global_layers=1,
    local_width=16,
    local_layers=1,
    headdim=16,
    width=32,
    layers=1,
    heads=2,
    appearance_dim=8,
    prediction="x0",
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = MotionModel(TINY).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
        model.motion_std.fill_(2.0)
        model.motion_mean.fill_(0.5)
    return model


@pytest.fixture(scope="module")
def heard(model):
    wave = 0.1 * torch.randn(1, 640 * 50, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return model.extract_global(wave), model.extract_local(wave)


def draw(model, heard, frames=50, history=None, noise_offset=0, progress=None, **settings):
    settings = SamplingSettings(**dict(steps=3, window=24, overlap=8) | settings)
    rest = dict(frames=frames, history=history, noise_offset=noise_offset, progress=progress)
    return sample_motion(model, *heard, torch.ones(1, 8), settings, **rest)


@pytest.mark.parametrize("shift", [1.0, 4.0])
def test_schedule_falls_and_keeps_some_signal(shift):
    levels = NoiseSchedule(1000, shift).alpha_bar
    assert (levels.diff() <= 0).all() and levels[-1] >= 1e-4 and levels[0] > 0.99


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
def test_conversions_round_trip(prediction):
    schedule, t = NoiseSchedule(), torch.tensor([0, 300, 999])
    x0, eps = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    noisy = schedule.add_noise(x0, eps, t)
    back = schedule.to_x0(schedule.target(x0, eps, t, prediction), noisy, t, prediction)
    assert torch.allclose(back, x0, atol=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers_find_the_distribution_of_a_gaussian(solver):
    """For data N(3, 0.5^2) the best estimate of x0 is known; the samples must have that mean and spread."""
    schedule = NoiseSchedule()
    g = torch.Generator().manual_seed(0)

    def best(x, t):
        ab = schedule.alpha_bar[t].item()
        gain = ab**0.5 * 0.25 / (ab * 0.25 + 1 - ab)
        return 3 + gain * (x - ab**0.5 * 3)

    steps = {"dpmpp_2m": 50, "ddim": 200, "ddpm": 1000}[solver]
    noise = torch.randn(4000, generator=g, dtype=torch.float64)

    def fresh(i):
        return torch.randn(4000, generator=g, dtype=torch.float64)

    drawn = solve(best, noise, schedule, steps, solver, fresh_noise=fresh)
    assert abs(drawn.mean().item() - 3) < 0.05 and abs(drawn.std().item() - 0.5) < 0.05


def test_second_order_beats_first_at_twelve_steps():
    schedule = NoiseSchedule()

    def best(x, t):
        ab = schedule.alpha_bar[t].item()
        return x * ab**0.5 * 0.25 / (ab * 0.25 + 1 - ab)

    noise = torch.linspace(-2, 2, 101, dtype=torch.float64)
    exact = solve(best, noise, schedule, 1000, "ddim")
    error = {s: (solve(best, noise, schedule, 12, s) - exact).abs().max().item() for s in ("ddim", "dpmpp_2m")}
    assert error["dpmpp_2m"] < 0.5 * error["ddim"]


def test_wrong_solver_and_steps_are_named():
    with pytest.raises(ValueError, match="dpmpp_2m"):
        solve(lambda x, t: x, torch.zeros(1), NoiseSchedule(), solver="euler")
    with pytest.raises(ValueError, match="steps"):
        NoiseSchedule().steps(0)


def test_branches_sum_to_one_and_are_skipped_at_scale_one():
    for scales in ((2.0, 1.0), (1.0, 1.0), (2.0, 3.0), (0.0, 1.0)):
        assert sum(weight for *_, weight in branches(*scales)) == pytest.approx(1)
    assert branches(1.0, 1.0) == [(True, True, 1.0)]
    assert len(branches(2.0, 1.0)) == 2 and len(branches(2.0, 1.5)) == 3


def test_batched_guidance_equals_separate_passes(model, heard):
    audio, local = heard[0].window(0, 10), heard[1][:, :10]
    noisy, look, past = torch.randn(1, 10, 12), torch.ones(1, 8), torch.zeros(1, 4, 12)
    t, no, yes = torch.tensor([400]), torch.tensor([False]), torch.tensor([True])
    with torch.no_grad():
        mine = guided(model, noisy, 400, audio, local, look, past, 2.0, 1.5)
        neither, sees, both = (
            model.denoise(noisy, t, audio, local, look, past, drop_audio=a, drop_appearance=b)
            for a, b in ((yes, yes), (yes, no), (no, no))
        )
    assert torch.allclose(mine, neither + 1.5 * (sees - neither) + 2.0 * (both - sees), atol=1e-5)


@pytest.mark.parametrize("frames", [1, 4, 79, 80, 81, 1000])
@pytest.mark.parametrize("mode", ["window", "overlap", "stream", "strict"])
def test_windows_cover_every_frame_in_order(frames, mode):
    spans = plan(frames, SamplingSettings(mode=mode, window=80, overlap=20))
    assert spans[0][0] == 0 and spans[-1][1] == frames
    for (_, stop, _), (start, later, known) in zip(spans, spans[1:], strict=False):
        assert start + known == stop and later > stop


def test_impossible_windows_are_named():
    for wrong, said in (
        (dict(mode="tiles"), "mode must be one of window, overlap, stream, strict, not 'tiles'"),
        (dict(overlap=80), r"overlap must be smaller than window \(80\), not 80"),
        (dict(frames=0), "frames must be at least 1, got 0"),
    ):
        values = dict(frames=100, mode="overlap", window=80, overlap=20) | wrong
        with pytest.raises(ValueError, match=said):
            plan(values.pop("frames"), SamplingSettings(**values))


@pytest.mark.parametrize("mode", ["window", "overlap", "stream", "strict"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_seed_gives_the_same_motion_bit_for_bit(model, heard, mode, solver):
    options = dict(frames=5 if mode == "strict" else 30, mode=mode, solver=solver)
    first = draw(model, heard, seed=3, **options)
    assert first.shape == (options["frames"], 12) and first.isfinite().all()
    assert torch.equal(first, draw(model, heard, seed=3, **options))
    assert not torch.allclose(first, draw(model, heard, seed=4, **options))


def test_noise_belongs_to_the_frame():
    whole = frame_noise(7, 0, 40, 12)
    assert torch.equal(whole[10:30], frame_noise(7, 10, 20, 12))
    assert not torch.equal(whole, frame_noise(7, 0, 40, 12, step=1))
    rows = frame_noise(0, 0, 400, 768)
    assert abs(rows.mean()) < 0.01 and abs(rows.std() - 1) < 0.01
    correlation = torch.corrcoef(rows) - torch.eye(400)
    assert correlation.abs().max() < 0.25


def test_no_seed_draws_the_noise_that_shaped_the_motion_space():
    plain = torch.randn(768, generator=torch.Generator().manual_seed(0))
    assert abs(torch.corrcoef(torch.stack([frame_noise(0, 0, 1, 768)[0], plain]))[0, 1]) < 0.2


def test_audio_moved_by_whole_windows_moves_the_motion(model, heard):
    """In window mode, with the history given: the features of frames 24.. drawn alone are those of the long clip."""
    whole = draw(model, heard)
    moved = GlobalAudio(heard[0].style, heard[0].frames[:, 24:]), heard[1][:, 24:]
    alone = draw(model, moved, frames=26, noise_offset=24, history=whole[:24])
    assert torch.allclose(whole[24:], alone, atol=1e-5)


def test_history_reaches_the_first_window_and_windows_chain(model, heard):
    assert not torch.allclose(draw(model, heard), draw(model, heard, history=torch.ones(4, 12)))
    assert torch.allclose(draw(model, heard)[:24], draw(model, heard, frames=24), atol=1e-6)


def test_overlap_cross_fades_with_the_window_before(model, heard, monkeypatch):
    """With a network that says 0 in the first window and 1 in the second, the shared frames are the ramp between."""
    answers = iter([0.0] * 3 + [1.0] * 3)
    monkeypatch.setattr(windows, "guided", lambda model, noisy, *_: torch.full_like(noisy, next(answers)))
    motion = model.normalise(draw(model, heard, frames=40, mode="overlap"))
    ramp = torch.arange(1, 9) / 9
    assert torch.allclose(motion[:, 0], torch.cat([torch.zeros(16), ramp, torch.ones(16)]), atol=1e-5)


def test_without_lead_and_with_all_the_noise_the_paper_is_followed(model, heard):
    """One window drawn step by step with nothing but guidance and the solver, and what the two settings change."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        model.mouth_reader[:4, :4], model.mouth_writer[:4, :4] = torch.eye(4), torch.eye(4)
    audio, local, look = heard[0].window(0, 24), heard[1][:, :24], torch.ones(1, 8)
    schedule, past = NoiseSchedule(TINY.timesteps, TINY.snr_shift), torch.zeros(1, 4, 12)

    def estimate(x, t):
        return schedule.to_x0(guided(model, x, t, audio, local, look, past, 1.5, 1.0), x, torch.tensor([t]), "x0")

    with torch.no_grad():
        plain = solve(estimate, frame_noise(0, 0, 24, 12)[None], schedule, 3)[0]
        plain = plain * model.motion_std + model.motion_mean
    own = draw(model, heard, 24, mouth_lead=0.0, mouth_noise=1.0)
    assert torch.equal(own, plain)
    for change in ({"mouth_lead": 0.5}, {"mouth_noise": 0.5}):
        assert not torch.allclose(draw(model, heard, 24, **{"mouth_lead": 0.0, "mouth_noise": 1.0} | change), plain)


def test_motion_is_absolute(model, heard):
    normalised = model.normalise(draw(model, heard, frames=16))
    plain = copy.deepcopy(model)
    plain.motion_mean.zero_()
    plain.motion_std.fill_(1.0)
    assert torch.allclose(draw(plain, heard, frames=16), normalised, atol=1e-5)


def test_features_that_end_early_are_held(model, heard):
    longer = [torch.cat([x, x[:, -1:].expand(-1, 10, -1)], 1) for x in (heard[0].frames, heard[1])]
    held = GlobalAudio(heard[0].style, longer[0]), longer[1]
    assert torch.equal(draw(model, heard, frames=60), draw(model, held, frames=60))


def test_progress_counts_every_step_and_can_cancel(model, heard):
    seen = []
    draw(model, heard, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, 9) for i in range(9)]

    def cancel(done, total):
        if done == 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        draw(model, heard, progress=cancel)


@pytest.mark.parametrize("mode", ["window", "overlap"])
def test_half_precision_gives_the_same_motion_in_full_precision_numbers(model, heard, mode):
    exact = draw(model, heard, mode=mode)
    with torch.autocast("cpu", torch.bfloat16):
        rough = draw(model, heard, mode=mode)
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().max() < 0.15 * exact.std()


@pytest.mark.parametrize("steps", [38, 39, 100, 1000])
def test_many_steps_begin_at_equal_levels(steps):
    """With the shipped schedule the noisiest levels are all at its floor."""
    schedule = NoiseSchedule(1000, 4.0)
    noise = torch.linspace(-1, 1, 5, dtype=torch.float64)
    found = solve(lambda x, t: 0.3 * x, noise, schedule, steps, "dpmpp_2m")
    plain = solve(lambda x, t: 0.3 * x, noise, schedule, steps, "ddim")
    assert torch.isfinite(found).all()
    assert (found - plain).abs().max() < 0.3 * plain.abs().max()
