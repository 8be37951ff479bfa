from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from attn.arrange import arrange, forecast
from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics import reference


@pytest.mark.parametrize("regime", ["shuffle", "full_infer"])
def test_gp_conditional_agrees_with_the_posterior_and_the_forecast(regime):
    process, rng = PairProcess(num_points=8), np.random.default_rng(0)
    batch = arrange(process.sample(3, rng), regime, 3, rng)
    for given, expected in (("earlier", process.posterior(batch)), ("context", process.forecast(batch))):
        slow = reference.gp_conditional(process, batch, given=given)
        np.testing.assert_allclose(slow.mean, expected.mean, atol=1e-7)
        np.testing.assert_allclose(slow.scale, expected.scale, atol=1e-7)


def test_roll_out_by_steps_feeds_back_what_it_predicted():
    batch = forecast(
        PairProcess(num_points=4).sample(2, np.random.default_rng(0)), 1, np.random.default_rng(0)
    )

    def newest_plus_one(history, x_next, series_next):
        assert history.num_points >= 5
        return Prediction(history.y[:, -1:] + 1, np.full((2, 1), 0.5))

    rollout = reference.roll_out_by_steps(newest_plus_one, batch, np.random.default_rng(0), "mean")
    last = batch.y[:, 4]
    np.testing.assert_allclose(rollout.samples[0][:, 5:], last[:, None] + [1, 2, 3])
    np.testing.assert_array_equal(rollout.samples[0][:, :5], batch.y[:, :5])
    assert (rollout.scale[0][:, :5] == 0).all()
    assert (rollout.scale[0][:, 5:] == 0.5).all()


def test_roll_out_by_steps_observes_ragged_rows_where_each_begins():
    process, rng = PairProcess(num_points=4), np.random.default_rng(1)
    batch = forecast(process.sample(2, rng), 1, rng)
    ragged = replace(batch, num_context=np.array([5, 7]))

    def zero(history, x_next, series_next):
        return Prediction(np.zeros((2, 1)), np.ones((2, 1)))

    rollout = reference.roll_out_by_steps(zero, ragged, rng, "mean")
    np.testing.assert_array_equal(rollout.samples[0][1, :7], batch.y[1, :7])
    assert rollout.samples[0][1, 7] == 0
    assert (rollout.samples[0][0, 5:] == 0).all()
    with pytest.raises(ValueError, match="feed must be 'sample' or 'mean'; got 'truth'"):
        reference.roll_out_by_steps(zero, ragged, rng, "truth")


def test_gaussian_nll_is_that_of_scipy():
    assert reference.gaussian_nll(1.5, 0.5, 2.0) == pytest.approx(-norm.logpdf(1.5, 0.5, 2.0))


def test_masked_attention_by_hand():
    query, key = np.array([[2.0], [1.0]]), np.array([[0.0], [np.log(3) / 2]])
    value = np.array([[1.0], [5.0]])
    may_see = np.array([[True, True], [False, False]])
    output, weights = reference.masked_attention(query, key, value, may_see)
    # scores of the first query: 0 and log 3, so weights 1/4 and 3/4
    np.testing.assert_allclose(weights, [[0.25, 0.75], [0, 0]])
    np.testing.assert_allclose(output, [[4.0], [0.0]])
    _, biased = reference.masked_attention(
        query, key, value, may_see, bias=np.array([[np.log(3), 0], [0, 0]])
    )
    np.testing.assert_allclose(biased[0], [0.5, 0.5])
