"""Feeding: is what the model writes fed back to it rightly?"""

from dataclasses import replace

import numpy as np

from attn.types import Batch, Floats, Prediction
from diagnostics.ask import NotFiniteError, ask_column, ask_rollout, ask_teacher_force
from diagnostics.check import Finding, Scenario, check
from diagnostics.checks._perturb import rollouts_apart, some_columns, spread
from diagnostics.judge import (
    EPSILON,
    OUTPUT_ROUNDINGS,
    arithmetic_tolerance,
    difference,
    judge_interval,
    must_not_move,
    worst,
)
from diagnostics.measures import by_target, mean_of
from diagnostics.subject import Subject

NUM_SAMPLES = 4
# Between 0.9 and 1.1 the width of a sampled band cannot be told from the right one by eye; a scale taken
# for a variance, or a generator that repeats itself, is far outside.
HEALTHY_VARIANCE = (0.8, 1.25)
HEALTHY_CORRELATION = (-0.1, 0.1)
# A generator that is seeded anew every k steps repeats itself k steps later.
LARGEST_LAG = 8


@check(family="feeding", suspects=("true_values_fed", "future_leak"), needs=("rollout",))
def rollout_ignores_true_targets(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does a rollout stay when the true targets are replaced?

    Rollouts under one seed, with the true targets, with noise and with NaN in their place, must be equal:
    at inference nobody knows them.  A rollout that moves is fed the truth and looks better than it is.

    Beside other checks: it alone says that the truth is what a rollout reads.
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
                rollouts_apart(honest, other, batch),
                tolerance,
                passed="free running never reads the true targets",
                failed=f"a rollout moves when the true targets become {content}: it is fed the truth",
            )
        )
    return worst(*findings)


@check(
    family="feeding",
    suspects=("stale_cache", "scaled_feedback", "bin_index_fed", "shifted_by_one", "newest_point_dropped"),
    needs=("rollout",),
)
def rollout_equals_stepping(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is every step of a rollout what predict_next says after the same history?

    A mean-fed rollout is made; at the first, second, middle and last target its prediction is
    recomputed by predict_next from what the rollout itself had fed back.  A cache that went stale, a
    position that stands still or a dropped point shows here.

    Beside other checks: most other checks ask predict_next; this is what carries their verdict over to the
    rollout.
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


@check(family="feeding", suspects=("shifted_by_one",), needs=("rollout",))
def rollout_keeps_the_context(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does a rollout leave the observed points as they are?

    Context positions of samples and means must repeat the observed y, in several trajectories.  A first
    prediction that is written over the last observed point shifts the whole forecast by one.

    Beside other checks: it tells a forecast that is shifted by one from all else that parts a rollout from
    its steps.
    """
    batch = scenario.forecast
    rollout = ask_rollout(subject, batch, NUM_SAMPLES, rng)
    apart = np.maximum(np.abs(rollout.samples - batch.y), np.abs(rollout.mean - batch.y)).max(axis=0)
    largest = float(np.abs(batch.y[batch.is_context]).max())
    return must_not_move(
        np.where(batch.is_context, np.where(np.isnan(apart), np.inf, apart), 0.0),
        OUTPUT_ROUNDINGS * EPSILON * largest,
        passed="a rollout begins where the observed points end",
        failed="a rollout changes observed points: predictions are written at the wrong place",
    )


@check(family="feeding", suspects=("single_sample_scale",), needs=("rollout",))
def one_trajectory_equals_many(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is a single trajectory predicted like one of many?

    Rollouts that feed back their means are asked for one and for four trajectories: every one must be the
    same, in mean and in scale.

    Beside other checks: it tells a scale that is wrong for single samples from all else that parts a rollout
    from its steps.
    """
    batch = scenario.forecast
    tolerance = _tolerance(subject, batch, rng)
    one = ask_rollout(subject, batch, 1, rng, "mean")
    many = ask_rollout(subject, batch, NUM_SAMPLES, rng, "mean")
    return must_not_move(
        rollouts_apart(one, many, batch),
        tolerance,
        passed="one trajectory is as good as many",
        failed="a single trajectory is predicted otherwise than one of many",
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

    z = (sample - mean) / scale must have variance 1 and be uncorrelated from one trajectory to the next,
    from pair to pair, and over one to eight steps.  A correlation near 1 means a generator that is reseeded.
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
    products = {"from trajectory to trajectory": z[1:] * z[:-1]}
    if z.shape[1] > 1:
        products["from pair to pair"] = z * np.roll(z, 1, axis=1)
    for lag in range(1, min(LARGEST_LAG, z.shape[2] - 1) + 1):
        products[f"{lag} steps apart"] = z[:, :, lag:] * z[:, :, :-lag]
    judged += [
        judge_interval(
            f"the correlation of draws {between}",
            mean_of(row_mean(product)),
            HEALTHY_CORRELATION,
            rng,
            passed="independent",
            failed="draws repeat each other, as when the generator is seeded anew each time",
        )
        for between, product in products.items()
    ]
    return worst(*judged)


def _tolerance(subject: Subject, batch: Batch, rng: np.random.Generator) -> float:
    return arithmetic_tolerance(subject, batch, ask_teacher_force(subject, batch), rng)
