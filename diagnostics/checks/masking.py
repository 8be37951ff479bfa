"""Masking: does every prediction see exactly the points before it, and nothing else?"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attn.types import Batch
from diagnostics.ask import NotFiniteError, ask_attention, ask_column, ask_teacher_force
from diagnostics.check import Finding, Scenario, check
from diagnostics.checks._perturb import at, newest_context, random_targets, some_columns, spread
from diagnostics.judge import (
    EPSILON,
    arithmetic_tolerance,
    difference,
    must_move,
    must_not_move,
    smallest_move,
    worst,
)
from diagnostics.measures import target_columns
from diagnostics.subject import Subject

Array = NDArray[Any]

NUM_PADDING = 8
NUM_ATTENTION_ROWS = 8
# Far outside the data, still finite: content that reaches a prediction cannot go unnoticed.
PADDING_FACTOR = 100.0


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


@check(family="masking", suspects=("newest_point_hidden", "newest_point_dropped", "inverted_mask"))
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
        findings.append(
            must_move(
                np.maximum(*steps),
                smallest_move(base),
                passed="it is seen",
                failed=f"in the inference step for target {target} {failed}",
            )
        )
    return worst(*findings)


@check(
    family="masking",
    suspects=("padding_leak", "positions_shared_across_rows", "inverted_mask", "empty_history"),
)
def padding_is_inert(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Do predictions stay when padding is appended, whatever stands in it?

    Eight columns that are not valid are appended, once filled with zeros and once with large noise; all
    predictions must stay as they were without them.
    """
    batch = scenario.forecast
    before = ask_teacher_force(subject, batch)
    tolerance = arithmetic_tolerance(subject, batch, before, rng)
    findings = []
    for content, factor in (("zeros", 0.0), ("noise", PADDING_FACTOR)):
        padded = _padded(batch, factor, rng)
        try:
            after = ask_teacher_force(subject, padded)
        except NotFiniteError as error:
            return Finding("failed", f"padding filled with {content} destroys predictions: {error}")
        kept = replace(after, mean=after.mean[:, :-NUM_PADDING], scale=after.scale[:, :-NUM_PADDING])
        findings.append(
            must_not_move(
                difference(before, kept, batch.is_target),
                tolerance,
                passed="padding reaches no prediction",
                failed=f"padding filled with {content} reaches the predictions",
            )
        )
    return worst(*findings)


def _padded(batch: Batch, factor: float, rng: np.random.Generator) -> Batch:
    shape = (batch.num_pairs, NUM_PADDING)

    def beside(values: Array, padding: Array) -> Array:
        return np.concatenate([values, padding.astype(values.dtype)], axis=1)

    return Batch(
        x=beside(batch.x, factor * rng.standard_normal(shape)),
        series=beside(batch.series, rng.integers(0, 2, shape)),
        y=beside(batch.y, factor * rng.standard_normal(shape)),
        valid=beside(batch.valid, np.zeros(shape, bool)),
        num_context=batch.num_context,
    )


@check(family="masking", suspects=("mixed_rows", "positions_shared_across_rows"))
def rows_are_independent(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is the prediction for a pair the same alone as among others?

    The first row is predicted in a batch of one, and all rows are predicted again in reversed order:
    nothing may change.
    """
    batch = scenario.forecast
    together = ask_teacher_force(subject, batch)
    tolerance = arithmetic_tolerance(subject, batch, together, rng)
    alone = ask_teacher_force(subject, batch.rows(slice(0, 1)))
    reversed_rows = ask_teacher_force(subject, batch.rows(slice(None, None, -1)))
    apart = difference(
        together,
        replace(reversed_rows, mean=reversed_rows.mean[::-1], scale=reversed_rows.scale[::-1]),
        batch.is_target,
    )
    first = replace(together, mean=together.mean[:1], scale=together.scale[:1])
    apart[:1] = np.maximum(apart[:1], difference(first, alone, batch.is_target[:1]))
    return must_not_move(
        apart,
        tolerance,
        passed="the rows of a batch do not touch each other",
        failed="a prediction depends on the other rows of its batch",
    )


@check(
    family="masking",
    suspects=("mixed_rows", "future_leak", "misaligned_causal_mask", "mask_dropped_with_scores"),
    needs=("attention",),
)
def attention_rows_sum_to_one(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is the attention of every target a distribution over valid, earlier points?

    The weights of a target must sum to 1 over the keys and be 0 on padding, on the target and on all
    that comes after it, in every layer and head.
    """
    batch = scenario.forecast.rows(slice(0, NUM_ATTENTION_ROWS))
    attention = ask_attention(subject, batch)
    keys, queries = attention.key_positions, attention.query_positions
    tolerance = OUTPUT_ROUNDINGS_OF_A_SUM * len(keys) * EPSILON
    is_target = batch.is_target[:, queries][None, :, None, :]  # [1,B,1,Q]
    sums = attention.weights.sum(axis=-1)  # [layers,B,H,Q]
    off_one = np.where(is_target, np.abs(sums - 1), 0.0)
    hidden = (keys[None, None, :] >= queries[None, :, None]) | ~batch.valid[:, keys][:, None, :]  # [B,Q,K]
    on_hidden = np.where(is_target[..., None] & hidden[None, :, None], attention.weights, 0.0)
    return worst(
        must_not_move(
            np.moveaxis(off_one, 1, 0),
            tolerance,
            passed="attention is a distribution over earlier points, in every layer and head",
            failed="the attention of a target does not sum to 1 over the keys",
        ),
        must_not_move(
            np.moveaxis(np.abs(on_hidden), 1, 0),
            tolerance,
            passed="none of it is on hidden points",
            failed="attention falls on points that must be hidden (padding, the target, or later ones)",
        ),
    )


# Adding K weights that sum to 1 loses at most K roundings; exponentials and the division a few more.
OUTPUT_ROUNDINGS_OF_A_SUM = 4


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
