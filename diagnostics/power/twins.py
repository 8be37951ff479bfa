"""Twins of a healthy subject that differ from it in one known way at the boundary.

OffsetSubject leaves the level of B by a known amount; HonestSubject knows less than it was shown, and
says so.
"""

from dataclasses import replace

import numpy as np

from attn.processes import PairProcess
from attn.types import Batch, Floats, Ints, Prediction, Rollout
from diagnostics.adapters import OracleSubject
from diagnostics.ask import ask_free_run
from diagnostics.measures import level_gap
from diagnostics.subject import Subject


class OffsetSubject:
    """A subject whose predictions are moved towards the level of A, along every path.

    size    of the offset at the first target, in standard deviations of the exact posterior there
    decay   the factor from one target to the next; 0 = the first target only
    Scales stay, so the subject does not know of it.
    """

    def __init__(self, subject: Subject, process: PairProcess, size: float, decay: float = 0.0) -> None:
        if not 0 <= decay <= 1:
            raise ValueError(f"decay must be between 0 and 1; got {decay}")
        self.name = f"{subject.name}, offset {size:g}"
        self.process = process
        self._subject, self._size, self._decay = subject, size, decay

    def teacher_force(self, batch: Batch) -> Prediction:
        """The subject's, moved."""
        prediction = self._subject.teacher_force(batch)
        return Prediction(prediction.mean + self._offset(batch), prediction.scale)

    def predict_next(self, history: Batch, x_next: Floats, series_next: Ints) -> Prediction:
        """The subject's, moved by what is due at that distance from the boundary."""
        prediction = self._subject.predict_next(history, x_next, series_next)
        offset = self._offset(_with_next(history, x_next, series_next))[:, -1:]
        return Prediction(prediction.mean + offset, prediction.scale)

    def rollout(
        self, batch: Batch, num_samples: int, rng: np.random.Generator, feed: str = "sample"
    ) -> Rollout:
        """The subject's trajectories, moved as a whole: what they fed back is not moved a second time."""
        written = ask_free_run(self._subject, batch, rng, feed, num_samples)
        offset = self._offset(batch)
        return Rollout(written.samples + offset, written.mean + offset, written.scale)

    def _offset(self, batch: Batch) -> Floats:
        """What is added to the prediction of every target [B,L]; 0 elsewhere."""
        horizon = np.cumsum(batch.is_target, axis=1) - 1  # 0 at the first target
        known = replace(batch, y=np.where(batch.is_context, batch.y, 0.0))
        exact = self.process.forecast(known).scale
        first = np.where(batch.is_target & (horizon == 0), exact, 0.0).max(axis=1)
        towards_a = np.nan_to_num(np.sign(level_gap(batch)))
        size = self._size * towards_a * first
        return np.where(batch.is_target, size[:, None] * self._decay ** np.maximum(horizon, 0), 0.0)


class HonestSubject(OracleSubject):
    """The exact posterior of what is left when observed points are hidden: uncertain, calibrated, no drop.

    every       of the observed points, counted back from the boundary, only each `every`-th is seen
    hides_a     no point of A is seen either
    """

    def __init__(self, process: PairProcess, name: str, *, every: int = 1, hides_a: bool = False) -> None:
        super().__init__(process, name)
        self._every, self._hides_a = every, hides_a

    def teacher_force(self, batch: Batch) -> Prediction:
        """Every target given what is seen of the points before it."""
        return super().teacher_force(self._seen(batch))

    def predict_next(self, history: Batch, x_next: Floats, series_next: Ints) -> Prediction:
        """The next point given what is seen of the history."""
        prediction = super().teacher_force(self._seen(_with_next(history, x_next, series_next)))
        return Prediction(prediction.mean[:, -1:], prediction.scale[:, -1:])

    def rollout(
        self, batch: Batch, num_samples: int, rng: np.random.Generator, feed: str = "sample"
    ) -> Rollout:
        """Trajectories given what is seen of the observed points."""
        return super().rollout(self._seen(batch), num_samples, rng, feed)

    def _seen(self, batch: Batch) -> Batch:
        back = batch.num_context[:, None] - np.arange(batch.num_points)  # 1 at the newest observed point
        seen = back % self._every == 0
        if self._hides_a:
            b = np.take_along_axis(batch.series, batch.num_context[:, None] - 1, axis=1)
            seen &= batch.series == b
        return replace(batch, valid=batch.valid & (seen | ~batch.is_context))


def _with_next(history: Batch, x_next: Floats, series_next: Ints) -> Batch:
    """The history with the point that is to be predicted as its last column; its y is unknown (0)."""
    ones = np.ones((history.num_pairs, 1), bool)
    return Batch(
        np.concatenate([history.x, x_next[:, None]], axis=1),
        np.concatenate([history.series, series_next[:, None]], axis=1),
        np.concatenate([history.y, np.zeros((history.num_pairs, 1))], axis=1),
        np.concatenate([history.valid, ones], axis=1),
        history.num_context,
    )
