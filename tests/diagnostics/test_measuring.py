import numpy as np
import pytest
from scipy.stats import norm

from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject
from diagnostics.check import build_scenario
from diagnostics.measuring import measure

PROCESS = PairProcess(num_points=12)


@pytest.fixture(scope="module")
def scenario():
    return build_scenario(PROCESS, np.random.default_rng(0), num_pairs=20, num_context=3)


@pytest.fixture(scope="module")
def measured(scenario):
    return measure(OracleSubject(PROCESS), scenario, np.random.default_rng(1))


def test_statistics_keep_every_pair_and_their_mean_is_the_measure(measured, scenario):
    batch, exact = scenario.forecast, PROCESS.posterior(scenario.forecast)
    by_pair = -norm.logpdf(batch.y, exact.mean, exact.scale)[batch.is_target].reshape(20, 9)
    named = {each.name: each.statistic for each in measured.statistics}
    assert named["nll"].sums[:, 0, 0] == pytest.approx(by_pair.sum(axis=1))
    assert named["nll"].value() == pytest.approx([by_pair.mean()])
    assert named["nll_gap"].value() == pytest.approx([0.0], abs=1e-9)


def test_the_first_target_is_measured_by_itself(measured, scenario):
    batch, exact = scenario.forecast, PROCESS.posterior(scenario.forecast)
    first = 12 + 3  # all of A, three points of B
    expected = -norm.logpdf(batch.y, exact.mean, exact.scale)[:, first]
    (named,) = measured.first
    assert named.name == "nll_first"
    assert named.statistic.sums[:, 0, 0] == pytest.approx(expected)
    assert named.statistic.value() == pytest.approx([expected.mean()])


def test_curves_pooled_are_the_measures(measured):
    named = {each.name: each.statistic for each in measured.statistics}
    for name, curve in measured.curves.items():
        if name.startswith("rmse"):
            assert curve.pooled().value() == pytest.approx(named[name].value())
    coverage = measured.curves["coverage_teacher_forced"].pooled()
    assert coverage.value() == pytest.approx(named["coverage_90"].value())
    assert measured.curves["drift"].value()[0] == pytest.approx(named["drift_first"].value()[0])


def test_without_a_process_nothing_stands_beside_an_oracle():
    pairs = PROCESS.sample(10, np.random.default_rng(2))
    given = build_scenario(pairs, np.random.default_rng(3), num_context=3)
    measured = measure(OracleSubject(PROCESS), given, np.random.default_rng(4))
    names = {each.name for each in measured.statistics}
    assert not names & {"nll_gap", "rmse_oracle_teacher_forced", "rmse_oracle_free_running"}
    errors = {"rmse_teacher_forced", "rmse_free_running"}
    assert set(measured.curves) == {*errors, "drift", "coverage_teacher_forced"}
