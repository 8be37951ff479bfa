"""The corrected model: a transformer whose means are linear in what has been observed and predicted.

Two streams with one set of attention weights.  *Tokens* know where a point lies and, for context points,
its y: they decide the weights.  *Estimates* carry y: attention reads from every earlier point what its y
leaves unexplained by its own estimate, and adds it up linearly, with gates that the tokens decide.  So
with weights that a context has fixed, a prediction is a linear smoother of y (Buja, Hastie and Tibshirani
1989, section 2), layer after layer of it a correction of the last, as an iterative solver of the exact
posterior would do it.  Linear maps need not be learnt, which is most of what a plain transformer has to
learn here.

Context points see all of the context but themselves; a target sees the context and the targets before it.
As no point sees itself, one stream serves as content and as query.  The tokens of targets do not know what
was predicted for them: S trajectories share them, and a rollout has all its weights before it begins.

Heads start as kernels of different widths (see `KernelBias`).  Each series is read relative to its own
level: a shift of every y shifts the prediction by as much, and a shift of one series is in plain sight.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import keras
import tensorflow as tf

from attn import masks
from attn.layers import Dense, KernelBias, masked_softmax, merge_heads
from attn.models.base import Normal, PairModel, Points, write_slot
from attn.models.smoothing import Block, Levels, Weighing

# Added to the predicted scale: a hundredth of the noise of the shipped processes is far below what any
# prediction can reach, and keeps the density finite.
SMALLEST_SCALE = 1e-3


@dataclass(frozen=True)
class PairSmootherConfig:
    """Sizes: tokens of `width` and estimates of `estimate_dim`, both split over `num_heads`.

    hidden_dim   of the feed-forward layers
    num_bumps, num_waves   features of the distance (see `KernelBias`); waves are for periodic processes
    knows_labels   tokens know which series they belong to, not only which points share theirs: for series
                   that differ in kind; a swap of the labels then changes the predictions
    """

    kind: Literal["pair_smoother"] = "pair_smoother"
    width: int = 64
    num_layers: int = 4
    num_heads: int = 4
    hidden_dim: int = 128
    estimate_dim: int = 32
    num_bumps: int = 7
    num_waves: int = 0
    knows_labels: bool = False

    def __post_init__(self) -> None:
        for field in ("width", "num_layers", "num_heads", "hidden_dim", "estimate_dim", "num_bumps"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1; got {getattr(self, field)}")
        if self.num_waves < 0:
            raise ValueError(f"num_waves must not be negative; got {self.num_waves}")
        for field in ("width", "estimate_dim"):
            if getattr(self, field) % self.num_heads:
                received = f"{getattr(self, field)} and {self.num_heads}"
                raise ValueError(f"{field} must be a multiple of num_heads; got {received}")


class Ahead(NamedTuple):
    """What a layer will do at T targets whatever is written: see `Weighing`; all of it depends on places.

    from_context  [B,H,T,d]  what a target reads in the context
    on_slots      [B,H,T,T]  its weights on the targets before it
    """

    from_context: tf.Tensor
    on_slots: tf.Tensor
    gate_shown: tf.Tensor
    gate_read: tf.Tensor


class History(NamedTuple):
    """What B pairs know before their T targets are written; only the y of the targets is missing."""

    levels: Levels
    series: tf.Tensor
    layers: tuple[Ahead, ...]
    tokens: tf.Tensor


class Cache(NamedTuple):
    """Of S trajectories: the readings [B,H,S,T,d] of every layer, and the estimates [B,S,E] of the newest."""

    readings: tuple[tf.Tensor, ...]
    newest: tuple[tf.Tensor, ...]


class PairSmoother(PairModel):
    """See the head of this file."""

    def __init__(self, config: PairSmootherConfig) -> None:
        super().__init__(name=config.kind)
        self.config = config
        self.embed_role = Dense(config.width, name="embed_role")
        self.embed_y = Dense(config.width, use_bias=False, name="embed_y")
        self.relation = KernelBias(
            config.num_layers, config.num_heads, config.num_bumps, config.num_waves, name="relation"
        )
        sizes = config.width, config.num_heads, config.hidden_dim, config.estimate_dim
        self.blocks = [Block(f"block_{i}", *sizes) for i in range(config.num_layers)]
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")
        self.gate_estimate = Dense(config.estimate_dim, use_bias=False, name="gate_estimate")
        self.to_mean = Dense(1, use_bias=False, name="to_mean")
        self.to_scale = Dense(1, name="to_scale")

    def call(self, points: Points, training: bool = False) -> Normal:
        """Mean and scale [B,L]; what stands at positions that are not targets means nothing."""
        levels = Levels.of(points)
        layers, tokens = self._weigh(points, levels)
        estimates, _ = self._estimate(layers, levels.above(points.y, points.series))
        return self._predict(tokens, estimates, levels.own(points.series))

    def attention(self, points: Points) -> tf.Tensor:
        """The share of every key in what a position reads [layers,B,H,L,L]; how much it reads is left out."""
        layers, _ = self._weigh(points, Levels.of(points))
        may_see = self._may_see(points)
        return tf.stack([masked_softmax(layer.logits, may_see) for layer in layers])

    def prefill(self, points: Points, x: tf.Tensor, series: tf.Tensor) -> History:
        """All tokens, those of the targets too, and what the targets read in the context."""
        levels, num_context = Levels.of(points), tf.shape(points.x)[1]
        whole = Points(
            x=tf.concat([points.x, x], axis=1),
            series=tf.concat([points.series, series], axis=1),
            y=tf.concat([points.y, tf.zeros_like(x)], axis=1),
            valid=tf.concat([points.valid, tf.ones_like(x, tf.bool)], axis=1),
            num_context=tf.repeat(num_context, tf.shape(x)[0]),
        )
        layers, tokens = self._weigh(whole, levels)
        _, readings = self._estimate(layers, levels.above(whole.y, whole.series))
        ahead = []
        for layer, reading in zip(layers, readings, strict=True):
            weights = layer.weights[:, :, num_context:]  # [B,H,T,C+T]
            from_context = weights[..., :num_context] @ reading[:, :, :num_context]
            gates = layer.gate_shown[:, num_context:], layer.gate_read[:, num_context:]
            ahead.append(Ahead(from_context, weights[..., num_context:], *gates))
        return History(levels, series, tuple(ahead), tokens[:, num_context:])

    def empty_cache(self, num_pairs: tf.Tensor, num_samples: tf.Tensor, num_slots: tf.Tensor) -> Cache:
        """Zeros: a slot is not read before it is written."""
        width, num_heads = self.config.estimate_dim, self.config.num_heads
        readings = tf.zeros([num_pairs, num_heads, num_samples, num_slots, width // num_heads])
        newest = tf.zeros([num_pairs, num_samples, width])
        return Cache(tuple(readings for _ in self.blocks), tuple(newest for _ in self.blocks))

    def step(self, history: History, cache: Cache, number: tf.Tensor, y: tf.Tensor) -> tuple[Normal, Cache]:
        """The estimates of one target a trajectory; tokens and weights are there already."""
        newest = tf.maximum(number - 1, 0)  # at number 0 a dummy goes to slot 0, unseen, and 1 overwrites it
        relative_y = history.levels.above(y, _column(history.series, newest))  # [B,S,2]
        estimates = tf.zeros_like(cache.newest[0])
        all_readings, all_estimates = [], []
        for i, (block, ahead) in enumerate(zip(self.blocks, history.layers, strict=True)):
            shown = block.show(cache.newest[i], relative_y, _column(ahead.gate_shown, newest))
            readings = write_slot(cache.readings[i], newest, block.heads(shown))  # [B,H,S,T,d]
            all_readings.append(readings)
            all_estimates.append(estimates)
            on_slots = ahead.on_slots[:, :, number][:, :, None, None]  # [B,H,1,1,T]
            read = (on_slots @ readings)[:, :, :, 0] + ahead.from_context[:, :, number][
                :, :, None
            ]  # [B,H,S,d]
            estimates += block.correct(merge_heads(read), _column(ahead.gate_read, number))
        level = history.levels.own(_column(history.series, number))
        prediction = self._predict(_column(history.tokens, number), estimates, level)
        return prediction, Cache(tuple(all_readings), tuple(all_estimates))

    def initial_gain(self, path: str) -> float:
        """Gates start nearly open, relations nearly as their slopes, and y is shown in its own size."""
        gains = {"gate": 0.3, "relation": 0.15, "show_y": 4.0}
        return next((gain for part, gain in gains.items() if part in path), 1.0)

    def _weigh(self, points: Points, levels: Levels) -> tuple[list[Weighing], tf.Tensor]:
        """The stream of tokens: how every layer weighs points, and the last tokens [B,L,W], normalised."""
        tokens = self._first_tokens(points, levels)
        may_see = self._may_see(points)
        biases = self.relation(points.x, points.series, points.x, points.series)
        layers = []
        for block, bias in zip(self.blocks, biases, strict=True):
            layer, tokens = block.weigh(tokens, bias, may_see)
            layers.append(layer)
        return layers, self.norm(tokens)

    def _may_see(self, points: Points) -> tf.Tensor:
        """Which keys every position may see [B,1,L,L]."""
        return masks.others_and_earlier(points.valid, points.num_context)[:, None]

    def _estimate(self, layers: list[Weighing], relative_y: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The stream of estimates, for y [B,L,2]: the last of them [B,L,E], and every reading [B,H,L,d]."""
        estimates = tf.zeros_like(layers[0].gate_read)
        readings = []
        for block, layer in zip(self.blocks, layers, strict=True):
            reading = block.heads(block.show(estimates, relative_y, layer.gate_shown))
            readings.append(reading)
            estimates += block.correct(merge_heads(layer.weights @ reading), layer.gate_read)
        return estimates, readings

    def _first_tokens(self, points: Points, levels: Levels) -> tf.Tensor:
        """A token for each role [B,L,W]; that of a context point knows its y."""
        is_context = tf.cast(points.is_context, points.y.dtype)
        roles = [is_context, 1 - is_context]
        if self.config.knows_labels:
            roles.append(tf.cast(points.series, is_context.dtype))
        role = self.embed_role(tf.stack(roles, axis=-1))
        return role + self.embed_y(levels.above(points.y, points.series)) * is_context[..., None]

    def _predict(self, tokens: tf.Tensor, estimates: tf.Tensor, level: tf.Tensor) -> Normal:
        """Tokens [B,Q or 1,W], estimates [B,Q,E], level [B,Q or 1] -> mean and scale [B,Q]."""
        mean = self.to_mean(estimates * (1 + self.gate_estimate(tokens)))[..., 0]
        scale = tf.nn.softplus(self.to_scale(tokens))[..., 0] + SMALLEST_SCALE
        return Normal(level + mean, scale + tf.zeros_like(mean))


def _column(values: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Values [B,T,...] -> [B,1,...]."""
    return values[:, index][:, None]
