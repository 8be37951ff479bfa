"""One parallel pass, one step, and a whole rollout are the same maths: equal to 1e-5."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from attn.arrange import arrange, forecast
from attn.models import HistoricConfig, PairSmootherConfig, PairTransformerConfig, build_model
from attn.processes import PairProcess
from attn.rollout import attention, loss, predict_next, rollout, teacher_force
from attn.types import Batch

CONFIGS = {
    "historic": HistoricConfig(width=8, num_heads=2, layer_dims=(8, 8, 4)),
    "historic with labels": HistoricConfig(width=8, num_heads=2, layer_dims=(8, 8, 4), labels_in_qk=True),
    "pair_transformer": PairTransformerConfig(width=8, num_layers=2, num_heads=2, hidden_dim=8),
    "pair_transformer of one head": PairTransformerConfig(width=8, num_layers=2, num_heads=1, hidden_dim=8),
    "pair_smoother": PairSmootherConfig(width=8, num_layers=3, num_heads=2, hidden_dim=8, estimate_dim=4),
    "pair_smoother of one head": PairSmootherConfig(width=8, num_layers=2, num_heads=1, estimate_dim=4),
}
# float32, values of order 1, and sums of at most 64 terms in a few layers
TOLERANCE = 1e-5


@pytest.fixture(scope="module", params=CONFIGS.values(), ids=list(CONFIGS))
def model(request):
    return build_model(request.param, 5)


def ragged_batch(regime="mixed", seed=1):
    """Rows that differ in the number of context points, of targets, and of points at all."""
    rng = np.random.default_rng(seed)
    pairs = PairProcess(num_points=7).sample(5, rng)
    valid = pairs.valid.copy()
    valid[1, [2, 12, 13]] = False
    valid[3, [0, 7]] = False
    return arrange(replace(pairs, valid=valid), regime, 3, rng)


def as_fed(batch, samples) -> Batch:
    """The batch that has a trajectory as its truth."""
    return replace(batch, y=np.where(batch.valid, samples, 0.0).astype(float))


@pytest.mark.parametrize("regime", ["forecast", "mixed", "shuffle"])
@pytest.mark.parametrize("feed", ["sample", "mean"])
def test_a_rollout_is_the_parallel_pass_over_its_own_samples(model, regime, feed):
    batch = ragged_batch(regime)
    written = rollout(model, batch, 3, np.random.default_rng(0), feed)
    for s in range(3):
        expected = teacher_force(model, as_fed(batch, written.samples[s]))
        for got, want in ((written.mean[s], expected.mean), (written.scale[s], expected.scale)):
            np.testing.assert_allclose(got[batch.is_target], want[batch.is_target], atol=TOLERANCE)


@pytest.mark.parametrize("kind", ["historic", pytest.param("pair_transformer", marks=pytest.mark.slow)])
def test_the_loop_compiled_for_its_shape_writes_the_same(kind):
    model, batch = build_model(CONFIGS[kind], 5), ragged_batch("mixed")
    for feed in ("sample", "mean"):
        one, other = (rollout(model, batch, 3, np.random.default_rng(0), feed, xla=x) for x in (True, False))
        np.testing.assert_allclose(one.samples, other.samples, atol=TOLERANCE)
        np.testing.assert_allclose(one.scale, other.scale, atol=TOLERANCE)


def test_one_step_is_the_column_of_the_parallel_pass(model):
    batch = ragged_batch("mixed")
    parallel = teacher_force(model, batch)
    for t in (batch.num_context.max(), batch.num_points - 2):
        step = predict_next(model, batch.first(t), batch.x[:, t], batch.series[:, t])
        chosen = batch.is_target[:, t]
        np.testing.assert_allclose(step.mean[chosen, 0], parallel.mean[chosen, t], atol=TOLERANCE)
        np.testing.assert_allclose(step.scale[chosen, 0], parallel.scale[chosen, t], atol=TOLERANCE)


def test_the_true_targets_are_never_read(model):
    batch = ragged_batch("forecast")
    hidden = replace(batch, y=np.where(batch.is_target, np.nan, batch.y))
    seen, blind = (rollout(model, b, 2, np.random.default_rng(3)) for b in (batch, hidden))
    np.testing.assert_array_equal(seen.samples, blind.samples)


def test_padding_may_stand_anywhere_and_hold_anything(model):
    batch = ragged_batch("forecast")
    row = batch.rows(slice(0, 1))
    wide = [np.insert(values, [0, 5, row.num_points], 7, axis=1) for values in (row.x, row.y)]
    series = np.insert(row.series, [0, 5, row.num_points], 0, axis=1)
    valid = np.insert(row.valid, [0, 5, row.num_points], False, axis=1)
    num_context = row.num_context + 1 + (row.num_context > 5)
    padded = Batch(wide[0], series, wide[1], valid, num_context)
    for one, other in (
        (teacher_force(model, row).mean, teacher_force(model, padded).mean),
        (
            rollout(model, row, 1, np.random.default_rng(0), "mean").mean[0],
            rollout(model, padded, 1, np.random.default_rng(0), "mean").mean[0],
        ),
    ):
        np.testing.assert_allclose(one[row.is_target], other[padded.is_target], atol=TOLERANCE)


def test_context_repeats_what_was_observed_and_padding_is_nan(model):
    batch = ragged_batch("forecast")
    written = rollout(model, batch, 2, np.random.default_rng(0))
    np.testing.assert_allclose(written.samples[0][batch.is_context], batch.y[batch.is_context], rtol=1e-6)
    assert (written.scale[1][batch.is_context] == 0).all()
    assert np.isnan(written.mean[:, ~batch.valid]).all()


def test_samples_have_the_predicted_scale(model):
    rng = np.random.default_rng(0)
    batch = forecast(PairProcess(num_points=7).sample(4, rng), 3, rng)
    written = rollout(model, batch, 500, rng)
    parts = (values[:, batch.is_target] for values in (written.samples, written.mean, written.scale))
    samples, mean, scale = parts  # [500, 16] each
    z = (samples - mean) / scale
    # 8000 draws: five standard errors of a mean and of a standard deviation
    assert abs(z.mean()) < 5 / np.sqrt(z.size)
    assert abs(z.std() - 1) < 5 / np.sqrt(2 * z.size)
    correlation = np.corrcoef(z.T) - np.eye(z.shape[1])
    assert np.abs(correlation).max() < 5 / np.sqrt(500)


@pytest.mark.parametrize("limit", [("ROWS", 2), ("LOOKS", 400), ("WRITTEN", 50)], ids=lambda limit: limit[0])
def test_chunks_do_not_show(model, monkeypatch, limit):
    batch = ragged_batch("mixed")
    whole = teacher_force(model, batch), rollout(model, batch, 2, np.random.default_rng(1))
    monkeypatch.setattr(f"attn.rollout._CHUNK_{limit[0]}", limit[1])
    parts = teacher_force(model, batch), rollout(model, batch, 2, np.random.default_rng(1))
    np.testing.assert_allclose(whole[0].mean, parts[0].mean, atol=TOLERANCE)
    np.testing.assert_allclose(whole[1].samples, parts[1].samples, atol=TOLERANCE)


@pytest.mark.parametrize("kind", ["historic", pytest.param("pair_transformer", marks=pytest.mark.slow)])
def test_a_second_shape_makes_no_new_trace(kind, monkeypatch):
    model, traced = build_model(CONFIGS[kind], 6), []
    for name in ("call", "attention", "prefill", "step", "loss_of"):
        function = getattr(model, name)

        def counted(*arguments, name=name, function=function, **keywords):
            traced.append(name)  # runs while tracing only
            return function(*arguments, **keywords)

        monkeypatch.setattr(model, name, counted)

    def ask_all(batch):
        teacher_force(model, batch)
        attention(model, batch)
        loss(model, batch)
        predict_next(model, batch.first(8), batch.x[:, 8], batch.series[:, 8])
        for num_samples, feed in ((1, "mean"), (3, "sample")):
            rollout(model, batch, num_samples, np.random.default_rng(0), feed)

    ask_all(ragged_batch("mixed"))
    assert sorted(set(traced)) == ["attention", "call", "loss_of", "prefill", "step"]
    num_traced = len(traced)
    rng = np.random.default_rng(2)
    ask_all(arrange(PairProcess(num_points=9).sample(3, rng), "shuffle", 5, rng))
    assert len(traced) == num_traced


def test_the_traces_of_a_model_do_not_keep_it():
    model, batch = build_model(CONFIGS["historic"], 5), ragged_batch()
    teacher_force(model, batch)
    rollout(model, batch, 1, np.random.default_rng(0))
    last_seen = weakref.ref(model)
    del model
    gc.collect()
    assert last_seen() is None


def test_the_same_seed_writes_the_same_and_another_does_not(model):
    batch = ragged_batch("forecast")
    first, again, other = (rollout(model, batch, 1, np.random.default_rng(s)).samples for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other)[:, batch.is_target].max() > 1e-3


@pytest.mark.parametrize(
    ("num_samples", "feed", "sentence"),
    [
        (0, "sample", "num_samples must be at least 1; got 0"),
        (1, "true", "feed must be one of sample, mean; got 'true'"),
    ],
)
def test_wrong_requests_are_refused(num_samples, feed, sentence):
    model = build_model(CONFIGS["historic"], 0)
    with pytest.raises(ValueError, match=sentence):
        rollout(model, ragged_batch(), num_samples, np.random.default_rng(0), feed)
