import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import r2_score

from attn.scores import score
from attn.types import Batch, Prediction


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 4, 6))
    series = rng.permuted(np.tile([0, 0, 0, 1, 1, 1], (4, 1)), axis=1)
    valid = np.ones((4, 6), bool)
    valid[2, 5] = False
    batch = Batch(x, series, y, valid, np.full(4, 2))
    mean, scale = y + rng.normal(size=y.shape), rng.uniform(0.5, 2, y.shape)
    nan = np.where(batch.is_target, 0.0, np.nan)
    return batch, Prediction(mean + nan, scale + nan)


def test_the_figures_are_those_of_scikit_learn_and_scipy(case):
    batch, prediction = case
    t = batch.is_target
    scores = score(batch, prediction)
    assert scores.mse == pytest.approx(np.mean((batch.y[t] - prediction.mean[t]) ** 2))
    assert scores.r2 == pytest.approx(r2_score(batch.y[t], prediction.mean[t]))
    for series in (0, 1):
        s = t & (batch.series == series)
        assert scores.r2_by_series[series] == pytest.approx(r2_score(batch.y[s], prediction.mean[s]))
    assert scores.nll == pytest.approx(
        -norm(prediction.mean[t], prediction.scale[t]).logpdf(batch.y[t]).mean()
    )


def test_the_first_target_counts(case):
    batch, prediction = case
    before = score(batch, prediction)
    prediction.mean[0, 2] += 100
    assert score(batch, prediction).mse > before.mse + 100


def test_what_cannot_be_scored_is_none(case):
    batch, prediction = case
    batch.series[:] = 1
    scores = score(batch, prediction, is_density=False)
    assert scores.r2_by_series[0] is None
    assert scores.r2_by_series[1] == scores.r2
    assert scores.nll is None
