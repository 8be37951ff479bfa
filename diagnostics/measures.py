"""Numbers only: every measure is a function of sums over pairs, so that one bootstrap serves them all.

Letters: N pairs, T targets (column h is target h + 1 counted from the boundary), K sums.
Arrays [N,T] hold NaN where a row has no such target; NaN is left out of every sum.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.special import ndtr

from attn.types import Attention, Batch, Bools, Floats, Ints

# 90 % of a normal distribution lies within this many standard deviations.
BAND_90 = 1.6448536269514722


@dataclass(frozen=True, eq=False)
class Interval:
    """A value with its 95 % bootstrap interval over pairs: three arrays of one shape, [] or [T]."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Statistic:
    """A measure: sums [N,T,K] of every pair and target, and the function [...,K] -> [...] of their totals."""

    sums: Floats
    of_totals: Callable[[Floats], Floats]

    @property
    def num_pairs(self) -> int:
        """The number of pairs N that the bootstrap draws from."""
        return self.sums.shape[0]

    def pooled(self, targets: slice = slice(None)) -> Self:
        """The same measure over all of `targets` together [N,1,K]."""
        return replace(self, sums=self.sums[:, targets].sum(axis=1, keepdims=True))

    def value(self) -> Floats:
        """By target [T]; NaN where no pair contributes."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.of_totals(self.sums.sum(axis=0))

    def interval(self, rng: np.random.Generator, num_resamples: int = 1000) -> Interval:
        """The value with the 2.5 and 97.5 percentiles over pairs drawn with replacement [T]."""
        num_pairs, num_targets, num_sums = self.sums.shape
        counts = rng.multinomial(num_pairs, np.full(num_pairs, 1 / num_pairs), num_resamples)  # [R,N]
        totals = counts.astype(float) @ self.sums.reshape(num_pairs, -1)  # [R,N] @ [N,T*K]
        with np.errstate(divide="ignore", invalid="ignore"):
            values = self.of_totals(totals.reshape(num_resamples, num_targets, num_sums))  # [R,T]
        low, high = np.full(num_targets, np.nan), np.full(num_targets, np.nan)
        for target in np.flatnonzero(~np.isnan(values).all(axis=0)):
            low[target], high[target] = np.nanpercentile(values[:, target], [2.5, 97.5])
        return Interval(self.value(), low, high)


def _statistic(of_totals: Callable[[Floats], Floats], *sums: Floats) -> Statistic:
    """Stack sums [N,T] to [N,T,K]; a target for which any of them is NaN counts for nothing."""
    stacked = np.stack(sums, axis=-1).astype(np.float64)
    unknown = np.isnan(stacked).any(axis=-1, keepdims=True)
    return Statistic(np.where(unknown, 0.0, stacked), of_totals)


def _ratio(totals: Floats) -> Floats:
    return totals[..., 0] / totals[..., 1]


def _root_ratio(totals: Floats) -> Floats:
    return np.sqrt(totals[..., 0] / totals[..., 1])


def mean_of(values: Floats) -> Statistic:
    """The average of values [N,T]."""
    return _statistic(_ratio, values, np.ones_like(values))


def root_mean_square(values: Floats) -> Statistic:
    """The root of the average square of values [N,T]."""
    return _statistic(_root_ratio, values**2, np.ones_like(values))


def ratio_of(numerator: Floats, denominator: Floats) -> Statistic:
    """The sum of one over the sum of the other, each [N,T]."""
    return _statistic(_ratio, numerator, denominator)


def root_ratio_of(numerator: Floats, denominator: Floats) -> Statistic:
    """The root of the sum of squares of one over the sum of squares of the other, each [N,T]."""
    return _statistic(_root_ratio, numerator**2, denominator**2)


def by_target(batch: Batch, values: Floats) -> Floats:
    """Gather the targets of every row to the left: values [B,L] -> [B,T], NaN after a row's last target.

    T is the largest number of targets of a row; rows may observe different numbers of points.
    """
    column = np.argsort(~batch.is_target, axis=1, kind="stable")
    num_targets = int(batch.is_target.sum(axis=1).max())
    gathered = np.take_along_axis(np.where(batch.is_target, values, np.nan), column, axis=1)
    return gathered[:, :num_targets]


def target_columns(batch: Batch) -> Ints:
    """The column of the first target of every row [B]; L where a row has none."""
    return np.where(batch.is_target.any(axis=1), batch.is_target.argmax(axis=1), batch.num_points)


def predicted_series(batch: Batch) -> Ints:
    """The series of each row's first target [B]: which series is B in a forecast arrangement."""
    column = np.minimum(target_columns(batch), batch.num_points - 1)
    return batch.series[np.arange(batch.num_pairs), column]


def level_gap(batch: Batch) -> Floats:
    """Level of A minus level of B [B], from what is observed: mean over B's points of A(x) - y.

    A is interpolated linearly between its observed points.  NaN in a row that shows only one series.
    """
    gap = np.full(batch.num_pairs, np.nan)
    of_b = batch.is_context & (batch.series == predicted_series(batch)[:, None])
    of_a = batch.is_context & ~of_b
    for row in np.flatnonzero(of_a.any(axis=1) & of_b.any(axis=1)):
        by_x = np.argsort(batch.x[row, of_a[row]])
        x_a, y_a = batch.x[row, of_a[row]][by_x], batch.y[row, of_a[row]][by_x]
        gap[row] = np.mean(np.interp(batch.x[row, of_b[row]], x_a, y_a) - batch.y[row, of_b[row]])
    return gap


def drift_fraction(prediction: Floats, reference: Floats, gap: Floats) -> Statistic:
    """Regression through the origin of prediction - reference [N,T] on the level gap [N].

    0 = on the right level, 1 = wholly on the level of A.  The reference is the oracle's mean, or the true
    y where no oracle exists (unbiased as well, with a wider interval).
    """
    gap = np.broadcast_to(gap[:, None], prediction.shape)
    return _statistic(_ratio, (prediction - reference) * gap, gap**2)


def r_squared(prediction: Floats, y: Floats) -> Statistic:
    """1 - squared error / variance of y about its own mean, over [N,T]."""
    centred = y - np.nanmean(y)  # keeps the sums of squares small, so that their difference is exact

    def of_totals(totals: Floats) -> Floats:
        error, square, total, count = np.moveaxis(totals, -1, 0)
        return 1 - error / (square - total**2 / count)

    return _statistic(of_totals, (y - prediction) ** 2, centred**2, centred, np.ones_like(y))


def z_score(prediction: Floats, scale: Floats, y: Floats) -> Floats:
    """(y - mean) / scale; an error at scale 0 is infinitely surprising, none at all is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (y - prediction) / scale
    return np.where((y == prediction) & (scale == 0), 0.0, z)


def negative_log_likelihood(prediction: Floats, scale: Floats, y: Floats) -> Floats:
    """-log N(y; mean, scale^2) in nats, element by element."""
    with np.errstate(divide="ignore"):
        return 0.5 * z_score(prediction, scale, y) ** 2 + np.log(scale) + 0.5 * np.log(2 * np.pi)


def coverage_90(prediction: Floats, scale: Floats, y: Floats) -> Statistic:
    """The share of targets inside the central 90 % band of their prediction."""
    z = z_score(prediction, scale, y)
    return mean_of(np.where(np.isnan(z), np.nan, np.abs(z) <= BAND_90))


def pit(prediction: Floats, scale: Floats, y: Floats) -> Floats:
    """The probability integral transform P(Y <= y) of a normal prediction: uniform where it is calibrated.

    Dawid (1984), "Statistical theory: the prequential approach".
    """
    return ndtr(z_score(prediction, scale, y))


def rank_pit(samples: Floats, y: Floats, rng: np.random.Generator) -> Floats:
    """The place of y [N,T] among samples [S,N,T] of it, as a number between 0 and 1.

    (samples below y + U) / (S + 1) with U uniform on (0, 1), ties broken by the same U: uniform where y and
    the samples are exchangeable, whatever their distribution.
    """
    below, equal = (samples < y).sum(axis=0), (samples == y).sum(axis=0)
    place = (below + rng.random(y.shape) * (1 + equal)) / (1 + len(samples))
    return np.where(np.isnan(y), np.nan, place)


def central(transform: Floats, share: float = 0.9) -> Statistic:
    """How often a PIT [N,T] lies in the central `share` of (0, 1): `share` where it is uniform."""
    return mean_of(np.where(np.isnan(transform), np.nan, np.abs(transform - 0.5) <= share / 2))


def histogram(transform: Floats, num_bins: int) -> Statistic:
    """The density of a PIT [N,T] by bin (in the place of targets); uniform is 1 in every bin."""
    bins = np.minimum(np.floor(transform * num_bins), num_bins - 1)  # [N,T]; NaN falls into none
    counts = np.stack([(bins == place).sum(axis=1) for place in range(num_bins)], axis=1).astype(float)
    return ratio_of(counts, np.broadcast_to(counts.sum(axis=1, keepdims=True) / num_bins, counts.shape))


def boundary_jump(batch: Batch, values: Floats) -> Floats:
    """The first target's value (of [B,L]) minus the nearest observed y of its series [B,1], or NaN."""
    jump = np.full((batch.num_pairs, 1), np.nan)
    columns = target_columns(batch)
    same = batch.is_context & (batch.series == predicted_series(batch)[:, None])
    for row in np.flatnonzero(same.any(axis=1) & (columns < batch.num_points)):
        column = columns[row]
        distance = np.where(same[row], np.abs(batch.x[row] - batch.x[row, column]), np.inf)
        jump[row] = values[row, column] - batch.y[row, distance.argmin()]
    return jump


def jump_ratio(batch: Batch, mean: Floats) -> Statistic:
    """How large the first predicted step is beside the true one (root mean squares); healthy is at most 1."""
    return root_ratio_of(boundary_jump(batch, mean), boundary_jump(batch, batch.y))


@dataclass(frozen=True, eq=False)
class AttentionMass:
    """Attention by target [B,T], layers and heads averaged: on A, on B, and A's share of points."""

    on_a: Floats
    on_b: Floats
    points_of_a: Floats


def attention_mass(attention: Attention, batch: Batch) -> AttentionMass:
    """Mass of attention on each series against its share of the points before the target."""
    weights = attention.weights.mean(axis=(0, 2))  # [layers,B,H,Q,K] -> [B,Q,K]
    keys, queries = attention.key_positions, attention.query_positions
    key_of_b = batch.series[:, keys] == predicted_series(batch)[:, None]  # [B,K]
    on_a, on_b = np.full(batch.x.shape, np.nan), np.full(batch.x.shape, np.nan)
    on_a[:, queries] = np.einsum("bqk,bk->bq", weights, ~key_of_b & batch.valid[:, keys])
    on_b[:, queries] = np.einsum("bqk,bk->bq", weights, key_of_b & batch.valid[:, keys])
    return AttentionMass(by_target(batch, on_a), by_target(batch, on_b), by_target(batch, _share_of_a(batch)))


def _share_of_a(batch: Batch) -> Floats:
    """A's share of the valid points before each position [B,L]."""

    def earlier(points: Bools) -> Ints:
        return np.cumsum(points, axis=1, dtype=np.int64) - points

    of_a = batch.valid & (batch.series != predicted_series(batch)[:, None])
    return earlier(of_a) / np.maximum(earlier(batch.valid), 1)
