"""Pairs of sequences from a Gaussian process with a shift, and their exact posterior beside them.

    y = f(x) + shift[series](x) + noise,   x ~ U(x_low, x_high),   f ~ GP(0, kernel)

Everything is float64 and batched over pairs.  Conditional densities come from one Cholesky factor of
the covariance in the order in which the points are seen: with K = L L^T and z = L^-1 y,
`y_t | y_<t ~ N(y_t - L_tt z_t, L_tt^2)` (Rasmussen and Williams 2006, appendix A.4).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular

from attn.types import Batch, Bools, Floats, Ints, Pairs, Prediction, Rollout

# Added to the variance of every point, so that the covariance of noise-free or tied points factors:
# 1e-8 is far above the rounding of a float64 Cholesky at 400 points (about 400 * 2e-16) and changes
# the scale of a draw by at most 1e-4.
JITTER = 1e-8
# Covariance entries that are held at once while sampling: 128 MiB of float64.
_CHUNK_ENTRIES = 2**24

KERNELS: dict[str, Callable[[Floats, float, float], Floats]] = {
    # Rasmussen and Williams 2006: equations 4.9, 4.31 and 4.17 (nu = 5/2); distance, length-scale, period
    "rbf": lambda d, length, period: np.exp(-0.5 * (d / length) ** 2),
    "periodic": lambda d, length, period: np.exp(-2 * (np.sin(np.pi * d / period) / length) ** 2),
    "matern": lambda d, length, period: (
        (1 + np.sqrt(5) * d / length + 5 / 3 * (d / length) ** 2) * np.exp(-np.sqrt(5) * d / length)
    ),
}
SHIFTS = ("none", "const", "rbf")
LABELS = ("random", "rank")


@dataclass(frozen=True)
class PairProcess:
    """A distribution over pairs of sequences.

    kernel              covariance of f, variance 1: `rbf`, `periodic` or `matern` (nu = 5/2)
    length_scale        of the kernel, in units of x; `period` counts for `periodic` only
    shift               `const`: each series has an offset ~ N(0, shift_scale^2);
                        `rbf`: series 1 has a GP draw of its own added (scale and length-scale of the shift);
                        `none`: single sequences, all points in series 0
    noise_scale         standard deviation of the observation noise
    label               `random`: labels are independent of the offsets;
                        `rank`: label 1 is the lower offset, as in the original: the sign of the gap leaks
    num_points          points a series; x is uniform on [x_low, x_high]

    Raises ValueError for a field outside its range.
    """

    kernel: str = "rbf"
    length_scale: float = 1.0
    period: float = 3.0
    shift: str = "const"
    shift_scale: float = 2.0
    shift_length_scale: float = 0.4
    noise_scale: float = 0.1
    label: str = "random"
    num_points: int = 50
    x_low: float = 5.0
    x_high: float = 15.0

    def __post_init__(self) -> None:
        for field, names in (("kernel", tuple(KERNELS)), ("shift", SHIFTS), ("label", LABELS)):
            if getattr(self, field) not in names:
                raise ValueError(f"{field} must be one of {', '.join(names)}; got {getattr(self, field)!r}")
        for field in ("length_scale", "period", "shift_scale", "shift_length_scale"):
            if not (np.isfinite(getattr(self, field)) and getattr(self, field) > 0):
                raise ValueError(f"{field} must be finite and above 0; got {getattr(self, field)}")
        if not (np.isfinite(self.noise_scale) and self.noise_scale >= 0):
            raise ValueError(f"noise_scale must be finite and not negative; got {self.noise_scale}")
        if not -np.inf < self.x_low < self.x_high < np.inf:
            raise ValueError(f"x_low must be below x_high, both finite; got {self.x_low} and {self.x_high}")
        if self.num_points < 2:
            raise ValueError(f"num_points must be at least 2; got {self.num_points}")
        if self.label == "rank" and self.shift != "const":
            raise ValueError(f"label 'rank' needs the shift 'const'; got {self.shift!r}")

    @property
    def num_series(self) -> int:
        """1 for single sequences, 2 for pairs."""
        return 1 if self.shift == "none" else 2

    def sample(self, num_pairs: int, rng: np.random.Generator) -> Pairs:
        """Draw pairs: x, series, y, each [num_pairs, num_series * num_points]; series 0 comes first."""
        if num_pairs < 1:
            raise ValueError(f"num_pairs must be at least 1; got {num_pairs}")
        length = self.num_series * self.num_points
        x = rng.uniform(self.x_low, self.x_high, (num_pairs, length))
        series = np.repeat(np.arange(self.num_series), self.num_points)
        series = np.tile(series, (num_pairs, 1))
        y = rng.standard_normal((num_pairs, length))
        within_series = replace(self, shift="none", label="random") if self.shift == "const" else self
        rows = max(1, _CHUNK_ENTRIES // length**2)
        for start in range(0, num_pairs, rows):
            chunk = slice(start, start + rows)
            factor = np.linalg.cholesky(within_series.covariance(x[chunk], series[chunk]))
            y[chunk] = np.einsum("bij,bj->bi", factor, y[chunk])
        if self.shift == "const":
            y += np.take_along_axis(self._offsets(num_pairs, rng), series, axis=1)
        return Pairs(x, series, y, np.ones(x.shape, bool))

    def _offsets(self, num_pairs: int, rng: np.random.Generator) -> Floats:
        """One offset a series [num_pairs, 2]."""
        offsets = self.shift_scale * rng.standard_normal((num_pairs, 2))
        return np.sort(offsets, axis=1)[:, ::-1] if self.label == "rank" else offsets

    def covariance(self, x: Floats, series: Ints, valid: Bools | None = None) -> Floats:
        """Covariance of y, noise and jitter included: [B,L,L] float64 for x and series [B,L].

        Points that are not `valid` have variance 1 and are independent of all others.
        """
        if valid is not None:
            x = np.where(valid, x, 0.0)
        distance = np.abs(x[:, :, None] - x[:, None, :])  # [B,L,L]
        cov = KERNELS[self.kernel](distance, self.length_scale, self.period)
        same = series[:, :, None] == series[:, None, :]
        if self.shift == "const":
            cov += self.shift_scale**2 * same
        if self.shift == "rbf":
            shifted = same & (series == 1)[:, :, None]
            cov += self.shift_scale**2 * shifted * KERNELS["rbf"](distance, self.shift_length_scale, 0.0)
        diagonal = np.arange(x.shape[1])
        cov[:, diagonal, diagonal] += self.noise_scale**2 + JITTER
        if valid is not None:
            cov *= valid[:, :, None] & valid[:, None, :]
            cov[:, diagonal, diagonal] += ~valid
        return cov

    def posterior(self, batch: Batch) -> Prediction:
        """Exact N(y_t | all earlier points) at every target, noise included; NaN from an unknown y on.

        With labels by rank the sign of the gap is not used: the posterior then is that of a reader who
        does not know the rule of the labels, which a few points of each series make irrelevant.
        """
        factor, z = self._whiten(batch)
        scale = np.diagonal(factor, axis1=1, axis2=2)
        nan = np.where(batch.is_target, 0.0, np.nan)
        return Prediction(batch.y - scale * z + nan, scale + nan)

    def log_density(self, batch: Batch) -> Floats:
        """Joint log density of each row's targets given its context, in nats [B]."""
        factor, z = self._whiten(batch)
        scale = np.diagonal(factor, axis1=1, axis2=2)
        each = -0.5 * z**2 - np.log(scale) - 0.5 * np.log(2 * np.pi)
        return np.where(batch.is_target, each, 0.0).sum(axis=1)

    def forecast(self, batch: Batch) -> Prediction:
        """Exact N(y_t | the context alone) at every target: what free running should show."""
        factor, z = self._whiten(batch)
        mean = np.einsum("bij,bj->bi", factor, np.where(batch.is_target, 0.0, z))
        variance = np.einsum("bij,bj->bi", factor**2, batch.is_target.astype(float))
        nan = np.where(batch.is_target, 0.0, np.nan)
        return Prediction(mean + nan, np.sqrt(variance) + nan)

    def rollout(self, batch: Batch, num_samples: int, rng: np.random.Generator) -> Rollout:
        """Draw trajectories of the targets from the exact joint posterior, all at once."""
        factor, z = self._whiten(batch)
        noise = rng.standard_normal((num_samples, *z.shape))
        z = np.where(batch.is_target, noise, z)  # [S,B,L]
        samples = np.einsum("bij,sbj->sbi", factor, z, optimize=True)
        scale = np.diagonal(factor, axis1=1, axis2=2)
        observed = np.where(batch.valid, batch.y, np.nan)
        mean = np.where(batch.is_target, samples - scale * z, observed)
        samples = np.where(batch.is_target, samples, observed)
        scale = np.where(batch.is_target, scale, np.where(batch.valid, 0.0, np.nan))
        return Rollout(samples, mean, np.tile(scale, (num_samples, 1, 1)))

    def _whiten(self, batch: Batch) -> tuple[Floats, Floats]:
        """The Cholesky factor L [B,L,L] of the ordered covariance, and z = L^-1 y [B,L]."""
        x, y = batch.x.astype(np.float64), np.where(batch.valid, batch.y, 0.0).astype(np.float64)
        factor = np.linalg.cholesky(self.covariance(x, batch.series, batch.valid))
        return factor, solve_triangular(factor, y[..., None], lower=True, check_finite=False)[..., 0]


PRESETS: dict[str, PairProcess] = {
    "rbf": PairProcess(kernel="rbf", shift="none", noise_scale=0.0),
    "rbf_noise": PairProcess(kernel="rbf", shift="none"),
    "periodic": PairProcess(kernel="periodic", shift="none", noise_scale=0.0),
    "rbf_const_2D": PairProcess(kernel="rbf", shift="const"),
    "rbf_rbf_2D": PairProcess(kernel="rbf", shift="rbf", shift_scale=1.0),
    "periodic_const_2D": PairProcess(kernel="periodic", shift="const"),
    "matern_const_2D": PairProcess(kernel="matern", shift="const"),
}


def named_process(name: str) -> PairProcess:
    """The process of that name; the first five names are those of the original system."""
    if name not in PRESETS:
        raise ValueError(f"kernel must be one of {', '.join(PRESETS)}; got {name!r}")
    return PRESETS[name]
