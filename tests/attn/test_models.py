"""Both models against slow loops and against what their heads of file promise."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import tensorflow as tf

from attn.arrange import arrange
from attn.models import (
    PRESETS,
    HistoricConfig,
    PairSmootherConfig,
    PairTransformerConfig,
    build_model,
    model_config,
)
from attn.models.base import write_slot
from attn.processes import PairProcess
from attn.rollout import attention, teacher_force, to_points

SMALL = {
    "historic": HistoricConfig(width=8, num_heads=2, layer_dims=(8, 8, 4)),
    "pair_transformer": PairTransformerConfig(width=8, num_layers=2, num_heads=2, hidden_dim=8),
    "pair_smoother": PairSmootherConfig(width=8, num_layers=2, num_heads=2, hidden_dim=8, estimate_dim=4),
}
TRAITS = (
    "labels_in_qk",
    "relu_scores",
    "previous_value_residual",
    "half_log_sigma",
    "binned_x",
    "normalised_values",
    "drops_zero_targets",
)


def small_batch(regime="forecast", num_points=6, num_pairs=3, num_context=2, seed=0):
    rng = np.random.default_rng(seed)
    pairs = PairProcess(num_points=num_points).sample(num_pairs, rng)
    return arrange(pairs, regime, num_context, rng)


def slow_historic(model, batch, row, t):
    """Mean and scale of position t of one row, by loops in float64, from the formulas of the original."""
    weights = {w.path.removeprefix("historic/"): w.numpy().astype(float) for w in model.trainable_variables}
    config = model.config
    x, y, series = batch.x[row], batch.y[row], batch.series[row]
    table = weights["table/embeddings"]

    def embed(value):
        place = value / config.bin_width
        lower = table[int(np.floor(place)) + 2]
        if config.binned_x:
            return lower
        upper = table[int(np.floor(place)) + 3]
        return lower + (place - np.floor(place)) * (upper - lower)

    def place_of(i):
        return embed(x[i]) + (table[series[i]] if config.labels_in_qk else 0)

    def leaky(values):
        return np.where(values > 0, values, 0.2 * values)

    query = place_of(t) @ weights["to_query/kernel"]
    width = config.width // config.num_heads
    merged = []
    for head in range(config.num_heads):
        part = slice(head * width, (head + 1) * width)
        scores = []
        for j in range(t):
            score = query[part] @ (place_of(j) @ weights["to_key/kernel"])[part] / np.sqrt(width)
            scores.append(max(score, 0) if config.relu_scores else score)
        share = np.exp(scores) / np.exp(scores).sum()
        merged.append(sum(share[j] * (y[j] * weights["to_value/kernel"][0])[part] for j in range(t)))
    gathered = np.concatenate(merged) @ weights["from_heads/kernel"] + weights["from_heads/bias"]
    if config.previous_value_residual:
        gathered = gathered + y[t - 1] * weights["to_value/kernel"][0]
    if config.normalised_values:
        centred = gathered - gathered.mean()
        gathered = (
            centred / np.sqrt((centred**2).mean() + 1e-6) * weights["norm/gamma"] + weights["norm/beta"]
        )
    z = leaky(gathered) @ weights["from_history/kernel"] + weights["from_history/bias"]
    z = leaky(z + embed(x[t]) @ weights["from_x/kernel"] + table[series[t]] @ weights["from_label/kernel"])
    for name in ("second", "third"):
        z = leaky(z @ weights[f"{name}/kernel"] + weights[f"{name}/bias"])
    mean, log_scale = z @ weights["head/kernel"] + weights["head/bias"]
    return mean, np.exp(log_scale)


@pytest.mark.parametrize("trait", [None, *TRAITS])
def test_historic_is_its_formulas_with_every_trait_turned(trait):
    config = SMALL["historic"]
    if trait:
        config = replace(config, **{trait: not getattr(config, trait)})
    model, batch = build_model(config, 3), small_batch()
    prediction = teacher_force(model, batch)
    for row, t in ((0, 8), (1, 9), (2, 11)):
        mean, scale = slow_historic(model, batch, row, t)
        # float32 against float64: sums of at most 64 terms of order 1
        np.testing.assert_allclose(prediction.mean[row, t], mean, atol=2e-5)
        np.testing.assert_allclose(prediction.scale[row, t], scale, rtol=2e-5)


def test_the_switches_of_the_loss_do_what_they_say():
    batch = small_batch()
    y = batch.y.copy()
    y[0, -1] = 0.0
    points = to_points(replace(batch, y=y))
    model = build_model(SMALL["historic"], 0)
    prediction = model(points)
    mean, scale = prediction.mean.numpy().astype(float), prediction.scale.numpy().astype(float)
    target = batch.is_target
    squared = (y - mean) ** 2 / (scale**2 + 1e-3)
    for half in (True, False):
        for drops in (True, False):
            model.config = replace(SMALL["historic"], half_log_sigma=half, drops_zero_targets=drops)
            counted = target & (y != 0) if drops else target
            expected = (0.5 * (squared + (1 if half else 2) * np.log(scale)))[counted].mean()
            np.testing.assert_allclose(float(model.loss_of(points, prediction)), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("regime", ["forecast", "mixed"])
def test_the_future_reaches_no_prediction_and_the_past_does(kind, regime):
    batch = small_batch(regime, num_pairs=4, num_context=3)
    model = build_model(SMALL[kind], 1)
    before = teacher_force(model, batch).mean
    rows, last = np.arange(4), batch.num_points - 2
    y = batch.y.copy()
    y[rows, last] += 5.0
    after = teacher_force(model, replace(batch, y=y)).mean
    np.testing.assert_array_equal(before[:, : last + 1], after[:, : last + 1])
    assert (np.abs(after - before)[:, last + 1] > 1e-6).all()


@pytest.mark.parametrize("kind", ["pair_transformer", "pair_smoother"])
def test_the_corrected_models_keep_their_promises_of_invariance(kind):
    batch = small_batch("mixed", num_pairs=4, num_context=3)
    model = build_model(SMALL[kind], 1)
    plain = teacher_force(model, batch)
    shifted = teacher_force(model, replace(batch, y=batch.y + 3.0))
    np.testing.assert_allclose(shifted.mean, plain.mean + 3.0, atol=2e-5)
    for changed in (replace(batch, x=batch.x + 2.0), replace(batch, series=1 - batch.series)):
        np.testing.assert_allclose(teacher_force(model, changed).mean, plain.mean, atol=2e-5)


def test_the_historic_model_cannot_tell_the_points_of_a_from_those_of_b():
    batch = small_batch()
    flipped = np.where(batch.is_context, 1 - batch.series, batch.series)
    blind, mended = (
        build_model(replace(SMALL["historic"], labels_in_qk=labels), 0) for labels in (False, True)
    )
    first = (np.arange(3), batch.num_context)
    for model, moves in ((blind, False), (mended, True)):
        change = teacher_force(model, replace(batch, series=flipped)).mean - teacher_force(model, batch).mean
        assert (np.abs(change[first]).max() > 1e-6) == moves


def test_the_means_of_a_smoother_are_linear_in_what_was_predicted_and_its_scales_do_not_see_it():
    batch = small_batch("mixed", num_pairs=4, num_context=3)
    model = build_model(SMALL["pair_smoother"], 1)
    rng = np.random.default_rng(0)
    one, other = (np.where(batch.is_target, rng.normal(size=batch.y.shape), 0) for _ in range(2))

    def predicted(change):
        return teacher_force(model, replace(batch, y=batch.y + change))

    start, moved = predicted(0 * one), predicted(2 * one - 3 * other)
    expected = start.mean + 2 * (predicted(one).mean - start.mean) - 3 * (predicted(other).mean - start.mean)
    np.testing.assert_allclose(moved.mean, expected, atol=5e-5)  # float32, differences scaled by 3
    np.testing.assert_allclose(moved.scale, start.scale, rtol=1e-6)
    assert np.nanmax(np.abs(moved.mean - start.mean)) > 0.1
    of_context = np.where(batch.is_context, rng.normal(size=batch.y.shape), 0)
    assert np.nanmax(np.abs(predicted(of_context).scale - start.scale)) > 1e-4


def test_a_smoother_that_knows_labels_predicts_otherwise_when_they_swap():
    batch = small_batch("mixed", num_pairs=4, num_context=3)
    model = build_model(replace(SMALL["pair_smoother"], knows_labels=True), 1)
    swapped = teacher_force(model, replace(batch, series=1 - batch.series))
    assert np.nanmax(np.abs(swapped.mean - teacher_force(model, batch).mean)) > 1e-3


@pytest.mark.parametrize("kind", SMALL)
def test_attention_of_every_target_sums_to_one_over_earlier_points(kind):
    batch = small_batch("mixed", num_pairs=4, num_context=3)
    weights = attention(build_model(SMALL[kind], 0), batch).weights
    of_targets = weights.sum(-1)[:, batch.is_target.nonzero()[0], :, batch.is_target.nonzero()[1]]
    np.testing.assert_allclose(of_targets, 1, atol=1e-5)
    position = np.arange(batch.num_points)
    assert not weights[..., position[None, :] >= position[:, None]].any()


@pytest.mark.parametrize("config", PRESETS.values(), ids=list(PRESETS))
def test_a_configuration_survives_json(config):
    import json

    assert model_config(json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"kind": "other"},
            "kind of a model must be one of historic, pair_transformer, pair_smoother; got 'other'",
        ),
        ({"kind": "historic", "depth": 3}, "got depth"),
        (
            {"kind": "historic", "width": 10, "num_heads": 4},
            "width must be a multiple of num_heads; got 10 and 4",
        ),
        ({"kind": "historic", "layer_dims": [1, 2]}, r"layer_dims has a wrong form .*; got \[1, 2\]"),
        ({"kind": "historic", "layer_dims": [8, 0, 8]}, "layer_dims must be three widths of at least 1"),
        ({"kind": "historic", "width": "wide"}, "width has a wrong form .*; got 'wide'"),
        ({"kind": "pair_transformer", "num_layers": 0}, "num_layers must be at least 1; got 0"),
        ({"kind": "pair_smoother", "num_waves": -1}, "num_waves must not be negative; got -1"),
        ({"kind": "pair_smoother", "hidden_dim": 0}, "hidden_dim must be at least 1; got 0"),
        (
            {"kind": "pair_smoother", "estimate_dim": 30},
            "estimate_dim must be a multiple of num_heads; got 30 and 4",
        ),
        ({"kind": "pair_transformer", "dropout": 1.0}, "dropout must be at least 0 and below 1; got 1.0"),
    ],
)
def test_impossible_configurations_are_refused(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        model_config(values)


def test_the_seed_decides_the_weights():
    first, again, other = (build_model(SMALL["historic"], seed) for seed in (0, 0, 1))
    for a, b, c in zip(*(m.trainable_variables for m in (first, again, other)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert len(a.shape) < 2 or np.abs(a.numpy() - c.numpy()).max() > 0


def test_dropout_acts_in_training_alone():
    model = build_model(replace(SMALL["pair_transformer"], dropout=0.5), 0)
    points = to_points(small_batch())
    np.testing.assert_array_equal(model(points).mean, model(points).mean)
    assert np.abs(model(points, training=True).mean - model(points).mean).max() > 1e-3
    assert tf.executing_eagerly()


@pytest.mark.parametrize("slot", [0, 3])
def test_a_slot_is_written_and_no_other(slot):
    rng = np.random.default_rng(slot)
    cache, value = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 5))
    expected = cache.copy()
    expected[:, :, slot] = value
    np.testing.assert_array_equal(write_slot(tf.constant(cache), tf.constant(slot), value), expected)
