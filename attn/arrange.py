"""The order in which a model sees the points of a pair.

An arrangement is a sort key for every point and the number of points that are observed: sorting by the
key gives the order.  Padding always sorts to the end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attn.types import Batch, Bools, Floats, Ints, Pairs


@dataclass(frozen=True, eq=False)
class _Order:
    """key [B,L] float: points are seen in rising order of it; num_context [B] int."""

    key: Floats
    num_context: Ints


def arrange(pairs: Pairs, regime: str, num_context: int, rng: np.random.Generator) -> Batch:
    """Order `pairs` as the training `regime` does; B rows, L points.

    shuffle      one random permutation for the whole batch; the first `num_context` are observed
    full_infer   sorted by x: the first 2 num_context points of both series, then the rest of series s,
                 then the rest of the other series, which is to be predicted; s is 0 in half of the rows,
                 and the number of observed points differs from row to row
    half_half    a quarter full_infer with s = 1, a quarter with s = 0, a quarter in the order of
                 `shuffle`, a quarter in the order of the file
    mixed        half `forecast` of either series with 1 to 2 num_context points observed, sorted or not;
                 half a random permutation of each row with num_context to 2/3 L observed
    forecast     see `forecast`: consecutive, sorted, either series as B by a fair coin

    A row with too few valid points for num_context observes all of them but one.  A row with a single
    series is all B: there is no A to see first.  Raises ValueError for an unknown regime or a num_context
    that leaves nothing to observe or to predict in any row.
    """
    if regime not in REGIMES:
        raise ValueError(f"regime must be one of {', '.join(REGIMES)}; got {regime!r}")
    _check_num_context(num_context, pairs.num_points - 1, "L - 1")
    if regime == "forecast":
        return forecast(pairs, num_context, rng)
    return _ordered(pairs, _REGIMES[regime](pairs, num_context, rng))


def forecast(
    pairs: Pairs,
    num_context: int,
    rng: np.random.Generator,
    *,
    target_series: int | None = None,
    consecutive: bool = True,
    is_sorted: bool = True,
) -> Batch:
    """The order used at inference: all of A, then `num_context` points of B, then the rest of B.

    target_series   which series is B; None = either, by a fair coin for every row
    consecutive     the observed points of B are its first in x; False = scattered over it
    is_sorted       each of the three parts is sorted by x; False = permuted

    Where only one series exists it is B, and there is no A.  Raises ValueError if in any row a series that
    may be B has no more than `num_context` points.
    """
    if target_series not in (None, 0, 1):
        raise ValueError(f"target_series must be 0, 1 or None; got {target_series!r}")
    num_b = _fewest_points_of_b(pairs, target_series)
    row = int(num_b.argmin())
    _check_num_context(num_context, int(num_b[row]) - 1, f"the points of B in row {row}, less 1")
    of_b = _series_to_predict(pairs, target_series, rng)
    observed_b = np.full(pairs.num_pairs, num_context)
    return _ordered(pairs, _forecast_order(pairs, of_b, observed_b, rng, consecutive, is_sorted))


def _check_num_context(num_context: int, largest: int, meaning: str) -> None:
    if not 1 <= num_context <= largest:
        raise ValueError(f"num_context must be between 1 and {largest} ({meaning}); got {num_context}")


def _count(pairs: Pairs) -> Ints:
    """Valid points of each series [B,2]."""
    return np.stack([(pairs.valid & (pairs.series == s)).sum(axis=1) for s in (0, 1)], axis=1)


def _has_both(pairs: Pairs) -> Bools:
    """Rows with points of both series [B,1]."""
    return _count(pairs).min(axis=1, keepdims=True) > 0


def _fewest_points_of_b(pairs: Pairs, target_series: int | None) -> Ints:
    """Points of the series that is B [B]; of the shorter one where either may be."""
    count = _count(pairs)
    of_pair = count.min(axis=1) if target_series is None else count[:, target_series]
    return np.where(count.min(axis=1) > 0, of_pair, count.sum(axis=1))


def _series_to_predict(pairs: Pairs, target_series: int | None, rng: np.random.Generator) -> Bools:
    """True at the points of the series that is B [B,L]."""
    drawn = rng.integers(0, 2, pairs.num_pairs) if target_series is None else target_series
    return np.where(_has_both(pairs), pairs.series == np.reshape(drawn, (-1, 1)), True)


def _ordered(pairs: Pairs, order: _Order) -> Batch:
    column = np.argsort(np.where(pairs.valid, order.key, np.inf), axis=1, kind="stable")

    def ordered(values: NDArray[Any]) -> NDArray[Any]:
        return np.take_along_axis(values, column, axis=1)

    x, series, y, valid = map(ordered, (pairs.x, pairs.series, pairs.y, pairs.valid))
    return Batch(x, series, y, valid, order.num_context)


def _rank(values: Floats) -> Ints:
    """Rank of every value within its row [B,L]; ties keep their order."""
    return np.argsort(np.argsort(values, axis=1, kind="stable"), axis=1)


def _equal_shares(num_rows: int, num_kinds: int, rng: np.random.Generator) -> Ints:
    """A kind for every row [num_rows], each equally often; which kind gets the odd rows is drawn."""
    return rng.permutation((np.arange(num_rows) + rng.integers(num_kinds)) % num_kinds)


def _shuffle(pairs: Pairs, num_context: int, rng: np.random.Generator) -> _Order:
    key = np.tile(rng.permutation(pairs.num_points).astype(float), (pairs.num_pairs, 1))
    return _Order(key, _at_most_all_but_one(pairs, np.full(pairs.num_pairs, num_context)))


def _full_infer(pairs: Pairs, num_context: int, rng: np.random.Generator) -> _Order:
    return _full_infer_order(pairs, num_context, _equal_shares(pairs.num_pairs, 2, rng))


def _full_infer_order(pairs: Pairs, num_context: int, seen_series: Ints) -> _Order:
    """`seen_series` [B]: the series that is seen whole, s above."""
    rank = _rank(np.where(pairs.valid, pairs.x, np.inf))
    is_early = rank < 2 * num_context
    is_seen = (pairs.series == seen_series[:, None]) & _has_both(pairs)
    part = np.where(is_early, 0, np.where(is_seen, 1, 2))
    observed = (pairs.valid & (part < 2)).sum(axis=1)
    return _Order(part * pairs.num_points + rank.astype(float), _at_most_all_but_one(pairs, observed))


def _half_half(pairs: Pairs, num_context: int, rng: np.random.Generator) -> _Order:
    quarter = _equal_shares(pairs.num_pairs, 4, rng)
    infer = _full_infer_order(pairs, num_context, (quarter == 0).astype(int))
    shuffled = _shuffle(pairs, num_context, rng)
    raw = np.arange(pairs.num_points, dtype=float)
    key = np.where((quarter < 2)[:, None], infer.key, np.where((quarter == 2)[:, None], shuffled.key, raw))
    return _Order(key, np.where(quarter < 2, infer.num_context, shuffled.num_context))


def _mixed(pairs: Pairs, num_context: int, rng: np.random.Generator) -> _Order:
    of_b = _series_to_predict(pairs, None, rng)
    num_b = (of_b & pairs.valid).sum(axis=1)
    observed_b = rng.integers(1, np.clip(num_b - 1, 1, 2 * num_context) + 1)
    is_sorted = rng.random((pairs.num_pairs, 1)) < 0.5
    by_x = _forecast_order(pairs, of_b, observed_b, rng, consecutive=True, is_sorted=True)
    loose = _forecast_order(pairs, of_b, observed_b, rng, consecutive=False, is_sorted=False)
    num_valid = pairs.valid.sum(axis=1)
    highest = np.maximum(2 * num_valid // 3, num_context)
    observed = rng.integers(num_context, highest + 1)
    is_forecast = _equal_shares(pairs.num_pairs, 2, rng).astype(bool)
    key = np.where(is_forecast[:, None], np.where(is_sorted, by_x.key, loose.key), rng.random(pairs.x.shape))
    return _Order(key, _at_most_all_but_one(pairs, np.where(is_forecast, by_x.num_context, observed)))


def _forecast_order(
    pairs: Pairs, of_b: Bools, observed_b: Ints, rng: np.random.Generator, consecutive: bool, is_sorted: bool
) -> _Order:
    """All of A, `observed_b` [B] points of B, the rest of B; `of_b` [B,L] marks the points of B."""
    b_points = of_b & pairs.valid
    eligible = pairs.x if consecutive else rng.random(pairs.x.shape)
    is_observed_b = b_points & (_rank(np.where(b_points, eligible, np.inf)) < observed_b[:, None])
    part = np.where(~of_b, 0, np.where(is_observed_b, 1, 2))
    within = _rank(np.where(pairs.valid, pairs.x, np.inf) if is_sorted else rng.random(pairs.x.shape))
    num_a = (pairs.valid & ~of_b).sum(axis=1)
    return _Order(part * pairs.num_points + within.astype(float), num_a + observed_b)


def _at_most_all_but_one(pairs: Pairs, num_context: Ints) -> Ints:
    """At least one observed point and one to predict in every row."""
    return np.clip(num_context, 1, np.maximum(pairs.valid.sum(axis=1) - 1, 1))


_REGIMES: dict[str, Callable[[Pairs, int, np.random.Generator], _Order]] = {
    "shuffle": _shuffle,
    "full_infer": _full_infer,
    "half_half": _half_half,
    "mixed": _mixed,
}
REGIMES = (*_REGIMES, "forecast")
