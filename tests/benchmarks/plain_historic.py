"""The historic decoder and its training step as the original ran them: float64, a plain graph, no compiler.

Written from the description of the original system alone; it shares no code with the package.
"""

import keras
import numpy as np
import tensorflow as tf

DTYPE = "float64"
NUM_ROWS = 2000
BIN_WIDTH = 0.1


class PlainHistoric(keras.Model):
    """x, series, y [B,L] -> mean and log sigma of the points 2 to L, each [B,L-1]."""

    def __init__(self, width: int, num_heads: int, layer_dims: tuple[int, int, int]) -> None:
        super().__init__(dtype=DTYPE)
        first, second, third = layer_dims
        self.num_heads = num_heads
        self.table = keras.layers.Embedding(NUM_ROWS, width, dtype=DTYPE)
        self.query, self.key, self.value = (_dense(width, use_bias=False) for _ in range(3))
        self.merge = _dense(width)
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6, dtype=DTYPE)
        self.of_history = _dense(first)
        self.of_x, self.of_label = (_dense(first, use_bias=False) for _ in range(2))
        self.second, self.third, self.last = _dense(second), _dense(third), _dense(2)

    def call(self, x, series, y):
        place = self.table(tf.cast(x / BIN_WIDTH, tf.int32) + 2)  # [B,L,W]
        value = self.value(y[:, :-1, None])
        q, k = self._heads(self.query(place[:, 1:])), self._heads(self.key(place[:, :-1]))
        scores = tf.nn.relu(tf.matmul(q, k, transpose_b=True) / tf.sqrt(tf.cast(q.shape[-1], DTYPE)))
        num_queries = tf.shape(scores)[-1]
        hidden = 1 - tf.linalg.band_part(tf.ones([num_queries, num_queries], DTYPE), -1, 0)
        weights = tf.nn.softmax(scores - 1e9 * hidden)
        heads = tf.transpose(tf.matmul(weights, self._heads(value)), [0, 2, 1, 3])
        attended = self.merge(tf.reshape(heads, tf.shape(value)))
        history = self.of_history(tf.nn.leaky_relu(self.norm(attended + value)))
        z = tf.nn.leaky_relu(history + self.of_x(place[:, 1:]) + self.of_label(self.table(series[:, 1:])))
        z = tf.nn.leaky_relu(self.third(tf.nn.leaky_relu(self.second(z))))
        return tf.unstack(self.last(z), axis=-1)

    def _heads(self, tokens):
        """[B,L,W] -> [B,H,L,W/H]."""
        shape = tf.shape(tokens)
        split = tf.reshape(tokens, [shape[0], shape[1], self.num_heads, tokens.shape[-1] // self.num_heads])
        return tf.transpose(split, [0, 2, 1, 3])


def plain_step(model: PlainHistoric, num_context: int):
    """One step of Adam on the points after the context, as a function of x, series, y."""
    optimizer = keras.optimizers.Adam(3e-4)

    @tf.function
    def step(x, series, y):
        with tf.GradientTape() as tape:
            mean, log_sigma = model(x, series, y)
            target = y[:, 1:]
            each = 0.5 * ((target - mean) ** 2 / (tf.exp(2 * log_sigma) + 0.001) + log_sigma)
            is_counted = (tf.range(1, tf.shape(y)[1]) >= num_context)[None] & (target != 0)
            loss = tf.reduce_mean(tf.boolean_mask(each, is_counted))
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    return step


def as_tensors(x: np.ndarray, series: np.ndarray, y: np.ndarray):
    """What the step takes."""
    return tf.constant(x, DTYPE), tf.constant(series, tf.int32), tf.constant(y, DTYPE)


def _dense(width: int, use_bias: bool = True) -> keras.layers.Dense:
    return keras.layers.Dense(width, use_bias=use_bias, dtype=DTYPE)
