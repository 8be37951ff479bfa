"""Inference: the parallel pass, one step, and the only loop that feeds predictions back.

Everything is numpy outside and float32 inside.  A model is traced once for all shapes; rows are cut into
chunks that bound the memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import tensorflow as tf

from attn.layout import Layout
from attn.models.base import Normal, PairModel, Points
from attn.types import Attention, Batch, Floats, Ints, Prediction, Rollout

FEEDS = ("sample", "mean")
# What one pass may hold, at most: rows; pairs of a query and a key (64 bytes each with 4 layers of 4 heads,
# in about four places); points that trajectories write (their keys and values: 2 KiB each at width 64).
_CHUNK_ROWS = 128
_CHUNK_LOOKS = 2**17
_CHUNK_WRITTEN = 2**16

# Signatures that fit every batch, so that no shape is traced again.
_FLOATS = tf.TensorSpec([None, None], tf.float32)
_INTS = tf.TensorSpec([None, None], tf.int32)
_COUNTS = tf.TensorSpec([None], tf.int32)
_TRAJECTORIES = tf.TensorSpec([None, None, None], tf.float32)
_POINTS = Points(_FLOATS, _INTS, _FLOATS, tf.TensorSpec([None, None], tf.bool), _COUNTS)
# What each model was traced for.  TensorFlow knows it too, but asking there takes a tenth of a short rollout.
_TRACES: WeakKeyDictionary[PairModel, dict[Any, Callable[..., Any]]] = WeakKeyDictionary()


def to_points(batch: Batch) -> Points:
    """The batch as float32 tensors; padding is set to 0, whatever it holds."""
    return Points(
        x=tf.constant(np.where(batch.valid, batch.x, 0), tf.float32),
        series=tf.constant(np.where(batch.valid, batch.series, 0), tf.int32),
        y=tf.constant(np.where(batch.valid, batch.y, 0), tf.float32),
        valid=tf.constant(batch.valid),
        num_context=tf.constant(batch.num_context, tf.int32),
    )


def teacher_force(model: PairModel, batch: Batch) -> Prediction:
    """One parallel pass with the true past: mean and scale [B,L] float32, NaN where no target is."""
    mean, scale = _predict(_forward, model, batch)
    return Prediction(*(np.where(batch.is_target, values, np.float32(np.nan)) for values in (mean, scale)))


def _predict(function: Any, model: PairModel, batch: Batch) -> tuple[Floats, Floats]:
    """Mean and scale [B,L] by that function; what stands at positions that are not targets means nothing."""
    forward = _traced(function, model, _POINTS)
    parts = [forward(model, to_points(rows)) for rows in _chunks(batch, _num_rows(batch.num_points**2))]
    mean, scale = (np.concatenate([part[i].numpy() for part in parts]) for i in (0, 1))
    return mean, scale


def attention(model: PairModel, batch: Batch) -> Attention:
    """Where each target looked [layers,B,H,L,L]; rows of positions that are not targets are 0."""
    look = _traced(_attention, model, _POINTS)
    parts = [look(model, to_points(rows)).numpy() for rows in _chunks(batch, _num_rows(batch.num_points**2))]
    weights = np.concatenate(parts, axis=1)
    positions = np.arange(batch.num_points)
    return Attention(weights * batch.is_target[None, :, None, :, None], positions, positions)


def loss(model: PairModel, batch: Batch) -> float:
    """What training minimises, with dropout off; all rows together, so that every target counts alike."""
    mean, scale = _predict(_forward_for_loss, model, batch)
    return float(_traced(_loss, model, _POINTS, _FLOATS, _FLOATS)(model, to_points(batch), mean, scale))


def predict_next(model: PairModel, history: Batch, x_next: Floats, series_next: Ints) -> Prediction:
    """The point after `history` at x_next, series_next [B]: mean and scale [B,1] float32.

    Takes the path of a rollout: the context is read once, then every later point of the history is fed
    as if it had been predicted, and the last prediction is what comes back.
    """
    layout = Layout.of(history)
    num_given = layout.is_target.sum(axis=1)
    width = int(num_given.max()) + 1
    shape = (history.num_pairs, width)
    x, given, series = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64)
    filled = layout.is_target.shape[1]
    x[:, :filled], series[:, :filled], given[:, :filled] = layout.x, layout.series, layout.y
    row = np.arange(history.num_pairs)
    x[row, num_given], series[row, num_given] = x_next, series_next
    steps = _Steps(x, series, given[:, None], num_given, np.zeros((history.num_pairs, 1, width)))
    written = _run(model, layout.context, steps)
    return Prediction(*(values[row, 0, num_given][:, None] for values in (written.mean, written.scale)))


def rollout(
    model: PairModel,
    batch: Batch,
    num_samples: int,
    rng: np.random.Generator,
    feed: str = "sample",
    *,
    xla: bool = False,
) -> Rollout:
    """Write the targets of every row one after the other, S = `num_samples` times: [S,B,L] float32.

    feed   `sample` feeds back a draw from each prediction, `mean` its mean
    xla    compile the loop for these very numbers of pairs, samples, context points and targets: that takes
           seconds, and pays where many rollouts of one shape follow, each then two to five times as fast

    The y of targets is not read.  Raises ValueError for another feed or no samples.
    """
    if feed not in FEEDS:
        raise ValueError(f"feed must be one of {', '.join(FEEDS)}; got {feed!r}")
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1; got {num_samples}")
    layout = Layout.of(batch)
    num_targets = layout.is_target.shape[1]
    shape = (batch.num_pairs, num_samples, num_targets)
    noise = _noise(shape, rng) if feed == "sample" else np.zeros(shape, np.float32)
    steps = _Steps(layout.x, layout.series, *_nothing_given(layout), noise)
    written = _run(model, layout.context, steps, xla)
    samples, mean, scale = (
        layout.place(np.moveaxis(values, 1, 0), elsewhere)
        for values, elsewhere in ((written.samples, batch.y), (written.mean, batch.y), (written.scale, 0.0))
    )
    return Rollout(samples, mean, scale)


def moments(written: Rollout) -> Prediction:
    """Mean and standard deviation of the mixture of all trajectories [B,L] (law of total variance)."""
    mean = written.mean.mean(axis=0)
    variance = (written.scale**2).mean(axis=0) + written.mean.var(axis=0)
    return Prediction(mean, np.sqrt(variance))


def _noise(shape: tuple[int, int, int], rng: np.random.Generator) -> Floats:
    """Standard normal numbers for every pair, trajectory and step [B,S,T]."""
    return rng.standard_normal(shape, np.float32)


def _nothing_given(layout: Layout) -> tuple[Floats, Ints]:
    """No target is known: `given` and `num_given` of `_Steps`."""
    num_pairs, num_targets = layout.is_target.shape
    return np.zeros((num_pairs, 1, num_targets), np.float32), np.zeros(num_pairs, np.int32)


@dataclass(frozen=True, eq=False)
class _Steps:
    """What a run of T steps needs: x, series [B,T]; the y of the first `num_given` [B] steps is fed from
    `given` [B,1,T], the others from the prediction and `noise` [B,S,T].
    """

    x: Floats
    series: Ints
    given: Floats
    num_given: Ints
    noise: Floats

    def rows(self, rows: slice) -> tuple[np.ndarray, ...]:
        return self.x[rows], self.series[rows], self.given[rows], self.num_given[rows], self.noise[rows]


@dataclass(frozen=True, eq=False)
class _Written:
    """What came out of the loop, each [B,S,T]."""

    samples: Floats
    mean: Floats
    scale: Floats


def _run(model: PairModel, context: Batch, steps: _Steps, xla: bool = False) -> _Written:
    signature = (_POINTS, _FLOATS, _INTS, _TRAJECTORIES, _COUNTS, _TRAJECTORIES)
    free_run = _traced(_FREE_RUNS[xla], model, *signature)
    num_samples, num_targets = steps.noise.shape[1:]
    num_rows = _num_rows(num_targets * (context.num_points + num_targets), num_samples * num_targets)
    parts = []
    for start in range(0, context.num_pairs, num_rows):
        rows = slice(start, start + num_rows)
        x, series, given, num_given, noise = steps.rows(rows)
        parts.append(
            free_run(
                model,
                to_points(context.rows(rows)),
                tf.constant(x, tf.float32),
                tf.constant(series, tf.int32),
                tf.constant(given, tf.float32),
                tf.constant(num_given, tf.int32),
                tf.constant(noise, tf.float32),
            )
        )
    return _Written(*(np.concatenate([part[i].numpy() for part in parts]) for i in range(3)))


def _num_rows(num_looks: int, num_written: int = 1) -> int:
    """Rows of a chunk, from what one row holds."""
    return max(1, min(_CHUNK_ROWS, _CHUNK_LOOKS // num_looks, _CHUNK_WRITTEN // num_written))


def _chunks(batch: Batch, num_rows: int) -> Iterator[Batch]:
    for start in range(0, batch.num_pairs, num_rows):
        yield batch.rows(slice(start, start + num_rows))


def _traced(function: Any, model: PairModel, *signature: object) -> Callable[..., Any]:
    """The compiled `function` of a model, for every shape; traced when first asked for."""
    traces = _TRACES.setdefault(model, {})
    if function not in traces:
        traces[function] = function.get_concrete_function(model, *signature)
    return traces[function]


@tf.function(autograph=False)
def _forward(model: PairModel, points: Points) -> Normal:
    return model(points)


@tf.function(autograph=False)
def _forward_for_loss(model: PairModel, points: Points) -> Normal:
    """A trace of its own: a fault on the path of evaluation alone must not reach the loss."""
    return model(points)


@tf.function(autograph=False)
def _loss(model: PairModel, points: Points, mean: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    return model.loss_of(points, Normal(mean, scale))


@tf.function(autograph=False)
def _attention(model: PairModel, points: Points) -> tf.Tensor:
    return model.attention(points)


def _free_run(
    model: PairModel,
    context: Points,
    x: tf.Tensor,
    series: tf.Tensor,
    given: tf.Tensor,
    num_given: tf.Tensor,
    noise: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """samples, mean, scale, each [B,S,T]; see `_Steps`."""
    num_pairs, num_samples, num_steps = tf.unstack(tf.shape(noise))
    # the loop is converted by autograph; what it calls needs no conversion, which is most of a trace
    one_step = tf.autograph.experimental.do_not_convert(model.step)
    history = tf.autograph.experimental.do_not_convert(model.prefill)(context, x, series)
    cache = model.empty_cache(num_pairs, num_samples, num_steps)
    y = tf.zeros([num_pairs, num_samples])
    written = tuple(tf.TensorArray(tf.float32, num_steps) for _ in range(3))
    for step in tf.range(num_steps):
        prediction, cache = one_step(history, cache, step, y)
        y = _draw(prediction, noise[:, :, step])
        y = tf.where((step < num_given)[:, None], given[:, :, step], y)
        parts = (y, prediction.mean, prediction.scale)
        written = tuple(array.write(step, part) for array, part in zip(written, parts, strict=True))
    samples, mean, scale = (tf.transpose(array.stack(), [1, 2, 0]) for array in written)  # [T,B,S] -> [B,S,T]
    return samples, mean, scale


_FREE_RUNS = {xla: tf.function(_free_run, jit_compile=xla) for xla in (False, True)}


def _draw(prediction: Normal, noise: tf.Tensor) -> tf.Tensor:
    """What is fed back [B,S]: the prediction, `noise` standard deviations from its mean."""
    return prediction.mean + prediction.scale * noise
