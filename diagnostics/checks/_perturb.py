"""Small changes to a batch that several checks make."""

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from attn.types import Batch, Bools, Floats, Ints, Rollout
from diagnostics.measures import target_columns

Number = TypeVar("Number", bound=np.number)


def random_targets(batch: Batch, rng: np.random.Generator) -> Ints:
    """The column of one target of every row, at random [B]."""
    return np.where(batch.is_target, rng.random(batch.x.shape), -1.0).argmax(axis=1)


def newest_context(batch: Batch) -> Ints:
    """The column of the last observed point of every row [B]."""
    return batch.num_points - 1 - batch.is_context[:, ::-1].argmax(axis=1)


def at(columns: Ints, batch: Batch) -> Bools:
    """True at `columns` [B] of each row [B,L]."""
    return np.arange(batch.num_points) == columns[:, None]


def spread(batch: Batch) -> float:
    """The standard deviation of what is observed, in units of y; 1 where all of it is equal."""
    return float(np.std(batch.y[batch.is_context])) or 1.0


def x_range(batch: Batch) -> tuple[float, float]:
    """The smallest and largest x of a valid point."""
    x = batch.x[batch.valid]
    return float(x.min()), float(x.max())


def flip_series(batch: Batch, where: Bools) -> Batch:
    """The labels 0 and 1 swapped at `where` [B,L]."""
    return replace(batch, series=np.where(where, 1 - batch.series, batch.series))


def permute_context(batch: Batch, rng: np.random.Generator) -> Batch:
    """The observed points of every row in a random order; targets stay where they are."""
    key = np.where(batch.is_context, rng.random(batch.x.shape), 1.0 + np.arange(batch.num_points))
    order = np.argsort(key, axis=1)
    # an invalid column among the context sorts behind the observed points, still before the targets
    return replace(
        batch,
        x=np.take_along_axis(batch.x, order, axis=1),
        series=np.take_along_axis(batch.series, order, axis=1),
        y=np.take_along_axis(batch.y, order, axis=1),
        valid=np.take_along_axis(batch.valid, order, axis=1),
    )


def first_target(batch: Batch, values: NDArray[Number]) -> NDArray[Number]:
    """The values of each row's first target [B,1]."""
    return np.take_along_axis(values, target_columns(batch)[:, None], axis=1)


def some_columns(batch: Batch) -> list[int]:
    """Columns that are targets in every row: the first, the second, the middle and the last of them."""
    shared = np.flatnonzero(batch.is_target.all(axis=0))
    if len(shared) == 0:
        shared = np.flatnonzero(batch.is_target.any(axis=0))
    last = len(shared) - 1
    return sorted({int(shared[min(place, last)]) for place in (0, 1, len(shared) // 2, last)})


def rollouts_apart(one: Rollout, other: Rollout, batch: Batch) -> Floats:
    """The largest difference of samples, means and scales over the trajectories [B,L]."""
    parts = [
        np.abs(a - b).max(axis=0)
        for a, b in ((one.samples, other.samples), (one.mean, other.mean), (one.scale, other.scale))
    ]
    return np.where(batch.is_target, np.maximum.reduce(parts), 0.0)
