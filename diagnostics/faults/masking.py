"""Masking: points that are seen and must not be, or are hidden and must be seen."""

import numpy as np
import tensorflow as tf

from attn import masks, rollout
from attn.layers import hiding, masked_softmax
from attn.models import pair_transformer as transformer
from attn.models.base import Points
from attn.types import Batch
from diagnostics.faults.injection import InjectedSubject, Replacement, injection
from diagnostics.faults.trained import fresh_run, shared_run
from diagnostics.subject import Subject


def _sees_itself(valid: tf.Tensor) -> tf.Tensor:
    """Query t sees keys <= t: its own y is among them."""
    position = tf.range(tf.shape(valid)[1])
    return valid[:, None, :] & (position[None, :] <= position[:, None])[None]


@injection(10, "future_leak")
def future_leak(severity: float) -> Subject:
    """The mask is one place too long: every target sees its own y, in training and evaluation."""
    leak = Replacement(masks, "earlier", _sees_itself)
    return InjectedSubject(fresh_run("sound"), (leak,), only=("teacher_force", "loss", "attention"))


@injection(11, "leak_in_evaluation")
def leak_in_evaluation(severity: float) -> Subject:
    """As the leak, but only on the path of evaluation."""
    leak = Replacement(masks, "earlier", _sees_itself)
    return InjectedSubject(fresh_run("sound"), (leak,), only=("teacher_force",))


@injection(12, "newest_point_hidden")
def newest_point_hidden(severity: float) -> Subject:
    """The mask is one place too short: the newest point before a target is hidden from it."""

    def too_short(valid: tf.Tensor) -> tf.Tensor:
        position = tf.range(tf.shape(valid)[1])
        return valid[:, None, :] & (position[None, :] < position[:, None] - 1)[None]

    return InjectedSubject(fresh_run("sound"), (Replacement(masks, "earlier", too_short),))


@injection(13, "inverted_mask")
def inverted_mask(severity: float) -> Subject:
    """True is read as hidden."""

    def inverted(logits: tf.Tensor, may_see: tf.Tensor) -> tf.Tensor:
        return masked_softmax(logits, ~may_see)

    def hiding_the_visible(may_see: tf.Tensor) -> tf.Tensor:
        return hiding(~may_see)

    return InjectedSubject(
        fresh_run("sound"),
        (
            Replacement(transformer, "masked_softmax", inverted),
            Replacement(transformer, "hiding", hiding_the_visible),
        ),
    )


@injection(14, "misaligned_causal_mask")
def misaligned_causal_mask(severity: float) -> Subject:
    """The causal mask of the queries is aligned top-left, though they begin at the first target."""

    def top_left(model: transformer.PairTransformer, points: Points, first: tf.Tensor) -> tf.Tensor:
        content_sees = masks.context_and_earlier(points.valid, points.num_context)
        query_sees = masks.earlier(points.valid)[:, : tf.shape(points.valid)[1] - first]
        return tf.concat([content_sees, query_sees], axis=1)[:, None]

    return InjectedSubject(
        fresh_run("sound"), (Replacement(transformer.PairTransformer, "_may_see", top_left),)
    )


@injection(15, "mask_dropped_with_scores")
def mask_dropped_with_scores(severity: float) -> Subject:
    """No mask is applied when the attention is asked for."""

    def unmasked(logits: tf.Tensor, may_see: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(logits)

    return InjectedSubject(
        fresh_run("sound"), (Replacement(transformer, "masked_softmax", unmasked),), only=("attention",)
    )


@injection(16, "zero_taken_for_padding")
def zero_taken_for_padding(severity: float) -> Subject:
    """Points whose y is exactly 0 are taken for padding."""
    sound = rollout.to_points

    def without_zeros(batch: Batch) -> Points:
        points = sound(batch)
        return points._replace(valid=points.valid & (points.y != 0))

    return InjectedSubject(shared_run("sound"), (Replacement(rollout, "to_points", without_zeros),))


@injection(17, "padding_leak")
def padding_leak(severity: float) -> Subject:
    """Padding is not masked: what stands there is read as points."""

    def with_padding(batch: Batch) -> Points:
        return Points(
            tf.constant(batch.x, tf.float32),
            tf.constant(batch.series, tf.int32),
            tf.constant(np.nan_to_num(batch.y), tf.float32),
            tf.ones(batch.x.shape, tf.bool),
            tf.constant(batch.num_context, tf.int32),
        )

    return InjectedSubject(shared_run("sound"), (Replacement(rollout, "to_points", with_padding),))


@injection(18, "empty_history")
def empty_history(severity: float) -> Subject:
    """The level is averaged over the points before the newest: over none where one is observed."""

    def level_before_newest(points: Points) -> tf.Tensor:
        number = tf.cumsum(tf.cast(points.is_context, tf.int32), axis=1)
        older = points.is_context & (number < tf.reduce_max(number, axis=1, keepdims=True))
        count = tf.cast(older, points.y.dtype)
        total = tf.reduce_sum(points.y * count, axis=1, keepdims=True)
        return total / tf.reduce_sum(count, axis=1, keepdims=True)

    return InjectedSubject(fresh_run("sound"), (Replacement(transformer, "_level", level_before_newest),))


@injection(44, "mixed_rows")
def mixed_rows(severity: float) -> Subject:
    """The softmax runs over the rows of the batch instead of the keys."""

    def over_rows(logits: tf.Tensor, may_see: tf.Tensor) -> tf.Tensor:
        hidden = tf.where(may_see, logits, -1e9)
        return tf.nn.softmax(hidden, axis=0) * tf.cast(may_see, logits.dtype)

    return InjectedSubject(fresh_run("sound"), (Replacement(transformer, "masked_softmax", over_rows),))
