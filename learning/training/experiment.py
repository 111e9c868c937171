"""Experiments: what a row of a paper's table trains, one YAML file each in learning/experiments.

row, table     which row this is, and of what
extends        another experiment, whose keys these are added to
elsewhere      the method of other people that the row is of: nothing here trains it
needs          what the row asks for and this trainer cannot do yet (NEEDS): the experiment is refused
data           a sentence: what the row is trained on
stage1, stage2, actalker
               fields of Stage1Settings, Stage2Settings, ACTalkerSettings; `config` holds what differs from the
               preset's sizes and switches
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ...files import whole_file
from ...model_loaders.checkpoint import load_renderer, save_checkpoint
from ...networks.motion_model.config import MotionModelConfig
from ...networks.renderer.config import RendererConfig
from ..corpus.speech.augment import augment
from ..corpus.speech.music import music
from . import processes
from .loop import Plan
from .motion_model.train import Stage2Settings, averaged_motion_model, train_stage2
from .recipe import appearances, count_stills
from .renderer.train import Stage1Settings, averaged_renderer, train_stage1

FOLDER = Path(__file__).parents[1] / "experiments"
NEEDS = {"stage1-films": "a renderer taught by films and named by `fit` before stage 2, which is done by hand so far"}
STAGE1_SHARE = 2 / 3  # of the minutes, where both stages are trained
CONFIGS = {"stage1": RendererConfig, "stage2": MotionModelConfig}


@dataclass(frozen=True)
class Experiment:
    """One row; stages that it does not train are None."""

    name: str
    row: str
    table: str
    elsewhere: str = ""
    needs: tuple[str, ...] = ()
    data: str = ""
    stage1: dict[str, Any] | None = None
    stage2: dict[str, Any] | None = None
    actalker: dict[str, Any] | None = None
    file: Path = field(default=FOLDER, compare=False)

    def check(self) -> None:
        """Raise ValueError where the row cannot be trained here: one sentence that says why, and what can be."""
        if self.elsewhere:
            raise ValueError(
                f"{self.name} is the row of {self.elsewhere}, a method of others that is not trained here: make its "
                "films with its own code, and compare them."
            )
        if self.needs:
            lacks = "; ".join(NEEDS[need] for need in self.needs)
            drawn = self.name.replace("gesture", "drawn").replace("talking-head", "drawn")
            known = drawn in names() and drawn != self.name
            instead = f" The same switches learn from the drawn corpus as {drawn}." if known else ""
            raise ValueError(f"{self.name} (row '{self.row}') cannot be trained yet: it needs {lacks}.{instead}")


def names() -> list[str]:
    """All experiments."""
    return sorted(file.relative_to(FOLDER).with_suffix("").as_posix() for file in FOLDER.rglob("*.yaml"))


def read_experiment(name: str) -> Experiment:
    """An experiment by its name, or a file of one's own that ends in .yaml. ValueError tells what is wrong in it."""
    file = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if not file.is_file():
        raise ValueError(f"There is no experiment {name}; choose of {', '.join(names())}, or name a .yaml file.")
    values = _read(file)
    known = {f.name for f in fields(Experiment)} - {"name", "file"}
    if unknown := sorted(set(values) - known):
        raise ValueError(f"{file}: there is no key '{unknown[0]}'; use {', '.join(sorted(known | {'extends'}))}.")
    if unknown := [need for need in values.get("needs", ()) if need not in NEEDS]:
        raise ValueError(f"{file}: there is no need '{unknown[0]}'; use {', '.join(NEEDS)}.")
    experiment = Experiment(
        name, **{"row": "", "table": "", **values, "needs": tuple(values.get("needs", ()))}, file=file
    )
    for stage, settings in (("stage1", Stage1Settings), ("stage2", Stage2Settings)):
        _settings(experiment, stage, settings)
    return experiment


def _read(file: Path, below: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The keys of a file and of those that it extends."""
    try:
        import yaml
    except ImportError as error:
        raise ImportError("Experiments are YAML files: pip install pyyaml (the extra `train`).") from error
    try:
        values = yaml.safe_load(file.read_text("utf8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{file} must hold keys such as 'row' and 'stage1'.")
    base = values.pop("extends", None)
    if base is None:
        return values
    other = FOLDER / f"{base}.yaml"
    if not other.is_file() or other in below:
        raise ValueError(f"{file} extends '{base}', which is {'itself' if other in below else 'no experiment'}.")
    return merged(_read(other, (*below, file)), values)


def merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of both; of mappings in both, theirs."""
    both = {k: merged(base[k], more[k]) for k in base.keys() & more.keys() if isinstance(base[k], dict) and more[k]}
    return {**base, **more, **both}


def _settings(experiment: Experiment, stage: str, kind: type, **more: Any) -> Any:
    """The settings of a stage; None where it is not trained."""
    given = getattr(experiment, stage)
    if given is None:
        return None
    allowed = {f.name for f in fields(kind)}
    if unknown := sorted(set(given) - allowed):
        raise ValueError(f"{experiment.file}: {stage} has no '{unknown[0]}'; use {', '.join(sorted(allowed))}.")
    preset = given.get("preset", "lite")
    if preset not in ("lite", "paper"):
        raise ValueError(f"{experiment.file}: there is no preset '{preset}' of {stage}; use lite or paper.")
    config, changes = getattr(CONFIGS[stage], preset)(), given.get("config", {})
    if unknown := sorted(set(changes) - {f.name for f in fields(config)}):
        raise ValueError(f"{experiment.file}: the config of {stage} has no '{unknown[0]}'.")
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if name != "config"}
    return kind(**values | more, config=replace(config, **changes))


def run_experiment(
    experiment: Experiment,
    data: str | Path,
    out: str | Path,
    plan: Plan,
    *,
    renderer: str | Path | None = None,
    validation: str | Path | None = None,
    vgg: str | Path | None = None,
    workers: int = 0,
) -> Path:
    """Train an experiment's stages on `data`; returns `out`, with renderer.safetensors, motion.safetensors and
    experiment.json, which says what was trained.

    Of the plan's minutes stage 1 has two thirds; its steps are each part's. renderer: a trained one of the same
    switches, with which stage 2 begins at once. A killed run goes on. ValueError where the row cannot be trained here.
    """
    experiment.check()
    out = Path(out)
    plan = replace(plan, device=processes.join(plan.device))
    first = _settings(experiment, "stage1", Stage1Settings, validation=validation, vgg=vgg)
    second = _settings(experiment, "stage2", Stage2Settings, workers=workers)
    share = 1.0 if renderer or second is None else STAGE1_SHARE
    if processes.is_main():
        facts = {name: getattr(experiment, name) for name in ("name", "row", "table", "data", "stage1", "stage2")}
        with whole_file(out / "experiment.json") as partial:
            partial.write_text(json.dumps(facts | {"trained_on": str(data), "seed": plan.seed}, indent=1), "utf8")
    if renderer:
        _check_switches(experiment, first, renderer)
        network = load_renderer(renderer)
    else:
        run = train_stage1(data, out / "stage1", _part(plan, share), first)
        network = averaged_renderer(run)
        _write(out / "renderer.safetensors", network, "renderer", experiment)
    if second is not None:
        network = network.to(plan.device)
        looks = appearances(network, data) if count_stills(data) else None
        settings = replace(second, augment=augment, music=music, appearances=looks)
        rest = plan if renderer else _part(plan, 1 - STAGE1_SHARE)
        model = averaged_motion_model(train_stage2(data, out / "stage2", rest, settings, network))
        _write(out / "motion.safetensors", model, "motion_model", experiment)
    return out


def _part(plan: Plan, share: float) -> Plan:
    return plan if plan.minutes is None else replace(plan, minutes=share * plan.minutes)


def _write(path: Path, network, kind: str, experiment: Experiment) -> None:
    if processes.is_main():
        save_checkpoint(path, network, kind, network.config, {"experiment": experiment.name})


def _check_switches(experiment: Experiment, settings: Stage1Settings, file: str | Path) -> None:
    """A renderer for stage 2 must be that of the row."""
    config = load_renderer(file).config
    for switch in (f.name for f in fields(config) if f.name.startswith("use_")):
        if getattr(config, switch) != getattr(settings.config, switch):
            raise ValueError(
                f"{file} was trained with {switch} {getattr(config, switch)}, and {experiment.name} asks for "
                f"{getattr(settings.config, switch)}: train its own, without --renderer."
            )
