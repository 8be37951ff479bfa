"""What the checks of the boundary ask, and the figures that they state."""

from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics.check import build_scenario
from diagnostics.checks.boundary import (
    no_drift_at_the_first_target,
    no_drift_later,
    no_offset_at_the_first_target,
    prediction_follows_a_level_shift,
    relabelling_changes_nothing,
)
from diagnostics.measures import level_gap

PROCESS = PairProcess(num_points=24)
# As `ask` draws it: 30 of 48 points are observed in every row, so that column 30 is the first target.
BATCH = build_scenario(PROCESS, np.random.default_rng([0, 0]), num_pairs=64).forecast
GAP = level_gap(BATCH)[:, None]
SPREAD = BATCH.y[BATCH.is_context].std()
EVEN = (np.arange(64) % 2 == 0)[:, None]


def step_moved(by, widened=1.0):
    """Steps of inference that are moved by by(prediction) and as sure as that factor of the scale says."""

    def predict_next(s, *args):
        exact = s.predict_next(*args)
        return Prediction(exact.mean + by(exact), widened * exact.scale)

    return {"predict_next": predict_next}


@pytest.mark.parametrize(
    ("share", "status"), [(-0.06, "failed"), (-0.04, "passed"), (0.04, "passed"), (0.06, "failed")]
)
def test_the_drop_at_the_first_target_is_a_share_of_the_gap(share, status, ask, twin):
    finding = ask(no_drift_at_the_first_target, twin(**step_moved(lambda exact: share * GAP)))
    assert (finding.status, finding.tolerance) == (status, np.sign(share) * 0.05)
    assert finding.statistic == pytest.approx(share)
    assert "against the exact posterior" in finding.detail


@pytest.mark.parametrize(
    ("offset", "status"), [(-0.21, "failed"), (-0.19, "passed"), (0.19, "passed"), (0.21, "failed")]
)
def test_the_offset_is_in_deviations_towards_a(offset, status, ask, twin):
    parts = step_moved(lambda exact: offset * exact.scale * np.sign(GAP))
    finding = ask(no_offset_at_the_first_target, twin(**parts))
    assert (finding.status, finding.tolerance) == (status, np.sign(offset) * 0.2)
    assert finding.statistic == pytest.approx(offset)


@pytest.mark.parametrize(("widened", "unit"), [(4.0, 4.0), (0.5, 1.0)])
def test_the_larger_of_both_scales_is_the_unit(widened, unit, ask, twin):
    parts = step_moved(lambda exact: 0.8 * exact.scale * np.sign(GAP), widened)
    assert ask(no_offset_at_the_first_target, twin(**parts)).statistic == pytest.approx(0.8 / unit)


def rollout_moved(share, targets, gap):
    """Free running that is off by a share of the gap at these targets, counted from 1."""

    def rollout(s, batch, num_samples, rng, feed="sample"):
        honest = s.rollout(batch, num_samples, rng, feed)
        target = np.arange(batch.num_points) - batch.num_context[:, None] + 1
        return replace(honest, mean=honest.mean + share * gap * np.isin(target, targets))

    return {"rollout": rollout}


@pytest.mark.parametrize(("share", "status"), [(-0.06, "failed"), (0.04, "passed"), (0.06, "failed")])
def test_drift_is_looked_for_from_the_eleventh_target_on(share, status, ask, twin):
    finding = ask(no_drift_later, twin(**rollout_moved(share, range(11, 19), GAP)))
    assert (finding.status, finding.statistic) == (status, pytest.approx(share))
    assert "from target 11 on" in finding.detail
    earlier = ask(no_drift_later, twin(**rollout_moved(5.0, range(11), GAP)))
    assert (earlier.status, earlier.statistic) == ("passed", pytest.approx(0.0, abs=1e-9))
    of_one = ask(no_drift_later, twin(**rollout_moved(0.8, [18], GAP)))
    assert of_one.statistic == pytest.approx(0.1)  # of eight


def test_a_shorter_forecast_is_judged_at_its_last_target(ask, twin):
    process = PairProcess(num_points=12)
    gap = level_gap(build_scenario(process, np.random.default_rng([0, 0]), num_pairs=64).forecast)[:, None]
    for target, share in ((9, 0.5), (8, 0.0)):  # three points of B are observed, nine follow
        finding = ask(no_drift_later, twin(process=process, **rollout_moved(0.5, [target], gap)))
        assert finding.statistic == pytest.approx(share, abs=1e-9)
    assert "from target 9 on" in finding.detail


def test_without_a_process_drift_is_measured_against_the_true_y(ask, twin):
    pairs = PROCESS.sample(200, np.random.default_rng(5))
    batch = build_scenario(pairs, np.random.default_rng([0, 0]), num_pairs=64).forecast
    gap, y = level_gap(batch), batch.y[:, 30]
    exact = PROCESS.posterior(batch).mean[:, 30]
    finding = ask(no_drift_at_the_first_target, twin(), source=pairs)
    assert finding.statistic == pytest.approx(((exact - y) * gap).sum() / (gap**2).sum())


def at_inference(teacher_force):
    """The parallel pass is that where 30 points are observed, and the exact one in the order of training."""

    def changed(s, batch):
        return (teacher_force if (batch.num_context == 30).all() else type(s).teacher_force)(s, batch)

    def training_batches(s, num_batches, rng):
        return [s.arranged("shuffle", rng) for _ in range(num_batches)]

    return {"teacher_force": changed, "training_batches": training_batches}


@pytest.mark.parametrize(
    ("share", "status", "edge"),
    [(0.89, "failed", 0.9), (0.91, "passed", 0.9), (1.09, "passed", 1.1), (1.11, "failed", 1.1)],
)
def test_the_move_with_the_level_is_a_share_of_that_of_the_posterior(share, status, edge, ask, twin):
    def stretched(s, batch):
        exact = s.teacher_force(batch)
        return replace(exact, mean=share * exact.mean)

    finding = ask(prediction_follows_a_level_shift, twin(**at_inference(stretched)))
    assert (finding.status, finding.tolerance) == (status, edge)
    assert finding.statistic == pytest.approx(share)


def test_y_moves_by_four_deviations_up_and_down(ask, twin):
    asked = []

    def teacher_force(s, batch):
        asked.append(batch)
        return s.teacher_force(batch)

    ask(prediction_follows_a_level_shift, twin(**at_inference(teacher_force)))
    *_, moved, plain = asked
    np.testing.assert_allclose(moved.y - plain.y, np.where(EVEN, 4.0, -4.0) * SPREAD * np.ones((1, 48)))


def test_without_a_process_the_first_target_is_due_the_constant(ask, twin):
    def of_the_newest(s, batch):
        target = np.arange(batch.num_points) - batch.num_context[:, None]
        mean = np.where(target == 0, 0.95, 0.0) * batch.y[:, 29:30]
        return Prediction(np.where(batch.is_target, mean, np.nan), np.ones(batch.y.shape))

    pairs = PROCESS.sample(64, np.random.default_rng(5))
    finding = ask(prediction_follows_a_level_shift, twin(**at_inference(of_the_newest)), source=pairs)
    assert (finding.status, finding.statistic) == ("passed", pytest.approx(0.95))


def following_labels(size):
    """Predictions that change by so many scales when labels are exchanged."""

    def teacher_force(s, batch):
        exact = s.teacher_force(batch)
        return replace(exact, mean=exact.mean + size * exact.scale * batch.series)

    return at_inference(teacher_force)


@pytest.mark.parametrize(("size", "status"), [(0.29, "passed"), (0.31, "failed"), (-0.31, "failed")])
def test_the_undue_move_under_new_labels_is_in_scales(size, status, ask, twin):
    finding = ask(relabelling_changes_nothing, twin(**following_labels(size)))
    assert (finding.status, finding.tolerance) == (status, 0.3)
    assert finding.statistic == pytest.approx(abs(size))


def test_a_move_that_the_process_owes_to_its_labels_is_no_fault(ask, twin):
    by_rank = replace(PROCESS, label="rank")
    finding = ask(relabelling_changes_nothing, twin(process=by_rank))
    assert finding.statistic == pytest.approx(0.0, abs=1e-6)


def test_a_move_at_scale_0_is_left_out(ask, twin):
    def certain_at_the_last(s, batch):
        exact = s.teacher_force(batch)
        is_last = np.arange(batch.num_points) == batch.num_points - 1
        mean = exact.mean + 0.25 * exact.scale * batch.series + 9.0 * is_last * batch.series
        return Prediction(mean, np.where(is_last, 0.0, exact.scale))

    finding = ask(relabelling_changes_nothing, twin(**at_inference(certain_at_the_last)))
    assert (finding.status, finding.statistic) == ("passed", pytest.approx(0.25))


@pytest.mark.parametrize("lower", [0, 1])
@pytest.mark.parametrize(("num_rows", "is_judged"), [(48, True), (49, False)])
def test_labels_tell_the_level_in_more_than_three_quarters_of_the_pairs(
    lower, num_rows, is_judged, ask, twin
):
    pairs = PROCESS.sample(64, np.random.default_rng(5))
    level = np.where(np.arange(64) < num_rows, 20.0, -20.0)[:, None]
    telling = replace(pairs, y=pairs.y + level * (pairs.series != lower))
    finding = ask(relabelling_changes_nothing, twin(**following_labels(0.5)), source=telling)
    if is_judged:
        assert (finding.status, finding.statistic) == ("failed", pytest.approx(0.5, rel=0.3))
    else:
        assert (finding.status, finding.statistic) == ("passed", None)
