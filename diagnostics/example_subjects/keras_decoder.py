"""A plain Keras decoder on keras.layers.MultiHeadAttention, and the adapter that lets it be diagnosed.

A token asks for one point (x, series) and holds the newest point before it (x, series, y), so a causal mask
is all that it takes.  What the battery finds in it stands in keras_decoder.json: as queries and past points
share their tokens, the prediction depends on which past point came last.

The weights ship beside this file; `train` made them.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from attn.arrange import arrange
from attn.processes import PairProcess
from attn.types import Batch, Floats, Ints, Prediction

WEIGHTS = Path(__file__).with_suffix(".weights.h5")
NUM_FEATURES, NEWEST_Y = 6, 4
NUM_LAYERS, NUM_HEADS, WIDTH = 2, 4, 48
NUM_EPOCHS, STEPS_PER_EPOCH, BATCH_SIZE = 60, 100, 64


def decoder() -> keras.Model:
    """Tokens [B,L,6], may_see [B,L,L] -> mean and log scale [B,L,2]; the mean is a step from the newest y."""
    tokens = keras.Input((None, NUM_FEATURES))
    may_see = keras.Input((None, None), dtype="bool")
    hidden = keras.layers.Dense(WIDTH)(tokens)
    for _ in range(NUM_LAYERS):
        normed = keras.layers.LayerNormalization()(hidden)
        attention = keras.layers.MultiHeadAttention(NUM_HEADS, WIDTH // NUM_HEADS)
        hidden += attention(normed, normed, attention_mask=may_see, use_causal_mask=True)
        normed = keras.layers.LayerNormalization()(hidden)
        hidden += keras.layers.Dense(WIDTH)(keras.layers.Dense(2 * WIDTH, activation="gelu")(normed))
    change = keras.layers.Dense(2)(keras.layers.LayerNormalization()(hidden))
    newest = keras.ops.pad(tokens[..., NEWEST_Y : NEWEST_Y + 1], ((0, 0), (0, 0), (0, 1)))
    return keras.Model([tokens, may_see], newest + change)


class KerasDecoder:
    """The adapter."""

    def __init__(self, model: keras.Model) -> None:
        self.model, self.process, self.name = model, PairProcess(num_points=16), "keras decoder"

    def inputs(self, batch: Batch) -> list[Any]:
        """Tokens [B,L,6] and who may be seen [B,L,L]."""
        held = np.maximum.accumulate(np.where(batch.valid, np.arange(batch.num_points), -1), axis=1)
        held = np.pad(held, ((0, 0), (1, 0)), constant_values=-1)[:, :-1]  # -1: there is no point before
        x, y = np.where(batch.valid, ((batch.x - 10.0) / 5.0, batch.y), 0.0)
        points = np.stack([x, batch.series, y, np.ones(x.shape)], axis=-1)
        held_points = np.take_along_axis(points, held[..., None], axis=1) * (held >= 0)[..., None]
        tokens = np.concatenate([points[..., :2], held_points], axis=-1).astype("float32")
        return [tokens, batch.valid[:, None] | np.eye(batch.num_points, dtype=bool)]

    def teacher_force(self, batch: Batch) -> Prediction:
        """All targets in one pass."""
        mean, log_scale = np.moveaxis(self.model.predict_on_batch(self.inputs(batch)).astype(float), -1, 0)
        nan = np.where(batch.is_target, 0.0, np.nan)
        return Prediction(mean + nan, np.exp(log_scale) + nan)

    def predict_next(self, history: Batch, x_next: Floats, series_next: Ints) -> Prediction:
        """The last position of a pass over the history and the new point, whose y is not known."""
        x, series = np.column_stack([history.x, x_next]), np.column_stack([history.series, series_next])
        y = np.column_stack([history.y, np.zeros(len(x))])
        valid = np.column_stack([history.valid, np.ones(len(x), bool)])
        whole = self.teacher_force(Batch(x, series, y, valid, history.num_context))
        return Prediction(whole.mean[:, -1:], whole.scale[:, -1:])


def make() -> KerasDecoder:
    """The decoder with the weights that ship."""
    subject = KerasDecoder(decoder())
    subject.model.load_weights(WEIGHTS)
    return subject


def train(num_epochs: int = NUM_EPOCHS, seed: int = 0) -> KerasDecoder:
    """The decoder, trained on pairs in the mixed arrangement; some minutes on two cores."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    subject = KerasDecoder(decoder())
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, num_epochs * STEPS_PER_EPOCH)
    subject.model.compile(keras.optimizers.Adam(schedule, clipnorm=1.0), negative_log_likelihood)
    for _ in range(num_epochs):
        batch = arrange(subject.process.sample(STEPS_PER_EPOCH * BATCH_SIZE, rng), "mixed", 4, rng)
        truth = np.stack([batch.y, batch.is_target], axis=-1)
        subject.model.fit(subject.inputs(batch), truth, batch_size=BATCH_SIZE, verbose=0)
    return subject


def negative_log_likelihood(truth: Any, output: Any) -> Any:
    """Truth [B,L,2] = y and whether it is a target; output [B,L,2] = mean and log scale; nats a target."""
    (y, is_target), (mean, log_scale) = (keras.ops.unstack(values, 2, axis=-1) for values in (truth, output))
    nats = 0.5 * keras.ops.square((y - mean) * keras.ops.exp(-log_scale)) + log_scale
    return keras.ops.sum(nats * is_target) / keras.ops.sum(is_target)
