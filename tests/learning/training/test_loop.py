"""The training loop: a toy of forty lines learns and survives a kill to the bit; several processes do what one does."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from mamba_portrait.learning.datasets.batch_slice import BatchSlice
from mamba_portrait.learning.training import processes
from mamba_portrait.learning.training.loop import Descent, Every, Plan, cosine_rate, fit, gradients
from mamba_portrait.learning.training.run import Average, Run

STEPS, BATCH = 60, 6
REPORTS = 4  # steps; checkpoints come every 7, between two reports


class Toy:
    """Cleans noisy rows; what it says of the whole batch is to spread as the rows do."""

    def __init__(self):
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 4))

    def batches(self, slices):
        for part in slices:
            draws = part.draws()
            level = torch.from_numpy(part.permutation() / part.batch)[:, None].to(torch.get_default_dtype())
            rows = draws.normal(1) * torch.arange(1.0, 5.0)
            yield rows, rows + level * draws.normal(4)

    def losses(self, batch, progress):
        rows, noisy = batch
        said = self.network(noisy)
        error, spread = (said - rows).square().mean(), (processes.deviation(said) - processes.deviation(rows)).square()
        return {"error": error, "spread": spread, "loss": error + 0.1 * spread}

    def state(self):
        return {"network": self.network.state_dict()}

    def restore(self, state):
        self.network.load_state_dict(state["network"])


def train_toy(folder, task=None, reports=1, on_save=None, **plan):
    task = task or Toy()
    run = Run(folder / "toy.pt", Average(task.network), {"config": {}})
    optimizers = [torch.optim.AdamW(task.network.parameters(), lr=1e-2)]
    plan = Plan(**(dict(steps=STEPS, saves=Every(steps=7)) | plan))
    if plan.resume and (state := run.read()):
        run.restore(state, task, optimizers)
    fit(task, run, plan, Descent(optimizers, BATCH, reports=Every(steps=reports)), on_save=on_save and on_save(run))
    return torch.load(run.file, weights_only=True)


class Dying(Toy):
    """Its process is killed in the middle of a step."""

    def __init__(self, at):
        super().__init__()
        self.left = at

    def losses(self, batch, progress):
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().losses(batch, progress)


def measured(run):
    return lambda: run.write(samples_measured=run.samples)


def log_of(folder):
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "time"} for row in rows]


def test_the_toy_learns(tmp_path):
    state = train_toy(tmp_path)
    losses = [row["error"] for row in log_of(tmp_path)]
    assert state["step"] == len(losses) == STEPS and state["samples"] == STEPS * BATCH
    assert sum(losses[-10:]) < 0.3 * sum(losses[:10])


def test_killed_at_any_step_it_goes_on_to_the_bit(tmp_path):
    whole, at = train_toy(tmp_path / "whole", reports=REPORTS, on_save=measured), random.randrange(STEPS)
    child = subprocess.run([sys.executable, __file__, str(tmp_path / "broken"), str(at)], capture_output=True)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    assert (tmp_path / "broken" / "toy.pt").exists() == (at >= 7), at
    resumed = train_toy(tmp_path / "broken", reports=REPORTS, on_save=measured)
    for part in ("network", "average"):
        for name, value in whole[part].items():
            assert torch.equal(value, resumed[part][name]), (at, part, name)
    assert log_of(tmp_path / "whole") == log_of(tmp_path / "broken"), at


@pytest.fixture(scope="module")
def steps(drawn_clips, tmp_path_factory):
    """What one process and what two wrote: folders of one_step.py."""
    root, script = tmp_path_factory.mktemp("steps"), Path(__file__).with_name("one_step.py")
    done = subprocess.run([sys.executable, str(script), str(drawn_clips), str(root)], stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode()
    return root / "one", root / "two"


TASKS = ("toy", "space", "motion", "rendering", "audio extractors", "motion model", "face finder", "actalker")


@pytest.mark.parametrize("task", TASKS)
def test_two_processes_have_the_losses_and_gradients_of_one(steps, task):
    one, two = (torch.load(folder / "losses_and_gradients.pt", weights_only=True) for folder in steps)
    if task == "actalker" and task not in one:
        pytest.skip("ACTalker needs diffusers and transformers (extra actalker)")
    one, two = one[task], two[task]
    assert one["terms"].keys() == two["terms"].keys() and all(value.isfinite() for value in one["terms"].values())
    for name, value in one["terms"].items():
        assert two["terms"][name].item() == pytest.approx(value.item(), rel=1e-5, abs=1e-7), name
    pairs = list(zip(one["gradients"], two["gradients"], strict=True))
    assert all((a is None) == (b is None) for a, b in pairs)
    pairs = [pair for pair in pairs if pair[0] is not None]
    largest = max(a.abs().max() for a, _ in pairs)
    assert largest > 1e-4 and max((a - b).abs().max() for a, b in pairs) < 1e-5 * largest


def test_two_processes_write_one_run_and_go_on_with_it(steps):
    one, two = (torch.load(folder / "toy" / "toy.pt", weights_only=True) for folder in steps)
    for part in ("network", "average"):
        assert all(torch.allclose(value, two[part][name], 1e-4, 1e-5) for name, value in one[part].items())
    logs = [log_of(folder / "toy") for folder in steps]
    assert [row["step"] for row in logs[1]] == list(range(1, STEPS + 1))
    for a, b in zip(*logs, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-3, abs=1e-5) and a["samples"] == b["samples"]
    rows = log_of(steps[1] / "stage1")
    assert [row["part"] for row in rows if "loss" in row] == ["space", "motion", "coarse", "coarse"]
    assert any("held_out/psnr" in row for row in rows) and len(list((steps[1] / "stage1" / "sheets").iterdir())) == 2


def test_a_batch_may_be_computed_in_parts():
    class Plain(Toy):
        def losses(self, batch, progress):
            return {"loss": (self.network(batch[1]) - batch[0]).square().mean()}

    found = []
    for parts in (1, 4):
        task, shares = Plain(), processes.shares(BATCH, parts)
        batches = task.batches(BatchSlice(0, 3, samples, BATCH) for samples in shares)
        descent = Descent([torch.optim.SGD(task.network.parameters())], BATCH)
        terms = gradients(task, batches, shares, 0.0, Plan(steps=1), descent)
        found.append((terms["loss"], *(p.grad for p in task.network.parameters())))
    assert len(shares) == 4 and all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*found, strict=True))
    with pytest.raises(ValueError, match=r"batch of 6 is too small for 1 process\(es\) in 7 parts"):
        processes.shares(BATCH, 7)


def test_a_sample_is_the_same_in_any_slice():
    whole, part = BatchSlice(3, 11, range(6), 6), BatchSlice(3, 11, range(2, 5), 6)
    for draw in (
        lambda d: d.normal(2),
        lambda d: d.uniform(),
        lambda d: d.integers(9, 3),
        lambda d: d.each(2).normal(),
    ):
        rows = draw(whole.draws()).view(6, -1)
        assert torch.equal(rows[2:5], draw(part.draws()).view(3, -1)) and len(rows.unique(dim=0)) > 1
    order = whole.permutation()
    assert sorted(order) == list(range(6)) and list(order[2:5]) == list(part.permutation())
    others = [BatchSlice(*place, range(6), 6).draws().normal(2) for place in ((3, 12), (4, 11), (3, 11))]
    drawn = whole.draws().normal(2)
    assert [torch.equal(drawn, other) for other in others] == [False, False, True]
    assert whole.rng(0).random() != whole.rng_of_batch().random()


def test_a_step_without_a_finite_gradient_is_left_out(tmp_path):
    class Sick(Toy):
        def losses(self, batch, progress):
            terms = super().losses(batch, progress)
            return terms if progress < 0.5 else terms | {"loss": terms["loss"] * float("nan")}

    whole, half = (
        train_toy(tmp_path / "sick", Sick()),
        train_toy(tmp_path / "half", Sick(), saves=Every(steps=STEPS // 2)),
    )
    assert whole["average_steps"] == STEPS // 2 and half["step"] == STEPS
    assert all(value.isfinite().all() for value in whole["network"].values())
    assert log_of(tmp_path / "sick")[-1]["loss"] is None


def test_a_run_ends_with_its_time_and_a_longer_one_goes_on(tmp_path):
    first = train_toy(tmp_path, steps=None, minutes=0.002)
    assert first["spent"] >= 0.12
    assert train_toy(tmp_path, steps=None, minutes=0.002)["step"] == first["step"]
    longer = train_toy(tmp_path, steps=None, minutes=(first["spent"] + 0.1) / 60)
    assert longer["step"] > first["step"] and longer["spent"] >= first["spent"] + 0.1


def test_the_rate_warms_up_and_falls():
    rates = [cosine_rate(0, progress) for progress in (0.0, 0.01, 0.02, 0.5, 1.0)]
    assert rates == pytest.approx([0.02, 0.5, 1.0, 0.52, 0.02], abs=0.02)


def test_an_earlier_checkpoint_and_another_config_are_refused_in_a_sentence(tmp_path):
    torch.save({"config": {}, "average": {}, "step": 3}, tmp_path / "toy.pt")
    with pytest.raises(ValueError, match="earlier version and cannot be resumed"):
        train_toy(tmp_path)
    with pytest.raises(ValueError, match="another config"):
        train_toy(tmp_path, resume=False)
        Run(tmp_path / "toy.pt", None, {"config": {"width": 5}}).read()


def test_processes_need_accelerate(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ImportError, match="pip install accelerate"):
        processes.join("cpu")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert processes.join("cpu").type == "cpu"


if __name__ == "__main__":
    train_toy(Path(sys.argv[1]), Dying(int(sys.argv[2])), reports=REPORTS, on_save=measured)
