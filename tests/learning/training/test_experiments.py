"""Each row of the papers' tables is an experiment: it trains what it says, or is refused in one sentence."""

import json

import pytest
import yaml

from mamba_portrait.cli import main
from mamba_portrait.learning.training.experiment import NEEDS, merged, names, read_experiment, run_experiment
from mamba_portrait.learning.training.loop import Plan
from mamba_portrait.model_loaders.checkpoint import load_motion_model, load_renderer

ROWS = {
    "talking head": "AniPortrait DaGAN FOMM LivePortrait MCNet TPSMM Ours",
    "inference time": "X-Portrait Hallo2 FOMM LivePortrait AniPortrait DaGAN MCNet TPSMM Ours",
    "co-speech gesture": "S2G-MDDiffusion TANGO Ours",
    "ablation": "w/o Appearance,w/o Trans. in DIT,w/o attention map,w/o mamba-g,w/o mamba-l,Ours",
    "user study": "Ditto-Talking EchoMimic Hallo MEMO SadTalker V-Express Ours",
}


def test_every_row_of_the_tables_is_there():
    experiments = [read_experiment(name) for name in names()]
    for table, rows in ROWS.items():
        found = {one.row for one in experiments if table in one.table}
        assert found == set(rows.split("," if "," in rows else None)), table
    for one in experiments:
        trained = [stage for stage in (one.stage1, one.stage2, one.actalker) if stage is not None]
        assert bool(trained) != bool(one.elsewhere) and one.row and (one.data or one.elsewhere), one.name


@pytest.mark.parametrize("switch, stage, name", [
    ("use_appearance", "stage1", "no-appearance"), ("appearance", "stage2", "no-appearance"),
    ("use_transformer", "stage1", "no-transformer"), ("use_attention", "stage1", "no-attention"),
    ("mamba_global", "stage2", "no-mamba-g"), ("mamba_local", "stage2", "no-mamba-l"),
])  # fmt: skip
def test_an_ablation_differs_in_its_switch_alone(switch, stage, name):
    for kind, preset in (("gesture", "paper"), ("drawn", "lite")):
        one, ours = read_experiment(f"implicit-motion/{kind}-{name}"), read_experiment(f"implicit-motion/{kind}")
        assert getattr(one, stage)["config"][switch] is False and getattr(one, stage)["preset"] == preset
        others = {"stage1", "stage2"} - {stage} if name != "no-appearance" else set()
        assert all(getattr(one, other) == getattr(ours, other) for other in others)


def test_what_cannot_be_trained_is_refused_before_anything_runs(tmp_path, capsys):
    for name in names():
        one = read_experiment(name)
        if one.needs or one.elsewhere:
            given = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--steps", "1"]
            assert main(["train", "--experiment", name, *given]) == 2
            told = capsys.readouterr().err
            assert told.count("\n") == 1 and name in told and (one.elsewhere or NEEDS[one.needs[0]]) in told
    assert not (tmp_path / "out").exists()
    assert main(["train", "--experiments"]) == 0
    listed = capsys.readouterr().out
    assert "implicit-motion/drawn: " in listed and "actalker/hallo: not here" in listed
    assert main(["train"]) == 2 and "a STAGE" in capsys.readouterr().err
    assert main(["train", "--experiment", "implicit-motion/drawn"]) == 2
    assert "needs --data DIR and --out DIR; it is trained on the drawn corpus" in capsys.readouterr().err


def tiny(renderer, model, **changes) -> dict:
    """The drawn ablation without attention, at the size of the tests."""
    stage1 = {"preset": "lite", "config": {**renderer.to_dict(), "use_attention": False}}
    schedule = {"parts": ["space", "coarse"]}
    return {"row": "mine", "data": "discs", "stage1": stage1 | schedule, "stage2": {
        "preset": "lite", "config": model.to_dict(), "batch": 2}} | changes  # fmt: skip


def test_an_experiment_trains_with_its_switches(drawn_clips, tiny_config, tiny_motion_config, tmp_path, capsys):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(tiny(tiny_config, tiny_motion_config)), "utf8")
    out, given = tmp_path / "out", ["--data", str(drawn_clips), "--steps", "1", "--device", "cpu"]
    assert main(["train", "--experiment", str(file), "--out", str(out), *given]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out)
    renderer, model = load_renderer(out / "renderer.safetensors"), load_motion_model(out / "motion.safetensors")
    assert renderer.config.use_attention is False and renderer.config.use_transformer
    assert model.config == tiny_motion_config and model.motion_language == renderer.motion_language
    facts = json.loads((out / "experiment.json").read_text("utf8"))
    assert facts["row"] == "mine" and facts["stage1"]["config"]["use_attention"] is False

    other = tmp_path / "other.yaml"
    changed = tiny(tiny_config, tiny_motion_config)
    changed["stage1"]["config"]["use_attention"] = True
    other.write_text(yaml.safe_dump(changed), "utf8")
    with pytest.raises(ValueError, match="use_attention False, and .* asks for True"):
        run_experiment(read_experiment(str(other)), drawn_clips, tmp_path / "b", Plan(steps=1),
                       renderer=out / "renderer.safetensors")  # fmt: skip
    one = read_experiment(str(file))
    run_experiment(one, drawn_clips, tmp_path / "c", Plan(steps=1), renderer=out / "renderer.safetensors")
    assert (tmp_path / "c" / "motion.safetensors").exists() and not (tmp_path / "c" / "stage1").exists()


@pytest.mark.parametrize("changes, told", [
    ({"stag1": {}}, "no key 'stag1'"), ({"needs": ["time"]}, "no need 'time'"),
    ({"stage1": {"preset": "huge"}}, "no preset 'huge' of stage1"),
    ({"stage1": {"config": {"use_magic": True}}}, "config of stage1 has no 'use_magic'"),
    ({"stage2": {"speed": 3}}, "stage2 has no 'speed'"),
    ({"extends": "none"}, "extends 'none', which is no experiment"),
])  # fmt: skip
def test_what_is_wrong_in_a_file_is_told(tmp_path, changes, told):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"row": "mine"} | changes), "utf8")
    with pytest.raises(ValueError, match=told):
        read_experiment(str(file))
    file.write_text("row: [", "utf8")
    with pytest.raises(ValueError, match="is not YAML"):
        read_experiment(str(file))


def test_keys_are_added_to_those_extended():
    base = {"a": 1, "stage1": {"preset": "paper", "config": {"x": 1}}}
    assert merged(base, {"stage1": {"config": {"y": 2}}}) == {
        "a": 1, "stage1": {"preset": "paper", "config": {"x": 1, "y": 2}},
    }  # fmt: skip
