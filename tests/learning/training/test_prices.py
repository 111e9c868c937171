"""Prices of the printed forms: both arms of a comparison begin alike, and what is done is not done again."""

import json
import math
from dataclasses import fields, replace

import pytest
import torch

from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.training.ablation import STAGE1, STAGE2, cut_config
from mamba_portrait.learning.training.loop import Plan
from mamba_portrait.learning.training.motion_model.train import Stage2Settings, averaged_motion_model, train_stage2
from mamba_portrait.learning.training.prices import __main__ as command
from mamba_portrait.learning.training.prices import arms as training
from mamba_portrait.learning.training.prices.comparisons import (
    ABLATIONS,
    COMPARISONS,
    SHIPPED,
    Comparison,
    arms_of,
)
from mamba_portrait.learning.training.prices.pictures import by_person, measure_pictures
from mamba_portrait.learning.training.prices.tables import branch_table, difference, price_table
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.model import Renderer

from ...conftest import write_toy_clip

OWN = {1: RendererConfig.lite(), 2: MotionModelConfig.lite()}
NETWORKS = {1: Renderer, 2: MotionModel}
BRANCHES_OF = {1: STAGE1, 2: STAGE2}


def shapes(stage, config):
    with torch.device("meta"):
        return {name: value.shape for name, value in NETWORKS[stage](config).state_dict().items()}


def differing(one, other):
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}


@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda c: c.name)
def test_both_forms_begin_anew_whatever_one_of_them_has_not(comparison):
    ours, printed = comparison.ours, comparison.printed
    assert ours != printed and ours.renew == printed.renew
    own = OWN[comparison.stage]
    different = differing(*(shapes(comparison.stage, arm.config(own)) for arm in (ours, printed)))
    assert all(name.startswith(tuple(f"{module}." for module in comparison.renew)) for name in different)


@pytest.mark.parametrize("row", ABLATIONS, ids=lambda row: row.title)
def test_the_row_with_all_branches_begins_anew_what_the_others_lack(row):
    for stage in (1, 2):
        arm = row.arm(stage)
        if arm is not None:
            cut = cut_config(OWN[stage], arm.cut, BRANCHES_OF[stage])
            lacking = differing(shapes(stage, OWN[stage]), shapes(stage, cut))
            assert bool(lacking) == bool(arm.cut)
            assert all(name.startswith(tuple(f"{module}." for module in arm.renew)) for name in lacking)
            assert arm.renew == ABLATIONS[-1].arm(stage).renew


@pytest.mark.parametrize("stage", [1, 2])
def test_every_printed_form_is_priced(stage):
    own, method = OWN[stage], type(OWN[stage]).method()
    printed = {f.name for f in fields(own) if getattr(own, f.name) != getattr(method, f.name)}
    compared = {name for c in COMPARISONS if c.stage == stage for name in (*c.fields, *dict(c.base))}
    assert printed <= compared


def test_shared_arms_are_trained_once_and_the_weights_themselves_come_first():
    arms = arms_of(("picture", "losses"))
    assert arms[0] == SHIPPED[1] and len(arms) == 4
    with pytest.raises(ValueError, match="no comparison 'crystal': choose of DIT, depths"):
        arms_of(("crystal",))


def test_a_difference_is_positive_where_the_printed_form_is_better():
    ours, printed = [2.0, 1.0, math.nan], [3.0, 2.0, 7.0]
    assert difference("gain", ours, printed) == (1.0, 1.0, 1.0)  # one person has nothing to measure
    assert difference("flow", ours, printed)[0] == -1.0
    assert difference("reach", [0.5], [2.0])[0] == pytest.approx(0.0)  # half and double are equally far
    assert difference("reach", [0.5], [1.0])[0] == pytest.approx(math.log(2))


def test_a_branch_is_worth_what_the_whole_has_more():
    def figures(arm, seed):
        return {"values": {"psnr": [20.0 - len(arm.cut) + 2 * seed, 21.0 - len(arm.cut)], "flow": [1.0 + len(arm.cut)]}}

    rows = {line.split("|")[1].strip(): line.split("|")[2:] for line in branch_table(figures, [0, 1]).splitlines()}
    psnr, ssim, _, flow, lips, *_ = (cell.strip() for cell in rows["w/o attention map"])
    assert psnr == "+1.00 [+1.00, +1.00]<br>+1.00 [+1.00, +1.00]"
    assert lips == "-" and ssim == "-<br>-"  # of the other stage, and not measured
    assert flow.startswith("+1.00 [")  # an error: the whole has less


def test_figures_are_of_people_not_of_pictures(tiny_weights, drawn_discs):
    renderer, stills = load_renderer(tiny_weights / "renderer_lite.safetensors"), StillSet(drawn_discs)
    values = measure_pictures(renderer, stills, 6)
    assert set(values) == {"gain", "psnr", "ssim", "mouth", "uncovered", "flow"}
    assert all(len(rows) == 12 for rows in values.values())  # none is drawn twice: two people a group
    with torch.autocast("cpu", torch.bfloat16):  # the network in half precision, its measures not
        half = measure_pictures(renderer, stills, 6)
    assert torch.tensor(half["ssim"]).allclose(torch.tensor(values["ssim"]), atol=0.02)
    stills.people = lambda: torch.arange(24).reshape(12, 2).numpy() // 4 * 2 + torch.arange(2).numpy()
    fewer = measure_pictures(renderer, stills, 6)["gain"]
    assert len(fewer) == 6
    assert fewer[0] == pytest.approx((values["gain"][0] + values["gain"][2]) / 2)  # the first people of two groups
    people = torch.tensor([7, 3, 7]).numpy()
    assert by_person(torch.tensor([1.0, 5.0, math.nan]), people) == [5.0, 1.0]


@pytest.fixture
def corpus(drawn_discs, tmp_path):
    """Stills, and clips of 2.8 s, for training and held out."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "stills").symlink_to(drawn_discs / "stills")
    for name, split in (("a", "train"), ("b", "val"), ("c", "test")):
        write_toy_clip(tmp_path / "data" / "clips" / name, split, 70)
    return tmp_path / "data"


@pytest.fixture
def tiny(tiny_weights, tiny_config, monkeypatch):
    """The command at toy widths: forms of one comparison in each stage."""
    small = (
        Comparison("DIT", "S6-S8", 1, ("own_variance", "deviation_linear"), ("deviation",)),
        Comparison("motion losses", "T8-T10", 2, ("summed_losses", "regression"), ("denoiser", "ear")),
    )
    for module in ("comparisons", "tables"):
        monkeypatch.setattr(f"mamba_portrait.learning.training.prices.{module}.COMPARISONS", small)

    def run(corpus, out, *more, **changes):
        names = ["--only", "DIT", "motion losses", "--steps", "2", "1", "--clips", "1", "--seeds", "0", *more]
        weights = [("--renderer", "renderer"), ("--motion-model", "motion")]
        files = [part for name, kind in weights for part in (name, str(tiny_weights / f"{kind}_lite.safetensors"))]
        usual = {"size": 64, "groups": 2, "pieces": 2, "sampled": 1, "batch": {1: 1, 2: 1}, "precision": "fp32"}
        data = ["--data", str(corpus), "--held-out", str(corpus), "--out", str(out)]
        command.main([*data, *names, *files], **usual | {"report": lambda _: None} | changes)

    return run


def test_the_command_prices_both_stages_and_repeats_nothing(tiny, corpus, tmp_path, monkeypatch):
    out = tmp_path / "out"
    tiny(corpus, out)
    table = (out / "prices.md").read_text("utf8")
    rows = {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("|")}
    assert "->" in rows["DIT"] and "->" in rows["motion losses"] and "-> none" in rows["motion losses"]
    done = sorted((out / "arms").iterdir())
    assert len(done) == 6 and not list(out.rglob("*.pt"))  # both forms of both stages, and the weights as they are
    found = json.loads((done[0] / "figures.json").read_text())
    assert found["steps"] == 2 and len(found["values"]["gain"]) == 4

    def never(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(training, "train_stage1", never)
    monkeypatch.setattr(training, "train_stage2", never)
    tiny(corpus, out)
    assert (out / "prices.md").read_text("utf8") == table
    (out / "common.json").write_text('{"stage1": "", "stage2": ""}')
    with pytest.raises(ValueError, match="holds trainings from other weights than renderer_lite"):
        tiny(corpus, out)
    assert (out / "prices.md").read_text("utf8") == table


def test_a_killed_arm_goes_on_and_time_ends_the_work(tiny, corpus, tmp_path, killing):
    out = tmp_path / "out"
    tiny(corpus, out, "--minutes", "0")
    assert not (out / "arms").exists()
    with killing(training.Renderer, "decode", 5):  # twice for the weights as they are, twice in training: measuring
        tiny(corpus, out, groups=1)
    assert list(out.rglob("stage1.pt"))
    tiny(corpus, out)
    assert not list(out.rglob("*.pt")) and len(list(out.rglob("figures.json"))) == 6


def test_a_model_without_regression_has_nothing_that_leads_the_mouth(tiny_weights, corpus, tmp_path):
    file = tiny_weights / "motion_lite.safetensors"
    whole, renderer = load_motion_model(file), load_renderer(tiny_weights / "renderer_lite.safetensors")
    config = replace(whole.config, regression=False)
    settings = Stage2Settings(config=config, init=file, batch=1, renew=["denoiser"], rate=0.0)
    plan = Plan(steps=1, report=lambda _: None)
    model = averaged_motion_model(train_stage2(corpus, tmp_path / "run", plan, settings, renderer))
    assert not model.config.regression and not model.mouth_writer.any() and not model.mouth_reader.any()
    own, trained = model.state_dict(), whole.state_dict()
    assert torch.allclose(own["from_local.weight"], trained["from_local.weight"])
    assert not torch.allclose(own["denoiser.embed_noisy.weight"], trained["denoiser.embed_noisy.weight"])
    assert price_table(2, lambda arm, seed: None, [0]).count("\n") == 2  # nothing is done: the head alone
