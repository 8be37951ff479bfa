"""The measures against plain loops, and at their edges: rows without a target, scales of 0, padding."""

import numpy as np
import pytest
from scipy import stats

from attn.types import Attention, Batch
from diagnostics import measures

NAN = np.nan


def batch_of(series, y, num_context, valid=None, x=None):
    y = np.array(y, float)
    x = np.arange(y.shape[1]) + 0 * y if x is None else np.array(x, float)
    valid = np.ones(y.shape, bool) if valid is None else np.array(valid)
    return Batch(x, np.array(series), y, valid, np.array(num_context))


def test_the_interval_is_that_of_pairs_drawn_with_replacement():
    values = np.random.default_rng(0).normal(size=(7, 2))
    counts = np.random.default_rng(1).multinomial(7, np.full(7, 1 / 7), 50)
    means = np.array([[(count * column).sum() / 7 for column in values.T] for count in counts])
    interval = measures.mean_of(values).interval(np.random.default_rng(1), num_resamples=50)
    np.testing.assert_allclose(interval.value, values.mean(axis=0))
    np.testing.assert_allclose(interval.low, np.percentile(means, 2.5, axis=0))
    np.testing.assert_allclose(interval.high, np.percentile(means, 97.5, axis=0))


def test_a_thousand_resamples_are_drawn_where_nothing_is_said():
    statistic = measures.mean_of(np.random.default_rng(0).normal(size=(9, 1)))
    silent, said = (
        statistic.interval(np.random.default_rng(1)),
        statistic.interval(np.random.default_rng(1), 1000),
    )
    assert (silent.low, silent.high) == (said.low, said.high)


def test_a_target_of_few_pairs_has_the_interval_of_the_draws_that_hold_one():
    values = np.array([[1.0, NAN], [2.0, 5.0], [3.0, NAN]])
    interval = measures.mean_of(values).interval(np.random.default_rng(0))
    assert (interval.low[1], interval.high[1]) == (5.0, 5.0)


def test_pooling_adds_up_the_targets_that_are_named():
    statistic = measures.mean_of(np.array([[1.0, 2.0, 9.0], [3.0, 6.0, NAN]]))
    assert statistic.num_pairs == 2
    assert statistic.pooled().value() == pytest.approx([21 / 5])
    assert statistic.pooled(slice(0, 2)).value() == pytest.approx([3.0])
    assert statistic.pooled().sums.shape == (2, 1, 2)


def test_ratios_and_roots_of_ratios_by_hand():
    numerator, denominator = np.array([[3.0], [1.0]]), np.array([[4.0], [12.0]])
    assert measures.ratio_of(numerator, denominator).value() == pytest.approx([4 / 16])
    assert measures.root_ratio_of(numerator, denominator).value() == pytest.approx([np.sqrt(10 / 160)])
    assert np.isnan(measures.ratio_of(numerator * NAN, denominator).value()).all()


def test_r_squared_by_hand():
    y, prediction = np.array([[1.0, 2.0], [3.0, 10.0]]), np.array([[1.5, 2.0], [3.0, 8.0]])
    due = 1 - ((y - prediction) ** 2).sum() / ((y - 4) ** 2).sum()
    assert measures.r_squared(prediction, y).pooled().value() == pytest.approx([due])
    # of one target alone the variance is about its own mean, 2 and 6
    assert measures.r_squared(prediction, y).value() == pytest.approx([1 - 0.25 / 2, 1 - 4 / 32])


def test_r_squared_has_an_interval_by_target():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(200, 3))
    interval = measures.r_squared(y + [0.1, 0.3, 0.6] * rng.normal(size=(200, 3)), y).interval(rng)
    assert (interval.low < interval.value).all()
    assert (interval.value < interval.high).all()
    assert (np.diff(interval.high) < 0).all()


def test_columns_and_series_of_the_first_target_of_ragged_rows():
    series = [[0, 1, 0, 1], [1, 0, 0, 1], [0, 0, 0, 1]]
    valid = [[True] * 4, [True, True, False, True], [True, True, True, False]]
    batch = batch_of(series, np.zeros((3, 4)), [1, 2, 3], valid)
    np.testing.assert_array_equal(measures.target_columns(batch), [1, 3, 4])  # the third row has none
    np.testing.assert_array_equal(measures.predicted_series(batch), [1, 1, 1])


def test_the_level_gap_takes_observed_points_only_and_a_in_order_of_x():
    # A is y = 2 x, given out of order; B is observed at x = 2 and 3, 1 and 4 below A
    batch = batch_of(
        series=[[0, 0, 0, 1, 1, 1, 0, 1]] * 2,
        y=[[8, 0, 2, 3, 2, 99, 99, 99]] * 2,
        num_context=[5, 5],
        x=[[4, 0, 1, 2, 3, 2.5, 9, 1]] * 2,
        valid=[[True] * 8, [True, True, True, True, False, True, True, True]],
    )
    assert measures.level_gap(batch) == pytest.approx([2.5, 1.0])


@pytest.mark.parametrize("series", [[1, 1, 0, 0], [0, 0, 0, 0]])
def test_without_an_observed_point_of_either_series_there_is_no_gap_and_no_jump(series):
    batch = batch_of([series], [[1, 2, 3, 4]], [2])
    assert np.isnan(measures.level_gap(batch)).all()
    jump = measures.boundary_jump(batch, batch.y)
    assert jump.shape == (1, 1)
    assert np.isnan(jump[0, 0]) == (series[0] == 1)


def test_the_jump_is_from_the_nearest_observed_point_on_either_side():
    batch = batch_of(
        series=[[1, 1, 1, 0, 1], [1, 1, 1, 0, 1], [1, 1, 1, 1, 1]],
        y=[[10, 20, 30, 77, 5]] * 3,
        num_context=[4, 4, 4],
        x=[[1, 4, 8, 5, 5], [1, 4, 8, 7, 7], [1, 4, 8, 7, 7]],
        valid=[[True] * 5, [True] * 5, [True, True, True, True, False]],
    )
    jump = measures.boundary_jump(batch, batch.y + 1)
    np.testing.assert_array_equal(jump, [[6 - 20], [6 - 30], [NAN]])  # the third row has no target


def test_a_row_without_a_target_has_no_jump_even_where_it_ends_with_padding():
    batch = batch_of([[0, 0, 0]], [[1, 2, 3]], [3])
    assert np.isnan(measures.boundary_jump(batch, batch.y)).all()


def test_scores_and_densities_are_those_of_the_normal_distribution():
    mean, scale, y = np.array([0.5, -1.0, 3.0]), np.array([0.2, 1.0, 4.0]), np.array([0.9, -1.0, -6.0])
    np.testing.assert_allclose(measures.z_score(mean, scale, y), (y - mean) / scale)
    density = -stats.norm(mean, scale).logpdf(y)
    np.testing.assert_allclose(measures.negative_log_likelihood(mean, scale, y), density)


def test_at_scale_0_an_error_is_infinitely_surprising_and_none_is_0():
    mean, scale, y = np.zeros(3), np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])
    np.testing.assert_array_equal(measures.z_score(mean, scale, y), [0.0, -np.inf, 0.0])


def test_ninety_percent_lie_within_the_band():
    assert pytest.approx(stats.norm.ppf(0.95)) == measures.BAND_90
    inside, outside = measures.BAND_90, np.nextafter(measures.BAND_90, 2)
    y = np.array([[inside, -inside, outside, -outside, NAN]])
    zeros = np.zeros(y.shape)
    assert measures.coverage_90(zeros, zeros + 1, y).pooled().value() == [0.5]


def test_attention_is_averaged_over_layers_and_heads_and_counts_valid_points():
    """A row of two of A, padding, one of B; the targets are two of B, and one of A."""
    batch = batch_of(
        series=[[0, 0, 0, 1, 1, 1, 0]],
        y=np.zeros((1, 7)),
        num_context=[4],
        valid=[[True, True, False, True, True, True, True]],
    )
    weights = np.zeros((2, 1, 2, 3, 6))  # of the targets alone, on all keys but the last
    weights[0, 0, 0, 0, [0, 3]] = 0.25, 0.75
    weights[1, 0, 0, 0, [2, 3]] = 0.5, 0.5  # on padding, which is neither
    weights[0, 0, 1, 0, 1] = 1.0
    weights[:, 0, :, 1, 4] = 1.0
    weights[:, 0, :, 2, 5] = 1.0
    mass = measures.attention_mass(Attention(weights, np.array([4, 5, 6]), np.arange(6)), batch)
    np.testing.assert_allclose(mass.on_a, [[1.25 / 4, 0, 0]])
    np.testing.assert_allclose(mass.on_b, [[1.25 / 4, 1, 1]])
    np.testing.assert_allclose(mass.points_of_a, [[2 / 3, 2 / 4, 2 / 5]])


def test_attention_that_was_not_shown_for_a_target_is_unknown():
    batch = batch_of([[0, 1, 1]], np.zeros((1, 3)), [1])
    mass = measures.attention_mass(Attention(np.ones((1, 1, 1, 1, 1)), np.array([2]), np.array([0])), batch)
    np.testing.assert_array_equal(mass.on_a, [[NAN, 1.0]])
    np.testing.assert_array_equal(mass.on_b, [[NAN, 0.0]])
