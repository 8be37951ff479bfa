"""The questions that only a subject that has learnt something can answer."""

from functools import wraps
from weakref import WeakKeyDictionary

import numpy as np

from attn.types import Batch, Bools, Floats
from diagnostics.ask import ask_teacher_force, ask_training_batches
from diagnostics.check import CheckFunction, Finding, Scenario
from diagnostics.subject import Subject, offers

# Share of the variance within a series that must be explained.  Untrained models explain 0.05 at most; one
# whose history is label-blind explains a half, at whatever wrong level, and so is judged by its drift.
LEAST_SKILL = 0.2
NUM_TRAINING_BATCHES = 4
_MEASURED: WeakKeyDictionary[Scenario, list[tuple[Subject, float]]] = WeakKeyDictionary()


def learnt(function: CheckFunction) -> CheckFunction:
    """Skip a statistical check where the subject has not learnt the course of a series anywhere.

    Drift and calibration of a model that predicts nothing say nothing of the boundary.
    """

    @wraps(function)
    def of_learnt(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
        skill = _best_skill(subject, scenario)
        if skill >= LEAST_SKILL:
            return function(subject, scenario, rng)
        return Finding(
            "skipped",
            f"the subject explains {skill:.0%} of the variance within a series, be it in the order of its"
            f" training (at least {LEAST_SKILL:.0%} is asked): it has not learnt the task, so the boundary"
            " cannot be judged",
        )

    return of_learnt


def _best_skill(subject: Subject, scenario: Scenario) -> float:
    """The skill in the order of training or of inference; measured once for all checks of a scenario."""
    measured = _MEASURED.setdefault(scenario, [])
    for known, skill in measured:
        if known is subject:
            return skill
    # a generator of its own: the answer must not depend on which check is asked first
    batches = [*training_order(subject, scenario, np.random.default_rng(0)), scenario.forecast]
    best = max(measure_skill(subject, batch) for batch in batches)
    measured.append((subject, best))
    return best


def training_order(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> list[Batch]:
    """Batches as training sees them; where the subject offers none, shuffled points, as most training has."""
    if offers(subject, "training_batches"):
        return ask_training_batches(subject, NUM_TRAINING_BATCHES, rng)
    return [scenario.shuffled]


def measure_skill(subject: Subject, batch: Batch) -> float:
    """1 - the variance of the error / that of y, both within the targets of one series of a row.

    The level of a series is taken out, so that neither giving the level back (which an untrained model may)
    counts as skill, nor losing it (which is the drop itself) as the lack of it.  0 where no two targets of
    a series stand in one row.
    """
    error = ask_teacher_force(subject, batch).mean - batch.y
    of_series = [batch.is_target & (batch.series == label) for label in (0, 1)]
    left = sum(_squares_about_mean(error, where) for where in of_series)
    due = sum(_squares_about_mean(batch.y, where) for where in of_series)
    return 1 - left / due if due > 0 else 0.0


def _squares_about_mean(values: Floats, where: Bools) -> float:
    """The sum over rows of squared distances from the row's mean, at `where` [B,L]."""
    count = np.maximum(where.sum(axis=1, keepdims=True), 1)
    mean = np.where(where, values, 0.0).sum(axis=1, keepdims=True) / count
    return float(np.sum((values - mean)[where] ** 2))
