"""Persistence: is the model that is used the model that was saved?"""

import numpy as np

from diagnostics.ask import ask_first, ask_reload, ask_teacher_force
from diagnostics.check import Finding, Scenario, check
from diagnostics.judge import arithmetic_tolerance, difference, must_not_move, worst
from diagnostics.subject import Subject


@check(
    family="persistence",
    suspects=("head_count_mismatch", "partial_restore"),
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
