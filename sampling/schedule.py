"""The noise schedule of stage 2 and the conversions between eps, v and x0."""

import math

import torch
from torch import Tensor


class NoiseSchedule:
    """Cosine schedule (Nichol & Dhariwal 2021) of `timesteps` levels: x_t = sqrt(ab_t) x0 + sqrt(1 - ab_t) eps.

    ab is at least `alpha_bar_min`: x0 cannot be computed from predicted noise at zero signal. A `snr_shift` s > 1
    divides every signal-to-noise ratio by s^2 (Hoogeboom et al. 2023), for data with redundant dimensions.
    """

    def __init__(self, timesteps: int = 1000, snr_shift: float = 1.0, alpha_bar_min: float = 1e-4):
        angle = (torch.arange(1, timesteps + 1, dtype=torch.float64) / timesteps + 0.008) / 1.008 * math.pi / 2
        alpha_bar = torch.cos(angle).square() / math.cos(0.008 / 1.008 * math.pi / 2) ** 2
        alpha_bar = alpha_bar / (alpha_bar + (1 - alpha_bar) * snr_shift**2)
        self.timesteps = timesteps
        self.alpha_bar = alpha_bar.clamp(min=alpha_bar_min)
        self.levels = self.alpha_bar.tolist()  # the same as numbers, for the solvers

    def scales(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """sqrt(ab_t) and sqrt(1 - ab_t) for t (B,), shaped to multiply `like` (B, ...)."""
        # rounded on the CPU: some devices (MPS) have no float64
        tables = (table.sqrt().to(like.dtype).to(t.device) for table in (self.alpha_bar, 1 - self.alpha_bar))
        return tuple(table[t].reshape(-1, *[1] * (like.dim() - 1)) for table in tables)

    def add_noise(self, x0: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """x_t for t (B,)."""
        signal, noise = self.scales(t, x0)
        return signal * x0 + noise * eps

    def target(self, x0: Tensor, eps: Tensor, t: Tensor, prediction: str) -> Tensor:
        """The training target: "eps", "x0" or "v" = sqrt(ab) eps - sqrt(1 - ab) x0."""
        if prediction == "v":
            signal, noise = self.scales(t, x0)
            return signal * eps - noise * x0
        return {"eps": eps, "x0": x0}[prediction]

    def to_x0(self, predicted: Tensor, noisy: Tensor, t: Tensor, prediction: str) -> Tensor:
        """x0 from a prediction."""
        signal, noise = self.scales(t, noisy)
        if prediction == "eps":
            return (noisy - noise * predicted) / signal
        return {"x0": predicted, "v": signal * noisy - noise * predicted}[prediction]

    def steps(self, count: int) -> list[int]:
        """`count` levels from the noisiest to the cleanest, evenly spread. Raises ValueError outside 1..timesteps."""
        if not 1 <= count <= self.timesteps:
            raise ValueError(f"steps must be a whole number from 1 to {self.timesteps}, not {count!r}.")
        return [self.timesteps - 1 - (self.timesteps * i) // count for i in range(count)]
