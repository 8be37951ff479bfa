"""Masking: does every prediction see exactly the points before it, and nothing else?"""

from dataclasses import replace

import numpy as np

from attn.types import Batch, Bools, Floats
from diagnostics.ask import NotFiniteError, ask_column, ask_first, ask_teacher_force
from diagnostics.check import Finding, Scenario, check
from diagnostics.checks._learnt import learnt
from diagnostics.checks._perturb import (
    at,
    first_target,
    nearest_observed,
    newest_context,
    random_targets,
    some_columns,
    spread,
)
from diagnostics.judge import (
    arithmetic_tolerance,
    difference,
    judge_interval,
    must_move,
    must_not_move,
    smallest_move,
    worst,
)
from diagnostics.measures import ratio_of, target_columns
from diagnostics.subject import Subject

OF_WHAT_WAS_FED_BACK = ("stale_cache", "newest_point_dropped")
MIN_OBSERVED = 3
# Sound models follow by two thirds and more; one that leans on the newest point too much hides nothing.
HEALTHY_SHARE_OF_NEWEST = (0.4, np.inf)


@check(family="masking", suspects=("future_leak", "leak_in_evaluation", "inverted_mask"))
def no_future_leak(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does a prediction stay when its own y and every later y change?

    In every row the y of one random target and of all after it are replaced by noise; predictions up to
    and including that target must stay.  Asked in inference order and in shuffled order.
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


@check(
    family="masking",
    suspects=("newest_point_hidden", "newest_point_dropped", "level_compressed", "misaligned_causal_mask"),
)
@learnt
def newest_point_weighs_as_it_should(
    subject: Subject, scenario: Scenario, rng: np.random.Generator
) -> Finding:
    """Does the first prediction follow the newest point as far as the exact posterior does?

    A point may be hidden from the attention of a target and still move its prediction a little on another
    way (an average over all that was observed, say).  The last observed y is moved by the predicted scale, in
    half of the rows up and in half down; judged is the move of the first prediction as a share of that of the
    posterior, in the inference step and in the parallel pass.  A newest point that weighs too much is not
    hidden, and is left to the other checks.
    """
    if scenario.process is None:
        return Finding("skipped", "without a process it is not known how far the prediction should follow")
    batch = scenario.forecast
    step = ask_first(subject, batch)
    sign = np.where(np.arange(batch.num_pairs) % 2 == 0, 1.0, -1.0)[:, None]
    touched = replace(batch, y=batch.y + sign * step.scale * at(newest_context(batch), batch))
    posterior = scenario.process.posterior
    due = first_target(batch, posterior(touched).mean - posterior(batch).mean)
    moves = {
        "in the inference step": ask_first(subject, touched).mean - step.mean,
        "in the parallel pass": first_target(
            batch, ask_teacher_force(subject, touched).mean - ask_teacher_force(subject, batch).mean
        ),
    }
    of_step, of_pass = (
        judge_interval(
            f"the move of the first prediction with the newest point, as a share of the due move, {path},",
            ratio_of(moved * due, due**2),
            HEALTHY_SHARE_OF_NEWEST,
            rng,
            passed="the newest point weighs as it should",
            failed="the newest point does not weigh as it should, as if it were hidden",
        )
        for path, moved in moves.items()
    )
    if of_step.status != of_pass.status:  # one path alone: the fault is in that path
        suspect = "newest_point_dropped" if of_step.status == "failed" else "newest_point_hidden"
        return replace(worst(of_step, of_pass), suspects=(suspect,))
    return worst(of_step, of_pass)


@check(
    family="masking", suspects=("newest_point_hidden", "newest_point_dropped", "inverted_mask", "stale_cache")
)
def newest_point_is_seen(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does a prediction change when the newest point before it changes?

    The last observed y is moved by one and by minus two standard deviations of y: the first prediction
    must follow, in the parallel pass and in a step of inference; so must later steps when the newest
    point that was fed back is moved.  The newest point is what keeps a forecast on its level.
    """
    batch, size = scenario.forecast, spread(scenario.forecast)
    before = ask_teacher_force(subject, batch)
    failed = "the newest point is hidden from the prediction that needs it most"

    def moved(batch: Batch, share: float) -> Batch:
        return replace(batch, y=batch.y + share * size * at(newest_context(batch), batch))

    first = at(target_columns(batch), batch)
    responses = [
        difference(before, ask_teacher_force(subject, moved(batch, share)), first) for share in (1.0, -2.0)
    ]
    findings = [
        must_move(
            np.maximum(*responses),
            smallest_move(before),
            passed="predictions follow the newest point, at the first target and later",
            failed=f"in the parallel pass {failed}",
        )
    ]
    for column in some_columns(batch)[:-1]:
        seen = replace(batch, num_context=np.full_like(batch.num_context, column))
        base = ask_column(subject, batch, column)
        everywhere = np.ones(base.mean.shape, bool)
        steps = []
        for share in (1.0, -2.0):
            touched = replace(batch, y=moved(seen, share).y)
            steps.append(difference(base, ask_column(subject, touched, column), everywhere))
        target = column - int(batch.num_context.min()) + 1
        finding = must_move(
            np.maximum(*steps),
            smallest_move(base),
            passed="it is seen",
            failed=f"in the inference step for target {target} {failed}",
        )
        # the newest of the observed points is in no cache; what was fed back since is
        findings.append(finding if target == 1 else replace(finding, suspects=OF_WHAT_WAS_FED_BACK))
    return worst(*findings)


@check(family="masking", suspects=("mixed_rows", "row_order_lost", "positions_shared_across_rows"))
def rows_are_independent(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is the prediction for a pair the same alone as among others, and does it come back in its own row?

    The first row is predicted in a batch of one, and all rows are predicted again in reversed order:
    nothing may change.  Where every row comes back, but at another place, the order of the rows was lost.
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


@check(family="masking", suspects=("inverted_mask", "misaligned_causal_mask", "mixed_rows"))
def nearest_point_is_seen(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does the first prediction change when the observed point of B that is nearest to it changes?

    The newest point has a check of its own, so another is taken: the nearest of B in x among the rest.
    Its y is moved by one and by minus two standard deviations of y; a prediction that may see it must follow.
    """
    batch, size = scenario.forecast, spread(scenario.forecast)
    if int(batch.is_context.sum(axis=1).min()) < MIN_OBSERVED:
        return Finding("skipped", f"fewer than {MIN_OBSERVED} points are observed: there is no other point")
    before = ask_teacher_force(subject, batch)
    first, touched = at(target_columns(batch), batch), at(nearest_observed(batch), batch)
    responses = [
        difference(
            before, ask_teacher_force(subject, replace(batch, y=batch.y + share * size * touched)), first
        )
        for share in (1.0, -2.0)
    ]
    return must_move(
        np.maximum(*responses),
        smallest_move(before),
        passed="what is observed beside the first target reaches its prediction",
        failed="what is observed beside the first target does not reach its prediction: it is hidden",
    )


@check(family="masking", suspects=("empty_history", "inverted_mask"))
def one_context_point_is_enough(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Are predictions finite when a single point is observed?

    The shuffled pairs are given again with one observed point: a softmax over an empty history, or a
    first row without keys, shows as NaN or as a scale of 0.
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
