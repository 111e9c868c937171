"""Conformance probes: a branch that says the same to everyone costs nothing, one that matters costs something."""

import json
import wave
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from mamba_portrait.cli import main
from mamba_portrait.learning.datasets.stills import StillSet
from mamba_portrait.learning.datasets.tracks import load_tracks
from mamba_portrait.learning.evaluation.method import method_table
from mamba_portrait.learning.evaluation.method_cost import cost_of, cost_table, forms
from mamba_portrait.learning.evaluation.method_findings import REPLACED, finding, interval, replaced_rows
from mamba_portrait.learning.evaluation.method_pictures import probe_renderer
from mamba_portrait.learning.evaluation.method_voices import probe_motion_model
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer
from mamba_portrait.networks.motion_model.config import MotionModelConfig
from mamba_portrait.networks.motion_model.model import MotionModel
from mamba_portrait.networks.renderer.config import RendererConfig
from mamba_portrait.networks.renderer.model import Renderer
from mamba_portrait.vocabulary import COUNT, INDEX


@pytest.fixture
def renderer(tiny_weights):
    return load_renderer(tiny_weights / "renderer_lite.safetensors")


@pytest.fixture
def model(tiny_weights):
    """With weights so large that everything it is told reaches what it says."""
    model = load_motion_model(tiny_weights / "motion_lite.safetensors")
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
        model.mouth_writer.normal_(generator=torch.Generator().manual_seed(1))
    return model


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    """Three clips of different hums."""
    root = tmp_path_factory.mktemp("hums")
    for number in range(3):
        folder, frames = root / "clips" / str(number), 50
        folder.mkdir(parents=True)
        jaw = np.clip(np.sin(np.arange(frames) * (0.4 + 0.2 * number)), 0, 1)
        hum = np.repeat(jaw, 640) * 9000 * np.sin(np.arange(frames * 640) * 0.08 * (1 + number))
        with wave.open(str(folder / "audio.wav"), "wb") as file:
            file.setparams((1, 2, 16000, 0, "NONE", ""))
            file.writeframes(hum.astype("<i2").tobytes())
        parameters = np.random.default_rng(number).normal(size=(frames, COUNT)).astype(np.float32)
        parameters[:, INDEX["jaw"]] = jaw
        np.savez(folder / "labels.npz", parameters=parameters)
        (folder / "meta.json").write_text(json.dumps({"split": "val", "speaker": "x"}))
    return load_tracks(root, None)


def by_branch(found):
    return {row.branch: row for row in found}


def most(row):
    return max(abs(mean) for mean, _, _ in row.costs.values())


def test_replaced_is_everyones_mean_the_next_person_or_the_next_frame():
    rows = torch.arange(6.0)  # two people, three frames
    assert replaced_rows(rows, "mean", 3).tolist() == [2.5] * 6
    assert replaced_rows(rows, "other", 3).tolist() == [3, 4, 5, 0, 1, 2]
    assert replaced_rows(rows, "frame", 3).tolist() == [2, 0, 1, 5, 3, 4]


def test_costs_are_losses_in_the_metrics_unit_and_their_interval_holds_the_mean():
    base, worse = torch.tensor([20.0, 30.0, float("nan")]), torch.tensor([19.0, 27.0, 5.0])
    row = finding("b", "m", "dB", base, {"mean": worse})
    assert row.value == 25 and row.costs["mean"] == pytest.approx((2.0, 1.0, 3.0))
    assert row.alive and not finding("b", "m", "dB", base, {"mean": base - 0.05}).alive
    error = finding("b", "m", "px", torch.ones(4), {"other": torch.full((4,), 1.03)})
    assert error.costs["other"][0] == pytest.approx(0.03) and error.alive
    assert not finding("b", "m", "px", torch.ones(4), {"other": torch.full((4,), 0.9)}).alive
    mean, low, high = interval(torch.randn(200, generator=torch.Generator().manual_seed(0)))
    assert low < mean < high and 0.2 < high - low < 0.4


def test_branches_of_the_renderer_that_say_nothing_cost_nothing(renderer, drawn_discs):
    """Everything in a network of random weights has some say; a layer that outputs its bias alone has none."""
    stills = StillSet(drawn_discs)
    silent = {
        "omega_m": renderer.depth.plane_weights[2],
        "focus maps": renderer.lmdd.focus,
        "depth planes": renderer.lmdd.planes,
        "U": renderer.decoder.leave,
        "Delta (without the linear term)": renderer.deviation.to_maps,
    }
    with torch.no_grad():
        for p in renderer.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    spoken = by_branch(probe_renderer(renderer, stills, 4))
    assert {"F_A", "mask", "articulation", "Delta's linear term"} | set(silent) <= set(spoken)
    assert all(most(row) > 1e-6 for row in spoken.values()), {name: most(row) for name, row in spoken.items()}
    with torch.no_grad():
        for layer in silent.values():
            layer.weight.zero_()
        renderer.appearance.norm.weight.zero_()  # the same vector for everyone
        renderer.decoder.beta.fill_(0.2)
    found = by_branch(probe_renderer(renderer, stills, 4))
    assert all(most(found[name]) < 1e-6 for name in (*silent, "F_A", "articulation"))
    assert not any(found[name].alive for name in (*silent, "F_A"))


def test_printed_forms_are_probed_too(tiny_config, drawn_discs):
    torch.manual_seed(0)
    printed = RendererConfig.method()
    names = [f.name for f in fields(printed) if getattr(printed, f.name) != getattr(RendererConfig.lite(), f.name)]
    renderer = Renderer(replace(tiny_config, **{name: getattr(printed, name) for name in names})).eval()
    with torch.no_grad():
        for p in renderer.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    found = by_branch(probe_renderer(renderer, StillSet(drawn_discs), 3))
    assert {"F_A", "omega_m", "Delta (without the linear term)", "focus maps", "depth planes", "mask", "U"} <= set(
        found
    )
    assert not {"articulation", "Delta's linear term"} & set(found) and set(found["focus maps"].costs) == set(REPLACED)
    assert all(most(found[name]) > 1e-6 for name in ("F_A", "focus maps", "U"))


@torch.no_grad()
def test_probing_leaves_the_renderer_as_it_was(renderer, drawn_discs):
    photo, change = torch.rand(1, 3, 64, 64), torch.randn(1, 768)

    def render():
        source = renderer.encode_source(photo)
        return renderer.decode(source, renderer.extract_appearance(source), source.motion + change).image

    before = render()
    probe_renderer(renderer, StillSet(drawn_discs), 3)
    assert torch.equal(render(), before)


def test_branches_of_the_motion_model(renderer, model, drawn_discs, tracks):
    stills = StillSet(drawn_discs)
    found = by_branch(probe_motion_model(renderer, model, stills, tracks))
    assert set(found) == {"Mamba-g: style", "Mamba-g: prosody", "Mamba-l", "F_A in stage 2", "history"}
    assert all(most(row) > 1e-6 for row in found.values()), {name: most(row) for name, row in found.items()}
    with torch.no_grad():
        model.from_local.weight.zero_()
        model.denoiser.embed_history.weight.zero_()
    found = by_branch(probe_motion_model(renderer, model, stills, tracks))
    assert most(found["Mamba-l"]) < 1e-6 and most(found["history"]) < 1e-6 < most(found["Mamba-g: prosody"])


def test_a_cut_branch_is_not_probed(renderer, tiny_motion_config, drawn_discs, tracks):
    config = MotionModelConfig.from_dict(tiny_motion_config.to_dict() | {"mamba_global": False, "appearance": False})
    found = by_branch(probe_motion_model(renderer, MotionModel(config).eval(), StillSet(drawn_discs), tracks))
    assert set(found) == {"Mamba-l", "history"}


def test_too_little_to_replace_by_is_one_sentence(renderer, model, drawn_discs, tracks):
    with pytest.raises(ValueError, match="draw 2 or more"):
        probe_renderer(renderer, StillSet(drawn_discs), 1)
    with pytest.raises(ValueError, match="draw more"):
        probe_motion_model(renderer, model, StillSet(drawn_discs), tracks[:1])


def test_the_command_writes_the_table(shipped_tiny, drawn_clips, tmp_path, capsys):
    main(["evaluate", "--method", "--corpus", str(drawn_clips), "--out", str(tmp_path), "--groups", "3"])
    table = (tmp_path / "figures.md").read_text("utf8")
    assert table in capsys.readouterr().out and table.startswith("| branch | metric | as it is |")
    rows = json.loads((tmp_path / "figures.json").read_text("utf8"))["method"]
    assert [row["branch"] for row in rows][0] == "F_A" and len(table.splitlines()) == len(rows) + 2
    assert method_table([]).count("\n") == 2


def test_costs_of_the_printed_forms(tiny_config):
    printed = replace(tiny_config, warp="volume", inversion_steps=0, decoder_skips=False)
    configs = forms(tiny_config, printed)
    assert {"ours", "warp volume", "inversion_steps 0", "decoder_skips false", "all together"} < set(configs)
    costs = cost_of({name: configs[name] for name in ("ours", "decoder_skips false")})
    assert costs["ours"][0] > costs["decoder_skips false"][0] > 0 < costs["ours"][1]
    assert cost_table(costs).splitlines()[2].startswith("| ours | 0.")
