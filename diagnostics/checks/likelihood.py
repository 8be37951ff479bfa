"""Likelihood: does the model know how wrong it is, and is what it was trained on the likelihood?"""

from dataclasses import replace

import numpy as np

from attn.types import Batch, Floats
from diagnostics.ask import ask_loss, ask_teacher_force, ask_training_batch
from diagnostics.check import Finding, Scenario, check
from diagnostics.checks._perturb import at, first_target, spread
from diagnostics.checks._targets import (
    LEAST_VARIATION,
    last_targets,
    regress,
    stretch,
    write_both,
    write_first,
)
from diagnostics.judge import judge_interval
from diagnostics.measures import Statistic, by_target, mean_of, z_score
from diagnostics.subject import Subject, offers

# Bands of the mean square z-score: 1 is calibrated; a halved log sigma gives 0.5 at its own optimum.
HEALTHY_SQUARE = (0.7, 1.4)
HEALTHY_SQUARE_OF_ONE = (0.5, 2.0)
# The excess of the error at the first target over that at the others.
HEALTHY_EXCESS = (0.0, 2.0)
NUM_BATCHES = 8
# A floor that is added to the variance (1e-3 in the original) moves the weight by up to 0.1 at scale 0.1.
HEALTHY_SCALE_WEIGHT = (0.8, 1.2)
UNEXPLAINED_SHARE = 0.05
HEALTHY_SHARE = (0.8, 1.25)
LARGEST_JUMP = 0.01
LARGEST_UNDUE_MOVE = 0.5


@check(family="likelihood", suspects=("halved_log_scale", "variance_for_scale", "context_scored"))
def z_scores_are_calibrated(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Are errors as large as the predicted scale says, where the model was trained?

    The mean of z^2 = ((y - mean) / scale)^2 under teacher forcing must be about 1, in a batch as training
    sees it where the subject offers one, else in inference order.  A weight on the log scale that is
    halved in the loss makes the best scale sqrt(2) too large: 0.5.
    """
    order, batch = "inference order", scenario.forecast
    if offers(subject, "training_batches"):
        order, batch = "training order", ask_training_batch(subject, rng)
    return judge_interval(
        f"the mean square z-score in {order}",
        mean_of(by_target(batch, _z(subject, batch)) ** 2).pooled(),
        HEALTHY_SQUARE,
        rng,
        passed="the predicted scale is the size of the error",
        failed="the predicted scale is not the size of the error (below 1: too wide, above: too sure)",
    )


@check(
    family="likelihood",
    suspects=("first_target_unscored", "shuffled_training_only", "label_blind_history", "attention_dilution"),
)
def first_target_is_calibrated(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does the model know how uncertain it is at the first target after the boundary?

    The mean of z^2 at the first target in inference order; a model may be honestly uncertain there, but a
    drop that it does not expect shows as a value far above 1.
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


@check(
    family="likelihood",
    suspects=("first_target_unscored", "metric_skips_first", "newest_point_hidden"),
)
def first_target_is_predicted_as_well(
    subject: Subject, scenario: Scenario, rng: np.random.Generator
) -> Finding:
    """Is the first target predicted as well as those after it?

    Under teacher forcing in inference order every target stands next to a point that has just been seen,
    so the first is no harder than the rest.  Judged is its root mean square error beside that of the
    others, each relative to the exact posterior's where there is a process.  A target that training or the
    metric left out shows as a ratio far above 1.
    """
    batch = scenario.forecast
    error = by_target(batch, ask_teacher_force(subject, batch).mean - batch.y) ** 2
    if scenario.process is None:
        due = np.where(np.isnan(error), np.nan, 1.0)
    else:
        due = by_target(batch, scenario.process.posterior(batch).mean - batch.y) ** 2
    if error.shape[1] < 2:
        return Finding("skipped", "there is only one target, so the first cannot be compared with the rest")
    rest_error, rest_due = np.nansum(error[:, 1:], axis=1), np.nansum(due[:, 1:], axis=1)
    sums = np.stack([error[:, 0], due[:, 0], rest_error, rest_due], axis=-1)[:, None]  # [N,1,4]

    def excess(totals: Floats) -> Floats:
        first, first_due, rest, rest_due = np.moveaxis(totals, -1, 0)
        return np.sqrt(first / first_due / (rest / rest_due))

    return judge_interval(
        "the error at the first target, as a multiple of that at the others,",
        Statistic(sums, excess),
        HEALTHY_EXCESS,
        rng,
        passed="the first target is predicted as well as the rest",
        failed="the first target is predicted much worse than the rest, as if it had never been scored",
    )


@check(
    family="likelihood",
    suspects=("halved_log_scale", "variance_for_scale", "context_scored"),
    needs=("loss",),
)
def loss_is_the_likelihood(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is the loss of a target the negative log of its normal density?

    Each row keeps one target, whose y is set a chosen number of predicted scales from its predicted mean, so
    that both parts of the density are known.  The loss of eight such batches, of easy and of hard rows, is
    regressed on the mean of z^2 / 2 and the mean of log scale: both must weigh the same, and little may be
    left over.  The factor and the constant are free.  A scale term of half weight is a wrong formula.
    """
    batch = last_targets(scenario.forecast, 1)
    prediction = ask_teacher_force(subject, batch)
    log_scale = np.log(np.maximum(first_target(batch, prediction.scale)[:, 0], 1e-30))
    parts, losses = [], []
    for number in range(NUM_BATCHES):
        rows = stretch(np.argsort(log_scale), number, NUM_BATCHES, rng)
        z = rng.uniform(0.5, 2.0) * rng.standard_normal(len(rows))
        chosen = replace(prediction, mean=prediction.mean[rows], scale=prediction.scale[rows])
        written = write_first(batch.rows(rows), chosen, z)
        parts.append((0.5 * np.mean(z**2), log_scale[rows].mean()))
        losses.append(ask_loss(subject, written))
    (of_square, of_scale), remainder = regress(np.array(parts), np.array(losses))
    if of_square <= 0:
        detail = "the loss does not rise with the squared error of the target: it is not its likelihood"
        return Finding("failed", detail, of_square, 0.0)
    weight = of_scale / of_square
    if np.std(parts, axis=0)[1] > LEAST_VARIATION and not _within(weight, HEALTHY_SCALE_WEIGHT):
        detail = (
            f"log scale weighs {weight:.2f} in the loss where it must weigh 1 (beside z^2 / 2):"
            " the scale that minimises this loss is not the size of the error"
        )
        return Finding(
            "failed", detail, weight, min(HEALTHY_SCALE_WEIGHT, key=lambda edge: abs(edge - weight))
        )
    if remainder > UNEXPLAINED_SHARE:
        detail = (
            f"{remainder:.0%} of the variation of the loss is not the density of the target"
            f" (tolerance {UNEXPLAINED_SHARE:.0%}): something else is scored"
        )
        return Finding("failed", detail, remainder, UNEXPLAINED_SHARE)
    detail = f"log scale weighs {weight:.3f} beside z^2 / 2, and {remainder:.1g} of the loss is anything else"
    return Finding("passed", f"{detail}: the loss is the likelihood", remainder, UNEXPLAINED_SHARE)


@check(
    family="likelihood",
    suspects=("first_target_unscored", "zero_targets_dropped", "context_scored"),
    needs=("loss",),
)
def every_target_is_scored(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does every target count alike in the loss, and no observed point?

    Each row keeps two targets, one predicted scale from their means.  Then the first is moved to two
    scales, or the second: both must raise the loss by the same.  The second is moved from exactly 0 to
    almost 0: the loss must stay.  Observed points are moved, and the targets with their predictions: the
    loss may follow the predicted scales only.
    """
    batch = last_targets(scenario.forecast, 2)
    if not (batch.is_target.sum(axis=1) == 2).all():
        return Finding("skipped", "there are rows with a single target, so two cannot be compared")
    sign = rng.choice([-1.0, 1.0], batch.num_pairs)
    base, log_scale = write_both(subject, batch, sign, sign)
    base_loss = ask_loss(subject, base)
    rise_of_first = ask_loss(subject, write_both(subject, batch, 2 * sign, sign)[0]) - base_loss
    rise_of_second = ask_loss(subject, write_both(subject, batch, sign, 2 * sign)[0]) - base_loss
    if rise_of_second <= 0:
        detail = "the loss does not rise with the error of the second target: it is not scored"
        return Finding("failed", detail, rise_of_second, 0.0)
    share = rise_of_first / rise_of_second
    if not _within(share, HEALTHY_SHARE):
        detail = (
            f"the first target counts {share:.2f} times as much in the loss as the second, where both must"
            " count alike: what is not scored is not learnt"
        )
        return Finding("failed", detail, share, min(HEALTHY_SHARE, key=lambda edge: abs(edge - share)))
    last = at(batch.num_points - 1 - batch.is_target[:, ::-1].argmax(axis=1), batch)
    zero = ask_loss(subject, replace(base, y=np.where(last, 0.0, base.y)))
    nearly = ask_loss(subject, replace(base, y=np.where(last, 1e-6 * spread(batch), base.y)))
    jump = abs(nearly - zero) / max(abs(zero), rise_of_second)
    if jump > LARGEST_JUMP:
        detail = f"the loss jumps by {jump:.0%} where targets become exactly 0: such targets are left out"
        return Finding("failed", detail, jump, LARGEST_JUMP)
    noise = 0.5 * spread(batch) * rng.standard_normal(batch.y.shape)
    noisy = replace(batch, y=batch.y + np.where(batch.is_context, noise, 0.0))
    moved, moved_log_scale = write_both(subject, noisy, sign, sign)
    # raising one z from 1 to 2 is worth 3/2 nats of that target, so 3/4 of their average
    due = 4 / 3 * rise_of_second * (moved_log_scale - log_scale)
    undue = abs(ask_loss(subject, moved) - base_loss - due) / (abs(due) + rise_of_second)
    if undue > LARGEST_UNDUE_MOVE:
        detail = (
            f"moving observed points moves the loss by {undue:.1f} times what their effect on the targets"
            " explains: observed points are scored"
        )
        return Finding("failed", detail, undue, LARGEST_UNDUE_MOVE)
    detail = (
        f"both targets count alike ({share:.2f}), one that is 0 as well, and observed points do not count"
    )
    return Finding("passed", detail, share, min(HEALTHY_SHARE, key=lambda edge: abs(edge - share)))


def _within(value: float, band: tuple[float, float]) -> bool:
    return band[0] <= value <= band[1]
