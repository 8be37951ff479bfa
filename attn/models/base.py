"""What every model of pairs offers: one parallel pass, and the same maths one step at a time."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from attn.likelihood import gaussian_log_density, masked_mean


class Points(NamedTuple):
    """A `Batch` as tensors: float32, int32 and bool, with the shapes of `Batch`."""

    x: tf.Tensor
    series: tf.Tensor
    y: tf.Tensor
    valid: tf.Tensor
    num_context: tf.Tensor

    @property
    def is_context(self) -> tf.Tensor:
        """Valid points that are observed [B,L]."""
        return self.valid & (tf.range(tf.shape(self.x)[1]) < self.num_context[:, None])

    @property
    def is_target(self) -> tf.Tensor:
        """Valid points that are to be predicted [B,L]."""
        return self.valid & ~self.is_context


class Normal(NamedTuple):
    """A normal distribution at every position, as tensors; scale = standard deviation."""

    mean: tf.Tensor
    scale: tf.Tensor


class Newest(NamedTuple):
    """The point that a trajectory wrote last: x and series [B,1], y [B,S]."""

    x: tf.Tensor
    series: tf.Tensor
    y: tf.Tensor


class PairModel(keras.Model):
    """A model of pairs of sequences.

    `call` is teacher forcing: all positions in one pass, position t from positions < t only.
    `prefill` and `step` are the same maths as inference needs it: the context once a pair, then target
    after target for S trajectories that share that context.  `history` is what the context leaves behind,
    `cache` what the trajectories append; both are nests of tensors that only the model reads.
    """

    def build(self, input_shape: object = None) -> None:
        """Nothing to make here: every layer makes its weights when it is first called."""
        self.built = True

    def call(self, points: Points, training: bool = False) -> Normal:
        """Mean and scale [B,L]; what stands at positions that are not targets means nothing."""
        raise NotImplementedError

    def attention(self, points: Points) -> tf.Tensor:
        """The weights with which each position looked at the keys before it [layers,B,H,L,L]."""
        raise NotImplementedError

    def prefill(self, points: Points) -> Any:
        """The history that the context leaves behind; every valid one of the [B,C] points is context."""
        raise NotImplementedError

    def empty_cache(self, num_pairs: tf.Tensor, num_samples: tf.Tensor, num_slots: tf.Tensor) -> Any:
        """Room for `num_slots` targets of S trajectories for each of B pairs, nothing written yet."""
        raise NotImplementedError

    def step(
        self,
        history: Any,
        cache: Any,
        number: tf.Tensor,
        newest: Newest,
        x_next: tf.Tensor,
        series_next: tf.Tensor,
    ) -> tuple[Normal, Any]:
        """Append target `number` - 1, if there is one, and predict target `number`, counted from 0.

        x_next, series_next [B,1]; `newest` is the point to append.
        Returns mean and scale [B,S], and the cache.
        """
        raise NotImplementedError

    def loss_of(self, points: Points, prediction: Normal) -> tf.Tensor:
        """What training minimises: the negative log density of a target, in nats, averaged over targets."""
        density = gaussian_log_density(points.y, prediction.mean, prediction.scale)
        return -masked_mean(density, points.is_target)


def write_slot(cache: tf.Tensor, slot: tf.Tensor, value: tf.Tensor, axis: int) -> tf.Tensor:
    """`cache` with `value` (size 1 along `axis`) at index `slot` of `axis`."""
    shape = [1] * len(cache.shape)
    shape[axis] = -1
    return tf.where(tf.reshape(tf.range(tf.shape(cache)[axis]) == slot, shape), value, cache)
