import numpy as np
import tensorflow as tf
from scipy import stats

from attn.likelihood import gaussian_log_density, masked_mean


def test_log_density_is_that_of_scipy():
    y, mean, scale = np.array([0.3, -2.0, 5.0]), np.array([0.0, 1.0, 5.0]), np.array([1.0, 0.1, 3.0])
    got = gaussian_log_density(*(tf.constant(values) for values in (y, mean, scale)))
    np.testing.assert_allclose(got, stats.norm.logpdf(y, mean, scale), rtol=1e-12)


def test_masked_mean_counts_only_what_is_visible():
    values = tf.constant([[1.0, 2.0, np.nan], [4.0, 100.0, np.inf]])
    mask = tf.constant([[True, True, False], [True, False, False]])
    assert float(masked_mean(values, mask)) == np.float32(7 / 3)


def test_masked_mean_of_nothing_is_zero():
    assert float(masked_mean(tf.constant([np.nan]), tf.constant([False]))) == 0


def test_hidden_nan_does_not_reach_the_gradient():
    values = tf.Variable([1.0, np.nan])
    with tf.GradientTape() as tape:
        mean = masked_mean(values, tf.constant([True, False]))
    np.testing.assert_array_equal(tape.gradient(mean, values), [1.0, 0.0])
