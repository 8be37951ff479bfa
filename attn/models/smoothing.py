"""Parts of the pair smoother: the levels that y is read above, and one layer of its two streams."""

from typing import NamedTuple

import keras
import tensorflow as tf

from attn.layers import Dense, merge_heads, softmax_beside_nothing, split_heads
from attn.models.base import Points

# How many points the level of the pair counts for in the level of a series: it stands in for the level of a
# series that has no observed point, and hardly moves that of one that has.
LEVEL_WEIGHT = 0.01


class Levels(NamedTuple):
    """The mean observed y of the pair, and of the points of each series, each [B,1]."""

    of_pair: tf.Tensor
    of_series: tuple[tf.Tensor, tf.Tensor]

    @classmethod
    def of(cls, points: Points) -> "Levels":
        """The level of a series without observed points is that of the pair."""
        of_pair, _ = _mean_observed(points, points.is_context)
        first, second = (_level_of_series(points, label, of_pair) for label in (0, 1))
        return cls(of_pair, (first, second))

    def own(self, series: tf.Tensor) -> tf.Tensor:
        """The level of the series of each point [B,Q]."""
        return tf.where(series == 1, self.of_series[1], self.of_series[0])

    def above(self, y: tf.Tensor, series: tf.Tensor) -> tf.Tensor:
        """Y above the level of its series, and that level above the pair's: [B,Q] -> [B,Q,2]."""
        own = self.own(series)
        return tf.stack([y - own, tf.zeros_like(y) + own - self.of_pair], axis=-1)


def _level_of_series(points: Points, label: int, of_pair: tf.Tensor) -> tf.Tensor:
    mean, count = _mean_observed(points, points.is_context & (points.series == label))
    return (count * mean + LEVEL_WEIGHT * of_pair) / (count + LEVEL_WEIGHT)


def _mean_observed(points: Points, where: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean of y where a mask [B,L] is True, 0 where nothing is, and the count, each [B,1]."""
    counted = tf.cast(where, points.y.dtype)
    count = tf.reduce_sum(counted, axis=1, keepdims=True)
    return tf.reduce_sum(points.y * counted, axis=1, keepdims=True) / tf.maximum(count, 1), count


class Weighing(NamedTuple):
    """How one layer weighs the points of B pairs, whatever their estimates are.

    logits      [B,H,L,L]  of the attention, hidden keys included
    weights     [B,H,L,L]  of the attention; a row sums to less than 1 where its query is far from all keys
    gate_shown  [B,L,E]    factors of what a point shows to others
    gate_read   [B,L,E]    factors of what a point reads of others
    """

    logits: tf.Tensor
    weights: tf.Tensor
    gate_shown: tf.Tensor
    gate_read: tf.Tensor


class Block(keras.layers.Layer):
    """One layer: tokens decide its weights and move by them; estimates are corrected by them, linearly."""

    def __init__(self, name: str, width: int, num_heads: int, hidden_dim: int, estimate_dim: int) -> None:
        super().__init__(name=name)
        self.num_heads = num_heads

        def linear(width: int, part: str) -> keras.layers.Dense:
            # layers are called one by one, outside the scope of the block: their names carry it
            return Dense(width, use_bias=False, name=f"{name}_{part}")

        self.norm = keras.layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm")
        self.to_query = linear(width, "to_query")
        self.to_key = linear(width, "to_key")
        self.to_value = linear(width, "to_value")
        self.from_heads = linear(width, "from_heads")
        self.norm_hidden = keras.layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm_hidden")
        self.to_hidden = Dense(hidden_dim, activation="gelu", name=f"{name}_to_hidden")
        self.from_hidden = Dense(width, name=f"{name}_from_hidden")
        self.show_estimate = linear(estimate_dim, "show_estimate")
        self.show_y = linear(estimate_dim, "show_y")
        self.gate_shown = linear(estimate_dim, "gate_shown")
        self.gate_read = linear(estimate_dim, "gate_read")
        self.to_estimate = linear(estimate_dim, "to_estimate")

    def heads(self, values: tf.Tensor) -> tf.Tensor:
        """[B,K,W] -> [B,H,K,d]."""
        return split_heads(values, self.num_heads)

    def weigh(self, tokens: tf.Tensor, bias: tf.Tensor, may_see: tf.Tensor) -> tuple[Weighing, tf.Tensor]:
        """Attention among tokens [B,L,W], bias and mask [B,H or 1,L,L], and the tokens after the layer."""
        normed = self.norm(tokens)
        query, key, value = (
            self.heads(project(normed)) for project in (self.to_query, self.to_key, self.to_value)
        )
        logits = tf.matmul(query * query.shape[-1] ** -0.5, key, transpose_b=True) + bias
        weights = softmax_beside_nothing(logits, may_see)  # [B,H,L,L]
        tokens += self.from_heads(merge_heads(weights @ value))
        hidden = self.norm_hidden(tokens)
        weighing = Weighing(logits, weights, 1 + self.gate_shown(normed), 1 + self.gate_read(hidden))
        return weighing, tokens + self.from_hidden(self.to_hidden(hidden))

    def show(self, estimates: tf.Tensor, relative_y: tf.Tensor, gate: tf.Tensor) -> tf.Tensor:
        """What others read of points [B,K,E]: linear in estimates, and in y as `Levels.above` gives it."""
        return (self.show_estimate(estimates) + self.show_y(relative_y)) * gate

    def correct(self, read: tf.Tensor, gate: tf.Tensor) -> tf.Tensor:
        """What to add to estimates [B,Q,E] that read [B,Q,E]."""
        return self.to_estimate(read * gate)
