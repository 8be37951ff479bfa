"""A two-stream transformer that knows which points belong together: the plain mend of the decoder.

The content stream carries y; the query stream asks for y at a position without seeing it (two streams as
in Yang et al. 2019, XLNet, section 2.3).  Context points see one another freely; a target sees the context
and the targets before it.  Attention logits carry a learnt bias of |x_i - x_j| and of same-series, so the
model depends on x only through distances and on labels only through sameness.  The level of the context
is taken from y and given back to the mean: a shift of every y shifts the prediction.  Values are read from
the stream before normalisation, so that no normalisation compresses the level of a series.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import keras
import tensorflow as tf

from attn import masks
from attn.layers import Dense, RelationBias, hiding, masked_softmax, merge_heads, split_heads
from attn.models.base import Normal, PairModel, Points, write_slot

# Added to the predicted scale: a tenth of the noise of the shipped processes is far below what any
# prediction can reach, and keeps the density finite.
SMALLEST_SCALE = 1e-3


@dataclass(frozen=True)
class PairTransformerConfig:
    """Sizes: tokens of `width`, split over `num_heads`; `hidden_dim` of the feed-forward layers."""

    kind: Literal["pair_transformer"] = "pair_transformer"
    width: int = 64
    num_layers: int = 4
    num_heads: int = 4
    hidden_dim: int = 128
    num_bumps: int = 7
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for field in ("width", "num_layers", "num_heads", "hidden_dim", "num_bumps"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1; got {getattr(self, field)}")
        if self.width % self.num_heads:
            raise ValueError(f"width must be a multiple of num_heads; got {self.width} and {self.num_heads}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1; got {self.dropout}")


class Keys(NamedTuple):
    """Projected keys and values of one layer: [B,H,K,d] of a context, [B,H,S,T,d] of trajectories."""

    key: tf.Tensor
    value: tf.Tensor


class History(NamedTuple):
    """What B pairs know before their T targets are written.

    level   [B,1]                      of the context
    layers  one a layer                keys and values of the context
    biases  [B,H,T,C+T], one a layer   what relations add to the logits of a target, hidden context included
    """

    level: tf.Tensor
    layers: tuple[Keys, ...]
    biases: tuple[tf.Tensor, ...]


Cache = tuple[Keys, ...]  # keys and values of the T slots of S trajectories, one a layer


class Block(keras.layers.Layer):
    """Attention and a feed-forward layer, both residual; queries and keys are normalised, values are not."""

    def __init__(self, config: PairTransformerConfig, name: str) -> None:
        super().__init__(name=name)
        # layers are called one by one, outside the scope of the block: their names carry it
        named = f"{name}_{{}}".format
        self.num_heads = config.num_heads
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5, name=named("norm"))
        self.to_query = Dense(config.width, use_bias=False, name=named("to_query"))
        self.to_key = Dense(config.width, use_bias=False, name=named("to_key"))
        self.to_value = Dense(config.width, use_bias=False, name=named("to_value"))
        self.from_heads = Dense(config.width, use_bias=False, name=named("from_heads"))
        self.norm_hidden = keras.layers.LayerNormalization(epsilon=1e-5, name=named("norm_hidden"))
        self.to_hidden = Dense(config.hidden_dim, activation="gelu", name=named("to_hidden"))
        self.from_hidden = Dense(config.width, name=named("from_hidden"))
        self.dropout = keras.layers.Dropout(config.dropout)

    def keys(self, content: tf.Tensor) -> Keys:
        """[B,K,W] -> keys and values [B,H,K,d]."""
        key = split_heads(self.to_key(self.norm(content)), self.num_heads)
        return Keys(key, split_heads(self.to_value(content), self.num_heads))

    def queries(self, tokens: tf.Tensor) -> tf.Tensor:
        """[B,Q,W] -> [B,H,Q,d], divided by sqrt(d)."""
        query = split_heads(self.to_query(self.norm(tokens)), self.num_heads)
        return query * query.shape[-1] ** -0.5

    def gather(self, tokens: tf.Tensor, attended: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Tokens [B,Q,W] plus what their heads attended to [B,H,Q,d], through the feed-forward layer."""
        tokens += self.dropout(self.from_heads(merge_heads(attended)), training=training)
        hidden = self.to_hidden(self.norm_hidden(tokens))
        return tokens + self.dropout(self.from_hidden(hidden), training=training)


class PairTransformer(PairModel):
    """See the head of this file."""

    def __init__(self, config: PairTransformerConfig) -> None:
        super().__init__(name=config.kind)
        self.config = config
        self.embed_value = Dense(config.width, name="embed_value")
        self.embed_query = Dense(config.width, use_bias=False, name="embed_query")
        self.relation = RelationBias(config.num_layers, config.num_heads, config.num_bumps, name="relation")
        self.blocks = [Block(config, name=f"block_{i}") for i in range(config.num_layers)]
        self.head = Dense(2, name="head")

    def call(self, points: Points, training: bool = False) -> Normal:
        """Mean and scale [B,L]; what stands at positions that are not targets means nothing."""
        queries, _ = self._streams(points, training)
        return self._predict(queries, _level(points))

    def attention(self, points: Points) -> tf.Tensor:
        """The weights of the query stream [layers,B,H,L,L]."""
        _, weights = self._streams(points, training=False)
        return tf.stack(weights)

    def _streams(self, points: Points, training: bool) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The last query stream [B,L,W], and the attention of its layers [B,H,L,L] each.

        Nothing is asked at positions that are context in every row: zeros stand there.  In training all
        positions are asked, for the shapes that a compiled step needs.
        """
        length = tf.shape(points.x)[1]
        first = 0 if training else tf.minimum(tf.reduce_min(points.num_context), length)
        content = self.embed_value((points.y - _level(points))[..., None])  # [B,L,W]
        queries = self._empty_queries(points.x[:, first:])
        tokens = tf.concat([content, queries], axis=1)  # [B,L+Q,W]
        may_see = self._may_see(points, first)
        weights = []
        for block, bias in zip(self.blocks, self._biases(points, first), strict=True):
            keys = block.keys(tokens[:, :length])
            logits = tf.matmul(block.queries(tokens), keys.key, transpose_b=True) + bias  # [B,H,L+Q,K]
            attention = masked_softmax(logits, may_see)
            tokens = block.gather(tokens, attention @ keys.value, training)
            weights.append(tf.pad(attention[:, :, length:], [[0, 0], [0, 0], [first, 0], [0, 0]]))
        return tf.pad(tokens[:, length:], [[0, 0], [first, 0], [0, 0]]), weights

    def _may_see(self, points: Points, first: tf.Tensor) -> tf.Tensor:
        """Which keys the content tokens, and the queries from position `first` on, may see [B,1,L+Q,K]."""
        content_sees = masks.context_and_earlier(points.valid, points.num_context)
        query_sees = masks.earlier(points.valid)[:, first:]
        return tf.concat([content_sees, query_sees], axis=1)[:, None]

    def _biases(self, points: Points, first: tf.Tensor) -> list[tf.Tensor]:
        """What relations add to the logits of content tokens and queries, layer by layer [B,H,L+Q,K]."""
        biases = self.relation(points.x, points.series, points.x, points.series)
        return [tf.concat([bias, bias[:, :, first:]], axis=2) for bias in biases]

    def prefill(self, points: Points, x: tf.Tensor, series: tf.Tensor) -> History:
        """One pass of the content stream over the context, and the biases of every target."""
        level = _level(points)
        content = self.embed_value((points.y - level)[..., None])  # [B,C,W]
        may_see = points.valid[:, None, None, :]
        layers = []
        biases = self.relation(points.x, points.series, points.x, points.series)
        for block, bias in zip(self.blocks, biases, strict=True):
            keys = block.keys(content)
            layers.append(keys)
            logits = tf.matmul(block.queries(content), keys.key, transpose_b=True)  # [B,H,C,C]
            content = block.gather(content, masked_softmax(logits + bias, may_see) @ keys.value)
        seen_x, seen_series = tf.concat([points.x, x], axis=1), tf.concat([points.series, series], axis=1)
        is_point = tf.concat([points.valid, tf.ones_like(x, tf.bool)], axis=1)[:, None, None]  # [B,1,1,C+T]
        ahead = [bias + hiding(is_point) for bias in self.relation(x, series, seen_x, seen_series)]
        return History(level, tuple(layers), tuple(ahead))

    def empty_cache(self, num_pairs: tf.Tensor, num_samples: tf.Tensor, num_slots: tf.Tensor) -> Cache:
        """Zeros: a slot is not read before it is written."""
        heads, width = self.config.num_heads, self.config.width // self.config.num_heads
        empty = tf.zeros([num_pairs, heads, num_samples, num_slots, width])
        return tuple(Keys(empty, empty) for _ in self.blocks)

    def step(self, history: History, cache: Cache, number: tf.Tensor, y: tf.Tensor) -> tuple[Normal, Cache]:
        """Two tokens a trajectory in one pass: the content of the newest target, the query for the next."""
        num_pairs, num_samples = tf.unstack(tf.shape(y))
        newest = tf.maximum(
            number - 1, 0
        )  # at number 0 a dummy goes to slot 0, unseen, and number 1 overwrites it
        content = self.embed_value((y - history.level)[..., None])  # [B,S,W]
        tokens = tf.stack([content, self._empty_queries(y)], axis=2)  # [B,S,2,W]
        tokens = tf.reshape(tokens, [num_pairs, 2 * num_samples, self.config.width])
        asking = tf.stack([newest, number])
        written = []
        for i, block in enumerate(self.blocks):
            added = block.keys(tokens[:, ::2])  # [B,H,S,d]
            slots = Keys(*(write_slot(old, newest, new) for old, new in zip(cache[i], added, strict=True)))
            written.append(slots)
            if i == len(self.blocks) - 1:  # no later layer reads the content
                tokens, asking = tokens[:, 1::2], asking[1:]
            bias = tf.gather(history.biases[i], asking, axis=2)  # [B,H,P,C+T], P = 2 or 1
            attended = _attend_twice(block.queries(tokens), history.layers[i], slots, number, bias)
            tokens = block.gather(tokens, attended)
        return self._predict(tokens, history.level), tuple(written)

    def _empty_queries(self, like: tf.Tensor) -> tf.Tensor:
        """The same learnt token for every element of `like` [B,Q] -> [B,Q,W]."""
        return self.embed_query(tf.ones_like(like)[..., None])

    def _predict(self, queries: tf.Tensor, level: tf.Tensor) -> Normal:
        """[B,Q,W] -> mean and scale [B,Q]."""
        mean, raw_scale = tf.unstack(self.head(queries), axis=-1)
        return Normal(mean + level, tf.nn.softplus(raw_scale) + SMALLEST_SCALE)


def _level(points: Points) -> tf.Tensor:
    """The mean of the observed y of each pair [B,1]."""
    observed = tf.cast(points.is_context, points.y.dtype)
    return tf.reduce_sum(points.y * observed, axis=1, keepdims=True) / tf.reduce_sum(
        observed, axis=1, keepdims=True
    )


def _attend_twice(
    queries: tf.Tensor, context: Keys, slots: Keys, num_written: tf.Tensor, bias: tf.Tensor
) -> tf.Tensor:
    """Queries [B,H,SP,d] over the shared context and the trajectory's written slots, by one softmax.

    bias [B,H,P,C+T].  The context is read by all trajectories in one product.
    """
    num_heads, width = slots.key.shape[1], slots.key.shape[4]
    num_pairs, num_samples, num_slots = tf.unstack(tf.gather(tf.shape(slots.key), [0, 2, 3]))
    num_context, num_tokens = tf.shape(context.key)[2], tf.shape(queries)[2]
    by_trajectory = [num_pairs, num_heads, num_samples, tf.shape(bias)[2], -1]
    over_context = tf.matmul(queries, context.key, transpose_b=True)  # [B,H,SP,C]
    over_slots = tf.matmul(tf.reshape(queries, by_trajectory), slots.key, transpose_b=True)  # [B,H,S,P,T]
    logits = tf.concat([tf.reshape(over_context, by_trajectory), over_slots], axis=-1)
    is_written = masks.written(num_slots, num_written)
    bias += hiding(tf.pad(is_written, [[num_context, 0]], constant_values=True))
    weights = tf.nn.softmax(logits + bias[:, :, None])  # [B,H,S,P,C+T]
    on_context = tf.reshape(weights[..., :num_context], [num_pairs, num_heads, num_tokens, num_context])
    from_slots = tf.reshape(
        weights[..., num_context:] @ slots.value, [num_pairs, num_heads, num_tokens, width]
    )
    return on_context @ context.value + from_slots
