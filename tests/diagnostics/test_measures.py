import numpy as np
import pytest

from attn.types import Attention, Batch
from diagnostics import measures


def batch_of(x, series, y, num_context, valid=None):
    x = np.atleast_2d(np.array(x, float))
    y = np.atleast_2d(np.array(y, float))
    series = np.atleast_2d(np.array(series))
    valid = np.ones(x.shape, bool) if valid is None else np.atleast_2d(np.array(valid))
    return Batch(x, series, y, valid, np.atleast_1d(np.array(num_context)))


@pytest.fixture
def pair():
    """A is the line y = x at 0, 2, 4; B is observed at 1 and 3 (one below A), and predicted at 3.5 and 4."""
    return batch_of(
        x=[0, 2, 4, 1, 3, 3.5, 4], series=[0, 0, 0, 1, 1, 1, 1], y=[0, 2, 4, 0, 2, 2.5, 3], num_context=5
    )


def test_level_gap_interpolates_a_at_the_points_of_b(pair):
    assert measures.level_gap(pair) == pytest.approx([1.0])


def test_level_gap_takes_b_from_the_targets_not_from_the_label(pair):
    flipped = batch_of(pair.x, 1 - pair.series, pair.y, 5)
    assert measures.level_gap(flipped) == pytest.approx([1.0])


def test_level_gap_is_nan_where_one_series_is_not_observed():
    single = batch_of([0, 1, 2], [0, 0, 0], [1, 2, 3], 2)
    assert np.isnan(measures.level_gap(single)).all()


def test_by_target_gathers_ragged_rows_to_the_left():
    values = np.array([[0.0, 1, 2, 3], [4, 5, 6, 7]])
    batch = batch_of(values, np.zeros((2, 4), int), values, [1, 2], [[True] * 4, [True, True, True, False]])
    gathered = measures.by_target(batch, values)
    np.testing.assert_array_equal(gathered, [[1, 2, 3], [6, np.nan, np.nan]])


def test_drift_fraction_is_the_regression_through_the_origin_by_target():
    gap = np.array([1.0, -2.0])
    reference = np.array([[5.0, 6.0], [7.0, np.nan]])
    prediction = np.array([[5.5, 7.0], [6.0, np.nan]])
    # first target: (0.5 * 1 + -1 * -2) / (1 + 4); second: only the first pair has one
    drift = measures.drift_fraction(prediction, reference, gap)
    assert drift.value() == pytest.approx([2.5 / 5, 1.0])
    assert drift.pooled().value() == pytest.approx([(2.5 + 1) / 6])


def test_drift_fraction_leaves_out_pairs_without_a_gap():
    drift = measures.drift_fraction(np.array([[2.0], [9.0]]), np.zeros((2, 1)), np.array([4.0, np.nan]))
    assert drift.value() == pytest.approx([0.5])


def test_r_squared_by_hand_and_far_from_zero():
    y = np.array([[1.0, 2.0, 3.0]])
    prediction = np.array([[1.0, 2.0, 4.0]])
    assert measures.r_squared(prediction, y).pooled().value() == pytest.approx([1 - 1 / 2])
    far = measures.r_squared(prediction + 1e6, y + 1e6).pooled().value()
    assert far == pytest.approx([0.5], rel=1e-6)


def test_r_squared_of_the_mean_is_zero_and_of_nothing_is_nan():
    y = np.array([[1.0, 2.0, 3.0]])
    assert measures.r_squared(np.full((1, 3), 2.0), y).pooled().value() == pytest.approx([0.0])
    only = np.full((1, 3), np.nan)
    assert np.isnan(measures.r_squared(only, y).pooled().value()).all()


def test_root_mean_square_skips_nan():
    assert measures.root_mean_square(np.array([[3.0, np.nan], [4.0, 1.0]])).value() == pytest.approx(
        [np.sqrt(12.5), 1.0]
    )


def test_z_scores_nll_and_coverage_by_hand():
    mean, scale, y = np.array([[0.0, 0.0, 1.0]]), np.array([[2.0, 2.0, 0.0]]), np.array([[2.0, 4.0, 1.0]])
    assert measures.z_score(mean, scale, y) == pytest.approx(np.array([[1.0, 2.0, 0.0]]))
    nll = measures.negative_log_likelihood(mean, scale, y)
    assert nll[0, 1] == pytest.approx(2 + np.log(2) + 0.5 * np.log(2 * np.pi))
    assert measures.coverage_90(mean, scale, y).pooled().value() == pytest.approx([2 / 3])


def test_jump_ratio_compares_with_the_nearest_observed_point_of_b(pair):
    mean = pair.y.copy()
    mean[0, 5] = 3.5  # observed B at x = 3 is 2: predicted jump 1.5, true jump 0.5
    assert measures.jump_ratio(pair, mean).value() == pytest.approx([3.0])


def test_attention_mass_and_share_of_points(pair):
    weights = np.zeros((1, 1, 2, 7, 7))
    weights[0, 0, 0, 5, 0] = 1.0  # one head looks at A only
    weights[0, 0, 1, 5, [3, 4]] = 0.5  # the other at B only
    weights[0, 0, :, 6, 5] = 1.0
    mass = measures.attention_mass(Attention(weights, np.arange(7), np.arange(7)), pair)
    assert mass.on_a == pytest.approx(np.array([[0.5, 0.0]]))
    assert mass.on_b == pytest.approx(np.array([[0.5, 1.0]]))
    assert mass.points_of_a == pytest.approx(np.array([[3 / 5, 3 / 6]]))


def test_bootstrap_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        interval = measures.mean_of(rng.normal(3.0, 1.0, (60, 1))).interval(rng, num_resamples=300)
        inside += interval.low[0] <= 3.0 <= interval.high[0]
    assert 0.88 <= inside / 200 <= 0.99


def test_bootstrap_is_over_pairs_not_over_targets():
    rng = np.random.default_rng(1)
    level = rng.normal(size=(50, 1))
    repeated = measures.mean_of(np.repeat(level, 40, axis=1)).pooled().interval(np.random.default_rng(2))
    single = measures.mean_of(level).interval(np.random.default_rng(2))
    assert repeated.high - repeated.low == pytest.approx(single.high - single.low)


def test_bootstrap_repeats_under_one_seed_and_knows_nothing_of_empty_targets():
    values = np.array([[1.0, np.nan], [2.0, np.nan], [4.0, np.nan]])
    one = measures.mean_of(values).interval(np.random.default_rng(3))
    two = measures.mean_of(values).interval(np.random.default_rng(3))
    np.testing.assert_array_equal(one.low, two.low)
    assert np.isnan(one.value[1])
    assert np.isnan(one.low[1])


def test_pit_is_the_probability_below_the_truth():
    transform = measures.pit(
        np.array([[0.0, 1.0, 2.0]]), np.array([[1.0, 2.0, 0.0]]), np.array([[1.96, 1.0, 2.5]])
    )
    assert transform == pytest.approx(np.array([[0.975, 0.5, 1.0]]), abs=1e-4)
    assert np.isnan(measures.pit(np.array([0.0]), np.array([1.0]), np.array([np.nan]))).all()


def test_rank_pit_is_the_place_among_the_samples():
    samples = np.array([1.0, 2.0, 3.0])[:, None, None] * np.ones((3, 1, 4))
    y = np.array([[0.0, 2.5, 9.0, np.nan]])
    transform = measures.rank_pit(samples, y, np.random.default_rng(0))
    # 0, 2 and 3 of 3 samples lie below: four places, each a quarter wide
    assert np.floor(transform[0, :3] * 4) == pytest.approx([0, 2, 3])
    assert np.isnan(transform[0, 3])


def test_rank_pit_breaks_ties_at_random_and_is_uniform():
    y = np.zeros((2000, 1))
    transform = measures.rank_pit(np.zeros((3, 2000, 1)), y, np.random.default_rng(1))
    # the standard deviation of each count is 20
    assert np.histogram(transform, 4, (0, 1))[0] == pytest.approx([500] * 4, abs=80)


def test_central_share_and_histogram_by_hand():
    transform = np.array([[0.04, 0.06, np.nan], [0.94, 0.5, 1.0]])
    assert measures.central(transform).pooled().value() == pytest.approx([3 / 5])
    assert measures.central(transform, 0.98).pooled().value() == pytest.approx([4 / 5])
    # five values in two bins: two and three where 2.5 are due
    assert measures.histogram(transform, 2).value() == pytest.approx([2 / 2.5, 3 / 2.5])


def test_central_of_the_pit_is_the_coverage():
    rng = np.random.default_rng(2)
    mean, scale = rng.normal(size=(30, 4)), rng.uniform(0.5, 2, (30, 4))
    y = mean + 1.3 * scale * rng.normal(size=(30, 4))
    central = measures.central(measures.pit(mean, scale, y)).value()
    np.testing.assert_array_equal(central, measures.coverage_90(mean, scale, y).value())
