"""Likelihood: does the model know how wrong it is?"""

import numpy as np

from attn.types import Batch, Floats
from diagnostics.ask import ask_teacher_force
from diagnostics.check import Finding, Scenario, check
from diagnostics.checks._learnt import learnt, training_order
from diagnostics.judge import judge_interval
from diagnostics.measures import by_target, mean_of, z_score
from diagnostics.subject import Subject, offers

# Bands of the mean square z-score: 1 is calibrated; a halved log sigma gives 0.5 at its own optimum.
HEALTHY_SQUARE = (0.7, 1.4)
HEALTHY_SQUARE_OF_ONE = (0.5, 2.0)


@check(family="likelihood", suspects=("halved_log_scale", "variance_for_scale", "context_scored"))
@learnt
def z_scores_are_calibrated(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Are errors as large as the predicted scale says, where the model was trained?

    The mean of z^2 = ((y - mean) / scale)^2 under teacher forcing must be about 1, in batches as training
    sees them where the subject offers one, else in inference order.  A weight on the log scale that is
    halved in the loss makes the best scale sqrt(2) too large: 0.5.

    Beside other checks: it needs no loss, and what is wrong with the training data makes itself felt here
    first.
    """
    order, batches = "inference order", [scenario.forecast]
    if offers(subject, "training_batches"):
        order, batches = "training order", training_order(subject, scenario, rng)
    squares = [np.where(b.is_target, _z(subject, b) ** 2, np.nan) for b in batches]
    return judge_interval(
        f"the mean square z-score in {order}",
        mean_of(np.concatenate([np.nanmean(s, axis=1, keepdims=True) for s in squares])),
        HEALTHY_SQUARE,
        rng,
        passed="the predicted scale is the size of the error",
        failed="the predicted scale is not the size of the error (below 1: too wide, above: too sure)",
    )


@check(
    family="likelihood",
    suspects=("first_target_unscored", "shuffled_training_only", "label_blind_history", "attention_dilution"),
)
@learnt
def first_target_is_calibrated(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does the model know how uncertain it is at the first target after the boundary?

    The mean of z^2 at the first target in inference order; a model may be honestly uncertain there, but a
    drop that it does not expect shows as a value far above 1.

    Beside other checks: it asks for the symptom in terms of what the model claims, and needs no process.
    """
    batch = scenario.forecast
    return judge_interval(
        "the mean square z-score at the first target",
        mean_of(by_target(batch, _z(subject, batch)) ** 2).pooled(slice(0, 1)),
        HEALTHY_SQUARE_OF_ONE,
        rng,
        passed="the model knows how uncertain it is at the boundary",
        failed="the model does not know how uncertain it is at the boundary",
    )


def _z(subject: Subject, batch: Batch) -> Floats:
    prediction = ask_teacher_force(subject, batch)
    return z_score(prediction.mean, prediction.scale, batch.y)
