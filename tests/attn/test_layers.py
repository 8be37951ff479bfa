import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.layers import (
    Dense,
    KernelBias,
    RelationBias,
    hiding,
    masked_softmax,
    merge_heads,
    softmax_beside_nothing,
    split_heads,
)


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_masked_softmax_is_the_softmax_of_the_visible_keys(seed):
    rng = np.random.default_rng(seed)
    logits = (rng.normal(size=(3, 6)) * rng.choice([1, 30])).astype(np.float32)
    may_see = rng.random((3, 6)) < 0.5
    weights = masked_softmax(tf.constant(logits), tf.constant(may_see)).numpy()
    for row in range(3):
        visible = may_see[row]
        assert (weights[row, ~visible] == 0).all()
        if visible.any():
            kept = np.exp(logits[row, visible].astype(float) - logits[row, visible].max())
            np.testing.assert_allclose(weights[row, visible], kept / kept.sum(), atol=1e-6)


def test_hiding_masks_as_the_masked_softmax_does():
    rng = np.random.default_rng(0)
    logits = tf.constant(rng.normal(size=(5, 8)), tf.float32)
    may_see = tf.constant(rng.random((5, 8)) < 0.5) | (tf.range(8) == 3)
    hidden = tf.nn.softmax(logits + hiding(may_see)).numpy()
    np.testing.assert_allclose(hidden, masked_softmax(logits, may_see), atol=1e-7)
    assert (hidden[~may_see.numpy()] == 0).all()


def test_a_row_that_sees_nothing_is_zero_and_its_gradient_finite():
    logits = tf.Variable(np.array([[1e4, -1e4, 0.0]], np.float32))
    with tf.GradientTape() as tape:
        weights = masked_softmax(logits, tf.constant([[False, False, False]]))
        total = tf.reduce_sum(weights**2)
    assert not weights.numpy().any()
    assert np.isfinite(tape.gradient(total, logits)).all()


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_a_softmax_beside_nothing_has_one_more_key_of_logit_zero(seed):
    rng = np.random.default_rng(seed)
    logits = (rng.normal(size=(4, 6)) * rng.choice([1, 30])).astype(np.float32)
    may_see = rng.random((4, 6)) < 0.5
    may_see[0] = False
    weights = softmax_beside_nothing(tf.constant(logits), tf.constant(may_see)).numpy()
    assert (weights[~may_see] == 0).all()
    for row in range(4):
        kept = np.append(logits[row, may_see[row]].astype(float), 0.0)
        powers = np.exp(kept - kept.max())
        # float32: a weight is a quotient of sums of at most 7 terms
        np.testing.assert_allclose(weights[row, may_see[row]], (powers / powers.sum())[:-1], atol=1e-6)


def test_heads_are_slices_of_the_width_and_come_back():
    tokens = tf.constant(np.arange(2 * 3 * 8, dtype=np.float32).reshape(2, 3, 8))
    heads = split_heads(tokens, 4)
    assert heads.shape == (2, 4, 3, 2)
    np.testing.assert_array_equal(heads[1, 2, 0], tokens[1, 0, 4:6])
    np.testing.assert_array_equal(merge_heads(heads), tokens)


def bias_of(x, series, shift=0.0, swap=False):
    layer = RelationBias(2, 3, 4)
    labels = 1 - series if swap else series
    place, label = tf.constant(x + shift), tf.constant(labels)
    layer.build(None)
    size = int(np.prod(layer.kernel.shape))
    layer.kernel.assign(np.sin(np.arange(size)).reshape(layer.kernel.shape))
    return [bias.numpy() for bias in layer(place, label, place, label)]


def test_the_bias_depends_on_distance_and_sameness_alone():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 10, (2, 5)).astype(np.float32)
    series = rng.integers(0, 2, (2, 5)).astype(np.int32)
    plain = bias_of(x, series)
    assert len(plain) == 2
    assert plain[0].shape == (2, 3, 5, 5)
    for other in (bias_of(x, series, shift=4.0), bias_of(x, series, swap=True)):
        np.testing.assert_allclose(np.stack(plain), np.stack(other), atol=1e-4)  # x + 4 rounds at 1e-6 a unit
    for bias in plain:
        np.testing.assert_allclose(bias, np.swapaxes(bias, 2, 3), atol=1e-6)
    assert np.abs(plain[0] - bias_of(2 * x, series)[0]).max() > 0.1
    different = np.where(series == series[:, :1], series, 1 - series)
    assert np.abs(plain[0] - bias_of(x, different)[0]).max() > 0 or (different == series).all()


def kernels(x_query, series_query, x_key, series_key, num_waves=2, kernel=None):
    """The biases of 2 layers of 3 heads, as [2,3,Q,K], with the weights given or none learnt."""
    layer = KernelBias(2, 3, 4, num_waves)
    layer.build(None)
    if kernel is not None:
        layer.kernel.assign(kernel(layer.kernel.shape))
    places = [tf.constant([values], tf.float32) for values in (x_query, x_key)]
    labels = [tf.constant([values], tf.int32) for values in (series_query, series_key)]
    biases = layer(places[0], labels[0], places[1], labels[1])
    return np.stack([bias.numpy()[0] for bias in biases])


def test_kernels_start_as_slopes_for_all_against_the_other_and_against_the_own():
    bias = kernels([0.0], [1], [0.0, 3.0, 0.0, 3.0], [1, 1, 0, 0])
    slopes = [3 / 0.15, 3 / np.sqrt(0.15 * 6), 3 / 6]  # widths in geometric steps, distance 3
    for layer in range(2):
        for head in range(3):
            other, own = ((0, 0), (-4, 0), (0, -4))[(layer + head) % 3]
            expected = [own, own - slopes[head], other, other - slopes[head]]
            np.testing.assert_allclose(bias[layer, head, 0], expected, rtol=1e-6)


def test_what_a_kernel_learns_depends_on_distance_and_sameness_alone():
    rng = np.random.default_rng(0)
    x, series = rng.uniform(0, 10, 5), rng.integers(0, 2, 5)

    def learnt(shape):
        return np.sin(np.arange(np.prod(shape))).reshape(shape)

    plain = kernels(x, series, x, series, kernel=learnt)
    assert np.abs(plain - kernels(x, series, x, series)).max() > 0.1
    # x + 4 rounds at 1e-6 a unit, times slopes of up to 7 and 3 times 9 features
    for moved, labels in ((x + 4, series), (x, 1 - series)):
        np.testing.assert_allclose(kernels(moved, labels, moved, labels, kernel=learnt), plain, atol=2e-4)
    np.testing.assert_allclose(plain, np.swapaxes(plain, 2, 3), atol=1e-6)


def test_a_kernel_is_the_sum_of_its_features():
    def first_head(shape):
        return np.where(np.arange(shape[1]) == 0, np.arange(1, shape[0] + 1)[:, None] / 10, 0)

    distance, weights = 1.7, np.arange(1, 19) / 10
    features = [1, distance, distance**2 / 10]
    features += [np.exp(-0.5 * (distance / scale) ** 2) for scale in (0.1, 0.2, 0.4, 0.8)]
    features += [np.cos(0.6 * distance), np.cos(0.9 * distance)]
    bias = kernels([0.0], [0], [distance, distance], [1, 0], kernel=first_head)[0, 0, 0]
    start = -distance / 0.15
    expected = [start + 3 * np.dot(part, features) for part in (weights[:9], weights[9:])]
    np.testing.assert_allclose(bias, expected, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"use_bias": False}, {"activation": "gelu"}])
@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3), (2, 4, 5, 3)])
def test_dense_is_the_dense_layer_of_keras_for_shapes_that_are_unknown(options, shape):
    ours, theirs = Dense(7, **options), keras.layers.Dense(7, **options)
    tokens = keras.random.normal(shape, seed=0)
    ours.build(shape)
    theirs.build(shape)
    theirs.set_weights([keras.random.normal(weight.shape, seed=1) for weight in ours.weights])
    ours.set_weights(theirs.get_weights())
    unknown = tf.TensorSpec([*[None] * (len(shape) - 1), shape[-1]])
    answers = [tf.function(layer, input_signature=[unknown])(tokens).numpy() for layer in (ours, theirs)]
    np.testing.assert_array_equal(*answers)
    assert answers[0].shape == (*shape[:-1], 7)
