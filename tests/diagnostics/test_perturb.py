from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.processes import PairProcess
from attn.types import Batch, Rollout
from diagnostics.checks import _perturb

PROCESS = PairProcess(num_points=6)


seeds = given(seed=st.integers(0, 10**6))
few = settings(max_examples=30)


@few
@seeds
def test_permuted_context_holds_the_same_points_and_the_same_targets(ragged, seed):
    batch = ragged(seed)
    permuted = _perturb.permute_context(batch, np.random.default_rng(seed))
    np.testing.assert_array_equal(permuted.is_target, batch.is_target)
    np.testing.assert_array_equal(permuted.y[batch.is_target], batch.y[batch.is_target])
    for row in range(5):
        points = [sorted(zip(b.x[row], b.series[row], b.y[row], strict=True)) for b in (batch, permuted)]
        assert points[0] == points[1]


@few
@seeds
def test_chosen_columns_are_what_their_names_say(ragged, seed):
    batch = ragged(seed)
    rows = np.arange(5)
    assert batch.is_target[rows, _perturb.random_targets(batch, np.random.default_rng(seed))].all()
    newest = _perturb.newest_context(batch)
    assert batch.is_context[rows, newest].all()
    np.testing.assert_array_equal(newest, batch.num_context - 1)
    for column in _perturb.some_columns(batch):
        assert batch.is_target[:, column].all()


def test_some_columns_are_first_second_middle_and_last():
    x = np.arange(10.0)[None]
    batch = Batch(x, np.zeros((1, 10), int), x, np.ones((1, 10), bool), np.array([2]))
    assert _perturb.some_columns(batch) == [2, 3, 6, 9]


def batch_of(x, series, y, num_context, valid=None):
    x, y = np.array(x, float), np.array(y, float)
    valid = np.ones(x.shape, bool) if valid is None else np.array(valid)
    return Batch(x, np.array(series), y, valid, np.array(num_context))


@pytest.fixture
def two_rows():
    """A at 0, 7.5 and B at 9, 6, 5 (the newest) are observed, B is asked for at 7 and 8; row 2 has one B."""
    return batch_of(
        x=[[0, 7.5, 9, 6, 5, 7, 8], [0, 6, 9, 1, 5, 7, 8]],
        series=[[0, 0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1]],
        y=[[1, 2, 3, 4, 5, 60, 70], [1, 2, 3, 4, 5, 60, 70]],
        num_context=[5, 5],
    )


def test_a_column_is_marked_in_every_row(two_rows):
    marked = _perturb.at(np.array([0, 6]), two_rows)
    np.testing.assert_array_equal(np.argwhere(marked), [[0, 0], [1, 6]])


def test_the_spread_is_the_deviation_of_what_is_observed(two_rows):
    assert _perturb.spread(two_rows) == pytest.approx(np.sqrt(2))  # of 1 to 5, twice
    assert _perturb.spread(replace(two_rows, y=np.full((2, 7), 3.0))) == 1.0


def test_the_range_of_x_leaves_padding_out():
    batch = batch_of([[-50, 2, 3, 90]], [[0] * 4], [[0] * 4], [2], [[False, True, True, False]])
    assert _perturb.x_range(batch) == (2.0, 3.0)


def test_labels_flip_where_they_are_asked_to(two_rows):
    flipped = _perturb.flip_series(two_rows, two_rows.is_context)
    np.testing.assert_array_equal(flipped.series[1], [1, 1, 1, 1, 0, 1, 1])


def test_a_hole_in_the_context_stands_behind_the_permuted_points():
    valid = np.array([[False, True, True, True, True]])
    batch = batch_of([[9, 0, 1, 2, 3]], [[0] * 5], [[9, 0, 1, 2, 3]], [3], valid)
    for seed in range(5):
        permuted = _perturb.permute_context(batch, np.random.default_rng(seed))
        np.testing.assert_array_equal(permuted.valid, [[True, True, False, True, True]])
        np.testing.assert_array_equal(permuted.y[0, 2:], [9, 2, 3])
    orders = {tuple(_perturb.permute_context(batch, np.random.default_rng(s)).x[0, :2]) for s in range(9)}
    assert orders == {(0.0, 1.0), (1.0, 0.0)}


def test_the_values_of_the_first_target(two_rows):
    batch = replace(two_rows, num_context=np.array([5, 6]))
    np.testing.assert_array_equal(_perturb.first_target(batch, batch.y), [[60], [70]])


@pytest.mark.parametrize(
    ("num_context", "columns"),
    [([9], [9]), ([8], [8, 9]), ([7], [7, 8, 9]), ([2], [2, 3, 6, 9]), ([2, 8], [8, 9]), ([2, 9], [9])],
)
def test_the_columns_are_targets_of_all_rows(num_context, columns):
    zeros = np.zeros((len(num_context), 10))
    assert _perturb.some_columns(batch_of(zeros, zeros.astype(int), zeros, num_context)) == columns


def test_where_no_column_is_a_target_of_all_rows_it_is_one_of_some():
    zeros, valid = np.zeros((2, 4)), np.array([[True, True, False, False], [True, True, True, True]])
    assert _perturb.some_columns(batch_of(zeros, zeros.astype(int), zeros, [1, 3], valid)) == [1, 3]


@pytest.mark.parametrize("field", ["samples", "mean", "scale"])
def test_rollouts_are_as_far_apart_as_their_farthest_trajectory_at_a_target(field, two_rows):
    zeros = np.zeros((2, 2, 7))
    one, moved = Rollout(zeros + 2, zeros + 2, zeros + 2), zeros + 2
    moved[0, 1, 5], moved[1, 1, 5], moved[0, 0, 0] = 3.0, -1.0, 9.0
    apart = _perturb.rollouts_apart(one, replace(one, **{field: moved}), two_rows)
    np.testing.assert_array_equal(apart, 3.0 * _perturb.at(np.array([9, 5]), two_rows))
