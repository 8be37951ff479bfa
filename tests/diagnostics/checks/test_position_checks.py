from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics.check import build_scenario
from diagnostics.checks.position import (
    OF_LATER_STEPS,
    OF_THE_FIRST_STEP,
    history_labels_matter,
    query_position_is_its_own,
    single_step_equals_column,
    x_is_resolved,
)


def label_blind(s, batch):
    return s.teacher_force(replace(batch, series=np.zeros_like(batch.series)))


def moved_x(by):
    return lambda s, batch: s.teacher_force(replace(batch, x=np.roll(batch.x, by, axis=1)))


def binned(width):
    return lambda s, batch: s.teacher_force(replace(batch, x=np.floor(batch.x / width) * width))


def stuck_step(s, history, x_next, series_next):
    return s.predict_next(history, history.x[:, -1], series_next)


def is_later(history):
    return history.num_points > history.num_context.max()


def stuck_later(s, history, x_next, series_next):
    first = history.x[np.arange(history.num_pairs), history.num_context - 1]
    return s.predict_next(history, first if is_later(history) else x_next, series_next)


def scaled_later(s, history, x_next, series_next):
    fed_back = np.arange(history.num_points) >= history.num_context[:, None]
    return s.predict_next(
        replace(history, y=np.where(fed_back, 0.9 * history.y, history.y)), x_next, series_next
    )


TWINS = {
    history_labels_matter: {"blind": {"teacher_force": label_blind}},
    query_position_is_its_own: {
        "late": {"teacher_force": moved_x(1)},
        "early": {"teacher_force": moved_x(-1)},
    },
    x_is_resolved: {
        "bins of 0.1": {"teacher_force": binned(0.1)},
        "all in one bin": {"teacher_force": binned(100.0)},
    },
    single_step_equals_column: {
        "stuck": {"predict_next": stuck_step},
        "stuck later": {"predict_next": stuck_later},
        "scaled later": {"predict_next": scaled_later},
    },
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


def test_a_staircase_is_told_from_a_prediction_that_does_not_follow_x_at_all(assert_fails):
    staircase = assert_fails(x_is_resolved, teacher_force=binned(0.1))
    assert "staircase" in staircase.detail
    assert (staircase.suspects or x_is_resolved.suspects)[0] == "coarse_bins"
    still = assert_fails(x_is_resolved, teacher_force=binned(100.0))
    assert "not resolved at all" in still.detail
    assert still.suspects[0] == "query_off_by_one"


def test_a_step_that_differs_only_after_feedback_is_told_from_one_that_differs_at_once(assert_fails):
    def suspects_of(step):
        return assert_fails(single_step_equals_column, predict_next=step).suspects

    assert suspects_of(stuck_step) == OF_THE_FIRST_STEP
    assert suspects_of(stuck_later) == ("stuck_position",)
    assert suspects_of(scaled_later) == OF_LATER_STEPS


@pytest.fixture
def asked_of(ask, twin):
    """The batches about which a check asks the parallel pass."""

    def record(check):
        batches = []

        def teacher_force(s, batch):
            batches.append(batch)
            return s.teacher_force(batch)

        assert ask(check, twin(teacher_force=teacher_force)).status == "passed"
        return batches

    return record


def test_the_labels_of_the_context_are_flipped_and_no_others(asked_of):
    before, after = asked_of(history_labels_matter)
    np.testing.assert_array_equal(before.series != after.series, before.is_context)


def follows_labels_in(share):
    """Predictions that follow the labels of the history in that share of the rows."""

    def teacher_force(s, batch):
        follows = np.arange(batch.num_pairs)[:, None] < share * batch.num_pairs
        size = np.where(batch.is_context, batch.series * batch.y, 0.0).sum(axis=1, keepdims=True)
        return Prediction(np.where(batch.is_target & follows, size, 0.0), np.ones(batch.y.shape))

    return teacher_force


@pytest.mark.parametrize(("share", "status"), [(58 / 64, "passed"), (57 / 64, "failed")])
def test_nine_of_ten_rows_must_follow_their_labels(share, status, ask, twin):
    finding = ask(history_labels_matter, twin(teacher_force=follows_labels_in(share)))
    assert (finding.status, finding.statistic) == (status, share)


def test_one_target_of_every_row_is_moved_by_a_tenth_towards_the_middle(asked_of):
    before, _, after = asked_of(query_position_is_its_own)
    moved = after.x - before.x
    assert ((moved != 0) & before.is_target).sum(axis=1).tolist() == 64 * [1]
    low, high = before.x.min(), before.x.max()
    due = 0.1 * (high - low) * np.sign((low + high) / 2 - before.x[moved != 0])
    np.testing.assert_allclose(moved[moved != 0], due)


def test_queries_that_are_late_are_told_from_queries_that_stand_still(assert_fails):
    check = query_position_is_its_own
    still = assert_fails(
        check, teacher_force=lambda s, batch: s.teacher_force(replace(batch, x=0 * batch.x + 9.0))
    )
    assert (still.statistic, still.tolerance) == (0.0, 0.9)

    def with_the_next(s, batch):
        """The own x counts, and so does that of the next point."""
        following = np.roll(batch.x, -1, axis=1)
        mean = np.where(batch.is_target, batch.x + following, 0.0)
        return Prediction(mean, np.ones(batch.y.shape))

    late = assert_fails(check, teacher_force=with_the_next)
    assert late.statistic == pytest.approx(1.0, rel=0.01)  # a tenth of 5 to 15
    assert "moves predictions before it" in late.detail


def of_x(curve):
    """Predictions that are a function of x alone."""
    return lambda s, batch: Prediction(
        np.where(batch.is_target, curve(batch.x), np.nan), np.ones(batch.y.shape)
    )


def test_the_largest_quarter_of_the_moves_is_the_statistic(ask, twin):
    straight = ask(x_is_resolved, twin(teacher_force=of_x(lambda x: 2 * x)))
    assert straight.statistic == pytest.approx(8 / 31)
    assert (straight.status, straight.tolerance) == ("passed", 0.9)
    parts = lambda s, batch: Prediction(batch.x, 20 - batch.x)  # noqa: E731 - as much in scale as in mean
    assert ask(x_is_resolved, twin(teacher_force=parts)).statistic == pytest.approx(8 / 31)


@pytest.mark.parametrize(("num_bins", "status"), [(8, "failed"), (16, "passed")])
def test_bins_of_an_eighth_of_the_distance_are_a_staircase(num_bins, status, ask, twin):
    """The first row begins at a known x; its 32 steps go over the distance of neighbouring targets."""
    batch = build_scenario(PairProcess(num_points=24), np.random.default_rng([0, 0]), num_pairs=64).forecast
    width = np.ptp(batch.x) / 18 / num_bins
    binned_x = of_x(lambda x: np.floor((x - batch.x.min()) / width))
    assert ask(x_is_resolved, twin(teacher_force=binned_x)).status == status


def test_two_rows_make_32_steps_over_the_distance_of_neighbouring_targets(asked_of):
    batch = asked_of(x_is_resolved)[0]
    first = batch.x[np.arange(64), batch.num_context]
    plain = build_scenario(PairProcess(num_points=24), np.random.default_rng([0, 0]), num_pairs=64).forecast
    step = np.ptp(plain.x) / 18 / 32
    np.testing.assert_allclose(
        first, plain.x[:2, plain.num_context[0]].repeat(32) + np.tile(np.arange(32), 2) * step
    )
    others = np.arange(batch.num_points) != batch.num_context[0]
    np.testing.assert_array_equal(batch.x[:, others], plain.x[:2].repeat(32, axis=0)[:, others])


def test_x_that_moves_nothing_is_not_resolved(assert_fails):
    finding = assert_fails(x_is_resolved, teacher_force=of_x(lambda x: 0 * x))
    assert (finding.statistic, finding.tolerance) == (1.0, 0.9)
    assert finding.suspects == ("query_off_by_one", "coarse_bins")


def moved_at(*targets):
    """A step that differs by 1 at these targets, counted from 1."""

    def step(s, history, x_next, series_next):
        prediction = s.predict_next(history, x_next, series_next)
        target = history.num_points - int(history.num_context.max()) + 1
        return replace(prediction, mean=prediction.mean + 1.0 * (target in targets))

    return step


def test_the_steps_that_differ_are_named_by_their_targets(assert_fails):
    """Of 18 targets the first, the second, the middle and the last are asked about."""
    check = single_step_equals_column
    finding = assert_fails(check, predict_next=moved_at(2, 3, 10))
    assert "at target 2, 10" in finding.detail
    assert finding.suspects == OF_LATER_STEPS
    assert finding.statistic == pytest.approx(1.0)
    assert assert_fails(check, predict_next=moved_at(1)).suspects == OF_THE_FIRST_STEP
    assert "at target 18" in assert_fails(check, predict_next=moved_at(18)).detail


def test_a_step_that_stands_still_at_the_last_target_alone_is_stuck(assert_fails):
    def stuck_at_the_last(s, history, x_next, series_next):
        is_last = history.num_points == 47
        return s.predict_next(history, history.x[:, -1] if is_last else x_next, series_next)

    finding = assert_fails(single_step_equals_column, predict_next=stuck_at_the_last)
    assert finding.suspects == ("stuck_position",)


def test_a_step_that_is_what_was_trained_suspects_nobody(ask, twin):
    finding = ask(single_step_equals_column, twin())
    assert finding.suspects is None
    assert finding.statistic <= finding.tolerance
