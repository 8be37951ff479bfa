"""Masking: does every prediction see exactly the points before it, and nothing else?"""

from dataclasses import replace

import numpy as np

from attn.types import Bools, Floats
from diagnostics.ask import NotFiniteError, ask_teacher_force
from diagnostics.check import Finding, Scenario, check
from diagnostics.checks._perturb import (
    random_targets,
    spread,
)
from diagnostics.judge import (
    arithmetic_tolerance,
    difference,
    must_not_move,
    worst,
)
from diagnostics.subject import Subject


@check(family="masking", suspects=("future_leak", "leak_in_evaluation", "inverted_mask"))
def no_future_leak(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does a prediction stay when its own y and every later y change?

    In every row the y of one random target and of all after it are replaced by noise; predictions up to
    and including that target must stay.  Asked in inference order and in shuffled order.

    Beside other checks: it needs neither attention nor loss, and tells a leak from all that merely makes two
    paths differ.
    """
    findings = []
    for order, batch in (("inference", scenario.forecast), ("shuffled", scenario.shuffled)):
        before = ask_teacher_force(subject, batch)
        tolerance = arithmetic_tolerance(subject, batch, before, rng)
        columns = random_targets(batch, rng)
        later = np.arange(batch.num_points) >= columns[:, None]
        noise = batch.y + spread(batch) * rng.standard_normal(batch.y.shape)
        after = ask_teacher_force(subject, replace(batch, y=np.where(later, noise, batch.y)))
        not_later = batch.is_target & (np.arange(batch.num_points) <= columns[:, None])
        findings.append(
            must_not_move(
                difference(before, after, not_later),
                tolerance,
                passed=f"no prediction sees its own y or a later one, in {order} order as well",
                failed=f"in {order} order a prediction sees its own y or a later one: the future leaks",
            )
        )
    return worst(*findings[::-1])


@check(family="masking", suspects=("mixed_rows", "row_order_lost", "positions_shared_across_rows"))
def rows_are_independent(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is the prediction for a pair the same alone as among others, and does it come back in its own row?

    The first row is predicted in a batch of one, and all rows are predicted again in reversed order:
    nothing may change.  Where every row comes back, but at another place, the order of the rows was lost.

    Beside other checks: it tells rows that mix from rows that come back in another order.
    """
    batch = scenario.forecast
    together = ask_teacher_force(subject, batch)
    tolerance = arithmetic_tolerance(subject, batch, together, rng)
    alone = ask_teacher_force(subject, batch.rows(slice(0, 1)))
    reversed_rows = ask_teacher_force(subject, batch.rows(slice(None, None, -1)))
    back = replace(reversed_rows, mean=reversed_rows.mean[::-1], scale=reversed_rows.scale[::-1])
    apart = difference(together, back, batch.is_target)
    first = replace(together, mean=together.mean[:1], scale=together.scale[:1])
    apart[:1] = np.maximum(apart[:1], difference(first, alone, batch.is_target[:1]))
    finding = must_not_move(
        apart,
        tolerance,
        passed="the rows of a batch do not touch each other",
        failed="a prediction depends on the other rows of its batch",
    )
    if _are_reordered(together.mean, back.mean, batch.is_target, tolerance):
        detail = f"{finding.detail}; the same rows come back in another order"
        return replace(finding, detail=detail, suspects=("row_order_lost",))
    return replace(finding, suspects=("mixed_rows", "positions_shared_across_rows"))


def _are_reordered(one: Floats, other: Floats, where: Bools, tolerance: float) -> bool:
    """Whether the rows of one are those of the other in another order; targets must be in equal columns."""
    if not (where == where[:1]).all():
        return False
    a, b = one[:, where[0]], other[:, where[0]]
    nearest = np.abs(a[:, None] - b[None]).max(axis=2).min(axis=1)  # [B]
    return bool((nearest <= tolerance).all() and np.abs(a - b).max() > tolerance)


@check(family="masking", suspects=("empty_history", "inverted_mask"))
def one_context_point_is_enough(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Are predictions finite when a single point is observed?

    The shuffled pairs are given again with one observed point: a softmax over an empty history, or a
    first row without keys, shows as NaN or as a scale of 0.

    Beside other checks: no other gives so little, and where training kept no record this alone fails.
    """
    ask_teacher_force(subject, scenario.shuffled)
    batch = replace(scenario.shuffled, num_context=np.ones_like(scenario.shuffled.num_context))
    try:
        prediction = ask_teacher_force(subject, batch)
    except NotFiniteError as error:
        return Finding("failed", f"with one observed point predictions are lost: {error}")
    smallest = float(prediction.scale[batch.is_target].min())
    if smallest <= 0:
        return Finding("failed", f"with one observed point the smallest scale is {smallest:g}", smallest, 0.0)
    detail = f"with one observed point all predictions are finite, the smallest scale is {smallest:.2g}"
    return Finding("passed", detail, smallest, 0.0)
