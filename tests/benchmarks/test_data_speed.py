"""Drawing pairs and asking the exact GP, beside scikit-learn and beside what LAPACK alone costs."""

import numpy as np
import pytest
from scipy.linalg.lapack import dpotrf, dtrtrs
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from attn.arrange import forecast
from attn.processes import PairProcess
from tests.benchmarks.ledger import Ratio


def sample_with_scikit_learn(process, num_pairs):
    """One pair at a time: x, a draw of f with its noise from the prior, and the two offsets."""
    rng = np.random.default_rng(0)
    model = GaussianProcessRegressor(RBF(process.length_scale) + WhiteKernel(process.noise_scale**2))
    for seed in range(num_pairs):
        x = rng.uniform(process.x_low, process.x_high, 2 * process.num_points)
        y = model.sample_y(x[:, None], random_state=seed)[:, 0]
        y += np.repeat(process.shift_scale * rng.standard_normal(2), process.num_points)


def exp_and_factor(exponents, noise_variance):
    """The least that a draw can cost: exp of every entry, the noise, and LAPACK, in memory that is reused."""
    workspace, diagonal = np.empty(exponents.shape[1:]), np.arange(exponents.shape[1])
    for exponent in exponents:
        np.exp(exponent, out=workspace)
        workspace[diagonal, diagonal] += noise_variance
        dpotrf(workspace.T, lower=True, clean=False, overwrite_a=True)


def factor_and_solve(covariances, y):
    """The least that a density can cost: LAPACK on covariances that are there already."""
    workspace = np.empty(covariances.shape[1:])
    for covariance, row in zip(covariances, y, strict=True):
        np.copyto(workspace, covariance)
        factor, _ = dpotrf(workspace.T, lower=True, clean=False, overwrite_a=True)
        dtrtrs(factor, row, lower=True)


def test_sampling_pairs(side_by_side, record, is_smallest):
    process = PairProcess(num_points=5 if is_smallest else 200)
    num_pairs, num_slow = (2, 1) if is_smallest else (64, 4)
    x = process.sample(num_pairs, np.random.default_rng(1)).x
    exponents = -0.5 * (x[:, :, None] - x[:, None, :]) ** 2
    seconds = side_by_side(
        1 if is_smallest else 15,
        attn=lambda: process.sample(num_pairs, np.random.default_rng(0)),
        floor=lambda: exp_and_factor(exponents, process.noise_scale**2),
        sklearn=lambda: sample_with_scikit_learn(process, num_slow),
    )
    per_pair = {way: taken / (num_slow if way == "sklearn" else num_pairs) for way, taken in seconds.items()}
    size = f"pairs of {process.num_points} points a series"
    record(
        Ratio(
            f"sampling {size}: scikit-learn's sample_y / attn",
            per_pair["sklearn"] / per_pair["attn"],
            10,
            "higher",
            note=f"{1e3 * per_pair['sklearn']:.3g} ms and {1e3 * per_pair['attn']:.3g} ms a pair",
        ),
        Ratio(
            f"sampling {size}: attn / floor",
            per_pair["attn"] / per_pair["floor"],
            1.5,
            "lower",
            note="floor: one float64 exp of numpy over the covariances and LAPACK's Cholesky, memory reused",
        ),
    )


@pytest.mark.parametrize("num_points", [50, 200])
def test_posterior_and_density(side_by_side, record, is_smallest, num_points):
    num_pairs = 2 if is_smallest else 512
    process, rng = PairProcess(num_points=5 if is_smallest else num_points), np.random.default_rng(0)
    batch = forecast(process.sample(num_pairs, rng), 2 if is_smallest else 13, rng)
    covariances = process.covariance(batch.x, batch.series)
    seconds = side_by_side(
        1 if is_smallest else 15 if num_points == 50 else 5,
        posterior=lambda: process.posterior(batch),
        log_density=lambda: process.log_density(batch),
        floor=lambda: factor_and_solve(covariances, batch.y),
    )
    for what in ("posterior", "log_density"):
        record(
            Ratio(
                f"{what} of {num_pairs} pairs of {process.num_points} points a series / floor",
                seconds[what] / seconds["floor"],
                2,
                "lower",
                note="floor: LAPACK's Cholesky and triangular solve on covariances that are there already",
            )
        )
