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


class PairModel(keras.Model):
    """A model of pairs of sequences.

    `call` is teacher forcing: all positions in one pass, position t from positions < t only.
    `prefill` and `step` are the same maths as inference needs it: once a pair whatever does not depend on
    what will be written (the context, and where the targets stand), then target after target for S
    trajectories.  `history` is what the first leaves behind, `cache` what the trajectories append; both are
    nests of tensors that only the model reads.
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

    def prefill(self, points: Points, x: tf.Tensor, series: tf.Tensor) -> Any:
        """The history of C context points, every valid one of `points` [B,C], before targets at x [B,T]."""
        raise NotImplementedError

    def empty_cache(self, num_pairs: tf.Tensor, num_samples: tf.Tensor, num_slots: tf.Tensor) -> Any:
        """Room for `num_slots` targets of S trajectories for each of B pairs, nothing written yet."""
        raise NotImplementedError

    def step(self, history: Any, cache: Any, number: tf.Tensor, y: tf.Tensor) -> tuple[Normal, Any]:
        """Append target `number` - 1, if there is one, and predict target `number`, counted from 0.

        y [B,S] is that of the target to append.  Returns mean and scale [B,S], and the cache.
        """
        raise NotImplementedError

    def loss_of(self, points: Points, prediction: Normal) -> tf.Tensor:
        """What training minimises: the negative log density of a target, in nats, averaged over targets."""
        density = gaussian_log_density(points.y, prediction.mean, prediction.scale)
        return -masked_mean(density, self.counted(points))

    def counted(self, points: Points) -> tf.Tensor:
        """The targets that the loss is the mean over [B,L]: all."""
        return points.is_target

    def initial_gain(self, path: str) -> float:
        """The factor by which the initial values of the weight of that path differ from the usual size."""
        return 1.0


def write_slot(cache: tf.Tensor, slot: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """The cache [...,T,d] with `value` [...,d] in that slot of T."""
    num_slots, width = tf.shape(cache)[-2], cache.shape[-1]
    rows = tf.reshape(value, [-1, width])
    index = slot + num_slots * tf.range(tf.shape(rows)[0])
    written = tf.tensor_scatter_nd_update(tf.reshape(cache, [-1, width]), index[:, None], rows)
    return tf.reshape(written, tf.shape(cache))
