"""Masking: does what must be seen reach the prediction?"""

from dataclasses import replace

import numpy as np

from attn.types import Batch
from diagnostics.ask import ask_column, ask_first, ask_teacher_force
from diagnostics.check import Finding, Scenario, check
from diagnostics.checks._learnt import learnt
from diagnostics.checks._perturb import (
    at,
    first_target,
    newest_context,
    some_columns,
    spread,
)
from diagnostics.judge import difference, judge_interval, must_move, smallest_move, worst
from diagnostics.measures import ratio_of, target_columns
from diagnostics.subject import Subject

OF_WHAT_WAS_FED_BACK = ("stale_cache", "newest_point_dropped")
# Sound models follow by two thirds and more; one that leans on the newest point too much hides nothing.
HEALTHY_SHARE_OF_NEWEST = (0.4, np.inf)
LEAST_SHARE_THAT_SEES_A = 0.5


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

    Beside other checks: it tells a newest point that is hidden from one that is merely averaged in, which the
    other check of the newest point passes.
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

    Beside other checks: it needs no process and nothing learnt, and tells a lost point from a cache that went
    stale.
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


@check(family="masking", suspects=("inverted_mask", "misaligned_causal_mask"))
def other_series_is_seen(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does the first prediction change when what was observed of A changes?

    Noise as wide as y is added to all of A: the first prediction of B must follow in half of the rows at
    least, in the parallel pass and in a step of inference; far from A there may be nothing to learn from it.
    No fault of the catalogue hides A alone, and yet a history that is cut to its newest points (a window, a
    limit on length) does: A stands first, and all that other checks move is kept.
    """
    batch = scenario.forecast
    if not scenario.has_two_series:
        return Finding("skipped", "single sequences have no A that could be seen")
    of_b = batch.series == first_target(batch, batch.series)
    noise = spread(batch) * rng.standard_normal(batch.y.shape)
    touched = replace(batch, y=batch.y + np.where(batch.is_context & ~of_b, noise, 0.0))
    before, step = ask_teacher_force(subject, batch), ask_first(subject, batch)
    of_pass = difference(before, ask_teacher_force(subject, touched), at(target_columns(batch), batch))
    of_step = difference(step, ask_first(subject, touched), ~np.isnan(step.mean))
    hidden = "nothing that was observed of A reaches the first prediction"
    return worst(
        must_move(
            of_pass,
            smallest_move(before),
            passed="what was observed of A reaches the first prediction",
            failed=f"in the parallel pass {hidden}",
            least_share=LEAST_SHARE_THAT_SEES_A,
        ),
        must_move(
            of_step,
            smallest_move(step),
            passed="it reaches the step of inference",
            failed=f"in the inference step {hidden}",
            least_share=LEAST_SHARE_THAT_SEES_A,
        ),
    )
