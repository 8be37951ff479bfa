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


def test_the_cap_is_a_hundredth_of_the_typical_scale():
    class Wide(LastValue):
        def teacher_force(self, batch):
            prediction = super().teacher_force(batch)
            return replace(
                prediction, scale=np.where(np.arange(len(batch.y)) < 6, 9.0, 3.0)[:, None] + 0 * batch.y
            )

    subject = Wide(noise=100.0)
    rest = 64 * judge.EPSILON * np.abs(subject.teacher_force(BATCH).mean).max()
    assert tolerance(subject) == pytest.approx(0.03, abs=3 * rest)


def test_x_and_y_are_moved_by_one_rounding_up_or_down():
    asked = []

    class Recording(LastValue):
        def teacher_force(self, batch):
            asked.append(batch)
            return super().teacher_force(batch)

    tolerance(Recording())
    plain, nudged = asked
    for field in ("x", "y"):
        share = getattr(nudged, field) / getattr(plain, field) - 1
        np.testing.assert_allclose(np.abs(share), judge.EPSILON, rtol=1e-6)
        assert set(np.sign(share).ravel()) == {-1, 1}


def test_nothing_to_compare_has_not_moved():
    finding = judge.must_not_move(np.zeros((0, 3)), 0.5, passed="", failed="")
    assert (finding.status, finding.statistic) == ("passed", 0.0)


def test_only_targets_count_for_the_tolerance():
    class LargeInTheContext(LastValue):
        def teacher_force(self, batch):
            prediction = super().teacher_force(batch)
            return Prediction(
                np.where(batch.is_target, prediction.mean, 1e9 * batch.y), np.where(batch.is_target, 1.0, 1e9)
            )

    assert tolerance(LargeInTheContext()) == pytest.approx(tolerance(LastValue()), rel=1e-9)


def test_the_smallest_move_is_four_roundings_of_the_largest_mean():
    prediction = Prediction(np.array([[np.nan, -8.0, 2.0]]), np.ones((1, 3)))
    assert judge.smallest_move(prediction) == 32 * 2.0**-23


def test_a_contract_states_its_figures():
    apart = np.array([[0.0, 2.0], [0.1, 0.0]])
    passed = judge.must_not_move(apart, 2.0, passed="fine", failed="")
    assert (passed.status, passed.statistic, passed.tolerance) == ("passed", 2.0, 2.0)
    failed = judge.must_not_move(apart, 0.05, passed="", failed="it moves")
    assert (failed.status, failed.statistic, failed.tolerance) == ("failed", 2.0, 0.05)
    at_rest = judge.must_not_move(0 * apart, 0.0, passed="fine", failed="")
    assert (at_rest.status, at_rest.statistic) == ("passed", 0.0)
    assert "in 1 of 2 rows" in judge.must_not_move(apart, 0.1, passed="", failed="").detail


def test_a_response_must_exceed_the_smallest_move():
    rows = np.array([[0.0, 2.0], [1.0, 0.0]])
    moved = judge.must_move(rows, 0.9, passed="fine", failed="")
    assert (moved.status, moved.statistic, moved.tolerance) == ("passed", 1.0, 0.9)
    assert "in 100% of the rows, typically by 1.5: fine" in moved.detail
    half = judge.must_move(rows, 1.0, passed="", failed="stuck")
    assert (half.status, half.statistic, half.tolerance) == ("failed", 0.5, 0.9)
    still = judge.must_move(rows, 2.0, passed="", failed="stuck")
    assert (still.status, still.statistic) == ("failed", 0.0)
    assert still.detail == "no prediction moved by more than 2: stuck"


def test_the_share_that_must_respond_may_be_another():
    rows = np.array([[2.0], [0.0]])
    half = judge.must_move(rows, 1.0, passed="", failed="", least_share=0.5)
    assert (half.status, half.statistic, half.tolerance) == ("passed", 0.5, 0.5)
    most = judge.must_move(rows, 1.0, passed="", failed="", least_share=0.6)
    assert (most.status, most.statistic, most.tolerance) == ("failed", 0.5, 0.6)


@pytest.mark.parametrize(("value", "edge"), [(0.0, -0.1), (0.3, 0.2), (0.04, -0.1), (0.06, 0.2)])
def test_a_statistic_states_its_figures_and_the_nearer_edge(value, edge):
    constant = mean_of(np.full((10, 1), value))  # the interval is the value itself
    finding = judge.judge_interval(
        "it", constant, (-0.1, 0.2), np.random.default_rng(0), passed="", failed=""
    )
    assert finding.status == ("failed" if value > 0.2 else "passed")
    assert (finding.statistic, finding.tolerance) == (pytest.approx(value), edge)
    assert finding.evidence == {
        "value": pytest.approx(value),
        "low": pytest.approx(value),
        "high": pytest.approx(value),
        "healthy": [-0.1, 0.2],
    }


@pytest.mark.parametrize("value", [-1.0, 2.0])
def test_the_edges_themselves_are_healthy(value):
    constant = mean_of(np.full((10, 1), value))
    finding = judge.judge_interval(
        "it", constant, (-1.0, 2.0), np.random.default_rng(0), passed="", failed=""
    )
    assert finding.status == "passed"


def test_the_first_of_several_failures_is_the_worst():
    passed, one, two = Finding("passed", ""), Finding("failed", "one"), Finding("failed", "two")
    assert judge.worst(passed, one, two) is one
