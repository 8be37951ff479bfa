import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.arrange import REGIMES, arrange, forecast
from attn.processes import PairProcess
from attn.types import Pairs

SEEDS = st.integers(0, 2**32 - 1)
every_regime = pytest.mark.parametrize("regime", REGIMES)


@st.composite
def ragged_pairs(draw, fewest=1):
    """Rows of at least `fewest` points a series, ties in x, columns in any order, nonsense in padding.

    y numbers the points of the batch, so that each can be recognised.
    """
    counts = draw(st.lists(st.tuples(*[st.integers(fewest, fewest + 6)] * 2), min_size=1, max_size=5))
    length = max(map(sum, counts)) + draw(st.integers(0, 3))
    rng = np.random.default_rng(draw(SEEDS))
    x, y = np.full((len(counts), length), np.nan), np.full((len(counts), length), np.nan)
    series, valid = np.full(x.shape, -9), np.zeros(x.shape, bool)
    for row, (first, second) in enumerate(counts):
        columns = rng.permutation(length)[: first + second]
        x[row, columns] = rng.integers(0, 8, first + second) / 2
        series[row, columns] = rng.permutation([0] * first + [1] * second)
        y[row, columns] = row * length + columns
        valid[row, columns] = True
    return Pairs(x, series, y, valid)


def full_pairs(num_pairs=8, num_points=30, **fields):
    """Rows without padding; y numbers the points of a row."""
    # No test may arrange with this seed: the same stream of numbers would order the points by their x.
    rng = np.random.default_rng(12345)
    pairs = PairProcess(num_points=num_points, **fields).sample(num_pairs, rng)
    y = np.tile(np.arange(pairs.num_points, dtype=float), (num_pairs, 1))
    return Pairs(pairs.x, pairs.series, y, pairs.valid)


def point_list(points, row):
    """The valid points of a row in their order, as (x, series, y)."""
    return [
        (points.x[row, t], points.series[row, t], points.y[row, t]) for t in np.flatnonzero(points.valid[row])
    ]


def full_infer_by_loop(points, num_context, seen):
    """The points of one row in the order of `full_infer`, and how many are observed."""
    by_x = sorted(points, key=lambda point: point[0])  # stable, as the arrangement is
    early, late = by_x[: 2 * num_context], by_x[2 * num_context :]
    rest_seen = [point for point in late if point[1] == seen]
    rest_other = [point for point in late if point[1] != seen]
    observed = min(len(early) + len(rest_seen), len(points) - 1)
    return early + rest_seen + rest_other, observed


def parts_of_forecast(batch, row, target_series, num_context):
    """A, the observed points of B, the rest of B: as lists of points."""
    points = point_list(batch, row)
    num_a = sum(point[1] != target_series for point in points)
    return points[:num_a], points[num_a : num_a + num_context], points[num_a + num_context :]


def is_sorted(points):
    return all(before[0] <= after[0] for before, after in pairwise(points))


def raises(sentence):
    return pytest.raises(ValueError, match="^" + re.escape(sentence) + "$")


class TestEveryRegime:
    @every_regime
    @given(pairs=ragged_pairs(fewest=3), num_context=st.integers(1, 2), seed=SEEDS)
    @settings(max_examples=60)
    def test_is_a_permutation_of_valid_points_with_padding_at_the_end(self, regime, pairs, num_context, seed):
        before = {name: getattr(pairs, name).copy() for name in ("x", "series", "y", "valid")}
        batch = arrange(pairs, regime, num_context, np.random.default_rng(seed))
        for row in range(pairs.num_pairs):
            assert sorted(point_list(batch, row)) == sorted(point_list(pairs, row))
            num_valid = pairs.valid[row].sum()
            assert batch.valid[row, :num_valid].all()
            assert not batch.valid[row, num_valid:].any()
        for name, array in before.items():
            np.testing.assert_array_equal(getattr(pairs, name), array)

    @pytest.mark.parametrize("regime", [regime for regime in REGIMES if regime != "forecast"])
    @given(pairs=ragged_pairs(), seed=SEEDS, data=st.data())
    @settings(max_examples=60)
    def test_every_row_has_something_to_observe_and_to_predict(self, regime, pairs, seed, data):
        num_context = data.draw(st.integers(1, pairs.num_points - 1))
        batch = arrange(pairs, regime, num_context, np.random.default_rng(seed))
        assert batch.is_context.any(axis=1).all()
        assert batch.is_target.any(axis=1).all()

    @every_regime
    def test_seeds(self, regime):
        pairs = full_pairs()
        first, again, other = (arrange(pairs, regime, 5, np.random.default_rng(seed)) for seed in (1, 1, 2))
        np.testing.assert_array_equal(first.y, again.y)
        np.testing.assert_array_equal(first.num_context, again.num_context)
        assert not np.array_equal(first.y, other.y)

    @every_regime
    @given(num_context=st.integers(1, 19), seed=SEEDS)
    @settings(max_examples=20)
    def test_single_sequences(self, regime, num_context, seed):
        pairs = full_pairs(num_points=20, shift="none")
        batch = arrange(pairs, regime, num_context, np.random.default_rng(seed))
        np.testing.assert_array_equal(np.sort(batch.y, axis=1), pairs.y)
        assert batch.is_target.any(axis=1).all()

    @every_regime
    @pytest.mark.parametrize("num_context", [0, -1, 60])
    def test_num_context_out_of_range(self, regime, num_context):
        with raises(f"num_context must be between 1 and 59 (L - 1); got {num_context}"):
            arrange(full_pairs(), regime, num_context, np.random.default_rng(0))

    def test_unknown_regime(self):
        with raises(f"regime must be one of {', '.join(REGIMES)}; got 'sorted'"):
            arrange(full_pairs(), "sorted", 5, np.random.default_rng(0))


class TestShuffle:
    def test_is_one_random_permutation_for_the_whole_batch(self):
        batch = arrange(full_pairs(), "shuffle", 7, np.random.default_rng(0))
        assert (batch.y == batch.y[0]).all()
        assert not np.array_equal(batch.y[0], np.arange(60))
        assert (batch.num_context == 7).all()

    def test_short_rows_observe_all_but_one(self):
        pairs = full_pairs(num_pairs=2)
        valid = pairs.valid.copy()
        valid[1, 3:] = False
        pairs = Pairs(pairs.x, pairs.series, pairs.y, valid)
        assert arrange(pairs, "shuffle", 10, np.random.default_rng(0)).num_context.tolist() == [10, 2]


class TestFullInfer:
    @given(pairs=ragged_pairs(), seed=SEEDS, data=st.data())
    @settings(max_examples=100)
    def test_is_the_order_of_the_slow_loop(self, pairs, seed, data):
        num_context = data.draw(st.integers(1, pairs.num_points - 1))
        batch = arrange(pairs, "full_infer", num_context, np.random.default_rng(seed))
        for row in range(pairs.num_pairs):
            made = point_list(batch, row), batch.num_context[row]
            assert made in [full_infer_by_loop(point_list(pairs, row), num_context, seen) for seen in (0, 1)]

    def test_each_series_is_seen_whole_in_half_of_the_rows(self):
        batch = arrange(full_pairs(num_pairs=20), "full_infer", 5, np.random.default_rng(0))
        predicted = [set(batch.series[row, batch.is_target[row]].tolist()) for row in range(20)]
        assert sorted(predicted, key=str) == [{0}] * 10 + [{1}] * 10

    def test_a_row_alone_may_get_either_series(self):
        pairs = full_pairs(num_pairs=1)
        last = [
            arrange(pairs, "full_infer", 5, np.random.default_rng(seed)).series[0, -1] for seed in range(20)
        ]
        assert set(last) == {0, 1}

    def test_the_number_of_observed_points_differs_from_row_to_row(self):
        batch = arrange(full_pairs(num_pairs=20), "full_infer", 5, np.random.default_rng(0))
        assert len(set(batch.num_context.tolist())) > 3
        # 10 of 60 are early; of the 30 of s, between 0 and 10 are among them.
        assert (batch.num_context >= 30).all()
        assert (batch.num_context <= 40).all()

    def test_single_sequence_observes_the_first_points_and_predicts_the_rest(self):
        batch = arrange(full_pairs(shift="none"), "full_infer", 5, np.random.default_rng(0))
        assert (batch.num_context == 10).all()
        assert (np.diff(batch.x, axis=1) >= 0).all()


class TestHalfHalf:
    @pytest.mark.parametrize("seed", range(3))
    def test_a_quarter_of_each_kind(self, seed):
        pairs, num_context = full_pairs(num_pairs=16), 5
        batch = arrange(pairs, "half_half", num_context, np.random.default_rng(seed))
        kinds = {"raw": 0, "seen 0": 0, "seen 1": 0}
        shuffled = []
        for row in range(16):
            made = point_list(batch, row), batch.num_context[row]
            points = point_list(pairs, row)
            kinds["raw"] += made == (points, num_context)
            for seen in (0, 1):
                kinds[f"seen {seen}"] += made == full_infer_by_loop(points, num_context, seen)
            if made[1] == num_context and made[0] != points:
                shuffled.append(batch.y[row].tolist())
        assert kinds == {"raw": 4, "seen 0": 4, "seen 1": 4}
        assert shuffled == [shuffled[0]] * 4


class TestMixed:
    def test_half_is_forecast_of_either_series_and_half_is_permuted(self):
        pairs, num_context = full_pairs(num_pairs=400), 5
        batch = arrange(pairs, "mixed", num_context, np.random.default_rng(0))
        # 30 points of one series first: a random permutation does that once in 1e17.
        is_forecast = (batch.series[:, :30] == batch.series[:, :1]).all(axis=1)
        assert is_forecast.sum() == 200
        observed_b = batch.num_context[is_forecast] - 30
        assert set(observed_b.tolist()) == set(range(1, 11))
        assert set(batch.num_context[~is_forecast].tolist()) == set(range(5, 41))
        assert set(batch.series[is_forecast, 0].tolist()) == {0, 1}
        is_by_x = (np.diff(batch.x[is_forecast][:, :30], axis=1) >= 0).all(axis=1)
        assert 70 <= is_by_x.sum() <= 130  # 4 standard errors of 100 in 200
        for row in np.flatnonzero(is_forecast)[is_by_x]:
            assert is_sorted(point_list(batch, row)[30:])

    def test_rows_out_of_order_observe_points_scattered_over_b(self):
        batch = arrange(full_pairs(num_pairs=200), "mixed", 5, np.random.default_rng(0))
        parts = [
            parts_of_forecast(batch, row, batch.series[row, -1], batch.num_context[row] - 30)
            for row in range(200)
        ]
        is_forecast = (batch.series[:, :30] == batch.series[:, :1]).all(axis=1)
        loose = [
            part for part, keep in zip(parts, is_forecast, strict=True) if keep and not is_sorted(part[0])
        ]
        assert len(loose) > 20
        assert all(max(observed)[0] > min(rest)[0] for _, observed, rest in loose if len(observed) > 4)

    def test_short_series_keep_at_least_one_point_to_predict_with_equal_chances(self):
        batch = arrange(full_pairs(num_pairs=1000, num_points=12), "mixed", 11, np.random.default_rng(0))
        is_forecast = (batch.series[:, :12] == batch.series[:, :1]).all(axis=1)
        counts = np.bincount(batch.num_context[is_forecast] - 12)
        assert len(counts) == 12  # none observes 0, and 11 of 12 is the most
        assert counts[0] == 0
        assert np.abs(counts[1:] - 500 / 11).max() < 5 * np.sqrt(500 / 11)

    def test_permutations_differ_from_row_to_row(self):
        batch = arrange(full_pairs(num_pairs=20), "mixed", 5, np.random.default_rng(0))
        assert len({tuple(row) for row in batch.y.tolist()}) == 20

    def test_one_point_of_b_is_left_to_predict(self):
        pairs = full_pairs(num_pairs=40, num_points=3)
        valid = pairs.valid & ~((pairs.series == 1) & (np.arange(6) > 3))  # 3 of series 0, 1 of series 1
        pairs = Pairs(pairs.x, pairs.series, pairs.y, valid)
        batch = arrange(pairs, "mixed", 2, np.random.default_rng(0))
        assert (batch.is_target.sum(axis=1) >= 1).all()


class TestForecast:
    @given(
        pairs=ragged_pairs(fewest=4),
        num_context=st.integers(1, 3),
        target_series=st.sampled_from([0, 1]),
        consecutive=st.booleans(),
        by_x=st.booleans(),
        seed=SEEDS,
    )
    @settings(max_examples=150)
    def test_is_a_then_observed_b_then_the_rest(
        self, pairs, num_context, target_series, consecutive, by_x, seed
    ):
        batch = forecast(
            pairs,
            num_context,
            np.random.default_rng(seed),
            target_series=target_series,
            consecutive=consecutive,
            is_sorted=by_x,
        )
        for row in range(pairs.num_pairs):
            a, observed, rest = parts_of_forecast(batch, row, target_series, num_context)
            assert batch.num_context[row] == len(a) + num_context
            assert {point[1] for point in a} == {1 - target_series}
            assert {point[1] for point in observed + rest} == {target_series}
            if consecutive:
                assert max(observed)[0] <= min(rest)[0]
            if by_x:
                assert is_sorted(a)
                assert is_sorted(observed)
                assert is_sorted(rest)

    def test_scattered_is_spread_over_b(self):
        pairs = full_pairs(num_pairs=300)
        batch = forecast(pairs, 10, np.random.default_rng(0), target_series=1, consecutive=False)
        rank = np.argsort(np.argsort(batch.x[:, 30:], axis=1), axis=1)[:, :10]
        share = np.bincount(rank.ravel(), minlength=30) / 300
        assert np.abs(share - 1 / 3).max() < 5 * np.sqrt(2 / 9 / 300)

    @pytest.mark.parametrize("consecutive", [True, False])
    def test_not_sorted_is_permuted_within_each_part(self, consecutive):
        pairs = full_pairs(num_pairs=20)
        batch = forecast(pairs, 10, np.random.default_rng(0), consecutive=consecutive, is_sorted=False)
        for row in range(20):
            for part in parts_of_forecast(batch, row, batch.series[row, -1], 10):
                assert not is_sorted(part)

    def test_either_series_is_b(self):
        batch = forecast(full_pairs(num_pairs=400), 5, np.random.default_rng(0))
        assert abs((batch.series[:, -1] == 1).mean() - 0.5) < 4 * 0.5 / np.sqrt(400)

    def test_is_the_regime_of_that_name(self):
        pairs = full_pairs()
        by_name = arrange(pairs, "forecast", 5, np.random.default_rng(3))
        np.testing.assert_array_equal(by_name.y, forecast(pairs, 5, np.random.default_rng(3)).y)

    @pytest.mark.parametrize("target_series", [None, 0, 1])
    def test_single_sequence_is_b(self, target_series):
        pairs = full_pairs(shift="none")
        batch = forecast(pairs, 7, np.random.default_rng(0), target_series=target_series)
        assert (batch.num_context == 7).all()
        assert (np.diff(batch.x, axis=1) >= 0).all()

    @pytest.mark.parametrize("target_series", [None, 1])
    def test_series_of_one_point_leaves_nothing_to_predict(self, target_series):
        pairs = full_pairs(num_pairs=2)
        pairs = Pairs(pairs.x, pairs.series, pairs.y, pairs.valid & (np.arange(60) < 31))
        with raises("num_context must be between 1 and 0 (the points of B in row 0, less 1); got 1"):
            forecast(pairs, 1, np.random.default_rng(0), target_series=target_series)

    @pytest.mark.parametrize("target_series", [2, -1, "b"])
    def test_target_series(self, target_series):
        with raises(f"target_series must be 0, 1 or None; got {target_series!r}"):
            forecast(full_pairs(), 5, np.random.default_rng(0), target_series=target_series)

    @pytest.mark.parametrize("seed", range(5))
    def test_every_series_that_may_be_b_needs_enough_points(self, seed):
        pairs = full_pairs(num_pairs=3)
        valid = pairs.valid.copy()
        valid[2, 34:] = False  # 4 points of series 1 in row 2
        pairs = Pairs(pairs.x, pairs.series, pairs.y, valid)
        rng = np.random.default_rng(seed)
        sentence = "num_context must be between 1 and 3 (the points of B in row 2, less 1); got 4"
        for target_series in (1, None):
            with raises(sentence):
                forecast(pairs, 4, rng, target_series=target_series)
        assert forecast(pairs, 4, rng, target_series=0).num_context.tolist() == [34, 34, 8]
        assert forecast(pairs, 3, rng, target_series=1).num_context.tolist() == [33, 33, 33]
