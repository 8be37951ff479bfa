from dataclasses import replace

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from attn.arrange import forecast
from attn.fitting import STARTS, FitError, fit, fit_best
from attn.processes import PairProcess
from attn.types import Pairs

TRUE = PairProcess(length_scale=1.5, shift_scale=1.2, noise_scale=0.2, num_points=25)


def drawn(process=TRUE, num_pairs=60, seed=3):
    return process.sample(num_pairs, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def found():
    """The fit to pairs of which y was multiplied by 7."""
    pairs = drawn()
    return fit(replace(pairs, y=7 * pairs.y), PairProcess())


def test_hyper_parameters_of_known_draws_are_recovered(found):
    """Within about four standard errors: 120 offsets, 60 draws of f, 3000 values of noise."""
    assert found.amplitude == pytest.approx(7, rel=0.15)
    assert found.process.length_scale == pytest.approx(1.5, rel=0.1)
    assert found.process.noise_scale * found.amplitude == pytest.approx(0.2 * 7, rel=0.06)
    assert found.process.shift_scale * found.amplitude == pytest.approx(1.2 * 7, rel=0.3)


def test_no_other_values_nearby_are_more_likely(found):
    pairs = drawn()
    y = 7 * pairs.y

    def density(process, amplitude):
        scaled = replace(pairs, y=y / amplitude)
        return (process.log_marginal(scaled).sum() - y.size * np.log(amplitude)) / y.size

    best = density(found.process, found.amplitude)
    assert best == pytest.approx(found.log_density, abs=1e-9)
    for factor in (0.9, 1.1):
        assert density(found.process, factor * found.amplitude) < best
        for field in ("length_scale", "shift_scale", "noise_scale"):
            moved = replace(found.process, **{field: factor * getattr(found.process, field)})
            assert density(moved, found.amplitude) < best


def test_agrees_with_scikit_learn():
    """One sequence, so that its optimum is that of the library, which fits one set of points."""
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(0, 10, 30))
    y = 3 * np.sin(x) + 0.3 * rng.standard_normal(30)
    series = np.zeros((1, 30), int)
    ours = fit(Pairs(x[None], series, y[None], np.ones((1, 30), bool)), PairProcess(shift="none"))
    kernel = ConstantKernel(1.0) * RBF(1.0) + WhiteKernel(0.1)
    theirs = GaussianProcessRegressor(kernel, n_restarts_optimizer=3, random_state=0).fit(x[:, None], y)
    assert ours.log_density * 30 == pytest.approx(theirs.log_marginal_likelihood_value_, abs=1e-3)
    known = theirs.kernel_.get_params()
    assert ours.amplitude**2 == pytest.approx(known["k1__k1__constant_value"], rel=0.02)
    assert ours.process.length_scale == pytest.approx(known["k1__k2__length_scale"], rel=0.02)
    assert (ours.amplitude * ours.process.noise_scale) ** 2 == pytest.approx(
        known["k2__noise_level"], rel=0.02
    )


def test_free_running_stays_at_the_level_of_b_where_the_difference_varies_too():
    """With a smooth difference alone the forecast far from the last point goes back to A."""
    process = PairProcess(
        shift="const_rbf", offset_scale=3.0, shift_scale=0.3, shift_length_scale=1.0, noise_scale=0.05
    )
    learnt = drawn(process, num_pairs=20)
    both = fit(learnt, replace(STARTS[1], shift="const_rbf"))
    alone = fit(learnt, replace(STARTS[1], shift="rbf"))
    assert both.log_density > alone.log_density
    batch = forecast(drawn(process, num_pairs=40, seed=4), 6, np.random.default_rng(0))
    late = np.flatnonzero(batch.is_target[0])[-5:]
    exact = process.forecast(batch).mean[:, late]

    def distance(fitted):
        return np.sqrt(np.mean((fitted.forecast(batch).mean[:, late] - exact) ** 2))

    assert distance(both) < 0.1
    assert distance(alone) > 1.0


def test_padding_counts_for_nothing():
    pairs = drawn(num_pairs=4)
    wider = Pairs(
        *(np.concatenate([values, values[:, :3]], axis=1) for values in (pairs.x, pairs.series, pairs.y)),
        np.concatenate([pairs.valid, np.zeros((4, 3), bool)], axis=1),
    )
    np.testing.assert_allclose(TRUE.log_marginal(wider), TRUE.log_marginal(pairs))


def test_the_best_of_several_kernels_is_the_one_that_drew():
    pairs = drawn(replace(TRUE, kernel="matern", noise_scale=0.02))
    seen = []
    best = fit_best(pairs, [PairProcess(kernel="rbf"), PairProcess(kernel="matern")], seen.append)
    assert best.process.kernel == "matern"
    assert [one.process.kernel for one in seen] == ["rbf", "matern"]
    assert best.log_density == max(one.log_density for one in seen)


def test_predictions_are_those_of_the_process_times_the_amplitude(found):
    batch = forecast(drawn(num_pairs=2, seed=9), 5, np.random.default_rng(0))
    scaled = replace(batch, y=found.amplitude * batch.y)
    for name in ("posterior", "forecast"):
        ours, known = getattr(found, name)(scaled), getattr(found.process, name)(batch)
        np.testing.assert_allclose(ours.mean, found.amplitude * known.mean)
        np.testing.assert_allclose(ours.scale, found.amplitude * known.scale)


def test_nothing_to_fit():
    pairs = drawn(num_pairs=1)
    with pytest.raises(FitError, match="a y that varies; got 50 points"):
        fit(replace(pairs, y=np.ones_like(pairs.y)), TRUE)
