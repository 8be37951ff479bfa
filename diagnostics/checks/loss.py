"""Likelihood: is the loss the likelihood of the targets, of all of them and of them alone?"""

from dataclasses import dataclass, replace

import numpy as np

from attn.types import Batch, Floats
from diagnostics.ask import ask_loss, ask_teacher_force
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
from diagnostics.measures import z_score
from diagnostics.subject import Subject

NUM_BATCHES = 8
SMALLEST_SCALE = 1e-30
# A floor that is added to the variance (1e-3 in the original) moves the weight by up to 0.1 at scale 0.1.
HEALTHY_SCALE_WEIGHT = (0.8, 1.2)
UNEXPLAINED_SHARE = 0.05
HEALTHY_SHARE = (0.8, 1.25)
LARGEST_JUMP = 0.01
LARGEST_UNDUE_MOVE = 0.5
ONE_TARGET = "there are rows with a single target, so two cannot be compared"
UNMOVED = "a target that is moved by its own scale moves no loss, as in units in which float32 cannot hold it"


@check(
    family="likelihood",
    suspects=("halved_log_scale", "leak_in_evaluation", "context_scored", "variance_for_scale"),
    needs=("loss",),
)
def loss_is_the_likelihood(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is the loss of a target the negative log of its normal density?

    Each row keeps one target, whose y is set a chosen number of predicted scales from its predicted mean.
    The loss of eight such batches, of easy and of hard rows, is regressed on the mean of z^2 / 2 and the mean
    of log scale of the subject's own predictions for them: both must weigh the same, and little may be left
    over.  The factor and the constant are free.  A scale term of half weight is a wrong formula; a remainder
    means that the loss is made of other predictions than those of evaluation.

    Beside other checks: it tells a wrong formula from a model that is badly calibrated for other reasons.
    """
    batch = last_targets(scenario.forecast, 1)
    prediction = ask_teacher_force(subject, batch)
    log_scale = np.log(np.maximum(first_target(batch, prediction.scale)[:, 0], SMALLEST_SCALE))
    parts, losses = [], []
    for number in range(NUM_BATCHES):
        rows = stretch(np.argsort(log_scale), number, NUM_BATCHES, rng)
        z = rng.uniform(0.5, 2.0) * rng.standard_normal(len(rows))
        chosen = replace(prediction, mean=prediction.mean[rows], scale=prediction.scale[rows])
        written = write_first(batch.rows(rows), chosen, z)
        evaluated = ask_teacher_force(subject, written)
        square = first_target(written, z_score(evaluated.mean, evaluated.scale, written.y)) ** 2
        log_of_scale = np.log(np.maximum(first_target(written, evaluated.scale), SMALLEST_SCALE))
        parts.append((0.5 * square.mean(), log_of_scale.mean()))
        losses.append(ask_loss(subject, written))
    (of_square, of_scale), remainder = regress(np.array(parts), np.array(losses))
    if of_square <= 0:
        detail = "the loss does not rise with the squared error of the target: it is not its likelihood"
        return Finding("failed", detail, of_square, 0.0)
    weight = of_scale / of_square
    if remainder > UNEXPLAINED_SHARE:
        suspects = ("leak_in_evaluation", "context_scored")
        detail = (
            f"{remainder:.0%} of the variation of the loss is not the density of the target"
            f" (tolerance {UNEXPLAINED_SHARE:.0%}): something else is scored"
        )
        return Finding("failed", detail, remainder, UNEXPLAINED_SHARE, suspects=suspects)
    if np.std(parts, axis=0)[1] > LEAST_VARIATION and not _within(weight, HEALTHY_SCALE_WEIGHT):
        detail = (
            f"log scale weighs {weight:.2f} in the loss where it must weigh 1 (beside z^2 / 2):"
            " the scale that minimises this loss is not the size of the error"
        )
        return Finding(
            "failed", detail, weight, min(HEALTHY_SCALE_WEIGHT, key=lambda edge: abs(edge - weight))
        )
    detail = f"log scale weighs {weight:.3f} beside z^2 / 2, and {remainder:.1g} of the loss is anything else"
    return Finding("passed", f"{detail}: the loss is the likelihood", remainder, UNEXPLAINED_SHARE)


@check(family="likelihood", suspects=("first_target_unscored",), needs=("loss",))
def every_target_is_scored(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does the first target count as much in the loss as the one after it?

    Each row keeps two targets, one predicted scale from their means.  Then the first is moved to two
    scales, or the second: both must raise the loss by the same.

    Beside other checks: it names the first target, where the formula of the loss may be right.
    """
    pair = _two_targets(subject, scenario, rng)
    if pair is None:
        return Finding("skipped", ONE_TARGET)
    if pair.rise_of_second <= 0:
        detail = "the loss does not rise with the error of the second target: it is not scored"
        return Finding("failed", detail, pair.rise_of_second, 0.0)
    moved, _ = write_both(subject, pair.batch, 2 * pair.sign, pair.sign)
    share = (ask_loss(subject, moved) - pair.base_loss) / pair.rise_of_second
    edge = min(HEALTHY_SHARE, key=lambda bound: abs(bound - share))
    if _within(share, HEALTHY_SHARE):
        return Finding(
            "passed", f"the first target counts {share:.2f} times as much as the second", share, edge
        )
    detail = (
        f"the first target counts {share:.2f} times as much in the loss as the second, where both must count"
        " alike: what is not scored is not learnt"
    )
    return Finding("failed", detail, share, edge)


@check(family="likelihood", suspects=("zero_targets_dropped",), needs=("loss",))
def targets_equal_to_zero_count(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does a target count in the loss when its y is exactly 0?

    The second of two targets of every row is moved from exactly 0 to almost 0: the loss must stay.
    """
    pair = _two_targets(subject, scenario, rng)
    if pair is None:
        return Finding("skipped", ONE_TARGET)
    batch = pair.batch
    last = at(batch.num_points - 1 - batch.is_target[:, ::-1].argmax(axis=1), batch)
    zero = ask_loss(subject, replace(pair.base, y=np.where(last, 0.0, pair.base.y)))
    nearly = ask_loss(subject, replace(pair.base, y=np.where(last, 1e-6 * spread(batch), pair.base.y)))
    jump = abs(nearly - zero) / max(abs(zero), pair.rise_of_second)
    if jump > LARGEST_JUMP:
        detail = f"the loss jumps by {jump:.0%} where targets become exactly 0: such targets are left out"
        return Finding("failed", detail, jump, LARGEST_JUMP)
    return Finding("passed", "the loss does not care whether a target is exactly 0", jump, LARGEST_JUMP)


@check(family="likelihood", suspects=("context_scored",), needs=("loss",))
def observed_points_are_not_scored(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Does the loss stay when observed points move and the targets keep their z-scores?

    Noise is added to the observed points, and two targets a row are written anew at the same number of
    predicted scales from their new means.  The loss may follow the predicted scales only.

    Beside other checks: it names the observed points, where the formula of the loss may be right.
    """
    pair = _two_targets(subject, scenario, rng)
    if pair is None:
        return Finding("skipped", ONE_TARGET)
    if pair.rise_of_second == 0:
        return Finding("skipped", UNMOVED)
    noise = 0.5 * spread(pair.batch) * rng.standard_normal(pair.batch.y.shape)
    noisy = replace(pair.batch, y=pair.batch.y + np.where(pair.batch.is_context, noise, 0.0))
    moved, log_scale = write_both(subject, noisy, pair.sign, pair.sign)
    # raising one z from 1 to 2 is worth 3/2 nats of that target, so 3/4 of their average
    due = 4 / 3 * pair.rise_of_second * (log_scale - pair.log_scale)
    undue = abs(ask_loss(subject, moved) - pair.base_loss - due) / (abs(due) + abs(pair.rise_of_second))
    if undue > LARGEST_UNDUE_MOVE:
        detail = (
            f"moving observed points moves the loss by {undue:.1f} times what their effect on the targets"
            " explains: observed points are scored"
        )
        return Finding("failed", detail, undue, LARGEST_UNDUE_MOVE)
    return Finding(
        "passed", "observed points move the loss only through the targets", undue, LARGEST_UNDUE_MOVE
    )


@dataclass(frozen=True, eq=False)
class _TwoTargets:
    """Rows with two targets, `sign` [B] predicted scales from their means in `base`.

    rise_of_second   what the loss gains when the second is moved to two scales
    """

    batch: Batch
    sign: Floats
    base: Batch
    base_loss: float
    log_scale: float
    rise_of_second: float


def _two_targets(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> _TwoTargets | None:
    """None where a row has a single target."""
    batch = last_targets(scenario.forecast, 2)
    if not (batch.is_target.sum(axis=1) == 2).all():
        return None
    sign = rng.choice([-1.0, 1.0], batch.num_pairs)
    base, log_scale = write_both(subject, batch, sign, sign)
    base_loss = ask_loss(subject, base)
    rise = ask_loss(subject, write_both(subject, batch, sign, 2 * sign)[0]) - base_loss
    return _TwoTargets(batch, sign, base, base_loss, log_scale, rise)


def _within(value: float, band: tuple[float, float]) -> bool:
    return band[0] <= value <= band[1]
