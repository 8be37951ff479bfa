"""Interventions: the same pairs with one thing changed, in the same shape [B,L].

Each takes a batch in forecast order and changes its history only: the first target, and what is true of
it, stays.  B is the series of the first target.
"""

from dataclasses import replace

import numpy as np

from attn.types import Batch, Bools, Floats, Ints
from diagnostics.measures import level_gap, predicted_series


def column_of_target(batch: Batch, number: int) -> Ints:
    """The column of target `number` (1 = the first) of every row [B]; any column where a row has fewer."""
    return np.argsort(~batch.is_target, axis=1, kind="stable")[:, number - 1]


def values_at_target(batch: Batch, values: Floats, number: int) -> Floats:
    """Values [B,L] at target `number` of every row [B]; NaN where a row has fewer."""
    column = column_of_target(batch, number)[:, None]
    found = np.take_along_axis(np.where(batch.is_target, values, np.nan), column, axis=1)[:, 0]
    return np.where(batch.is_target.sum(axis=1) >= number, found, np.nan)


def permute_history(batch: Batch, number: int, rng: np.random.Generator) -> Batch:
    """All points before target `number` in random order, earlier targets among them; all else stays."""
    before = batch.valid & (np.arange(batch.num_points) < column_of_target(batch, number)[:, None])
    order = np.argsort(np.where(before, rng.random(batch.x.shape), 1.0 + np.arange(batch.num_points)), axis=1)
    return _reordered(batch, order, batch.valid, batch.num_context)


def flip_labels(batch: Batch) -> Batch:
    """The labels of the observed points exchanged."""
    return replace(batch, series=np.where(batch.is_context, 1 - batch.series, batch.series))


def hide_labels(batch: Batch) -> Batch:
    """Every observed point labelled as one of B: the labels tell nothing."""
    b = predicted_series(batch)[:, None]
    return replace(batch, series=np.where(batch.is_context, b, batch.series))


def close_gap(batch: Batch) -> Batch:
    """A moved onto the level of B: whoever takes its points for points of B is right to.

    The gap is measured on the observed points (`measures.level_gap`).
    """
    gap = np.nan_to_num(level_gap(batch))[:, None]
    return replace(batch, y=np.where(_observed_a(batch), batch.y - gap, batch.y))


def thin_a(batch: Batch, share: float, rng: np.random.Generator) -> Batch:
    """Only `share` of A's points, rounded up, chosen at random; the others become padding at the end."""
    of_a = _observed_a(batch)
    place = np.argsort(np.argsort(np.where(of_a, rng.random(batch.x.shape), 2.0), axis=1), axis=1)
    dropped = of_a & (place >= np.ceil(share * of_a.sum(axis=1))[:, None])
    order = np.argsort(dropped, axis=1, kind="stable")
    return _reordered(batch, order, batch.valid & ~dropped, batch.num_context - dropped.sum(axis=1))


def _observed_a(batch: Batch) -> Bools:
    return batch.is_context & (batch.series != predicted_series(batch)[:, None])


def _reordered(batch: Batch, order: Ints, valid: Bools, num_context: Ints) -> Batch:
    """`order` [B,L] names the column that each position takes its point from; `valid` is in the old order."""
    return Batch(
        np.take_along_axis(batch.x, order, axis=1),
        np.take_along_axis(batch.series, order, axis=1),
        np.take_along_axis(batch.y, order, axis=1),
        np.take_along_axis(valid, order, axis=1),
        num_context,
    )
