"""Attention and embeddings that the models share.

Shapes in the comments: B pairs, Q queries, K keys, H heads, d width of a head, W = H d width of a token.
"""

import keras
import numpy as np
import tensorflow as tf

# The logit of a hidden key: far below any visible one, and finite, so that a row of which every key is
# hidden gives no NaN.
_HIDDEN = -1e9


def masked_softmax(logits: tf.Tensor, may_see: tf.Tensor) -> tf.Tensor:
    """Softmax over the last axis among the keys where `may_see` is True; a row that sees nothing is all 0."""
    return tf.nn.softmax(tf.where(may_see, logits, _HIDDEN)) * tf.cast(may_see, logits.dtype)


def hiding(may_see: tf.Tensor) -> tf.Tensor:
    """What to add to logits instead of masking them: 0 where `may_see` is True, and far below elsewhere."""
    return tf.where(may_see, 0.0, _HIDDEN)


def softmax_beside_nothing(logits: tf.Tensor, may_see: tf.Tensor) -> tf.Tensor:
    """Softmax among the visible keys and one more, of logit 0, that holds nothing: rows sum to less than 1.

    A query far from all keys reads little, and the sum tells how many keys are near.
    """
    visible = tf.where(may_see, logits, _HIDDEN)
    highest = tf.stop_gradient(tf.maximum(tf.reduce_max(visible, axis=-1, keepdims=True), 0))
    powers = tf.exp(visible - highest)
    return powers / (tf.reduce_sum(powers, axis=-1, keepdims=True) + tf.exp(-highest))


def split_heads(tokens: tf.Tensor, num_heads: int) -> tf.Tensor:
    """[B,Q,W] -> [B,H,Q,d]."""
    num_pairs, num_tokens, _ = tf.unstack(tf.shape(tokens))
    heads = tf.reshape(tokens, [num_pairs, num_tokens, num_heads, tokens.shape[-1] // num_heads])  # [B,Q,H,d]
    return tf.transpose(heads, [0, 2, 1, 3])


def merge_heads(heads: tf.Tensor) -> tf.Tensor:
    """[B,H,Q,d] -> [B,Q,W]."""
    num_pairs, _, num_tokens, _ = tf.unstack(tf.shape(heads))
    tokens = tf.transpose(heads, [0, 2, 1, 3])  # [B,Q,H,d]
    return tf.reshape(tokens, [num_pairs, num_tokens, heads.shape[1] * heads.shape[3]])


class Dense(keras.layers.Dense):
    """`keras.layers.Dense`, the same bits, as one product of matrices.

    Where the leading axes are unknown, Keras traces some twenty operations around that product: a tenth of
    what there is to trace in a model, and tracing is most of what a short use of it costs.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """[...,W] -> [...,units]."""
        *leading, _ = tf.unstack(tf.shape(inputs))
        rows = tf.matmul(tf.reshape(inputs, [-1, inputs.shape[-1]]), self.kernel)
        if self.use_bias:
            rows += self.bias
        return tf.reshape(self.activation(rows), [*leading, self.units])


class RelationBias(keras.layers.Layer):
    """A learnt function of |x_i - x_j| and of whether i and j belong to the same series.

    The function is linear in fixed features of the distance d: a constant, d, d^2 / 10 and Gaussian bumps
    exp(-d^2 / 2 s^2) of `num_bumps` scales s = 0.1, 0.2, 0.4, ...; one set of weights for points of the
    same series and one for points of different series.  It knows neither where a point is nor which
    label it has: a model that sees x and labels through it alone is invariant to a shift of x and to a
    swap of the labels.
    """

    def __init__(self, num_layers: int, num_heads: int, num_bumps: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.scales = tf.reshape(0.1 * 2.0 ** tf.range(num_bumps, dtype=tf.float32), [num_bumps, 1, 1])

    def build(self, input_shape: object) -> None:
        """Make the weights: first the features of different series, then those of the same series."""
        num_features = 3 + self.scales.shape[0]
        self.kernel = self.add_weight(
            shape=(2 * num_features, self.num_layers * self.num_heads),
            initializer=keras.initializers.RandomNormal(stddev=num_features**-0.5),
            name="kernel",
        )

    def call(
        self, x_query: tf.Tensor, series_query: tf.Tensor, x_key: tf.Tensor, series_key: tf.Tensor
    ) -> list[tf.Tensor]:
        """What to add to the logits of every layer [B,H,Q,K], from queries [B,Q] and keys [B,K]."""
        distance = tf.abs(x_query[:, :, None] - x_key[:, None, :])  # [B,Q,K]
        powers = tf.stack([tf.ones_like(distance), distance, distance**2 / 10], axis=1)
        bumps = tf.exp(-0.5 * (distance[:, None] / self.scales) ** 2)  # [B,bumps,Q,K]
        features = tf.concat([powers, bumps], axis=1)
        num_pairs, num_features, num_queries, num_keys = tf.unstack(tf.shape(features))
        features = tf.reshape(features, [num_pairs, num_features, num_queries * num_keys])
        weights = tf.transpose(tf.concat(tf.split(self.kernel, 2), axis=1))  # [2 layers H, features]
        num_biases = self.num_layers * self.num_heads
        both = tf.reshape(weights @ features, [num_pairs, 2, num_biases, num_queries, num_keys])
        same = series_query[:, None, :, None] == series_key[:, None, None, :]  # [B,1,Q,K]
        bias = tf.where(same, both[:, 1], both[:, 0])  # [B,layers H,Q,K]
        # Slices, not tf.split: on CPUs TensorFlow 2.21 fuses a product with a bias of one head (remapper and
        # oneDNN), and then takes the first output of the split for all of them.
        return [bias[:, i : i + self.num_heads] for i in range(0, num_biases, self.num_heads)]


class KernelBias(keras.layers.Layer):
    """A bias of attention logits that starts as kernels of different widths, and is learnt from there.

    Head h of H starts with the slope -1 / s_h in the distance d (as Press et al. 2022, "Train short, test
    long", section 3, do with positions); its widths s_h run geometrically from a few neighbours to all.
    In turn over heads and layers a kernel is for all points, against those of the other series, and
    against those of the own.  What is learnt is added: a function of d that is linear in a constant, d,
    d^2 / 10, Gaussian bumps as in `RelationBias` and cosines cos(w d) of `num_waves` learnt frequencies,
    with one set of weights for points of the same series and one for points of different series.  Like
    `RelationBias` it knows neither where a point is nor which label it has.
    """

    NARROWEST, WIDEST = 0.15, 6.0
    # The logit that a kernel against some points gives them at the start: a weight of about 1/50.
    AGAINST = -4.0
    # Optimizers move every weight by about as much; a logit has further to go than other activations.
    GAIN = 3.0

    def __init__(
        self, num_layers: int, num_heads: int, num_bumps: int, num_waves: int, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.num_layers, self.num_heads, self.num_waves = num_layers, num_heads, num_waves
        self.scales = 0.1 * 2.0 ** tf.range(num_bumps, dtype=tf.float32)
        self.num_features = 3 + num_bumps + num_waves
        self.start = self._start()

    def build(self, input_shape: object) -> None:
        """Make the weights: first the features of different series, then those of the same series."""
        self.kernel = self.add_weight(
            shape=(2 * self.num_features, self.num_layers * self.num_heads),
            initializer="zeros",
            name="kernel",
        )
        frequencies = [0.6 * 1.5**i for i in range(self.num_waves)]
        self.frequencies = self.add_weight(
            shape=(self.num_waves,),
            initializer=lambda shape, dtype=None: tf.constant(frequencies, tf.float32, shape),
            name="frequencies",
        )

    def _start(self) -> tf.Tensor:
        """The fixed part of the weights [2 features, layers H]."""
        start = np.zeros((2, self.num_features, self.num_layers, self.num_heads), np.float32)
        start[:, 1] = -1 / np.geomspace(self.NARROWEST, self.WIDEST, self.num_heads)
        for layer in range(self.num_layers):
            for head in range(self.num_heads):
                kind = (layer + head) % 3  # for all, against the other series, against the own
                if kind:
                    start[kind - 1, 0, layer, head] = self.AGAINST
        return tf.constant(start.reshape(2 * self.num_features, -1))

    def call(
        self, x_query: tf.Tensor, series_query: tf.Tensor, x_key: tf.Tensor, series_key: tf.Tensor
    ) -> list[tf.Tensor]:
        """What to add to the logits of every layer [B,H,Q,K], from queries [B,Q] and keys [B,K]."""
        distance = tf.abs(x_query[:, :, None] - x_key[:, None, :])[:, None]  # [B,1,Q,K]
        bumps = tf.exp(-0.5 * (distance / self.scales[:, None, None]) ** 2)
        waves = tf.cos(distance * self.frequencies[:, None, None])
        features = [tf.ones_like(distance), distance, distance**2 / 10, bumps, waves]
        features = tf.concat(features, axis=1)  # [B,features,Q,K]
        same = series_query[:, None, :, None] == series_key[:, None, None, :]  # [B,1,Q,K]
        is_same = tf.cast(same, features.dtype)
        features = tf.concat([features * (1 - is_same), features * is_same], axis=1)
        num_pairs, num_features, num_queries, num_keys = tf.unstack(tf.shape(features))
        flat = tf.reshape(features, [num_pairs, num_features, num_queries * num_keys])
        bias = tf.transpose(self.start + self.GAIN * self.kernel) @ flat
        bias = tf.reshape(bias, [num_pairs, self.num_layers, self.num_heads, num_queries, num_keys])
        return [bias[:, layer] for layer in range(self.num_layers)]
