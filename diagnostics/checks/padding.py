"""Padding: is what is not there left out, and is everything that is there a point like any other?"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attn.types import Batch, Prediction
from diagnostics.ask import NotFiniteError, ask_first, ask_teacher_force
from diagnostics.check import Finding, Scenario, check
from diagnostics.checks._perturb import at, newest_context, spread, x_range
from diagnostics.judge import arithmetic_tolerance, difference, must_not_move, worst
from diagnostics.subject import Subject

Array = NDArray[Any]

NUM_PADDING = 8
# Far outside the data, still finite: content that reaches a prediction cannot go unnoticed.
PADDING_FACTOR = 100.0
# A point so near to 0 differs from one at 0 by far less than any prediction resolves: its effect may be a
# thousandth of the predicted scale.
ALMOST_ZERO = 1e-6
LARGEST_RESPONSE = 1e-3
NUM_UNEQUAL_ROWS = 6


@check(
    family="masking",
    suspects=("padding_leak", "inverted_mask", "positions_shared_across_rows", "empty_history"),
)
def padding_is_inert(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Do predictions stay when padding is put on both sides, whatever stands in it?

    Four columns that are not valid are put before all points and four after them, once filled with zeros and
    once with large noise; all predictions must stay as they were without them.

    Beside other checks: it changes padding and nothing else, so that position is not suspected where padding
    leaks.
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
        half = NUM_PADDING // 2
        kept = replace(after, mean=after.mean[:, half:-half], scale=after.scale[:, half:-half])
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
    """The batch with NUM_PADDING columns that are not valid, half of them before all others."""
    half, num_pairs = NUM_PADDING // 2, batch.num_pairs

    def between(values: Array, padding: Array) -> Array:
        padding = padding.astype(values.dtype)
        return np.concatenate([padding[:, :half], values, padding[:, half:]], axis=1)

    shape = (num_pairs, NUM_PADDING)
    return Batch(
        x=between(batch.x, factor * rng.standard_normal(shape)),
        series=between(batch.series, rng.integers(0, 2, shape)),
        y=between(batch.y, factor * rng.standard_normal(shape)),
        valid=between(batch.valid, np.zeros(shape, bool)),
        num_context=batch.num_context + half,
    )


@check(family="masking", suspects=("zero_taken_for_padding",))
def zero_is_a_value(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is a point at exactly 0 a point like any other?

    The newest observed y is set to exactly 0 and to almost 0, and x is moved so that the newest observed
    point stands at exactly 0 and at almost 0.  Both times the two predictions must agree; where a
    feature equal to 0 is taken for padding, the point disappears from one of them.

    Beside other checks: drawn data hardly ever holds an exact 0, and this needs no loss.
    """
    batch = scenario.forecast
    newest = at(newest_context(batch), batch)
    low, high = x_range(batch)
    origin = np.where(newest, batch.x, 0.0).sum(axis=1, keepdims=True)
    centred = replace(batch, x=batch.x - origin)
    findings = []
    for feature, zero, nearly in (
        (
            "y",
            replace(batch, y=np.where(newest, 0.0, batch.y)),
            replace(batch, y=np.where(newest, ALMOST_ZERO * spread(batch), batch.y)),
        ),
        ("x", centred, replace(centred, x=np.where(newest, ALMOST_ZERO * (high - low), centred.x))),
    ):
        prediction = ask_teacher_force(subject, zero)
        tolerance = arithmetic_tolerance(subject, zero, prediction, rng)
        findings.append(
            must_not_move(
                difference(prediction, ask_teacher_force(subject, nearly), batch.is_target),
                tolerance + LARGEST_RESPONSE * float(np.median(prediction.scale[batch.is_target])),
                passed="a point at exactly 0 is a point like any other",
                failed=f"a point vanishes where its {feature} is exactly 0: it is taken for padding",
            )
        )
    return worst(*findings)


@check(
    family="position",
    suspects=("positions_shared_across_rows", "padding_leak", "misaligned_causal_mask"),
)
def rows_of_unequal_length_agree(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Finding:
    """Is a pair predicted the same among pairs of other lengths, padded on either side?

    Rows lose up to three of their first points and up to two of their last ones, observe up to two points
    more, and stand in one batch; their predictions, in the parallel pass and at the first step of inference,
    must be those of each row alone and without padding.  Positions counted for one row and used for all
    cannot pass.
    """
    batch = _unequal(scenario.forecast.rows(slice(0, NUM_UNEQUAL_ROWS)))
    if not batch.is_target.any(axis=1).all():
        return Finding("skipped", "the forecasts are too short to be cut to unequal lengths")
    together, first = ask_teacher_force(subject, batch), ask_first(subject, batch)
    tolerance = arithmetic_tolerance(subject, batch, together, rng)
    passes, steps = [], []
    for row in range(batch.num_pairs):
        alone = _without_padding(batch, row)
        targets = batch.is_target[row : row + 1]
        parallel, kept = ask_teacher_force(subject, alone), alone.is_target
        apart = difference(
            Prediction(
                together.mean[row : row + 1][targets][None], together.scale[row : row + 1][targets][None]
            ),
            Prediction(parallel.mean[kept][None], parallel.scale[kept][None]),
            np.ones((1, int(kept.sum())), bool),
        )
        passes.append(apart.max())
        step = Prediction(first.mean[row : row + 1], first.scale[row : row + 1])
        steps.append(difference(step, ask_first(subject, alone), np.ones((1, 1), bool)).max())
    return worst(
        must_not_move(
            np.array(passes)[:, None],
            tolerance,
            passed="a pair is predicted the same whatever stands beside it",
            failed="a pair is predicted otherwise among pairs of other lengths, in the parallel pass",
        ),
        must_not_move(
            np.array(steps)[:, None],
            tolerance,
            passed="and in the first step of inference",
            failed="a pair is predicted otherwise among pairs of other lengths, in the inference step",
        ),
    )


def _unequal(batch: Batch) -> Batch:
    """Row i without its first i % 4 and its last i % 3 points, and with i % 3 points more observed."""
    row, position = np.arange(batch.num_pairs)[:, None], np.arange(batch.num_points)
    kept = (position >= row % 4) & (position < batch.num_points - row % 3)
    valid = batch.valid & kept
    num_context = np.minimum(batch.num_context + row[:, 0] % 3, batch.num_points - 1)
    return replace(batch, valid=valid, num_context=num_context)


def _without_padding(batch: Batch, row: int) -> Batch:
    """One row, its valid points only."""
    kept = batch.valid[row]
    num_context = np.array([int(batch.is_context[row].sum())])
    return Batch(
        batch.x[row, kept][None],
        batch.series[row, kept][None],
        batch.y[row, kept][None],
        np.ones((1, int(kept.sum())), bool),
        num_context,
    )
