"""The two ways to judge: contracts by a tolerance derived from the arithmetic, statistics by an interval.

A contract says that the same maths by two paths gives the same numbers.  How far two correct paths may lie
apart depends on how the subject magnifies rounding, so that is measured: y and x are moved by one
rounding of float32 (relative 1.2e-7), and the response of the subject's own prediction is what one
rounding error anywhere in the input costs.  A forward pass makes many such errors; ROUNDINGS of them are
allowed, and OUTPUT_ROUNDINGS of the largest output on top (sums of that length lose so many last bits).
The first part is capped at a hundredth of the predicted scale: a subject that moves more than that under
one rounding (dropout that is still on, say) is not excused by it.
"""

from dataclasses import replace

import numpy as np

from attn.types import Batch, Bools, Floats, Prediction
from diagnostics.ask import ask_teacher_force
from diagnostics.check import Finding
from diagnostics.measures import Statistic
from diagnostics.result import Evidence
from diagnostics.subject import Subject

EPSILON = float(np.finfo(np.float32).eps)
ROUNDINGS = 100
OUTPUT_ROUNDINGS = 64
LARGEST_SHARE_OF_SCALE = 0.01
# Below so many last bits of the largest output a prediction has not moved: what is truly hidden does not
# enter the sums at all, so that even one rounding of difference is rare.
ROUNDINGS_AT_REST = 4
# The share of rows that must respond where a response is due: one in ten may have nothing to say.
SHARE_THAT_MUST_MOVE = 0.9


def arithmetic_tolerance(
    subject: Subject, batch: Batch, prediction: Prediction, rng: np.random.Generator
) -> float:
    """How far two correct computations of `prediction` (the subject's, for `batch`) may lie apart.

    The response is the 90th percentile over rows of the largest move in a row: a rare row whose x
    stands just at the edge of a bin does not raise it.
    """

    def rounded(values: Floats) -> Floats:
        return values * (1 + EPSILON * rng.choice([-1.0, 1.0], values.shape))

    nudged = ask_teacher_force(subject, replace(batch, x=rounded(batch.x), y=rounded(batch.y)))
    response = np.quantile(difference(prediction, nudged, batch.is_target).max(axis=1), 0.9)
    cap = LARGEST_SHARE_OF_SCALE * np.median(prediction.scale[batch.is_target])
    largest = np.abs(prediction.mean[batch.is_target]).max()
    return float(min(ROUNDINGS * response, cap) + OUTPUT_ROUNDINGS * EPSILON * largest)


def smallest_move(prediction: Prediction) -> float:
    """The least difference from `prediction` that counts as a response of the subject."""
    return float(ROUNDINGS_AT_REST * EPSILON * np.nanmax(np.abs(prediction.mean)))


def difference(one: Prediction, other: Prediction, where: Bools) -> Floats:
    """The larger of |difference of means| and |difference of scales| at `where`, 0 elsewhere [B,L].

    A value that is not finite on one side only is infinitely far.
    """
    parts = []
    for a, b in ((one.mean, other.mean), (one.scale, other.scale)):
        apart = np.abs(a - b)
        parts.append(np.where(np.isnan(apart), np.inf, apart))
    return np.where(where, np.maximum(*parts), 0.0)


def must_not_move(differences: Floats, tolerance: float, *, passed: str, failed: str) -> Finding:
    """Judge a contract of sameness; `passed` and `failed` say what it means, after the figure."""
    largest = float(differences.max(initial=0.0))
    if largest <= tolerance:
        detail = f"the largest difference is {largest:.2g} (tolerance {tolerance:.2g}): {passed}"
        return Finding("passed", detail, largest, tolerance)
    rows = int((differences.reshape(len(differences), -1).max(axis=1) > tolerance).sum())
    detail = (
        f"predictions differ by up to {largest:.3g} (tolerance {tolerance:.2g})"
        f" in {rows} of {len(differences)} rows: {failed}"
    )
    return Finding("failed", detail, largest, tolerance)


def must_move(
    differences: Floats,
    smallest: float,
    *,
    passed: str,
    failed: str,
    least_share: float = SHARE_THAT_MUST_MOVE,
) -> Finding:
    """Judge a contract of dependence: a share of the rows must respond, by more than the `smallest` move."""
    largest_of_row = differences.reshape(len(differences), -1).max(axis=1)
    share = float((largest_of_row > smallest).mean())
    if share >= least_share:
        typical = float(np.median(largest_of_row))
        detail = f"the prediction moved in {share:.0%} of the rows, typically by {typical:.2g}: {passed}"
        return Finding("passed", detail, share, least_share)
    if share == 0:
        detail = f"no prediction moved by more than {smallest:.1g}: {failed}"
    else:
        detail = f"the prediction moved in only {share:.0%} of the rows: {failed}"
    return Finding("failed", detail, share, least_share)


def judge_interval(
    name: str,
    statistic: Statistic,
    healthy: tuple[float, float],
    rng: np.random.Generator,
    *,
    passed: str,
    failed: str,
) -> Finding:
    """Judge a statistic [1]: failed only where its whole 95 % interval lies outside the `healthy` band."""
    interval = statistic.interval(rng)
    value, low, high = (float(part[0]) for part in (interval.value, interval.low, interval.high))
    if np.isnan(value):
        return Finding("skipped", f"{name} cannot be computed from these pairs: no pair contributes to it")
    figures = (
        f"{name} is {value:.3g} (95 % interval {low:.3g} to {high:.3g} over {statistic.num_pairs} pairs;"
        f" healthy: {healthy[0]:g} to {healthy[1]:g})"
    )
    edge = min(healthy, key=lambda bound: abs(bound - value))
    evidence: Evidence = {"value": value, "low": low, "high": high, "healthy": list(healthy)}
    if high < healthy[0] or low > healthy[1]:
        return Finding("failed", f"{figures}: {failed}", value, edge, evidence)
    return Finding("passed", f"{figures}: {passed}", value, edge, evidence)


def worst(*findings: Finding) -> Finding:
    """The first finding that failed, else the first that was skipped, else the first."""
    for status in ("failed", "skipped"):
        for finding in findings:
            if finding.status == status:
                return finding
    return findings[0]
