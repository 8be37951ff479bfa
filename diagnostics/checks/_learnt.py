"""The questions that only a subject that has learnt something can answer."""

from functools import wraps

import numpy as np

from attn.types import Batch
from diagnostics.ask import ask_teacher_force, ask_training_batches
from diagnostics.check import CheckFunction, Finding, Scenario
from diagnostics.subject import Subject, offers

# Share of the squared error of the simplest guess, the mean of what was observed, that must be explained.
# An untrained model can explain a third by luck.  One whose history is label-blind explains three quarters
# where labels are ranks, but a third where they are random: its labels then name it, not its drift.
LEAST_SKILL = 0.5
NUM_TRAINING_BATCHES = 4


def learnt(function: CheckFunction) -> CheckFunction:
    """Skip a statistical check where the subject has not learnt the task in the order of its training.

    Drift and calibration of a model that predicts nothing anywhere say nothing of the boundary.
    """

    @wraps(function)
    def of_learnt(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
        skill = max(measure_skill(subject, batch) for batch in training_order(subject, scenario, rng))
        if skill >= LEAST_SKILL:
            return function(subject, scenario, rng)
        return Finding(
            "skipped",
            f"the subject explains {skill:.0%} of the squared error of the mean of what was observed, even in"
            f" the order of its training (at least {LEAST_SKILL:.0%} is asked): it has not learnt the task,"
            " so the boundary cannot be judged",
        )

    return of_learnt


def training_order(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> list[Batch]:
    """Batches as training sees them; where the subject offers none, the orders that it may have been."""
    if offers(subject, "training_batches"):
        return ask_training_batches(subject, NUM_TRAINING_BATCHES, rng)
    return [scenario.shuffled, scenario.forecast]


def measure_skill(subject: Subject, batch: Batch) -> float:
    """1 - squared error / that of the mean of the observed points of each row, over all targets."""
    targets, observed = batch.is_target, batch.is_context
    guess = np.where(observed, batch.y, 0.0).sum(axis=1) / observed.sum(axis=1)
    error = (ask_teacher_force(subject, batch).mean - batch.y)[targets] ** 2
    of_guess = (np.broadcast_to(guess[:, None], batch.y.shape) - batch.y)[targets] ** 2
    return float(1 - error.sum() / max(of_guess.sum(), np.finfo(float).tiny))
