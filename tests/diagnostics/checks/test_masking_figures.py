"""What the checks of masking ask, and the figures that they state."""

from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics.check import build_scenario
from diagnostics.checks._perturb import at
from diagnostics.checks.masking import (
    no_future_leak,
    one_context_point_is_enough,
    rows_are_independent,
)

PROCESS = PairProcess(num_points=24)
# As `ask` draws it: 30 of 48 points are observed in every row, so that columns 30 to 47 are targets.
SCENARIO = build_scenario(PROCESS, np.random.default_rng([0, 0]), num_pairs=64)
BATCH = SCENARIO.forecast
SPREAD = BATCH.y[BATCH.is_context].std()
ROWS = np.arange(64)


def shifted(prediction, by):
    return replace(prediction, mean=prediction.mean + by)


def test_the_future_of_one_target_is_replaced_in_both_orders(asked_of):
    batches, _ = asked_of(no_future_leak)
    for before, after in ((batches[0], batches[2]), (batches[3], batches[5])):  # between them a rounding
        changed = before.y != after.y
        first = changed.argmax(axis=1)
        np.testing.assert_array_equal(changed, np.arange(48) >= first[:, None])
        assert before.is_target[ROWS, first].all()
        noise = (after.y - before.y)[changed]
        assert noise.std() == pytest.approx(SPREAD, rel=0.1)
    assert batches[3].num_context[0] == SCENARIO.shuffled.num_context[0] != 30


@pytest.mark.parametrize(("num_context", "order"), [(30, "inference"), (6, "shuffled")])
@pytest.mark.parametrize("reach", [0, 1])
def test_a_leak_is_found_in_either_order_and_of_any_reach(num_context, order, reach, assert_fails):
    def leaky_there(s, batch):
        leak = 0.05 * np.roll(batch.y, -reach, axis=1)
        return shifted(s.teacher_force(batch), leak * (batch.num_context == num_context)[:, None])

    assert (
        f"in {order} order a prediction sees"
        in assert_fails(no_future_leak, teacher_force=leaky_there).detail
    )


def test_what_follows_the_point_before_is_no_leak(ask, twin):
    def residual(s, batch):
        return shifted(s.teacher_force(batch), np.roll(batch.y, 1, axis=1))

    assert ask(no_future_leak, twin(teacher_force=residual)).status == "passed"


def test_the_first_row_is_asked_about_alone_and_all_in_reversed_order(asked_of):
    batches, _ = asked_of(rows_are_independent)
    together, _, alone, turned = batches
    np.testing.assert_array_equal(alone.y, together.y[:1])
    np.testing.assert_array_equal(turned.y, together.y[::-1])


@pytest.mark.parametrize("field", ["mean", "scale"])
def test_what_a_row_is_alone_is_compared_with_what_it_is_among_others(field, assert_fails):
    def other_alone(s, batch):
        prediction = s.teacher_force(batch)
        return replace(prediction, **{field: getattr(prediction, field) + 0.5 * (batch.num_pairs == 1)})

    finding = assert_fails(rows_are_independent, teacher_force=other_alone)
    assert finding.statistic == pytest.approx(0.5)
    assert "in 1 of 64 rows" in finding.detail
    assert finding.suspects == ("mixed_rows", "positions_shared_across_rows")


@pytest.mark.parametrize("field", ["mean", "scale"])
def test_what_depends_on_the_place_among_the_rows_is_the_statistic(field, assert_fails):
    def counted(s, batch):
        prediction, row = s.teacher_force(batch), np.arange(batch.num_pairs)[:, None]
        return replace(prediction, **{field: getattr(prediction, field) + 0.5 * (row > 60)})

    finding = assert_fails(rows_are_independent, teacher_force=counted)
    assert finding.statistic == pytest.approx(0.5)
    assert "in 6 of 64 rows" in finding.detail  # the last three, and the first three in reversed order


def test_rows_that_are_alike_come_back_in_their_own_order(ask, twin):
    """Where each row is that of another to the last bit, nothing was lost."""

    def alike(s, batch):
        return Prediction(np.where(batch.is_target, 1.0, np.nan), np.ones(batch.y.shape))

    finding = ask(rows_are_independent, twin(teacher_force=alike))
    assert finding.status == "passed"
    assert finding.suspects == ("mixed_rows", "positions_shared_across_rows")


@pytest.mark.parametrize("shorter", [0, 1])
def test_rows_whose_targets_stand_in_unequal_columns_are_not_taken_for_reordered(shorter, twin):
    """Their predictions cannot be laid upon each other, even where one row's stand in another's place."""

    def in_turn(s, batch):
        level = np.roll(np.round(batch.y[:, :1], 6), 1, axis=0)
        return Prediction(level + 0 * batch.y, np.ones(batch.y.shape))

    num_points = np.where((np.arange(64) == 0) == (shorter == 0), 47, 48)[:, None]
    ragged = replace(SCENARIO, forecast=replace(BATCH, valid=np.arange(48) < num_points))
    finding = rows_are_independent(twin(teacher_force=in_turn), ragged, np.random.default_rng(0))
    assert finding.status == "failed"
    assert "row_order_lost" not in finding.suspects
    equal = rows_are_independent(twin(teacher_force=in_turn), SCENARIO, np.random.default_rng(0))
    assert equal.suspects == ("row_order_lost",)


def test_the_shuffled_pairs_are_given_with_one_observed_point(asked_of):
    (whole, single), _ = asked_of(one_context_point_is_enough)
    assert (single.num_context == 1).all()
    np.testing.assert_array_equal(single.y, SCENARIO.shuffled.y)
    np.testing.assert_array_equal(whole.num_context, SCENARIO.shuffled.num_context)


@pytest.mark.parametrize(("smallest", "status"), [(0.0, "failed"), (1e-3, "passed")])
def test_the_smallest_scale_of_a_target_is_the_statistic(smallest, status, ask, twin):
    def narrow(s, batch):
        prediction = s.teacher_force(batch)
        scale = np.where(at(np.full(batch.num_pairs, 40), batch), smallest, 1.0)
        return replace(prediction, scale=np.where(batch.is_target, scale, 0.0))

    finding = ask(one_context_point_is_enough, twin(teacher_force=narrow))
    assert (finding.status, finding.statistic, finding.tolerance) == (status, smallest, 0.0)
