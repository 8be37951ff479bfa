"""Pairs of sequences from a Gaussian process with a shift, and their exact posterior beside them.

    y = f(x) + shift[series](x) + noise,   x ~ U(x_low, x_high),   f ~ GP(0, kernel)

Everything is float64 and batched over pairs.  Conditional densities come from one Cholesky factor of
the covariance in the order in which the points are seen: with K = L L^T and z = L^-1 y,
`y_t | y_<t ~ N(y_t - L_tt z_t, L_tt^2)` (Rasmussen and Williams 2006, appendix A.4).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg.blas import dtrmm, dtrmv, dtrsv

from attn.cholesky import cholesky_factors
from attn.kernels import KERNELS, Term, upper_triangles
from attn.types import Batch, Bools, Floats, Ints, Pairs, Prediction, Rollout

# Added to the variance of every point, so that the covariance of noise-free or tied points factors:
# 1e-8 is far above the rounding of a float64 Cholesky at 400 points (about 400 * 2e-16) and changes
# the scale of a draw by at most 1e-4.
JITTER = 1e-8
SHIFTS = ("none", "const", "rbf", "const_rbf")
LABELS = ("random", "rank")


@dataclass(frozen=True)
class PairProcess:
    """A distribution over pairs of sequences.

    kernel              covariance of f, variance 1: `rbf`, `periodic` or `matern` (nu = 5/2)
    length_scale        of the kernel, in units of x; `period` counts for `periodic` only
    shift               `const`: each series has an offset ~ N(0, shift_scale^2);
                        `rbf`: series 1 has a GP draw of its own added (scale and length-scale of the shift);
                        `const_rbf`: both, with offsets ~ N(0, offset_scale^2);
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
    offset_scale: float = 2.0

    def __post_init__(self) -> None:
        for field, names in (("kernel", KERNELS), ("shift", SHIFTS), ("label", LABELS)):
            if getattr(self, field) not in names:
                raise ValueError(f"{field} must be one of {', '.join(names)}; got {getattr(self, field)!r}")
        for field in ("length_scale", "period", "shift_scale", "shift_length_scale", "offset_scale"):
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
        return self.sample_watched(num_pairs, rng, lambda: None)

    def sample_watched(self, num_pairs: int, rng: np.random.Generator, on_pair: Callable[[], None]) -> Pairs:
        """The same as `sample`; `on_pair` is called after each pair, for progress bars."""
        return self._sample(num_pairs, rng, slice(None), on_pair)

    def sample_rows(self, num_pairs: int, rng: np.random.Generator, rows: slice) -> Pairs:
        """Those rows of `sample`, the same bits; of the others only the random numbers are drawn."""
        return self._sample(num_pairs, rng, rows, lambda: None)

    def _sample(
        self, num_pairs: int, rng: np.random.Generator, rows: slice, on_pair: Callable[[], None]
    ) -> Pairs:
        if num_pairs < 1:
            raise ValueError(f"num_pairs must be at least 1; got {num_pairs}")
        length = self.num_series * self.num_points
        x = rng.uniform(self.x_low, self.x_high, (num_pairs, length))[rows]
        y = rng.standard_normal((num_pairs, length))[rows]
        series = np.repeat(np.arange(self.num_series), self.num_points)
        series = np.tile(series, (len(x), 1))
        for row, factor in enumerate(self._without_offsets()._factors(x, series)):
            y[row] = dtrmv(factor, y[row], lower=True)
            on_pair()
        if self._scale_of_offsets > 0:
            y += np.take_along_axis(self._offsets(num_pairs, rng)[rows], series, axis=1)
        return Pairs(x, series, y, np.ones(x.shape, bool))

    @property
    def _scale_of_offsets(self) -> float:
        return {"const": self.shift_scale, "const_rbf": self.offset_scale}.get(self.shift, 0.0)

    def _without_offsets(self) -> "PairProcess":
        """The process of what varies within a series: offsets are added to a draw afterwards."""
        shift = {"const": "none", "const_rbf": "rbf"}.get(self.shift, self.shift)
        return replace(self, shift=shift, label="random")

    def _offsets(self, num_pairs: int, rng: np.random.Generator) -> Floats:
        """One offset a series [num_pairs, 2]."""
        offsets = self._scale_of_offsets * rng.standard_normal((num_pairs, 2))
        return np.sort(offsets, axis=1)[:, ::-1] if self.label == "rank" else offsets

    def covariance(self, x: Floats, series: Ints, valid: Bools | None = None) -> Floats:
        """Covariance of y, noise and jitter included: [B,L,L] float64 for x and series [B,L].

        Points that are not `valid` have variance 1 and are independent of all others.
        """
        num_pairs, length = x.shape
        cov = np.empty((num_pairs, length, length))
        write_upper = self._upper_triangles(x, series, valid)
        for row in range(num_pairs):
            write_upper(row, cov[row])
        return np.where(np.tri(length, dtype=bool), cov.mT, cov)

    def _factors(self, x: Floats, series: Ints, valid: Bools | None = None) -> Iterator[Floats]:
        """The Cholesky factor [L,L] of each row's covariance, one at a time: see `cholesky_factors`."""
        num_pairs, length = x.shape
        return cholesky_factors(num_pairs, length, self._upper_triangles(x, series, valid))

    def _upper_triangles(self, x: Floats, series: Ints, valid: Bools | None) -> Callable[[int, Floats], None]:
        """The covariance, one row at a time: see `attn.kernels.upper_triangles`."""
        known = np.ones(x.shape) if valid is None else valid.astype(np.float64)
        terms = [Term(self.kernel, known, self.length_scale, self.period)]
        if self._scale_of_offsets > 0:
            terms += [Term("constant", self._scale_of_offsets * known * (series == one)) for one in (0, 1)]
        if self.shift in ("rbf", "const_rbf"):
            terms.append(Term("rbf", self.shift_scale * known * (series == 1), self.shift_length_scale))
        noise = np.where(known > 0, self.noise_scale**2 + JITTER, 1.0)
        return upper_triangles(terms, np.where(known > 0, x, 0.0), noise)

    def posterior(self, batch: Batch) -> Prediction:
        """Exact N(y_t | all earlier points) at every target, noise included; NaN from an unknown y on.

        With labels by rank the sign of the gap is not used: the posterior then is that of a reader who
        does not know the rule of the labels, which a few points of each series make irrelevant.
        """
        scale, z = self._scale_and_residual(batch)
        nan = np.where(batch.is_target, 0.0, np.nan)
        return Prediction(batch.y - scale * z + nan, scale + nan)

    def log_density(self, batch: Batch) -> Floats:
        """Joint log density of each row's targets given its context, in nats [B]."""
        return np.where(batch.is_target, self._log_densities(batch), 0.0).sum(axis=1)

    def log_marginal(self, pairs: Pairs) -> Floats:
        """Joint log density of all points of each pair, in nats [B]."""
        return np.where(pairs.valid, self._log_densities(pairs), 0.0).sum(axis=1)

    def forecast(self, batch: Batch) -> Prediction:
        """Exact N(y_t | the context alone) at every target: what free running should show."""
        mean, scale = np.full((2, *batch.x.shape), np.nan)
        for row, factor, z in self._whitened(batch):
            asked = batch.is_target[row]
            mean[row, asked] = dtrmv(factor, np.where(asked, 0.0, z), lower=True)[asked]
            scale[row, asked] = np.sqrt(np.tril(factor) ** 2 @ asked)[asked]
        return Prediction(mean, scale)

    def rollout(self, batch: Batch, num_samples: int, rng: np.random.Generator) -> Rollout:
        """Draw trajectories of the targets from the exact joint posterior, all at once."""
        noise = rng.standard_normal((num_samples, *batch.x.shape))
        observed = np.where(batch.valid, batch.y, np.nan).astype(np.float64)
        samples = np.tile(observed, (num_samples, 1, 1))
        mean, scale = samples.copy(), np.where(batch.valid, 0.0, np.nan)
        for row, factor, z in self._whitened(batch):
            asked = batch.is_target[row]
            z = np.where(asked, noise[:, row], z)  # [S,L]
            drawn = dtrmm(1.0, factor, z.T, lower=True).T
            samples[:, row, asked] = drawn[:, asked]
            scale[row, asked] = np.diagonal(factor)[asked]
            mean[:, row, asked] = (drawn - np.diagonal(factor) * z)[:, asked]
        return Rollout(samples, mean, np.tile(scale, (num_samples, 1, 1)))

    def _log_densities(self, points: Pairs | Batch) -> Floats:
        """The log density of every y given all before it [B,L], in nats."""
        scale, z = self._scale_and_residual(points)
        return -0.5 * z**2 - np.log(scale) - 0.5 * np.log(2 * np.pi)

    def _scale_and_residual(self, batch: Pairs | Batch) -> tuple[Floats, Floats]:
        """The standard deviation of every y given all before it, and how many of them it is off the mean."""
        scale, residual = np.empty((2, *batch.x.shape))
        for row, factor, z in self._whitened(batch):
            scale[row], residual[row] = np.diagonal(factor), z
        return scale, residual

    def _whitened(self, batch: Pairs | Batch) -> Iterator[tuple[int, Floats, Floats]]:
        """Each row's number, the Cholesky factor L of the ordered covariance [L,L], and z = L^-1 y [L]."""
        y = np.where(batch.valid, batch.y, 0.0).astype(np.float64)
        valid = None if batch.valid.all() else batch.valid
        factors = self._factors(batch.x.astype(np.float64), batch.series, valid)
        for row, factor in enumerate(factors):
            yield row, factor, dtrsv(factor, y[row], lower=True)


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
