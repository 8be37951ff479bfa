"""Two workers in one process: what each adds to the sum, and that the step is that of one machine."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from attn.arrange import arrange
from attn.models import HistoricConfig, PairTransformerConfig, build_model
from attn.processes import PairProcess
from attn.rollout import to_points
from attn.together import SharedTrainer, trainer_of
from attn.trainer import TrainConfig, Trainer
from attn.workers import Workers

CONFIG = TrainConfig(learning_rate=1e-2, warmup_steps=0, clip_norm=0.1)
HISTORIC = HistoricConfig(width=8, num_heads=2, layer_dims=(8, 8, 4), drops_zero_targets=True)
TRANSFORMER = PairTransformerConfig(width=8, num_layers=1, num_heads=2, hidden_dim=8)


def ragged():
    """Rows of different lengths, some y exactly 0: no two workers have the same number of targets."""
    rng = np.random.default_rng(0)
    pairs = PairProcess(num_points=6).sample(5, rng)
    valid = np.arange(12) % 6 < np.array([3, 6, 4, 5, 6])[:, None]
    y = np.where(rng.random(pairs.y.shape) < 0.2, 0.0, pairs.y)
    return arrange(replace(pairs, valid=valid, y=y), "mixed", 2, rng)


def shared(config):
    """A worker without others yet."""
    return SharedTrainer(build_model(config, 0), CONFIG, SimpleNamespace(sum=None))


@pytest.mark.parametrize("config", [HISTORIC, pytest.param(TRANSFORMER, marks=pytest.mark.slow)])
def test_a_shared_step_is_that_of_one_machine(config):
    batch = ragged()
    first, second = (to_points(batch.rows(rows)) for rows in (slice(0, 2), slice(2, 5)))
    one, worker = Trainer(build_model(config, 0), CONFIG), shared(config)
    worker.workers.sum = lambda mine: mine + other
    for _ in range(3):
        other = worker._sums(second)
        assert float(other[0]) != float(worker._sums(first)[0])
        assert float(worker.step(first)) == pytest.approx(float(one.step(to_points(batch))), rel=1e-5)
    for ours, theirs in zip(worker.model.trainable_variables, one.model.trainable_variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_what_is_not_finite_at_one_worker_stops_the_step_of_all():
    batch = ragged()
    trainer = shared(HISTORIC)
    sums = trainer._sums(to_points(batch.rows(slice(2, 5)))).numpy()
    sums[5] = np.nan
    trainer.workers.sum = lambda mine: mine + sums
    before = [weight.numpy() for weight in trainer.model.trainable_variables]
    assert np.isnan(float(trainer.step(to_points(batch.rows(slice(0, 2))))))
    for weight, value in zip(trainer.model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_one_machine_has_the_plain_trainer_and_sums_nothing():
    workers = Workers()
    assert type(trainer_of(build_model(TRANSFORMER, 0), CONFIG, workers)) is Trainer
    state = [np.array([2**40]), np.array([[1.5, -0.0]], np.float32)]
    for received, sent in zip(workers.from_chief(state), state, strict=True):
        assert (received.dtype, received.shape, received.tobytes()) == (
            sent.dtype,
            sent.shape,
            sent.tobytes(),
        )
    workers.check_alike(["anything"])
    workers.wait()
