"""Feeding: what inference feeds back, or leaves out."""

from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from attn import masks, rollout
from attn.layout import Layout
from attn.models import pair_transformer as transformer
from attn.models.base import Normal, PairModel, write_slot
from attn.types import Batch, Floats, Ints, Rollout
from diagnostics.faults.injection import InjectedSubject, Replacement, injection
from diagnostics.faults.trained import TRANSFORMER, fresh_run, shared_run
from diagnostics.subject import Subject


@injection(19, "previous_value_residual", twin="sound_decoder")
def previous_value_residual(severity: float) -> Subject:
    """Learnt with the value of whatever point came last added to every prediction."""
    return InjectedSubject(fresh_run("previous_value_residual"), ())


@injection(20, "newest_point_dropped")
def newest_point_dropped(severity: float) -> Subject:
    """Every step of inference sees the history without its newest point."""
    sound_layout, sound_written = Layout.of, masks.written

    def without_newest(batch: Batch) -> Layout:
        layout = sound_layout(batch)
        context = layout.context
        newest = context.valid.sum(axis=1)[:, None] - 1
        shorter = context.valid & ((np.arange(context.num_points) != newest) | (newest == 0))
        return replace(layout, context=replace(context, valid=shorter))

    def all_but_newest(num_slots: int, step: tf.Tensor) -> tf.Tensor:
        return sound_written(num_slots, step - 1)

    return InjectedSubject(
        fresh_run("sound"),
        (Replacement(Layout, "of", without_newest), Replacement(masks, "written", all_but_newest)),
    )


@injection(21, "shifted_by_one")
def shifted_by_one(severity: float) -> Subject:
    """Predictions are written one place early: the first one over the last observed point."""
    sound = Layout.place

    def one_early(layout: Layout, values: Floats, in_context: Floats | float) -> Floats:
        placed = sound(layout, values, in_context)
        row, column = np.nonzero(layout.batch.is_target)
        early = placed.copy()
        early[:, row, column - 1] = placed[:, row, column]
        return early

    return InjectedSubject(shared_run("sound"), (Replacement(Layout, "place", one_early),))


@injection(22, "true_values_fed", (1.0, 0.5, 0.1))
def true_values_fed(severity: float) -> Subject:
    """That share of the rows is fed the true targets in free running."""

    def truth_given(layout: Layout) -> tuple[Floats, Ints]:
        num_pairs, num_targets = layout.is_target.shape
        is_fed = np.arange(num_pairs) < max(1, round(severity * num_pairs))
        return layout.y[:, None], np.where(is_fed, num_targets, 0)

    return InjectedSubject(shared_run("sound"), (Replacement(rollout, "_nothing_given", truth_given),))


def _fed(change: Any) -> Replacement:
    """What is fed back goes through `change` first."""
    sound = transformer.PairTransformer.step

    def step(
        model: transformer.PairTransformer,
        history: transformer.History,
        cache: transformer.Cache,
        number: tf.Tensor,
        y: tf.Tensor,
    ) -> tuple[Normal, transformer.Cache]:
        return sound(model, history, cache, number, change(y))

    return Replacement(transformer.PairTransformer, "step", step)


@injection(23, "scaled_feedback", (0.4, 0.8, 0.95))
def scaled_feedback(severity: float) -> Subject:
    """What is fed back is that multiple of what was predicted."""
    return InjectedSubject(fresh_run("sound"), (_fed(lambda y: severity * y),))


@injection(24, "single_sample_scale", (2.0, 1.3, 1.05))
def single_sample_scale(severity: float) -> Subject:
    """The scale is that multiple of the right one where a single trajectory is asked for."""
    sound = rollout.rollout

    def wrong_alone(
        model: PairModel, batch: Batch, num_samples: int, rng: np.random.Generator, feed: str = "sample"
    ) -> Rollout:
        written = sound(model, batch, num_samples, rng, feed)
        return replace(written, scale=severity * written.scale) if num_samples == 1 else written

    return InjectedSubject(shared_run("sound"), (Replacement(rollout, "rollout", wrong_alone),))


@injection(25, "variance_for_scale")
def variance_for_scale(severity: float) -> Subject:
    """Samples are drawn as if the scale were a variance."""

    def draw(prediction: Normal, noise: tf.Tensor) -> tf.Tensor:
        return prediction.mean + tf.sqrt(prediction.scale) * noise

    return InjectedSubject(fresh_run("sound"), (Replacement(rollout, "_draw", draw),))


@injection(26, "reseeded_generator", (1.0, 2.0, 4.0))
def reseeded_generator(severity: float) -> Subject:
    """The generator is seeded anew: that many steps later the same numbers come again."""
    period = int(severity)

    def repeated(shape: tuple[int, int, int], rng: np.random.Generator) -> Floats:
        first = rng.standard_normal((*shape[:2], period), np.float32)
        return np.tile(first, (1, 1, -(-shape[2] // period)))[..., : shape[2]]

    return InjectedSubject(shared_run("sound"), (Replacement(rollout, "_noise", repeated),))


@injection(27, "stale_cache", (1.0, 3.0, 6.0))
def stale_cache(severity: float) -> Subject:
    """Keys and values of every so many-th step are not written to the cache."""
    period = int(severity)

    def sometimes(cache: tf.Tensor, slot: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
        return tf.where(slot % period != 0, write_slot(cache, slot, value), cache)

    return InjectedSubject(fresh_run("sound"), (Replacement(transformer, "write_slot", sometimes),))


@injection(28, "dropout_at_inference", (0.3, 0.1, 0.02))
def dropout_at_inference(severity: float) -> Subject:
    """Dropout of that rate is on whenever the model is used."""
    sound = transformer.Block.gather

    def dropping(
        block: transformer.Block, tokens: tf.Tensor, attended: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        return sound(block, tokens, attended, True)

    run = fresh_run("sound", replace(TRANSFORMER, dropout=severity))
    return InjectedSubject(run, (Replacement(transformer.Block, "gather", dropping),))


@injection(29, "bin_index_fed")
def bin_index_fed(severity: float) -> Subject:
    """The index of a bin of y is fed back where y is expected."""
    return InjectedSubject(fresh_run("sound"), (_fed(lambda y: tf.floor(y / 0.1)),))
