"""What each printed form of the renderer costs a frame, in operations and milliseconds.

`python -m mamba_portrait.learning.evaluation.method_cost` prints the table of docs/method.md: random weights, one
thread, 256 pixels."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from ...networks.renderer.config import RendererConfig
from ...networks.renderer.model import Renderer

BATCH, ROUNDS = 4, 7
BESIDE = {"omega_channels": True, "omega_after": True}  # readings of omega_m that the preset does not take
FIRST = {"warp": {"inversion_steps": 0}}  # what a form asks for besides
GROUPS = {
    "DIT": ("deviation_norm", "own_variance", "relative_shift", "deviation_linear"),
    "LMDD": ("region_attention", "static_region", "inversion_steps", "warp"),
    "picture": ("decoder_skips", "composite", "single_slope"),
}
"""Fields that are priced together (learning/training/prices)."""


def forms(ours: RendererConfig, printed: RendererConfig) -> dict[str, RendererConfig]:
    """Ours, ours with each field in which the preset `method` differs, those of each group, and all of them."""
    own, other = asdict(ours), asdict(printed)
    changes = {name: other[name] for name in own if own[name] != other[name]} | BESIDE
    each = {f"{n} {_text(v)}": replace(ours, **FIRST.get(n, {}), **{n: v}) for n, v in changes.items()}
    groups = {f"{name} together": replace(ours, **{n: other[n] for n in names}) for name, names in GROUPS.items()}
    return {"ours": ours} | each | groups | {"all together": printed}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@torch.inference_mode()
def cost_of(configs: dict[str, RendererConfig]) -> dict[str, tuple[float, float]]:
    """GFLOPs and least milliseconds of the processor a frame, at each config's own size; all take turns, so that what
    else the machine does slows all of them alike."""
    given, costs = {}, {name: [] for name in configs}
    for name, config in configs.items():
        renderer = Renderer(config).eval()
        source = renderer.encode_source(torch.rand(1, 3, config.image_size, config.image_size))
        motion = source.motion + torch.randn(BATCH, config.motion_dim)
        given[name] = renderer, source, renderer.extract_appearance(source), motion
    for _ in range(ROUNDS):
        for name, (renderer, *rest) in given.items():
            start = time.process_time()
            renderer.decode(*rest)
            costs[name].append((time.process_time() - start) / BATCH * 1000)
    operations = {}
    for name, (renderer, source, appearance, motion) in given.items():
        with FlopCounterMode(display=False) as counter:
            renderer.decode(source, appearance, motion[:1])
        operations[name] = counter.get_total_flops() / 1e9
    return {name: (operations[name], min(costs[name])) for name in configs}


def cost_table(costs: dict[str, tuple[float, float]]) -> str:
    """Markdown."""
    lines = ["| form | GFLOPs a frame | ms |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {flops:.2f} | {ms:.0f} |" for name, (flops, ms) in costs.items())])


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(cost_table(cost_of(forms(RendererConfig.lite(), RendererConfig.method()))))
