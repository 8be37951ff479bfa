"""The Gaussian log density, and averages over the positions that count."""

import math

import tensorflow as tf

LOG_2_PI = math.log(2 * math.pi)


def gaussian_log_density(y: tf.Tensor, mean: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Log N(y; mean, scale^2) in nats, elementwise; `scale` is the standard deviation, above 0."""
    return -0.5 * ((y - mean) / scale) ** 2 - tf.math.log(scale) - 0.5 * LOG_2_PI


def masked_mean(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The mean of `values` where `mask` is True, over all axes; 0 where nothing is.

    Hidden values may be NaN: they do not reach the result nor its gradient.
    """
    kept = tf.where(mask, values, tf.zeros_like(values))
    count = tf.reduce_sum(tf.cast(mask, values.dtype))
    return tf.reduce_sum(kept) / tf.maximum(count, 1)
