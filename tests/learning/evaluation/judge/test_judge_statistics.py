"""What differences are worth: intervals over samples, seeds apart."""

import numpy as np
import pytest

from mamba_portrait.learning.evaluation.judge.judging import Judged
from mamba_portrait.learning.evaluation.judge.run import Method, Verdict
from mamba_portrait.learning.evaluation.judge.statistics import Statistics, draws_of, interval

COUNT = 60


def verdict_of(rows, features=None):
    """{(method, seed): [psnr of each sample]} -> a verdict."""
    methods = [Method(name, seed, {}) for name, seed in rows]
    judged = {}
    for method, ((name, seed), values) in zip(methods, rows.items(), strict=True):
        found = {f"clip{i}": {"psnr": float(v)} for i, v in enumerate(values) if v is not None}
        judged[method.label] = Judged(found, (features or {}).get((name, seed), {}))
    return Verdict(methods, judged, Judged({}, (features or {}).get("truth", {})))


@pytest.fixture
def hard():
    """How hard the clips are: far more than methods differ."""
    return np.random.default_rng(0).normal(30, 5, COUNT)


def test_a_steady_gain_is_seen_through_the_spread_of_the_clips(hard):
    noise = np.random.default_rng(1).normal(0, 0.3, COUNT)
    statistics = Statistics(verdict_of({("a", ""): hard, ("b", ""): hard + 0.5 + noise, ("c", ""): hard + noise}))
    found = statistics.difference("psnr", "b", "a")
    assert found.value == pytest.approx(0.5 + noise.mean()) and not found.is_noise and found.count == COUNT
    error = noise.std() / COUNT**0.5
    assert (found.high - found.low) == pytest.approx(2 * 1.96 * error, rel=0.1)
    nothing = statistics.difference("psnr", "c", "a")
    assert nothing.is_noise and nothing.low < nothing.value < nothing.high
    whole = statistics.figure("psnr", "a").whole
    assert whole.high - whole.low > 4 * (found.high - found.low)
    assert statistics.difference("psnr", "a", "b").value == pytest.approx(-found.value)


def test_pairs_are_those_that_both_have(hard):
    other = [None if i % 2 else value + 1 for i, value in enumerate(hard)]
    statistics = Statistics(verdict_of({("a", ""): hard, ("b", ""): other}))
    found = statistics.difference("psnr", "b", "a")
    assert found.count == COUNT // 2 and (found.value, found.low, found.high) == pytest.approx((1, 1, 1))
    assert statistics.difference("psnr", "a", "b").count == COUNT // 2
    assert statistics.figure("psnr", "b").whole.count == COUNT // 2
    assert statistics.difference("ssim", "b", "a") is None and statistics.figure("ssim", "a") is None


def test_seeds_are_shown_apart_and_averaged(hard):
    runs = {("a", ""): hard, ("b", "1"): hard + 1, ("b", "2"): hard + 3}
    statistics = Statistics(verdict_of(runs))
    figure = statistics.figure("psnr", "b")
    assert figure.seeds == pytest.approx({"1": hard.mean() + 1, "2": hard.mean() + 3})
    assert figure.whole.value == pytest.approx(hard.mean() + 2)
    assert statistics.difference("psnr", "b", "a").value == pytest.approx(2)
    assert not statistics.figure("psnr", "a").seeds


def test_clips_of_a_speaker_may_be_kept_together(hard):
    by_person = np.repeat([-1.0, 0, 1, 2], COUNT // 4)  # the gain depends on the person only
    runs = {("a", ""): hard, ("b", ""): hard + by_person}
    people = {f"clip{i}": f"person{i // (COUNT // 4)}" for i in range(COUNT)}
    alone = Statistics(verdict_of(runs)).difference("psnr", "b", "a")
    together = Statistics(verdict_of(runs), people).difference("psnr", "b", "a")
    assert not alone.is_noise and together.is_noise
    assert alone.value == together.value == pytest.approx(0.5)


def test_draws_take_whole_units_with_replacement():
    for places in draws_of(["a", "a", "b", "c"], 50):
        assert (places == 0).sum() == (places == 1).sum()
    assert {len(set(places)) for places in draws_of(list("abcd"), 50)} > {2, 3}
    assert [list(p) for p in draws_of(list("abc"), 5)] == [list(p) for p in draws_of(list("abc"), 5)]


def test_frechet_distances_have_intervals_around_their_value():
    generator = np.random.default_rng(2)
    truth = {f"clip{i}": {"frames": generator.normal(0, 1, (8, 5))} for i in range(12)}
    near = {name: {"frames": f["frames"] + generator.normal(0, 0.1, (8, 5))} for name, f in truth.items()}
    far = {name: {"frames": f["frames"] + 1} for name, f in truth.items()}
    other = {name: {"frames": generator.normal(0, 1, (8, 5))} for name in truth}  # of the same distribution
    runs = {("near", ""): [0] * 12, ("far", ""): [0] * 12, ("other", ""): [0] * 12}
    features = {"truth": truth, ("near", ""): near, ("far", ""): far, ("other", ""): other}
    statistics = Statistics(verdict_of(runs, features), draws=800)
    same = statistics.figure("frechet_frames", "other").whole
    assert same.low < same.value < same.high  # draws with fewer different clips would all be larger
    found = statistics.figure("frechet_frames", "far").whole
    assert found.value == pytest.approx(5, abs=1e-6) and found.low <= found.value <= found.high
    assert found.count == 12
    assert not statistics.difference("frechet_frames", "near", "far").is_noise


def test_reach_is_of_the_means(hard):
    """A clip that hardly moves does not rule: its ratio is 9, that of the means is 1.8 / 1.1."""
    verdict = verdict_of({("a", ""): hard[:2], ("b", ""): hard[:2]})
    for label, reached in (("a", (0.9, 0.9)), ("b", (1.0, 0.1))):
        for row, own, true in zip(verdict.judged[label].rows.values(), reached, (1.0, 0.1), strict=True):
            row |= {"lips_reach": own, "true_reach": true}
    statistics = Statistics(verdict, draws=200)
    assert statistics.figure("lips_reach", "a").whole.value == pytest.approx(1.8 / 1.1)
    assert verdict.judged["a"].means(verdict.truth)["lips_reach"] == pytest.approx(1.8 / 1.1)
    found = statistics.difference("lips_reach", "a", "b")
    assert found.value == pytest.approx(1.8 / 1.1 - 1)
    assert (found.low, found.high) == pytest.approx((-0.1, 8))  # one of the two clips drawn twice


def test_one_sample_has_no_interval():
    found = interval(3.0, [], 1)
    assert found.value == 3 and np.isnan(found.low) and found.is_noise
    statistics = Statistics(verdict_of({("a", ""): [30.0], ("b", ""): [31.0]}))
    assert statistics.difference("psnr", "b", "a").is_noise and statistics.figure("psnr", "a").whole.value == 30
