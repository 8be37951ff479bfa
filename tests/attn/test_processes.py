import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, ExpSineSquared, Kernel, Matern

from attn.arrange import forecast
from attn.processes import JITTER, PRESETS, PairProcess, named_process
from attn.types import Batch

SHIFTS = ["none", "const", "rbf", "const_rbf"]
KERNELS = ["rbf", "periodic", "matern"]
every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_shift = pytest.mark.parametrize("shift", SHIFTS)


class OfX(Kernel):
    """A scikit-learn kernel on the first column of (x, series)."""

    def __init__(self, kernel):
        self.kernel = kernel

    def __call__(self, X, Y=None, eval_gradient=False):  # noqa: N803
        return self.kernel(X[:, :1], None if Y is None else Y[:, :1])

    def diag(self, X):  # noqa: N803
        return self.kernel.diag(X[:, :1])

    def is_stationary(self):
        return False


class SameSeries(Kernel):
    """1 where both points are of the same series, and, if `only` is given, of that one."""

    def __init__(self, only=None):
        self.only = only

    def __call__(self, X, Y=None, eval_gradient=False):  # noqa: N803
        Y = X if Y is None else Y  # noqa: N806
        return np.array([[float(a == b and self.only in (None, a)) for b in Y[:, 1]] for a in X[:, 1]])

    def diag(self, X):  # noqa: N803
        return np.array([float(self.only in (None, a)) for a in X[:, 1]])

    def is_stationary(self):
        return False


def sklearn_kernel(process):
    latent = {
        "rbf": RBF(process.length_scale),
        "periodic": ExpSineSquared(process.length_scale, process.period),
        "matern": Matern(process.length_scale, nu=2.5),
    }[process.kernel]
    variance = ConstantKernel(process.shift_scale**2)
    draw = variance * OfX(RBF(process.shift_length_scale)) * SameSeries(only=1)
    shift = {
        "none": ConstantKernel(1e-300),
        "const": variance * SameSeries(),
        "rbf": draw,
        "const_rbf": draw + ConstantKernel(process.offset_scale**2) * SameSeries(),
    }[process.shift]
    return OfX(latent) + shift


def regressor(process):
    return GaussianProcessRegressor(
        sklearn_kernel(process), alpha=process.noise_scale**2 + JITTER, optimizer=None
    )


def joint(process, batch, row):
    """scikit-learn's joint density of the targets of a row given its context: mean and covariance of y."""
    inputs = np.stack([batch.x[row], batch.series[row]], axis=1)
    seen, asked = batch.is_context[row], batch.is_target[row]
    model = regressor(process).fit(inputs[seen], batch.y[row, seen])
    mean, covariance = model.predict(inputs[asked], return_cov=True)
    return mean, covariance + (process.noise_scale**2 + JITTER) * np.eye(len(mean))


def make(kernel="rbf", shift="const", num_points=8, **changes):
    return PairProcess(kernel=kernel, shift=shift, num_points=num_points, **changes)


def arranged(process, num_pairs=3, num_context=3, seed=0):
    rng = np.random.default_rng(seed)
    return forecast(process.sample(num_pairs, rng), num_context, rng)


def padded(batch, num_extra, rng):
    """The same rows with nonsense in `num_extra` columns of padding, some of them inside the context."""
    length = batch.num_points + num_extra
    where = np.sort(rng.permutation(length)[: batch.num_points])
    valid = np.zeros((batch.num_pairs, length), bool)
    valid[:, where] = True
    fill = {"x": np.nan, "y": np.nan, "series": 7}
    arrays = {name: np.full(valid.shape, value) for name, value in fill.items()}
    for name, array in arrays.items():
        array[:, where] = getattr(batch, name)
    last_seen = where[batch.num_context - 1]
    return Batch(**arrays, valid=valid, num_context=last_seen + 1), where


class TestAgainstScikitLearn:
    @every_kernel
    @every_shift
    def test_covariance(self, kernel, shift):
        process = make(kernel, shift, length_scale=0.7, period=2.3, shift_scale=1.3)
        pairs = process.sample(2, np.random.default_rng(1))
        for row in range(2):
            inputs = np.stack([pairs.x[row], pairs.series[row]], axis=1)
            expected = sklearn_kernel(process)(inputs) + (process.noise_scale**2 + JITTER) * np.eye(
                len(inputs)
            )
            np.testing.assert_allclose(
                process.covariance(pairs.x, pairs.series)[row], expected, rtol=0, atol=1e-12
            )

    @every_kernel
    @every_shift
    def test_posterior_of_every_target_given_all_before_it(self, kernel, shift):
        process = make(kernel, shift)
        batch = arranged(process)
        prediction = process.posterior(batch)
        for row in range(batch.num_pairs):
            inputs = np.stack([batch.x[row], batch.series[row]], axis=1)
            for t in np.flatnonzero(batch.is_target[row]):
                model = regressor(process).fit(inputs[:t], batch.y[row, :t])
                mean, scale = model.predict(inputs[t : t + 1], return_std=True)
                assert prediction.mean[row, t] == pytest.approx(mean[0], abs=1e-8)
                noisy = math.sqrt(scale[0] ** 2 + process.noise_scale**2 + JITTER)
                assert prediction.scale[row, t] == pytest.approx(noisy, abs=1e-8)

    @every_kernel
    @every_shift
    def test_forecast_and_joint_log_density(self, kernel, shift):
        process = make(kernel, shift)
        batch = arranged(process)
        prediction, log_density = process.forecast(batch), process.log_density(batch)
        for row in range(batch.num_pairs):
            mean, covariance = joint(process, batch, row)
            asked = batch.is_target[row]
            np.testing.assert_allclose(prediction.mean[row, asked], mean, rtol=0, atol=1e-8)
            np.testing.assert_allclose(
                prediction.scale[row, asked] ** 2, np.diag(covariance), rtol=0, atol=1e-8
            )
            expected = multivariate_normal.logpdf(batch.y[row, asked], mean, covariance)
            assert log_density[row] == pytest.approx(expected, abs=1e-8)

    def test_rollout_has_the_joint_density_of_the_targets(self):
        process, num_samples = make(num_points=5), 40_000
        batch = arranged(process, num_pairs=2)
        rollout = process.rollout(batch, num_samples, np.random.default_rng(2))
        for row in range(2):
            mean, covariance = joint(process, batch, row)
            samples = rollout.samples[:, row, batch.is_target[row]]
            variance = np.diag(covariance)
            # 6 standard errors: those of a mean, and of an entry of a sample covariance (Isserlis).
            assert np.all(np.abs(samples.mean(axis=0) - mean) < 6 * np.sqrt(variance / num_samples))
            error = np.sqrt((covariance**2 + np.outer(variance, variance)) / num_samples)
            assert np.all(np.abs(np.cov(samples.T) - covariance) < 6 * error)


class TestPosterior:
    @every_shift
    def test_joint_log_density_is_the_sum_of_the_conditionals(self, shift):
        process = make(shift=shift)
        batch = arranged(process)
        prediction = process.posterior(batch)
        z = (batch.y - prediction.mean) / prediction.scale
        each = -0.5 * z**2 - np.log(prediction.scale) - 0.5 * np.log(2 * np.pi)
        np.testing.assert_allclose(process.log_density(batch), np.nansum(each, axis=1), rtol=1e-12)

    def test_nothing_is_said_where_nothing_is_asked(self):
        batch = arranged(make())
        for prediction in (make().posterior(batch), make().forecast(batch)):
            np.testing.assert_array_equal(np.isfinite(prediction.mean), batch.is_target)
            np.testing.assert_array_equal(np.isfinite(prediction.scale), batch.is_target)

    @every_kernel
    @every_shift
    def test_padding_changes_nothing(self, kernel, shift):
        process, rng = make(kernel, shift), np.random.default_rng(3)
        batch = arranged(process)
        with_padding, where = padded(batch, 5, rng)
        np.testing.assert_allclose(
            process.log_density(with_padding), process.log_density(batch), rtol=0, atol=1e-9
        )
        for method in (process.posterior, process.forecast):
            plain, ragged = method(batch), method(with_padding)
            np.testing.assert_allclose(ragged.mean[:, where], plain.mean, rtol=0, atol=1e-9)
            np.testing.assert_allclose(ragged.scale[:, where], plain.scale, rtol=0, atol=1e-9)
            assert np.isnan(np.delete(ragged.mean, where, axis=1)).all()

    def test_forecast_and_rollout_do_not_read_the_future(self):
        process, batch = make(), arranged(make())
        unknown = replace(batch, y=np.where(batch.is_target, np.nan, batch.y))
        np.testing.assert_array_equal(process.forecast(unknown).mean, process.forecast(batch).mean)
        draws = [process.rollout(b, 2, np.random.default_rng(0)).samples for b in (unknown, batch)]
        np.testing.assert_array_equal(*draws)

    def test_posterior_is_known_up_to_the_first_unknown_y(self):
        process, batch = make(), arranged(make())
        y = batch.y.copy()
        y[:, 13:] = np.nan
        known, unknown = process.posterior(batch).mean, process.posterior(replace(batch, y=y)).mean
        np.testing.assert_array_equal(unknown[:, :13], known[:, :13])
        assert np.isnan(unknown[:, 13:]).all()

    def test_two_points_by_hand(self):
        process = make("rbf", "const", noise_scale=0.5, shift_scale=2.0)
        batch = Batch(
            np.array([[6.0, 7.0]]),
            np.array([[0, 1]]),
            np.array([[3.0, 0.0]]),
            np.ones((1, 2), bool),
            np.array([1]),
        )
        variance, covariance = 1 + 4 + 0.25 + JITTER, math.exp(-0.5)
        prediction = process.posterior(batch)
        assert prediction.mean[0, 1] == pytest.approx(3 * covariance / variance)
        assert prediction.scale[0, 1] ** 2 == pytest.approx(variance - covariance**2 / variance)


class TestRollout:
    def test_context_is_repeated_and_padding_is_nan(self):
        process = make()
        batch, _ = padded(arranged(process), 4, np.random.default_rng(0))
        rollout = process.rollout(batch, 3, np.random.default_rng(1))
        for values in (rollout.samples, rollout.mean):
            np.testing.assert_array_equal(
                values[:, batch.is_context], np.tile(batch.y[batch.is_context], (3, 1))
            )
            assert np.isnan(values[:, ~batch.valid]).all()
        assert (rollout.scale[:, batch.is_context] == 0).all()
        assert np.isnan(rollout.scale[:, ~batch.valid]).all()

    def test_mean_and_scale_are_the_posterior_given_the_trajectory_itself(self):
        process = make()
        batch = arranged(process)
        rollout = process.rollout(batch, 2, np.random.default_rng(0))
        asked = batch.is_target
        for sample in range(2):
            told = process.posterior(replace(batch, y=rollout.samples[sample]))
            np.testing.assert_allclose(rollout.mean[sample][asked], told.mean[asked], rtol=0, atol=1e-9)
            np.testing.assert_allclose(rollout.scale[sample][asked], told.scale[asked], rtol=0, atol=1e-12)


class TestSample:
    @every_shift
    def test_series_0_comes_first_and_all_is_valid(self, shift):
        pairs = make(shift=shift).sample(4, np.random.default_rng(0))
        expected = [0] * 8 if shift == "none" else [0] * 8 + [1] * 8
        assert pairs.series.tolist() == [expected] * 4
        assert pairs.valid.all()

    @every_kernel
    @every_shift
    def test_draws_have_the_stated_covariance(self, kernel, shift):
        process, num_pairs = make(kernel, shift, num_points=4), 20_000
        pairs = process.sample(num_pairs, np.random.default_rng(4))
        factor = np.linalg.cholesky(process.covariance(pairs.x, pairs.series))
        z = np.linalg.solve(factor, pairs.y[..., None])[..., 0]  # standard normal, if y is what it should be
        length = z.shape[1]
        # 6 standard errors: 1/n for a mean and off the diagonal, 2/n for a variance.
        assert np.abs(z.mean(axis=0)).max() < 6 / math.sqrt(num_pairs)
        bound = 6 * np.sqrt((1 + np.eye(length)) / num_pairs)
        assert np.all(np.abs(z.T @ z / num_pairs - np.eye(length)) < bound)

    def test_x_is_uniform(self):
        x = make(x_low=-2.0, x_high=4.0).sample(5000, np.random.default_rng(0)).x
        assert x.min() >= -2
        assert x.max() < 4
        share = np.histogram(x, 6, (-2, 4))[0] / x.size
        assert np.abs(share - 1 / 6).max() < 6 * math.sqrt(5 / 36 / x.size)

    def test_rows_are_uncorrelated(self):
        pairs = make(num_points=100, shift="none").sample(30, np.random.default_rng(5))
        factor = np.linalg.cholesky(make(shift="none").covariance(pairs.x, pairs.series))
        z = np.linalg.solve(factor, pairs.y[..., None])[..., 0]
        between = (z @ z.T / 100)[~np.eye(30, dtype=bool)]
        assert np.abs(between).max() < 6 / math.sqrt(100)
        assert np.abs(np.corrcoef(pairs.x)[~np.eye(30, dtype=bool)]).max() < 6 / math.sqrt(100)

    def test_offsets_of_a_pair_are_uncorrelated(self):
        pairs = make(shift_scale=100.0).sample(5000, np.random.default_rng(0))
        level = np.stack([pairs.y[:, :8].mean(axis=1), pairs.y[:, 8:].mean(axis=1)])
        assert abs(np.corrcoef(level)[0, 1]) < 6 / math.sqrt(5000)
        assert level.std(axis=1) == pytest.approx([100, 100], rel=6 / math.sqrt(2 * 5000))

    @pytest.mark.parametrize("name", list(PRESETS))
    def test_seeds(self, name):
        process = replace(named_process(name), num_points=5)
        first, again, other = (process.sample(3, np.random.default_rng(seed)) for seed in (7, 7, 8))
        for field in ("x", "series", "y", "valid"):
            np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
        assert not np.isclose(first.x, other.x).any()
        assert not np.isclose(first.y, other.y).any()

    @pytest.mark.parametrize("changes", [*({"shift": shift} for shift in SHIFTS), {"label": "rank"}])
    def test_rows_of_a_draw(self, changes):
        process = PairProcess(num_points=6, **changes)
        whole = process.sample(5, np.random.default_rng(3))
        for rows in (slice(0, 2), slice(2, 5)):
            some = process.sample_rows(5, np.random.default_rng(3), rows)
            for name in ("x", "series", "y", "valid"):
                np.testing.assert_array_equal(getattr(some, name), getattr(whole, name)[rows])

    def test_draws_are_the_cholesky_factor_times_the_normal_numbers(self):
        process, rng = make(shift="rbf", num_points=30), np.random.default_rng(0)
        pairs = process.sample(7, np.random.default_rng(0))
        np.testing.assert_array_equal(rng.uniform(5, 15, (7, 60)), pairs.x)
        factor = np.linalg.cholesky(process.covariance(pairs.x, pairs.series))
        expected = np.einsum("bij,bj->bi", factor, rng.standard_normal((7, 60)))
        np.testing.assert_allclose(pairs.y, expected, rtol=0, atol=1e-12)

    @pytest.mark.parametrize("label", ["rank", "random"])
    def test_gap_of_the_offsets(self, label):
        process = make(label=label, noise_scale=0.0, shift_scale=1e3, num_points=2)
        pairs = process.sample(5000, np.random.default_rng(0))
        gap = np.abs(pairs.y[:, 0] - pairs.y[:, 2]) / 1e3
        # |N(0, 2)|: mean 2 / sqrt(pi), variance 2 - 4 / pi.
        assert abs(gap.mean() - 2 / math.sqrt(math.pi)) < 6 * math.sqrt((2 - 4 / math.pi) / 5000)

    def test_one_pair(self):
        assert make().sample(1, np.random.default_rng(0)).x.shape == (1, 16)

    @pytest.mark.parametrize(("label", "low", "high"), [("rank", 1.0, 1.0), ("random", 0.47, 0.53)])
    def test_labels(self, label, low, high):
        # 0.03 is 4 standard errors of a share of one half in 5000 pairs.
        process = make(label=label, noise_scale=0.0, shift_scale=1e3, length_scale=1e-6, num_points=2)
        pairs = process.sample(5000, np.random.default_rng(0))
        share = np.mean(pairs.y[:, :2].mean(axis=1) > pairs.y[:, 2:].mean(axis=1))
        # Gaps below 5 cannot be told from f here; they are 0.3 % of N(0, 2 * 1000^2).
        assert low - 0.003 <= share <= high

    @every_kernel
    @every_shift
    def test_noise_free_processes_factor(self, kernel, shift):
        process = make(kernel, shift, num_points=200, noise_scale=0.0)
        pairs = process.sample(2, np.random.default_rng(0))
        tied = np.round(pairs.x, 1)
        assert math.sqrt(JITTER) <= 1e-4  # it must not be seen in a draw
        assert np.isfinite(np.linalg.cholesky(process.covariance(tied, pairs.series))).all()
        assert np.isfinite(pairs.y).all()


class TestNames:
    @pytest.mark.parametrize(
        ("name", "kernel", "shift", "noise_scale"),
        [
            ("rbf", "rbf", "none", 0.0),
            ("rbf_noise", "rbf", "none", 0.1),
            ("periodic", "periodic", "none", 0.0),
            ("rbf_const_2D", "rbf", "const", 0.1),
            ("rbf_rbf_2D", "rbf", "rbf", 0.1),
        ],
    )
    def test_names_of_the_original(self, name, kernel, shift, noise_scale):
        process = named_process(name)
        assert (process.kernel, process.shift, process.noise_scale) == (kernel, shift, noise_scale)
        assert (process.length_scale, process.period) == (1.0, 3.0)
        assert (process.x_low, process.x_high) == (5.0, 15.0)
        assert process.shift_length_scale == 0.4
        assert process.shift_scale == (1.0 if name == "rbf_rbf_2D" else 2.0)

    def test_unknown_name(self):
        with pytest.raises(ValueError, match=r"^kernel must be one of rbf, .*; got 'rfb'$"):
            named_process("rfb")


class TestRules:
    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"kernel": "cosine"}, "kernel must be one of rbf, periodic, matern; got 'cosine'"),
            ({"shift": "linear"}, "shift must be one of none, const, rbf, const_rbf; got 'linear'"),
            ({"label": "name"}, "label must be one of random, rank; got 'name'"),
            ({"length_scale": 0.0}, "length_scale must be finite and above 0; got 0.0"),
            ({"period": -1.0}, "period must be finite and above 0; got -1.0"),
            ({"shift_scale": np.inf}, "shift_scale must be finite and above 0; got inf"),
            ({"shift_length_scale": np.nan}, "shift_length_scale must be finite and above 0; got nan"),
            ({"noise_scale": -0.1}, "noise_scale must be finite and not negative; got -0.1"),
            ({"noise_scale": np.nan}, "noise_scale must be finite and not negative; got nan"),
            ({"x_low": 15.0}, "x_low must be below x_high, both finite; got 15.0 and 15.0"),
            ({"x_low": -np.inf}, "x_low must be below x_high, both finite; got -inf and 15.0"),
            ({"x_high": np.inf}, "x_low must be below x_high, both finite; got 5.0 and inf"),
            ({"num_points": 1}, "num_points must be at least 2; got 1"),
            ({"label": "rank", "shift": "rbf"}, "label 'rank' needs the shift 'const'; got 'rbf'"),
        ],
    )
    def test_fields(self, changes, sentence):
        with pytest.raises(ValueError, match="^" + re.escape(sentence) + "$"):
            PairProcess(**changes)

    def test_num_pairs(self):
        with pytest.raises(ValueError, match=r"^num_pairs must be at least 1; got 0$"):
            make().sample(0, np.random.default_rng(0))
