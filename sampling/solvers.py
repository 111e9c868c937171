"""From noise to motion: DDPM, DDIM and DPM-Solver++(2M), all on estimates of x0."""

import math
from collections.abc import Callable

from torch import Tensor

from .schedule import NoiseSchedule
from .settings import SamplingSettings


def solve(
    estimate: Callable[[Tensor, int], Tensor],
    noise: Tensor,
    schedule: NoiseSchedule,
    steps: int = SamplingSettings.steps,
    solver: str = SamplingSettings.solver,
    eta: float = SamplingSettings.eta,
    fresh_noise: Callable[[int], Tensor] | None = None,
    after_step: Callable[[], None] | None = None,
) -> Tensor:
    """Integrate from `noise` at the noisiest level to a clean sample.

    estimate(x, t) gives x0 for integer t; fresh_noise(i) the noise that step i adds, needed by "ddpm" (every ancestral
    posterior; exact over all timesteps) and by "ddim" with eta > 0; after_step is called once a step and may raise.
    Raises ValueError for an unknown solver.
    """
    SamplingSettings.check("solver", solver)
    times = schedule.steps(steps)
    levels = [*(schedule.levels[t] for t in times), 1.0]
    eta = 1.0 if solver == "ddpm" else eta
    x, previous = noise, None
    for i, t in enumerate(times):
        x0 = estimate(x, t)
        level, next_level = levels[i], levels[i + 1]
        if next_level == 1.0:
            x = x0
        elif solver == "dpmpp_2m":
            x = _dpmpp_2m(x, x0, previous, levels[i - 1] if i else None, level, next_level)
        else:
            x = _ddim(x, x0, level, next_level, eta, fresh_noise(i) if eta else None)
        previous = x0
        if after_step is not None:
            after_step()
    return x


def _ddim(x: Tensor, x0: Tensor, level: float, next_level: float, eta: float, fresh: Tensor | None) -> Tensor:
    """Song et al. 2021, equation 12; eta = 1 is the DDPM posterior. Levels are alpha_bar, here and below."""
    eps = (x - level**0.5 * x0) / (1 - level) ** 0.5
    sigma = eta * ((1 - next_level) / (1 - level) * (1 - level / next_level)) ** 0.5
    x = next_level**0.5 * x0 + max(1 - next_level - sigma**2, 0.0) ** 0.5 * eps
    return x if fresh is None else x + sigma * fresh


def _dpmpp_2m(
    x: Tensor, x0: Tensor, previous_x0: Tensor | None, previous_level: float | None, level: float, next_level: float
) -> Tensor:
    """Lu et al. 2022, algorithm 2: second order in the half log signal-to-noise ratio, from two estimates of x0."""

    def half_log_snr(alpha_bar: float) -> float:
        return 0.5 * math.log(alpha_bar / (1 - alpha_bar))

    h = half_log_snr(next_level) - half_log_snr(level)
    if h == 0:  # levels at the schedule's floor are equal, and with many steps several are there
        return x
    if previous_x0 is not None and level != previous_level:
        ratio = (half_log_snr(level) - half_log_snr(previous_level)) / h
        x0 = (1 + 1 / (2 * ratio)) * x0 - 1 / (2 * ratio) * previous_x0
    sigma_ratio = ((1 - next_level) / (1 - level)) ** 0.5
    return sigma_ratio * x - next_level**0.5 * math.expm1(-h) * x0
