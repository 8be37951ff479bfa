import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.layers import RelationBias, hiding, masked_softmax, merge_heads, split_heads


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
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
