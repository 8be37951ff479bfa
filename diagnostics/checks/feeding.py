"""Feeding: does inference depend on what was observed, and on nothing else?"""

import numpy as np

from diagnostics.ask import ask_first, ask_rollout, ask_teacher_force
from diagnostics.check import Finding, Scenario, check
from diagnostics.checks._learnt import learnt
from diagnostics.checks._perturb import permute_context, rollouts_apart
from diagnostics.judge import arithmetic_tolerance, difference, judge_interval, must_not_move
from diagnostics.measures import root_mean_square
from diagnostics.subject import Subject, offers

# A reordering of the same past may move a prediction by this share of its own scale.
HEALTHY_ORDER_DEPENDENCE = (0.0, 0.05)


@check(family="feeding", suspects=("dropout_at_inference",))
def inference_is_deterministic(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Do two equal calls give equal predictions?

    teacher_force, predict_next and (where offered) a mean-fed rollout are called twice.  Dropout that is
    still on, or a statistic that is updated at inference, shows as a difference.

    Beside other checks: where two equal calls differ every contract fails; this one says why.
    """
    batch = scenario.forecast
    once, again = ask_teacher_force(subject, batch), ask_teacher_force(subject, batch)
    tolerance = arithmetic_tolerance(subject, batch, once, rng)
    apart = difference(once, again, batch.is_target)
    step, same_step = ask_first(subject, batch), ask_first(subject, batch)
    apart[:, :1] = np.maximum(apart[:, :1], difference(step, same_step, ~np.isnan(step.mean)))
    if offers(subject, "rollout"):
        run = ask_rollout(subject, batch, 1, np.random.default_rng(0), "mean")
        same_run = ask_rollout(subject, batch, 1, np.random.default_rng(0), "mean")
        apart = np.maximum(apart, rollouts_apart(run, same_run, batch))
    return must_not_move(
        apart,
        tolerance,
        passed="inference is deterministic",
        failed="two equal calls disagree: something random is still on at inference",
    )


@check(family="feeding", suspects=("previous_value_residual", "shifted_by_one", "shuffled_training_only"))
@learnt
def context_order_is_irrelevant(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does the first prediction stay when the observed points are given in another order?

    The observed points are a set: a process that is exchangeable predicts the same from any order of
    them.  Architectures that see an order are no error in themselves, so this is judged against what it
    costs: the move of the first prediction in units of its predicted scale (root mean square over
    pairs) may be 0.05.  A residual from whatever point happens to come last fails.
    """
    batch = scenario.forecast
    before = ask_first(subject, batch)
    after = ask_first(subject, permute_context(batch, rng))
    with np.errstate(divide="ignore", invalid="ignore"):
        move = np.abs(after.mean - before.mean) / before.scale
    return judge_interval(
        "the move of the first prediction under a new order of the past, in predicted scales,",
        root_mean_square(move),
        HEALTHY_ORDER_DEPENDENCE,
        rng,
        passed="the past is used as a set",
        failed="the prediction depends on which point came last, not only on what was observed",
    )
