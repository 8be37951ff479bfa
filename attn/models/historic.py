"""The decoder of the original system, faithfully, with each of its traits as a switch.

For a prediction at position t from the points before it:

    q_t = Wq E(x_t),  k_j = Wk E(x_j),  v_j = Wv y_j                      j < t
    a_t = softmax_j( relu( q_t . k_j / sqrt(d) ) )                         heads merged, then a dense layer
    h_t = leaky_relu( LayerNorm( attention_t + v_{t-1} ) )                 v of the newest point
    z_t = leaky_relu( A1 h_t + A2 E(x_t) + A3 E(label_t) ), two dense layers, then mean and log sigma

E is one table: its rows 0 and 1 are the labels, the others are bins of x.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import keras
import tensorflow as tf

from attn import masks
from attn.layers import masked_softmax, merge_heads, split_heads
from attn.likelihood import masked_mean
from attn.models.base import Newest, Normal, PairModel, Points, write_slot

NUM_LABELS = 2
# Added to the variance in the original's loss.
VARIANCE_FLOOR = 1e-3


@dataclass(frozen=True)
class HistoricConfig:
    """Sizes and traits; the defaults of the traits are the original's.

    labels_in_qk             labels are added to what queries and keys are made of (the one-line mend)
    relu_scores              relu before the softmax: no visible key can weigh less than exp(0)
    previous_value_residual  the value of the newest point is added, whatever point that is
    half_log_sigma           the loss weighs log sigma by half of what the density says
    binned_x                 x is cut into bins; off, rows of neighbouring bins are interpolated
    normalised_values        a LayerNorm stands on the path of the values
    drops_zero_targets       targets equal to exactly 0 do not count in the loss
    """

    kind: Literal["historic"] = "historic"
    width: int = 64
    num_heads: int = 1
    layer_dims: tuple[int, int, int] = (64, 64, 32)
    num_rows: int = 2000
    bin_width: float = 0.1
    labels_in_qk: bool = False
    relu_scores: bool = True
    previous_value_residual: bool = True
    half_log_sigma: bool = True
    binned_x: bool = True
    normalised_values: bool = True
    drops_zero_targets: bool = True

    def __post_init__(self) -> None:
        for field in ("width", "num_heads"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1; got {getattr(self, field)}")
        if len(self.layer_dims) != 3 or min(self.layer_dims) < 1:
            raise ValueError(f"layer_dims must be three widths of at least 1; got {self.layer_dims}")
        if self.width % self.num_heads:
            raise ValueError(f"width must be a multiple of num_heads; got {self.width} and {self.num_heads}")
        if self.num_rows < NUM_LABELS + 2:
            raise ValueError(f"num_rows must be at least {NUM_LABELS + 2}; got {self.num_rows}")
        if not self.bin_width > 0:
            raise ValueError(f"bin_width must be above 0; got {self.bin_width}")


class History(NamedTuple):
    """The context of B pairs: keys and values [B,H,C,d], which are valid [B,C], the newest value [B,1,W]."""

    key: tf.Tensor
    value: tf.Tensor
    valid: tf.Tensor
    newest_value: tf.Tensor


class Cache(NamedTuple):
    """The T slots of S trajectories: keys [B,H,T,d] are common to them, values [B,H,S,T,d] are not."""

    key: tf.Tensor
    value: tf.Tensor


class Historic(PairModel):
    """See the head of this file."""

    def __init__(self, config: HistoricConfig) -> None:
        super().__init__(name=config.kind)
        self.config = config
        self.table = keras.layers.Embedding(config.num_rows, config.width, name="table")
        self.to_query = keras.layers.Dense(config.width, use_bias=False, name="to_query")
        self.to_key = keras.layers.Dense(config.width, use_bias=False, name="to_key")
        self.to_value = keras.layers.Dense(config.width, use_bias=False, name="to_value")
        self.from_heads = keras.layers.Dense(config.width, name="from_heads")
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")
        first, second, third = config.layer_dims
        self.from_history = keras.layers.Dense(first, name="from_history")
        self.from_x = keras.layers.Dense(first, use_bias=False, name="from_x")
        self.from_label = keras.layers.Dense(first, use_bias=False, name="from_label")
        self.second = keras.layers.Dense(second, activation="leaky_relu", name="second")
        self.third = keras.layers.Dense(third, activation="leaky_relu", name="third")
        self.head = keras.layers.Dense(2, name="head")

    def call(self, points: Points, training: bool = False) -> Normal:
        """Mean and scale [B,L]; the first position, which has nothing before it, means nothing."""
        value = self.to_value(points.y[..., None])  # [B,L,W]
        weights = self.attention(points)[0]
        attended = merge_heads(weights @ split_heads(value, self.config.num_heads))  # [B,L,W]
        return self._predict(attended, _newest_before(value, points.valid), points.x, points.series)

    def attention(self, points: Points) -> tf.Tensor:
        """The weights of the only layer [1,B,H,L,L]."""
        query, key = self._query(points.x, points.series), self._key(points.x, points.series)
        logits = self._scores(tf.matmul(query, key, transpose_b=True))  # [B,H,L,L]
        return masked_softmax(logits, masks.earlier(points.valid)[:, None])[None]

    def prefill(self, points: Points) -> History:
        """Keys and values of the context."""
        value = self.to_value(points.y[..., None])
        after = tf.concat([points.valid, tf.ones_like(points.valid[:, :1])], axis=1)  # [B,C+1]
        newest = _newest_before(tf.concat([value, value[:, :1]], axis=1), after)[:, -1:]  # [B,1,W]
        key = self._key(points.x, points.series)
        return History(key, split_heads(value, self.config.num_heads), points.valid, newest)

    def empty_cache(self, num_pairs: tf.Tensor, num_samples: tf.Tensor, num_slots: tf.Tensor) -> Cache:
        """Zeros: a slot is not read before it is written."""
        heads, width = self.config.num_heads, self.config.width // self.config.num_heads
        key = tf.zeros([num_pairs, heads, num_slots, width])
        return Cache(key, tf.zeros([num_pairs, heads, num_samples, num_slots, width]))

    def step(
        self,
        history: History,
        cache: Cache,
        number: tf.Tensor,
        newest: Newest,
        x_next: tf.Tensor,
        series_next: tf.Tensor,
    ) -> tuple[Normal, Cache]:
        """The query of the next point over the context and the slots, one softmax."""
        num_pairs, num_samples = tf.unstack(tf.shape(newest.y))
        num_slots, num_heads = tf.shape(cache.key)[2], self.config.num_heads
        num_context = tf.shape(history.key)[2]
        slot = (number - 1) % num_slots  # at number 0 nothing is appended: the last slot holds a dummy unseen
        added = self.to_value(newest.y[..., None])  # [B,S,W]
        cache = Cache(
            write_slot(cache.key, slot, self._key(newest.x, newest.series), axis=2),
            write_slot(cache.value, slot, split_heads(added, num_heads)[:, :, :, None], axis=3),
        )
        keys = tf.concat([history.key, cache.key], axis=2)  # [B,H,C+T,d]
        logits = self._scores(
            tf.matmul(self._query(x_next, series_next), keys, transpose_b=True)
        )  # [B,H,1,C+T]
        is_written = tf.tile(masks.written(num_slots, number)[None], [num_pairs, 1])
        may_see = tf.concat([history.valid, is_written], axis=1)[:, None, None, :]
        weights = masked_softmax(logits, may_see)
        from_context = weights[..., :num_context] @ history.value  # [B,H,1,d]
        from_slots = weights[:, :, None, :, num_context:] @ cache.value  # [B,H,S,1,d]
        attended = merge_heads(from_context + from_slots[:, :, :, 0])  # [B,S,W]
        previous = tf.where(number == 0, history.newest_value, added)
        repeated = tf.repeat(x_next, num_samples, axis=1), tf.repeat(series_next, num_samples, axis=1)
        return self._predict(attended, previous, *repeated), cache

    def loss_of(self, points: Points, prediction: Normal) -> tf.Tensor:
        """1/2 [ (y - mu)^2 / (sigma^2 + 0.001) + w log sigma ]; w = 2 is the density's, 1 the original's."""
        weight = 1.0 if self.config.half_log_sigma else 2.0
        squared = (points.y - prediction.mean) ** 2 / (prediction.scale**2 + VARIANCE_FLOOR)
        counted = points.is_target
        if self.config.drops_zero_targets:
            counted &= points.y != 0
        return masked_mean(0.5 * (squared + weight * tf.math.log(prediction.scale)), counted)

    def _embed_x(self, x: tf.Tensor) -> tf.Tensor:
        """X [B,Q] -> [B,Q,W]: the row of its bin, or between two rows where x is not binned."""
        place = x / self.config.bin_width
        row = tf.floor(place)
        lower = self.table(self._row(row))
        if self.config.binned_x:
            return lower
        upper = self.table(self._row(row + 1))
        return lower + (place - row)[..., None] * (upper - lower)

    def _row(self, bin_index: tf.Tensor) -> tf.Tensor:
        """Row of the table for a bin; bins outside the table share its first or last row."""
        return tf.cast(
            tf.clip_by_value(bin_index + NUM_LABELS, NUM_LABELS, self.config.num_rows - 1), tf.int32
        )

    def _embed_place(self, x: tf.Tensor, series: tf.Tensor) -> tf.Tensor:
        """What queries and keys are made of [B,Q,W]."""
        place = self._embed_x(x)
        return place + self.table(series) if self.config.labels_in_qk else place

    def _query(self, x: tf.Tensor, series: tf.Tensor) -> tf.Tensor:
        return split_heads(self.to_query(self._embed_place(x, series)), self.config.num_heads)

    def _key(self, x: tf.Tensor, series: tf.Tensor) -> tf.Tensor:
        return split_heads(self.to_key(self._embed_place(x, series)), self.config.num_heads)

    def _scores(self, products: tf.Tensor) -> tf.Tensor:
        scores = products * (self.config.width // self.config.num_heads) ** -0.5
        return tf.nn.relu(scores) if self.config.relu_scores else scores

    def _predict(self, attended: tf.Tensor, previous: tf.Tensor, x: tf.Tensor, series: tf.Tensor) -> Normal:
        """Attended and previous [B,Q,W], x and series [B,Q] -> mean and scale [B,Q]."""
        gathered = self.from_heads(attended)
        if self.config.previous_value_residual:
            gathered += previous
        if self.config.normalised_values:
            gathered = self.norm(gathered)
        history = self.from_history(tf.nn.leaky_relu(gathered, 0.2))
        joined = tf.nn.leaky_relu(
            history + self.from_x(self._embed_x(x)) + self.from_label(self.table(series)), 0.2
        )
        mean, log_scale = tf.unstack(self.head(self.third(self.second(joined))), axis=-1)
        return Normal(mean, tf.exp(log_scale))


def _newest_before(values: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """The value of the newest valid position before each position [B,L,W]; zeros where there is none."""
    length = tf.shape(valid)[1]
    number = tf.where(masks.earlier(valid), tf.range(1, length + 1), 0)  # [B,Q,K]: 1 + key, 0 = hidden
    newest = tf.reduce_max(number, axis=-1)  # [B,Q]
    padded = tf.pad(values, [[0, 0], [1, 0], [0, 0]])  # row 0 is "none"
    return tf.gather(padded, newest, batch_dims=1)
