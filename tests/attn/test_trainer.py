"""The compiled step: traced once, whatever the batches of a process hold; what Muon moves and what Adam."""

import numpy as np
import pytest
import tensorflow as tf

from attn.arrange import REGIMES, arrange
from attn.models import HistoricConfig, PairSmootherConfig, PairTransformerConfig, build_model
from attn.processes import PairProcess
from attn.rollout import to_points
from attn.runs import RunError
from attn.stream import Stream
from attn.tensors import load_tensors, save_tensors
from attn.trainer import OPTIMIZERS, Restored, TrainConfig, Trainer, mean_of_taken

CONFIGS = {
    "historic": HistoricConfig(width=8, num_heads=2, layer_dims=(8, 8, 4)),
    "pair_transformer": PairTransformerConfig(width=8, num_layers=1, num_heads=2, hidden_dim=8),
    "pair_smoother": PairSmootherConfig(width=8, num_layers=1, num_heads=2, hidden_dim=8, estimate_dim=4),
}

RATE = 0.01
CONFIG = TrainConfig(optimizer="muon", learning_rate=RATE, warmup_steps=0, weight_decay=0.0, num_context=3)


def steps(trainer, regime, num_points=6, num_steps=4):
    stream = Stream(PairProcess(num_points=num_points), regime, 2, 3, seed=0)
    batches = [stream.batch(step) for step in range(num_steps)]
    assert all(np.isfinite(float(trainer.step(to_points(batch)))) for batch in batches)
    return batches


@pytest.mark.parametrize(
    "kind", ["historic", "pair_smoother", pytest.param("pair_transformer", marks=pytest.mark.slow)]
)
def test_the_batches_of_every_regime_share_one_trace(kind):
    trainer = Trainer(build_model(CONFIGS[kind], 0), TrainConfig())
    counts = []
    for regime in REGIMES:
        counts += [tuple(batch.num_context) for batch in steps(trainer, regime)]
        assert trainer.step.experimental_get_tracing_count() == 1
    assert len(set(counts)) > 3  # batches that differ in what is observed, and not in shape


def test_another_size_is_another_trace():
    trainer = Trainer(build_model(CONFIGS["historic"], 0), TrainConfig())
    steps(trainer, "shuffle")
    steps(trainer, "shuffle", num_points=7)
    assert trainer.step.experimental_get_tracing_count() == 2


@pytest.mark.parametrize("optimizer", [pytest.param("adamw", marks=pytest.mark.slow), "muon"])
def test_a_step_without_a_finite_gradient_changes_nothing(optimizer):
    """Weights, moments and the count of steps; the step after it is what it would have been."""
    config = TrainConfig(optimizer=optimizer, warmup_steps=3)
    trainer, undisturbed = (Trainer(build_model(CONFIGS["historic"], 0), config) for _ in range(2))
    stream = Stream(PairProcess(num_points=6), "shuffle", 2, 3, seed=0)
    good, next_good = to_points(stream.batch(0)), to_points(stream.batch(1))
    bad = good._replace(y=good.y * 1e30)  # its square is beyond float32
    float(trainer.step(good))
    before = state_of(trainer)
    assert np.isnan(float(trainer.step(bad)))
    assert state_of(trainer) == before
    assert float(trainer.step(next_good)) == [float(undisturbed.step(p)) for p in (good, next_good)][1]
    assert state_of(trainer) == state_of(undisturbed) != before


def state_of(trainer):
    """The bits of all that a step may change."""
    return [v.numpy().tobytes() for v in (*trainer.model.trainable_variables, *trainer.optimizer.variables)]


def no_gradients(trainer):
    return [tf.zeros(weight.shape) for weight in trainer.model.trainable_variables]


def test_a_finite_loss_whose_gradient_is_not_finite_is_skipped_too():
    trainer = Trainer(build_model(CONFIGS["historic"], 0), TrainConfig())
    before = state_of(trainer)
    first, *others = no_gradients(trainer)
    first += 1e30  # finite, but its norm is not, and clipping divides by the norm
    assert np.isnan(float(trainer.descend(tf.constant(1.0), [first, *others])))
    assert state_of(trainer) == before


def test_the_rate_of_a_step_rises_in_a_line_and_falls_along_a_cosine():
    config = TrainConfig(learning_rate=0.8, warmup_steps=2, num_epochs=2, steps_per_epoch=3)
    trainer, rates = Trainer(build_model(CONFIGS["historic"], 0), config), []
    for _ in range(config.num_steps):
        trainer.descend(tf.constant(1.0), no_gradients(trainer))
        rates.append(float(trainer.rate))
    falling = [0.4 * (1 + np.cos(np.pi * step / 4)) for step in range(4)]
    np.testing.assert_allclose(rates, [0.0, 0.4, *falling], rtol=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_schedule_is_followed_once_a_step(optimizer):
    trainer = Trainer(build_model(CONFIGS["historic"], 0), TrainConfig(optimizer=optimizer))
    graph = tf.function(trainer.descend).get_concrete_function(tf.constant(1.0), no_gradients(trainer)).graph
    assert str(graph.as_graph_def()).count('op: "Cos"') == 1


def test_the_mean_loss_is_of_the_steps_that_were_taken():
    assert mean_of_taken([1.0, float("nan"), 3.0]) == 2.0
    assert np.isnan(mean_of_taken([float("nan")]))


def first_moves():
    """What the first step of Muon adds to every weight, by path."""
    rng = np.random.default_rng(0)
    points = to_points(arrange(PairProcess(num_points=10).sample(16, rng), "mixed", 3, rng))
    model = build_model(PairSmootherConfig(width=16, num_layers=1, hidden_dim=32, estimate_dim=8), 0)
    before = {weight.path: weight.numpy() for weight in model.trainable_variables}
    trainer = Trainer(model, CONFIG)
    trainer.step(points)
    return {weight.path: weight.numpy() - before[weight.path] for weight in model.trainable_variables}


def test_muon_orthogonalises_what_moves_a_matrix_and_leaves_the_rest_to_adam():
    moves = first_moves()
    for name, shape in (("block_0_to_value/kernel", (16, 16)), ("block_0_to_hidden/kernel", (16, 32))):
        (move,) = (move for path, move in moves.items() if path.endswith(name))
        assert move.shape == shape
        singular = np.linalg.svd(move, compute_uv=False) / (RATE * 0.8 * max(shape) ** 0.5)
        # A Newton-Schulz step maps x to 3.4445 x - 4.775 x^3 + 2.0315 x^5, which is at most 1.2025 (at 0.55);
        # five of them lift what is not tiny.  Before training tokens are little more than roles: low rank.
        assert singular.max() < 1.21
        assert (singular > 0.6).sum() >= 3
    for name in ("to_mean/kernel", "relation/kernel", "embed_role/kernel", "block_0_norm/gamma"):
        (move,) = (move for path, move in moves.items() if path.endswith(name))
        # the first step of Adam is the rate itself in the direction of the sign of the gradient
        np.testing.assert_allclose(np.abs(move).max(), RATE, rtol=0.01)


def trainer_of(seed=0):
    return Trainer(build_model(CONFIGS["historic"], seed), TrainConfig())


def test_a_checkpoint_keeps_the_figures_with_what_they_belong_to(tmp_path):
    trainer, history = trainer_of(), []
    assert trainer.restore(tmp_path / "none") == Restored(0, [])
    for step in (1, 2, 3, 4):
        steps(trainer, "shuffle", num_steps=1)
        history.append({"step": float(step), "train_loss": 0.5**step})
        trainer.save(tmp_path, step, history)
    assert [path.name[-14:-12] for path in sorted(tmp_path.iterdir())] == ["02", "03", "04"]
    other = trainer_of(seed=1)
    assert other.restore(tmp_path) == Restored(4, history)
    for mine, its in zip(trainer.optimizer.variables, other.optimizer.variables, strict=True):
        np.testing.assert_array_equal(mine, its)
    assert int(other.optimizer.iterations) == 4


def test_the_user_is_told_of_a_checkpoint_that_is_passed_over(tmp_path, caplog):
    trainer = trainer_of()
    for step in (1, 2):
        trainer.save(tmp_path, step, [{"step": float(step)}])
    newest = tmp_path / "step-000000002.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    assert trainer.restore(tmp_path) == Restored(1, [{"step": 1.0}])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"{newest} is damaged" in caplog.text


@pytest.mark.parametrize("change", ["missing", "more", "shape"])
def test_a_checkpoint_of_another_optimizer_is_refused(change, tmp_path):
    trainer = trainer_of()
    trainer.save(tmp_path, 1, [])
    path = tmp_path / "step-000000001.safetensors"
    saved = load_tensors(path)
    if change == "missing":
        del saved.arrays[max(name for name in saved.arrays if name.startswith("optimizer/"))]
    elif change == "more":
        saved.arrays["optimizer/9999"] = np.zeros(2)
    else:
        saved.arrays["optimizer/0002"] = np.zeros((1, 2, 3, 4))
    save_tensors(path, saved.arrays, saved.description)
    with pytest.raises(
        RunError, match=r"step-000000001\.safetensors must hold the \d+ arrays of the optimizer"
    ):
        trainer.restore(tmp_path)


def test_a_disk_that_refuses_a_checkpoint_is_one_sentence(tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(RunError, match="checkpoints could not be written: File exists"):
        trainer_of().save(tmp_path / "checkpoints", 1, [])
