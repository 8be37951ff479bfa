"""Slow, obvious numpy that states what is right, for checks and tests to compare with."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from attn.processes import PairProcess
from attn.types import Batch, Bools, Floats, Ints, Prediction, Rollout

PredictNext = Callable[[Batch, Floats, Ints], Prediction]


def roll_out_by_steps(
    predict_next: PredictNext, batch: Batch, rng: np.random.Generator, feed: str = "sample"
) -> Rollout:
    """One trajectory of every row [1,B,L]: predict a point, feed it back, take the next column.

    `predict_next` is called with the history of each step as a batch without padding of its own.
    `feed` is `sample` (a draw from the prediction) or `mean`.  Rows may observe different numbers of
    points: a column is fed back only in the rows where it is a target.
    """
    if feed not in ("sample", "mean"):
        raise ValueError(f"feed must be 'sample' or 'mean'; got {feed!r}")
    samples = np.where(batch.is_context, batch.y, np.nan)
    mean = samples.copy()
    scale = np.where(batch.is_context, 0.0, np.nan)
    first, last = int(batch.num_context.min()), batch.num_points
    for column in range(first, last):
        is_due = batch.is_target[:, column]
        if not is_due.any():
            continue
        history = replace(batch, y=samples).first(column)
        x_next = np.where(batch.valid[:, column], batch.x[:, column], 0.0)
        step = predict_next(history, x_next, batch.series[:, column])
        drawn = step.mean[:, 0]
        if feed == "sample":
            drawn = drawn + step.scale[:, 0] * rng.standard_normal(batch.num_pairs)
        samples[is_due, column] = drawn[is_due]
        mean[is_due, column] = step.mean[is_due, 0]
        scale[is_due, column] = step.scale[is_due, 0]
    return Rollout(samples[None], mean[None], scale[None])


def gp_conditional(process: PairProcess, batch: Batch, *, given: str = "earlier") -> Prediction:
    """The exact conditional of every target, by one plain solve each.

    Rasmussen and Williams 2006, equations 2.23 and 2.24.
    given = `earlier`: all points before it, as in teacher forcing; `context`: the observed points alone.
    """
    mean = np.full(batch.x.shape, np.nan)
    scale = np.full(batch.x.shape, np.nan)
    cov = process.covariance(np.where(batch.valid, batch.x, 0.0), batch.series, batch.valid)
    for row, column in np.argwhere(batch.is_target):
        end = column if given == "earlier" else batch.num_context[row]
        known = np.flatnonzero(batch.valid[row, :end])
        weights = np.linalg.solve(cov[row][np.ix_(known, known)], cov[row, known, column])
        mean[row, column] = weights @ batch.y[row, known]
        scale[row, column] = np.sqrt(cov[row, column, column] - weights @ cov[row, known, column])
    return Prediction(mean, scale)


def gaussian_nll(y: float, mean: float, scale: float) -> float:
    """-log N(y; mean, scale^2) of one number, in nats."""
    return float(0.5 * np.log(2 * np.pi) + np.log(scale) + 0.5 * ((y - mean) / scale) ** 2)


def masked_attention(
    query: Floats, key: Floats, value: Floats, may_see: Bools, bias: Floats | None = None
) -> tuple[Floats, Floats]:
    """Scaled dot-product attention of one head, row by row (Vaswani et al. 2017, equation 1).

    query [Q,d], key [K,d], value [K,v], may_see [Q,K] (True = may see), bias [Q,K] added to the scores
    -> output [Q,v], weights [Q,K].  A query that may see nothing gets zeros.
    """
    weights = np.zeros(may_see.shape)
    for row in range(len(query)):
        seen = np.flatnonzero(may_see[row])
        if len(seen) == 0:
            continue
        scores = key[seen] @ query[row] / np.sqrt(query.shape[1])
        if bias is not None:
            scores = scores + bias[row, seen]
        exponentials = np.exp(scores - scores.max())
        weights[row, seen] = exponentials / exponentials.sum()
    return weights @ value, weights
