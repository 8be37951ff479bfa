"""The decoder of the original system, faithfully, with each of its traits as a switch.

For a prediction at position t from the points before it:

    q_t = Wq E(x_t),  k_j = Wk E(x_j),  v_j = Wv y_j                      j < t
    a_t = softmax_j( relu( q_t . k_j / sqrt(d) ) )                         heads merged, then a dense layer
    h_t = leaky_relu( LayerNorm( attention_t + v_{t-1} ) )                 v of the newest point
    z_t = leaky_relu( A1 h_t + A2 E(x_t) + A3 E(label_t) ), two dense layers, then mean and log sigma

E is one table: its rows 0 and 1 are the labels, the others are bins of x.  Two rewritings save most of the
arithmetic and change nothing: what is linear in E is made of the rows of the table, and a head averages y
itself, because the average of the values Wv y is Wv times the average of y.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import keras
import tensorflow as tf

from attn import masks
from attn.layers import Dense, masked_softmax, split_heads
from attn.likelihood import masked_mean
from attn.models.base import Normal, PairModel, Points, write_slot

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

    def x_of_row(self, row: int) -> float:
        """The x that a row of bins stands for: the centre of its bin, or where it is not interpolated.

        The first row also serves every x below its bin, the last every x above.
        """
        return (row - NUM_LABELS + (0.5 if self.binned_x else 0.0)) * self.bin_width


class Tables(NamedTuple):
    """The table, projected: its R rows for queries and keys [R,W] and for x [R,F], its labels [2,F]."""

    query: tf.Tensor
    key: tf.Tensor
    x: tf.Tensor
    label: tf.Tensor


class History(NamedTuple):
    """What B pairs know before their T targets are written; only the y of the targets is missing.

    from_context  [B,T,H]    the weighted sum of y that each head of a target sees in the context
    on_slots      [B,T,H,T]  its weights on the targets before it, which no y changes
    place         [B,T,F]    what its x and label add to the first dense layer
    newest_y      [B,1]      of the context
    """

    from_context: tf.Tensor
    on_slots: tf.Tensor
    place: tf.Tensor
    newest_y: tf.Tensor


class Historic(PairModel):
    """See the head of this file."""

    def __init__(self, config: HistoricConfig) -> None:
        super().__init__(name=config.kind)
        self.config = config
        self.table = keras.layers.Embedding(config.num_rows, config.width, name="table")
        self.to_query = Dense(config.width, use_bias=False, name="to_query")
        self.to_key = Dense(config.width, use_bias=False, name="to_key")
        self.to_value = Dense(config.width, use_bias=False, name="to_value")
        self.from_heads = Dense(config.width, name="from_heads")
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, name="norm")
        first, second, third = config.layer_dims
        self.from_history = Dense(first, name="from_history")
        self.from_x = Dense(first, use_bias=False, name="from_x")
        self.from_label = Dense(first, use_bias=False, name="from_label")
        self.second = Dense(second, activation="leaky_relu", name="second")
        self.third = Dense(third, activation="leaky_relu", name="third")
        self.head = Dense(2, name="head")

    def build(self, input_shape: object = None) -> None:
        """Make the weights that are read before their layer is called."""
        self.table.build()
        self.from_heads.build((None, self.config.width))
        super().build(input_shape)

    def call(self, points: Points, training: bool = False) -> Normal:
        """Mean and scale [B,L]; the first position, which has nothing before it, means nothing."""
        tables = self._tables()
        average = _average(self._attend(tables, points), points.y)
        place = self._place(tables, points.x, points.series)
        return self._predict(average, _newest_before(points.y, points.valid), place)

    def attention(self, points: Points) -> tf.Tensor:
        """The weights of the only layer [1,B,H,L,L]."""
        return self._attend(self._tables(), points)[None]

    def prefill(self, points: Points, x: tf.Tensor, series: tf.Tensor) -> History:
        """All of the attention: it depends on places alone, so it is computed before anything is written."""
        tables, num_context = self._tables(), tf.shape(points.x)[1]
        after = tf.concat([points.valid, tf.ones_like(points.valid[:, :1])], axis=1)  # [B,C+1]
        newest = _newest_before(tf.concat([points.y, points.y[:, :1]], axis=1), after)[:, -1:]  # [B,1]
        keys = [self._tokens(tables.key, *place) for place in ((points.x, points.series), (x, series))]
        query = self._tokens(tables.query, x, series)  # [B,H,T,d]
        is_earlier = masks.earlier(tf.ones_like(x, tf.bool))  # [B,T,T]
        is_valid = tf.repeat(points.valid[:, None], tf.shape(x)[1], axis=1)  # [B,T,C]
        may_see = tf.concat([is_valid, is_earlier], axis=2)[:, None]
        weights = masked_softmax(self._scores(query, tf.concat(keys, axis=2)), may_see)  # [B,H,T,C+T]
        from_context = _average(weights[..., :num_context], points.y)
        on_slots = tf.transpose(weights[..., num_context:], [0, 2, 1, 3])
        return History(from_context, on_slots, self._place(tables, x, series), newest)

    def empty_cache(self, num_pairs: tf.Tensor, num_samples: tf.Tensor, num_slots: tf.Tensor) -> tf.Tensor:
        """The y of every slot [B,S,T,1], 0 before it is written."""
        return tf.zeros([num_pairs, num_samples, num_slots, 1])

    def step(
        self, history: History, cache: tf.Tensor, number: tf.Tensor, y: tf.Tensor
    ) -> tuple[Normal, tf.Tensor]:
        """The average y that each head sees of the context and of the slots."""
        cache = write_slot(cache, tf.maximum(number - 1, 0), y[..., None])  # step 1 writes over what 0 wrote
        from_slots = tf.matmul(cache[..., 0], history.on_slots[:, number], transpose_b=True)  # [B,S,H]
        average = history.from_context[:, number][:, None] + from_slots
        newest = tf.where(number == 0, history.newest_y, y)
        return self._predict(average, newest, history.place[:, number][:, None]), cache

    def loss_of(self, points: Points, prediction: Normal) -> tf.Tensor:
        """1/2 [ (y - mu)^2 / (sigma^2 + 0.001) + w log sigma ]; w = 2 is the density's, 1 the original's."""
        weight = 1.0 if self.config.half_log_sigma else 2.0
        squared = (points.y - prediction.mean) ** 2 / (prediction.scale**2 + VARIANCE_FLOOR)
        return masked_mean(0.5 * (squared + weight * tf.math.log(prediction.scale)), self.counted(points))

    def counted(self, points: Points) -> tf.Tensor:
        """The targets that the loss is the mean over [B,L]: all, or those whose y is not 0."""
        return points.is_target & (points.y != 0) if self.config.drops_zero_targets else points.is_target

    def _tables(self) -> Tables:
        """Every place is a row of the table: the rows are projected once, and not every point."""
        rows = self.table.embeddings
        labels = self.from_label(rows[:NUM_LABELS])
        return Tables(self.to_query(rows), self.to_key(rows), self.from_x(rows), labels)

    def _attend(self, tables: Tables, points: Points) -> tf.Tensor:
        """The weights of the points before each point [B,H,L,L]."""
        query, key = (self._tokens(table, points.x, points.series) for table in (tables.query, tables.key))
        return masked_softmax(self._scores(query, key), masks.earlier(points.valid)[:, None])

    def _tokens(self, projected: tf.Tensor, x: tf.Tensor, series: tf.Tensor) -> tf.Tensor:
        """Queries or keys, from the table that was projected for them: [B,H,Q,d]."""
        tokens = self._look_up(projected, x)
        if self.config.labels_in_qk:
            tokens += tf.gather(projected, series)
        return split_heads(tokens, self.config.num_heads)

    def _place(self, tables: Tables, x: tf.Tensor, series: tf.Tensor) -> tf.Tensor:
        """What x and label of a predicted point add to the first dense layer [B,Q,F]."""
        return self._look_up(tables.x, x) + tf.gather(tables.label, series)

    def _look_up(self, projected: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """X [B,Q] -> [B,Q,W]: the row of its bin, or between two rows where x is not binned."""
        place = x / self.config.bin_width
        row = tf.floor(place)
        lower = tf.gather(projected, self._row(row))
        if self.config.binned_x:
            return lower
        upper = tf.gather(projected, self._row(row + 1))
        return lower + (place - row)[..., None] * (upper - lower)

    def _row(self, number: tf.Tensor) -> tf.Tensor:
        """Row of the table for a bin; bins outside the table share its first or last row."""
        return tf.cast(tf.clip_by_value(number + NUM_LABELS, NUM_LABELS, self.config.num_rows - 1), tf.int32)

    def _scores(self, query: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """[B,H,Q,d] and [B,H,K,d] -> [B,H,Q,K]."""
        scores = tf.matmul(query, key, transpose_b=True) * query.shape[-1] ** -0.5
        return tf.nn.relu(scores) if self.config.relu_scores else scores

    def _predict(self, average: tf.Tensor, newest: tf.Tensor, place: tf.Tensor) -> Normal:
        """Average y that each head sees [B,Q,H], newest y [B,Q] and place [B,Q,F] -> mean and scale [B,Q].

        Values Wv y are linear in y: their average is Wv times the average of y.
        """
        num_heads, value_of_one = self.config.num_heads, self.to_value(tf.ones([1, 1]))  # [1,W]
        of_head = tf.repeat(tf.eye(num_heads), self.config.width // num_heads, axis=1) * value_of_one  # [H,W]
        gathered = average @ (of_head @ self.from_heads.kernel) + self.from_heads.bias  # [B,Q,W]
        if self.config.previous_value_residual:
            gathered += newest[..., None] * value_of_one
        if self.config.normalised_values:
            gathered = self.norm(gathered)
        history = self.from_history(tf.nn.leaky_relu(gathered, 0.2))
        joined = tf.nn.leaky_relu(history + place, 0.2)
        mean, log_scale = tf.unstack(self.head(self.third(self.second(joined))), axis=-1)
        return Normal(mean, tf.exp(log_scale))


def _average(weights: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Weights [B,H,Q,K] of y [B,K] -> [B,Q,H]."""
    return tf.linalg.matrix_transpose(tf.linalg.matvec(weights, y[:, None]))


def _newest_before(y: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """The newest valid y before each position [B,L]; 0 where there is none."""
    number = tf.range(1, tf.shape(y)[1] + 1)  # 1 + key
    newest = tf.reduce_max(tf.where(masks.earlier(valid), number, 0), axis=-1)  # [B,Q], 0 = none
    return tf.gather(tf.pad(y, [[0, 0], [1, 0]]), newest, batch_dims=1)
