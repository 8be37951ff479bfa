"""Likelihood: does the metric see the prediction that matters?"""

from dataclasses import replace

import numpy as np

from attn.types import Batch, Bools, Prediction
from diagnostics.ask import ask_score
from diagnostics.check import Finding, Scenario, check
from diagnostics.checks._perturb import at, spread
from diagnostics.measures import target_columns
from diagnostics.subject import Subject

# An error far larger than any that is there, so that those do not matter beside it.
LARGE_ERROR = 100.0
HEALTHY_SHARE = (0.8, 1.25)


@check(family="likelihood", suspects=("metric_skips_first",), needs=("score",))
def metric_counts_every_target(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does the metric move when the first prediction is wrong, as much as for any other?

    Predictions are made that equal the true y.  An error is put at the first target of every row, at the
    second, at the last: the metric must worsen each time, and by the same.  A metric that skips the first
    target, or compares predictions with the next y, does not.
    """
    batch = scenario.forecast
    if int(batch.is_target.sum(axis=1).min()) < 3:
        return Finding("skipped", "fewer than three targets a row: the first cannot be told from the last")
    first = target_columns(batch)
    last = batch.num_points - 1 - batch.is_target[:, ::-1].argmax(axis=1)
    perfect = Prediction(np.where(batch.is_target, batch.y, np.nan), np.where(batch.is_target, 1.0, np.nan))
    base = ask_score(subject, batch, perfect)
    moves = {
        name: ask_score(subject, batch, _wrong_at(perfect, at(column, batch), batch)) - base
        for name, column in (("first", first), ("second", first + 1), ("last", last))
    }
    for name in ("first", "last"):
        share = moves[name] / moves["second"] if moves["second"] else 0.0
        if not HEALTHY_SHARE[0] <= share <= HEALTHY_SHARE[1]:
            detail = (
                f"an error at the {name} target moves the metric {share:.2f} times as much as one at the"
                " second: the metric does not see every prediction alike"
            )
            return Finding("failed", detail, share, min(HEALTHY_SHARE, key=lambda edge: abs(edge - share)))
    share = moves["first"] / moves["second"]
    return Finding("passed", f"the first target counts {share:.2f} times as much as the second", share, 1.0)


def _wrong_at(perfect: Prediction, where: Bools, batch: Batch) -> Prediction:
    return replace(perfect, mean=perfect.mean + np.where(where, LARGE_ERROR * spread(batch), 0.0))
