"""What may continue B, each with the same answer: a model, a fitted Gaussian process, and two rules of thumb.

Answers are in the units of the batch, which is in forecast order: all of A, the first points of B, the rest.
"""

from dataclasses import dataclass

import numpy as np

from attn.fitting import Fit
from attn.models import PairModel
from attn.rollout import moments, rollout, teacher_force
from attn.types import Batch, Floats, Prediction


@dataclass(frozen=True, eq=False)
class Forecast:
    """Normal distributions of the targets of a batch [B,L]; NaN elsewhere.

    free    given the context alone
    forced  of every target given the true points before it: their densities make up the joint density
    """

    free: Prediction
    forced: Prediction


def of_model(model: PairModel, batch: Batch, num_samples: int, rng: np.random.Generator) -> Forecast:
    """Free running is the mixture of `num_samples` trajectories."""
    written = moments(rollout(model, batch, num_samples, rng))
    free = Prediction(*(np.where(batch.is_target, part, np.nan) for part in (written.mean, written.scale)))
    return Forecast(free, teacher_force(model, batch))


def of_process(fit: Fit, batch: Batch) -> Forecast:
    """The exact posterior of a process that was fitted."""
    return Forecast(fit.forecast(batch), fit.posterior(batch))


def of_rule(mean: Floats, scale: float, batch: Batch) -> Forecast:
    """Means [B,L] of a rule of thumb with one standard deviation, which later points do not change."""
    means = np.where(batch.is_target, mean, np.nan)
    answer = Prediction(means, np.where(batch.is_target, scale, np.nan))
    return Forecast(answer, answer)


def last_value(batch: Batch) -> Floats:
    """The last observed point of B, carried on [B,L]."""
    rows = np.arange(batch.num_pairs)
    return np.repeat(batch.y[rows, batch.num_context - 1][:, None], batch.num_points, axis=1)


def shifted_a(batch: Batch) -> Floats:
    """A, interpolated between its points, shifted by how far B lies above it where B was observed [B,L]."""
    means = np.empty(batch.x.shape)
    for row in range(batch.num_pairs):
        context = batch.is_context[row]
        of_b = batch.series[row] == batch.series[row, batch.num_context[row] - 1]
        of_a = np.flatnonzero(context & ~of_b)
        of_a = of_a[np.argsort(batch.x[row, of_a])]
        along = np.interp(batch.x[row], batch.x[row, of_a], batch.y[row, of_a])
        means[row] = along + (batch.y[row] - along)[context & of_b].mean()
    return means


def rms_error(mean: Floats, batch: Batch) -> float:
    """The root of the mean squared error over all targets."""
    return float(np.sqrt(np.mean((batch.y - mean)[batch.is_target] ** 2)))
