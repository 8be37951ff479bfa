"""How near a model comes to the exact GP: statistics over the same held-out pairs, by target or pooled."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from attn.arrange import forecast
from attn.models import PairModel
from attn.processes import PairProcess
from attn.rollout import rollout, teacher_force
from attn.types import Batch, Floats, Prediction
from diagnostics import measures
from diagnostics.measures import Statistic, by_target

Sampler = Callable[[Batch, np.random.Generator], Floats]
Figure = Callable[[Floats, Batch, np.random.Generator], Floats]

NUM_SAMPLES = 64
# The truth lies among 99 samples with rank 1 to 100: bands of 50 % and 90 % hold whole numbers of ranks.
NUM_RANKED = 99
# Rows of a chunk, each continued S times.
CHUNK = 64


@dataclass(frozen=True, eq=False)
class Held:
    """Held-out pairs in the order of inference, of the process that they were drawn from."""

    process: PairProcess
    batch: Batch

    @classmethod
    def out(cls, process: PairProcess, num_pairs: int, seed: int) -> "Held":
        """Fresh pairs; 26 % of B is observed, as 13 of 50 points are."""
        rng = np.random.default_rng([seed, 777])
        pairs = process.sample(num_pairs, rng)
        return cls(process, forecast(pairs, round(0.26 * process.num_points), rng))


def gap(prediction: Prediction, held: Held) -> Statistic:
    """Autoregressive NLL a target above the exact joint NLL, of a prediction given the true past."""
    y = held.batch.y
    nll = by_target(held.batch, measures.negative_log_likelihood(prediction.mean, prediction.scale, y))
    excess = np.nansum(nll, axis=1) + held.process.log_density(held.batch)
    return measures.ratio_of(excess[:, None], np.isfinite(nll).sum(axis=1)[:, None].astype(float))


def drift(model: PairModel, held: Held) -> Statistic:
    """The drift fraction of free running by target, own means fed back."""
    free = rollout(model, held.batch, 1, np.random.default_rng(0), feed="mean").mean[0]
    exact = held.process.forecast(held.batch).mean
    both = by_target(held.batch, free), by_target(held.batch, exact)
    return measures.drift_fraction(*both, measures.level_gap(held.batch))


def first_mean(model: PairModel, held: Held) -> Statistic:
    """Root mean square of (mean - exact mean) / exact scale at the first target."""
    ours, exact = teacher_force(model, held.batch), held.process.posterior(held.batch)
    return measures.root_mean_square(by_target(held.batch, (ours.mean - exact.mean) / exact.scale)[:, :1])


def order(model: PairModel, held: Held) -> Statistic:
    """NLL a target with the targets in random order less that in order of x; the exact one is the same."""
    batch, rng = held.batch, np.random.default_rng(1)
    key = np.where(batch.is_target, rng.random(batch.x.shape) + 1, np.arange(batch.num_points) / 1e6)
    column = np.argsort(key, axis=1)
    x, series, y, valid = (
        np.take_along_axis(part, column, axis=1) for part in (batch.x, batch.series, batch.y, batch.valid)
    )
    permuted = Batch(x, series, y, valid, batch.num_context)
    change = by_target(permuted, _nll(model, permuted)) - by_target(batch, _nll(model, batch))
    return measures.mean_of(change).pooled()


def shift(model: PairModel, held: Held) -> float:
    """The largest |change of a mean - c| in exact scales, for c of up to 10 standard deviations."""
    means, scale = teacher_force(model, held.batch).mean, held.process.posterior(held.batch).scale
    worst = 0.0
    for c in np.std(held.batch.y) * np.array([-10, -3, 3, 10]):
        shifted = teacher_force(model, replace(held.batch, y=held.batch.y + c)).mean
        worst = max(worst, float(np.nanmax(np.abs(shifted - c - means) / scale)))
    return worst


def swapped(held: Held) -> Held:
    """The same pairs with the labels of A and B exchanged."""
    return Held(held.process, replace(held.batch, series=1 - held.batch.series))


def crps(model: PairModel, held: Held) -> Statistic:
    """CRPS of sampled trajectories over that of the exact GP's, by target; 64 trajectories each."""
    ours, exact = (_by_chunk(sampler, held.batch, _fair_crps) for sampler in _samplers(model, held))
    return measures.ratio_of(ours, exact)


def increments(model: PairModel, held: Held) -> Statistic:
    """Mean square of the steps of sampled paths over that of the exact GP's, by target from the second on."""
    ours, exact = (_by_chunk(sampler, held.batch, _squared_steps) for sampler in _samplers(model, held))
    return measures.ratio_of(ours, exact)


def place_of_truth(model: PairModel, held: Held) -> Floats:
    """The place of the truth among 99 sampled trajectories, between 0 and 1, by target [N,T]."""

    def place(samples: Floats, batch: Batch, rng: np.random.Generator) -> Floats:
        return by_target(batch, measures.rank_pit(samples, batch.y, rng))

    def sampler(batch: Batch, rng: np.random.Generator) -> Floats:
        return rollout(model, batch, NUM_RANKED, rng).samples

    return _by_chunk(sampler, held.batch, place)


def _nll(model: PairModel, batch: Batch) -> Floats:
    prediction = teacher_force(model, batch)
    return measures.negative_log_likelihood(prediction.mean, prediction.scale, batch.y)


def _samplers(model: PairModel, held: Held) -> tuple[Sampler, Sampler]:
    """Trajectories of the model and of the exact GP, as functions of a batch and an rng: [S,B,L]."""
    return (
        lambda batch, rng: rollout(model, batch, NUM_SAMPLES, rng).samples,
        lambda batch, rng: held.process.rollout(batch, NUM_SAMPLES, rng).samples,
    )


def _by_chunk(sampler: Sampler, batch: Batch, figure: Figure) -> Floats:
    """A figure of sampled trajectories [N,T], some rows at a time: S trajectories of all would not fit."""
    parts = []
    for start in range(0, batch.num_pairs, CHUNK):
        rows, rng = batch.rows(slice(start, start + CHUNK)), np.random.default_rng([start, 5])
        parts.append(figure(sampler(rows, rng).astype(np.float64), rows, rng))
    return np.concatenate(parts)


def _fair_crps(samples: Floats, batch: Batch, rng: np.random.Generator) -> Floats:
    """E|X - y| - E|X - X'| / 2 from samples [S,B,L], without bias (Zamo and Naveau 2018, fair): [B,T]."""
    ordered, num_samples = np.sort(samples, axis=0), len(samples)
    weight = 2.0 * np.arange(num_samples) - num_samples + 1  # sums |x_i - x_j| over i < j, where sorted
    spread = np.tensordot(weight, ordered, axes=1) / (num_samples * (num_samples - 1))
    return by_target(batch, np.abs(samples - batch.y).mean(axis=0) - spread)


def _squared_steps(samples: Floats, batch: Batch, rng: np.random.Generator) -> Floats:
    """Mean over samples [S,B,L] of the squared step from each target to the next [B,T-1]."""
    paths = np.stack([by_target(batch, path) for path in samples])
    return np.mean(np.diff(paths, axis=2) ** 2, axis=0)
