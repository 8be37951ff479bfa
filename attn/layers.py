"""Attention and embeddings that the models share.

Shapes in the comments: B pairs, Q queries, K keys, H heads, d width of a head, W = H d width of a token.
"""

import keras
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


def split_heads(tokens: tf.Tensor, num_heads: int) -> tf.Tensor:
    """[B,Q,W] -> [B,H,Q,d]."""
    num_pairs, num_tokens = tf.shape(tokens)[0], tf.shape(tokens)[1]
    heads = tf.reshape(tokens, [num_pairs, num_tokens, num_heads, tokens.shape[-1] // num_heads])  # [B,Q,H,d]
    return tf.transpose(heads, [0, 2, 1, 3])


def merge_heads(heads: tf.Tensor) -> tf.Tensor:
    """[B,H,Q,d] -> [B,Q,W]."""
    num_pairs, num_tokens = tf.shape(heads)[0], tf.shape(heads)[2]
    tokens = tf.transpose(heads, [0, 2, 1, 3])  # [B,Q,H,d]
    return tf.reshape(tokens, [num_pairs, num_tokens, heads.shape[1] * heads.shape[3]])


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
