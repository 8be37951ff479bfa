from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics import judge
from diagnostics.adapters import OracleSubject
from diagnostics.check import Finding, build_scenario
from diagnostics.measures import mean_of

PROCESS = PairProcess(num_points=10)
BATCH = build_scenario(PROCESS, np.random.default_rng(0), num_pairs=16).forecast


class LastValue:
    """Predicts the last observed y times `gain`; its response to a rounding is known by hand."""

    name = "last value"

    def __init__(self, gain=1.0, noise=0.0):
        self.gain, self.noise = gain, noise

    def teacher_force(self, batch):
        last = batch.y[np.arange(batch.num_pairs), batch.num_context - 1][:, None]
        noise = self.noise * np.random.default_rng().standard_normal(batch.y.shape)
        return Prediction(self.gain * last + noise, np.ones(batch.y.shape))


def tolerance(subject, batch=BATCH):
    return judge.arithmetic_tolerance(subject, batch, subject.teacher_force(batch), np.random.default_rng(0))


def test_tolerance_follows_the_derivation():
    gain = 50.0
    last = np.abs(BATCH.y[np.arange(16), BATCH.num_context - 1])
    expected = gain * judge.EPSILON * (100 * np.quantile(last, 0.9) + 64 * last.max())
    assert tolerance(LastValue(gain)) == pytest.approx(expected, rel=1e-3)


def test_tolerance_scales_with_the_units_of_y():
    large = replace(BATCH, y=10 * BATCH.y)
    assert tolerance(LastValue(), large) == pytest.approx(10 * tolerance(LastValue()), rel=1e-3)


def test_noise_is_not_excused():
    assert tolerance(LastValue(noise=1.0)) <= 0.01 + 64 * judge.EPSILON * 20


def test_tolerance_covers_two_paths_of_the_same_maths_and_stays_far_below_the_scale():
    subject = OracleSubject(PROCESS)
    assert 0 < tolerance(subject) < 0.02 * np.nanmedian(subject.teacher_force(BATCH).scale)


def test_difference_takes_the_larger_of_mean_and_scale_and_nan_is_infinite():
    one = Prediction(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 1.0, 1.0]]))
    two = Prediction(np.array([[1.5, 2.0, np.nan]]), np.array([[1.0, 3.0, 1.0]]))
    where = np.array([[True, True, True]])
    np.testing.assert_array_equal(judge.difference(one, two, where), [[0.5, 2.0, np.inf]])
    np.testing.assert_array_equal(judge.difference(one, two, ~where), [[0, 0, 0]])


def test_must_not_move_counts_the_rows():
    apart = np.array([[0.0, 2.0], [0.1, 0.0], [0.0, 3.0]])
    finding = judge.must_not_move(apart, 1.0, passed="fine", failed="it moves")
    assert finding.status == "failed"
    assert finding.statistic == 3.0
    assert "in 2 of 3 rows: it moves" in finding.detail
    assert judge.must_not_move(apart, 3.0, passed="fine", failed="").status == "passed"


def test_must_move_asks_nearly_every_row():
    rows = np.ones((100, 1))
    rows[:10] = 0
    assert judge.must_move(rows, 0.5, passed="", failed="").status == "passed"
    rows[10] = 0
    finding = judge.must_move(rows, 0.5, passed="", failed="stuck")
    assert finding.status == "failed"
    assert "only 89% of the rows: stuck" in finding.detail
    assert "no prediction moved by more than" in judge.must_move(0 * rows, 0.5, passed="", failed="").detail


@pytest.mark.parametrize(
    ("centre", "status"), [(0.0, "passed"), (0.12, "passed"), (0.3, "failed"), (-0.3, "failed")]
)
def test_a_statistic_fails_only_when_its_whole_interval_is_outside(centre, status):
    values = centre + 0.5 * np.resize([-1.0, 1.0], (100, 1))  # standard error 0.05: interval +- 0.1
    finding = judge.judge_interval(
        "it", mean_of(values), (-0.1, 0.1), np.random.default_rng(0), passed="ok", failed="bad"
    )
    assert finding.status == status
    assert "over 100 pairs; healthy: -0.1 to 0.1" in finding.detail
    if status == "failed":
        assert finding.tolerance == pytest.approx(np.sign(centre) * 0.1)


def test_a_statistic_of_nothing_is_skipped():
    nothing = mean_of(np.full((4, 1), np.nan))
    finding = judge.judge_interval("it", nothing, (0, 1), np.random.default_rng(0), passed="", failed="")
    assert finding.status == "skipped"


def test_worst_prefers_failures_then_skips():
    passed, skipped, failed = (Finding(status, status) for status in ("passed", "skipped", "failed"))
    assert judge.worst(passed, skipped, failed) is failed
    assert judge.worst(passed, skipped) is skipped
    assert judge.worst(passed, Finding("passed", "other")) is passed
