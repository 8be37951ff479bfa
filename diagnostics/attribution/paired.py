"""Predictions of the same targets side by side: of a subject along its paths, and of the exact posterior."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from attn.processes import PairProcess
from attn.types import Batch, Floats
from diagnostics.ask import ask_free_run, ask_teacher_force
from diagnostics.attribution.interventions import permute_history, values_at_target
from diagnostics.measures import Statistic, by_target, drift_fraction, level_gap
from diagnostics.subject import Subject


@dataclass(frozen=True, eq=False)
class Paired:
    """Means of every pair and target [N,T], and the level gap [N].

    free     free running, own means fed back         forced         given the true past
    trained  given the true past in training order (NaN where that was not asked for)
    oracle_free, oracle_forced   the exact posterior given the context alone, and given the true past
    """

    y: Floats
    free: Floats
    forced: Floats
    trained: Floats
    oracle_free: Floats
    oracle_forced: Floats
    gap: Floats

    def at(self, numbers: Sequence[int]) -> "Paired":
        """The targets of these numbers, counted from 1."""
        columns = np.array(numbers) - 1
        names = ("y", "free", "forced", "trained", "oracle_free", "oracle_forced")
        return replace(self, **{name: getattr(self, name)[:, columns] for name in names})

    def square(self, prediction: Floats) -> Floats:
        """Squared error of a prediction [N,T]."""
        return (prediction - self.y) ** 2

    def of_free_running(self) -> Floats:
        """The squared error that free running adds, beyond what it adds for the exact posterior [N,T]."""
        exact = self.square(self.oracle_free) - self.square(self.oracle_forced)
        return self.square(self.free) - self.square(self.forced) - exact

    def drift(self, move: Floats) -> Statistic | None:
        """The drift fraction that a `move` of predictions [N,T] amounts to; None where no pair has a gap."""
        if np.isnan(self.gap).all():
            return None
        return drift_fraction(move, np.zeros_like(move), self.gap).pooled()


def predict_paired(
    subject: Subject,
    process: PairProcess | None,
    batch: Batch,
    permuted: Sequence[int],
    rng: np.random.Generator,
) -> Paired:
    """Ask for all of it, of a batch in forecast order; without a process y stands for the exact posterior.

    `permuted` numbers the targets whose whole history is put into random order for `trained`; where it is
    empty the forecast order is the training order, and `trained` is `forced`.
    """
    y = by_target(batch, batch.y)
    forced = by_target(batch, ask_teacher_force(subject, batch).mean)
    trained = np.full_like(y, np.nan) if permuted else forced
    for number in permuted:
        changed = permute_history(batch, number, rng)
        trained[:, number - 1] = values_at_target(changed, ask_teacher_force(subject, changed).mean, number)
    return Paired(
        y=y,
        free=by_target(batch, ask_free_run(subject, batch, rng).mean[0]),
        forced=forced,
        trained=trained,
        oracle_free=y if process is None else by_target(batch, process.forecast(batch).mean),
        oracle_forced=y if process is None else by_target(batch, process.posterior(batch).mean),
        gap=level_gap(batch),
    )
