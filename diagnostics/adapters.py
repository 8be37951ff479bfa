"""Subjects: the exact posterior, and any that a name or a module leads to."""

import importlib
import json
import os
import sys
from dataclasses import asdict, replace
from typing import Self

import numpy as np

from attn import scores
from attn.catalogue import RunError, find_run
from attn.processes import PairProcess
from attn.types import Batch, Floats, Ints, Prediction, Rollout
from diagnostics import measures
from diagnostics.ask import SubjectError
from diagnostics.sentences import said
from diagnostics.subject import Subject, is_subject


class OracleSubject:
    """The exact posterior of a process: the subject that every check must pass."""

    def __init__(self, process: PairProcess, name: str = "oracle") -> None:
        self.process = process
        self.name = name

    def teacher_force(self, batch: Batch) -> Prediction:
        """Every target given all points before it, exactly."""
        return self.process.posterior(batch)

    def predict_next(self, history: Batch, x_next: Floats, series_next: Ints) -> Prediction:
        """The point after the history, exactly."""
        extended = _append(history, x_next, series_next)
        posterior = self.process.posterior(extended)
        return Prediction(posterior.mean[:, -1:], posterior.scale[:, -1:])

    def rollout(
        self, batch: Batch, num_samples: int, rng: np.random.Generator, feed: str = "sample"
    ) -> Rollout:
        """Draws from the joint posterior; with feed = `mean`, every point given the means before it."""
        blind = replace(batch, y=np.where(batch.is_target, 0.0, batch.y))
        if feed == "sample":
            return self.process.rollout(blind, num_samples, rng)
        mean = np.where(batch.is_target, self.process.forecast(blind).mean, batch.y)
        scale = np.where(batch.is_target, self.process.posterior(blind).scale, 0.0)
        shape = (num_samples, *batch.x.shape)
        mean, scale = np.broadcast_to(mean, shape), np.broadcast_to(scale, shape)
        return Rollout(mean, mean, scale)

    def loss(self, batch: Batch) -> float:
        """Negative log density of a target, nats, averaged over the targets of the batch."""
        prediction = self.teacher_force(batch)
        nll = measures.negative_log_likelihood(prediction.mean, prediction.scale, batch.y)
        return float(nll[batch.is_target].mean())

    def score(self, batch: Batch, prediction: Prediction) -> float:
        """The mean squared error over all targets."""
        return scores.score(batch, prediction, is_density=False).mse

    def reload(self) -> Self:
        """The same process from its JSON form."""
        return type(self)(PairProcess(**json.loads(json.dumps(asdict(self.process)))), self.name)


def _append(history: Batch, x_next: Floats, series_next: Ints) -> Batch:
    """The history with one more column, the point that is to be predicted; its y is unknown (0)."""
    ones = np.ones((history.num_pairs, 1), bool)
    return Batch(
        np.concatenate([history.x, x_next[:, None]], axis=1),
        np.concatenate([history.series, series_next[:, None]], axis=1),
        np.concatenate([history.y, np.zeros((history.num_pairs, 1))], axis=1),
        np.concatenate([history.valid, ones], axis=1),
        history.num_context,
    )


def load_subject(spec: str) -> Subject:
    """A subject by the name of a shipped run, the directory of a run, or `package.module:factory`.

    The factory is called without arguments; a subject that is not a function is taken as it is.
    Raises SubjectError, in one sentence, where nothing usable is found.
    """
    if ":" in spec and not os.path.exists(spec):
        return _from_factory(spec)
    try:
        directory = find_run(spec)
        from attn.runs import load_run  # imports TensorFlow, which a subject of another library does without
        from diagnostics.run_subject import of_run

        return of_run(load_run(directory))
    except RunError as error:
        raise SubjectError(str(error)) from error


def _from_factory(spec: str) -> Subject:
    module_name, _, attribute = spec.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does: a module beside the user is found
    try:
        found = getattr(importlib.import_module(module_name), attribute)
        subject = found if is_subject(found) and not isinstance(found, type) else found()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit and the like would end the command without a word
        raise SubjectError(
            f"subject must name a factory that can be imported and called; got {spec!r}"
            f" ({type(error).__name__}: {said(error)})"
        ) from error
    if not is_subject(subject):
        raise SubjectError(
            "subject must have name, teacher_force and predict_next;"
            f" got {type(subject).__name__} from {spec!r}"
        )
    return subject
