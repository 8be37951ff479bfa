"""Feeding: is what the model writes fed back to it rightly, and nothing else?"""

from dataclasses import replace

import numpy as np

from attn.types import Batch, Floats, Prediction, Rollout
from diagnostics.ask import NotFiniteError, ask_column, ask_first, ask_rollout, ask_teacher_force
from diagnostics.check import Finding, Scenario, check
from diagnostics.checks._perturb import permute_context, some_columns, spread
from diagnostics.judge import arithmetic_tolerance, difference, judge_interval, must_not_move, worst
from diagnostics.measures import by_target, mean_of, root_mean_square
from diagnostics.subject import Subject, offers

NUM_SAMPLES = 4
# Between 0.9 and 1.1 the width of a sampled band cannot be told from the right one by eye; a scale taken
# for a variance, or a generator that repeats itself, is far outside.
HEALTHY_VARIANCE = (0.8, 1.25)
HEALTHY_CORRELATION = (-0.1, 0.1)
# A reordering of the same past may move a prediction by this share of its own scale.
HEALTHY_ORDER_DEPENDENCE = (0.0, 0.1)


@check(family="feeding", suspects=("true_values_fed", "future_leak"), needs=("rollout",))
def rollout_ignores_true_targets(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does a rollout stay when the true targets are replaced?

    Rollouts under one seed, with the true targets, with noise and with NaN in their place, must be equal:
    at inference nobody knows them.  A rollout that moves is fed the truth and looks better than it is.
    """
    batch, seed = scenario.forecast, int(rng.integers(2**31))
    tolerance = _tolerance(subject, batch, rng)
    honest = ask_rollout(subject, batch, 1, np.random.default_rng(seed))
    noise = batch.y + spread(batch) * rng.standard_normal(batch.y.shape)
    findings = []
    for content, values in (("noise", noise), ("NaN", np.full_like(batch.y, np.nan))):
        blind = replace(batch, y=np.where(batch.is_target, values, batch.y))
        try:
            other = ask_rollout(subject, blind, 1, np.random.default_rng(seed))
        except NotFiniteError as error:
            return Finding(
                "failed", f"a rollout reads the true targets: with {content} in their place, {error}"
            )
        findings.append(
            must_not_move(
                _rollouts_apart(honest, other, batch),
                tolerance,
                passed="free running never reads the true targets",
                failed=f"a rollout moves when the true targets become {content}: it is fed the truth",
            )
        )
    return worst(*findings)


@check(
    family="feeding",
    suspects=("stale_cache", "stuck_position", "newest_point_dropped", "scaled_feedback", "shifted_by_one"),
    needs=("rollout",),
)
def rollout_equals_stepping(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is every step of a rollout what predict_next says after the same history?

    A mean-fed rollout is made; at the first, second, middle and last target its prediction is
    recomputed by predict_next from what the rollout itself had fed back.  A cache that went stale, a
    position that stands still or a dropped point shows here.
    """
    batch = scenario.forecast
    tolerance = _tolerance(subject, batch, rng)
    rollout = ask_rollout(subject, batch, 1, rng, feed="mean")
    fed = replace(batch, y=np.where(batch.is_context, batch.y, rollout.samples[0]))
    apart = np.zeros(batch.x.shape)
    apart[batch.is_target] = np.abs(rollout.samples[0] - rollout.mean[0])[batch.is_target]
    for column in some_columns(batch):
        step = Prediction(rollout.mean[0][:, [column]], rollout.scale[0][:, [column]])
        due = batch.is_target[:, [column]]
        apart[:, [column]] = np.maximum(
            apart[:, [column]], difference(step, ask_column(subject, fed, column), due)
        )
    bad = np.flatnonzero((apart > tolerance).any(axis=0)) - int(batch.num_context.min()) + 1
    return must_not_move(
        apart,
        tolerance,
        passed="the rollout is step-by-step prediction",
        failed=f"the rollout is not step-by-step prediction, first at target {bad[0] if len(bad) else 0}",
    )


@check(
    family="feeding",
    suspects=("variance_for_scale", "reseeded_generator", "single_sample_scale", "scaled_feedback"),
    needs=("rollout",),
)
def samples_have_the_predicted_scale(
    subject: Subject, scenario: Scenario, rng: np.random.Generator
) -> Finding:
    """Are the draws of a rollout independent and as wide as predicted?

    z = (sample - mean) / scale must have variance 1 and be uncorrelated from step to step, from one
    trajectory to the next and from pair to pair.  A correlation near 1 means a generator that is reseeded.
    """
    batch = scenario.forecast
    rollout = ask_rollout(subject, batch, NUM_SAMPLES, rng)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (rollout.samples - rollout.mean) / rollout.scale
    z = np.stack([by_target(batch, sample) for sample in z])  # [S,B,T]
    if not np.isfinite(z).any():
        return Finding("failed", "every predicted scale of the rollout is 0, so all trajectories are one")

    def row_mean(values: Floats) -> Floats:
        return np.nanmean(values, axis=(0, 2))[:, None]  # [S,B,T] -> [B,1]

    judged = [
        judge_interval(
            "the variance of (sample - mean) / scale",
            mean_of(row_mean(z**2)),
            HEALTHY_VARIANCE,
            rng,
            passed="draws are as wide as predicted and independent over steps, trajectories and pairs",
            failed="draws are not as wide as the prediction that they come from",
        )
    ]
    neighbours = {
        "step to step": z[:, :, 1:] * z[:, :, :-1] if z.shape[2] > 1 else None,
        "trajectory to trajectory": z[1:] * z[:-1],
        "pair to pair": (z * np.roll(z, 1, axis=1)) if z.shape[1] > 1 else None,
    }
    for between, product in neighbours.items():
        if product is not None:
            judged.append(
                judge_interval(
                    f"the correlation of draws from {between}",
                    mean_of(row_mean(product)),
                    HEALTHY_CORRELATION,
                    rng,
                    passed="independent",
                    failed="draws repeat each other, as when the generator is seeded anew each time",
                )
            )
    return worst(*judged)


@check(family="feeding", suspects=("dropout_at_inference",))
def inference_is_deterministic(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Do two equal calls give equal predictions?

    teacher_force, predict_next and (where offered) a mean-fed rollout are called twice.  Dropout that is
    still on, or a statistic that is updated at inference, shows as a difference.
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
        apart = np.maximum(apart, _rollouts_apart(run, same_run, batch))
    return must_not_move(
        apart,
        tolerance,
        passed="inference is deterministic",
        failed="two equal calls disagree: something random is still on at inference",
    )


@check(family="feeding", suspects=("previous_value_residual", "shifted_by_one", "shuffled_training_only"))
def context_order_is_irrelevant(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does the first prediction stay when the observed points are given in another order?

    The observed points are a set: a process that is exchangeable predicts the same from any order of
    them.  Architectures that see an order are no error in themselves, so this is judged against what it
    costs: the move of the first prediction in units of its predicted scale (root mean square over
    pairs) may be 0.1.  A residual from whatever point happens to come last fails.
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


def _tolerance(subject: Subject, batch: Batch, rng: np.random.Generator) -> float:
    return arithmetic_tolerance(subject, batch, ask_teacher_force(subject, batch), rng)


def _rollouts_apart(one: Rollout, other: Rollout, batch: Batch) -> Floats:
    """The largest difference of samples, means and scales over the trajectories [B,L]."""
    parts = [
        np.abs(a - b).max(axis=0)
        for a, b in ((one.samples, other.samples), (one.mean, other.mean), (one.scale, other.scale))
    ]
    return np.where(batch.is_target, np.maximum.reduce(parts), 0.0)
