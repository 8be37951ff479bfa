"""Persistence: is the model that is used the model that was saved?"""

from dataclasses import replace

import numpy as np

from diagnostics.ask import ask_first, ask_loss, ask_record, ask_reload, ask_teacher_force
from diagnostics.check import Finding, Scenario, check
from diagnostics.judge import (
    EPSILON,
    OUTPUT_ROUNDINGS,
    ROUNDINGS,
    arithmetic_tolerance,
    difference,
    must_not_move,
    worst,
)
from diagnostics.subject import Subject

# Above this a difference of losses, in nats, is no rounding, however the subject magnifies it.
LARGEST_LOSS_TOLERANCE = 0.01


@check(
    family="persistence",
    suspects=("partial_restore", "head_count_mismatch"),
    needs=("reload",),
)
def reload_predicts_the_same(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does the subject predict the same after it was saved and loaded again?

    Compared are the parallel pass and the first step of inference.  A restore whose shapes fit may
    still be another model: a head count is not in any weight.
    """
    batch = scenario.forecast
    before = ask_teacher_force(subject, batch)
    tolerance = arithmetic_tolerance(subject, batch, before, rng)
    first = ask_first(subject, batch)
    restored = ask_reload(subject)
    failed = "what was restored is not what was saved"
    return worst(
        must_not_move(
            difference(before, ask_teacher_force(restored, batch), batch.is_target),
            tolerance,
            passed="the restored subject is the saved one",
            failed=f"{failed}, in the parallel pass",
        ),
        must_not_move(
            difference(first, ask_first(restored, batch), ~np.isnan(first.mean)),
            tolerance,
            passed="the restored subject is the saved one",
            failed=f"{failed}, in the inference step",
        ),
    )


@check(
    family="persistence",
    suspects=("head_count_mismatch", "partial_restore"),
    needs=("loss", "record"),
)
def record_is_reproduced(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is the loss now what training wrote down when it ended?

    The loss on the recorded batch is computed again.  A model that was restored as another one (another
    number of heads, a weight left out) can be saved and loaded for ever without a difference; only what
    was known before the first save gives it away.

    Beside other checks: it sees any change of a model that is consistent in itself, and a restored one is.
    """
    record = ask_record(subject)
    loss = ask_loss(subject, record.batch)
    sign = rng.choice([-1.0, 1.0], record.batch.x.shape)
    nudged = replace(
        record.batch, x=record.batch.x * (1 + EPSILON * sign), y=record.batch.y * (1 + EPSILON * sign)
    )
    response = abs(ask_loss(subject, nudged) - loss)
    tolerance = min(ROUNDINGS * response, LARGEST_LOSS_TOLERANCE) + OUTPUT_ROUNDINGS * EPSILON * abs(loss)
    apart = abs(loss - record.loss)
    figures = f"the loss is {loss:.6g} where training recorded {record.loss:.6g} (tolerance {tolerance:.1g})"
    if apart <= tolerance:
        return Finding("passed", f"{figures}: this is the model that was trained", apart, tolerance)
    return Finding("failed", f"{figures}: this is not the model that was trained", apart, tolerance)
