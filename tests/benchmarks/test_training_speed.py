"""Training steps of the historic decoder beside those of the original, and how long a step waits for data."""

from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pytest
import tensorflow as tf

from attn.models import HistoricConfig, PairSmootherConfig, build_model
from attn.models.base import PairModel
from attn.processes import PairProcess
from attn.rollout import to_points
from attn.stream import Stream
from attn.train import TrainConfig, _prefetched
from attn.trainer import Trainer
from tests.benchmarks.ledger import Ratio
from tests.benchmarks.plain_historic import PlainHistoric, as_tensors, plain_step

WIDE = HistoricConfig(width=512, num_heads=1, layer_dims=(256, 64, 32))
NARROW = HistoricConfig(width=8, num_heads=2, layer_dims=(8, 8, 4))
TINY = PairSmootherConfig(width=8, num_layers=1, num_heads=2, hidden_dim=8, estimate_dim=4)
LIKE_CORRECTED = TrainConfig(regime="mixed", batch_size=32, optimizer="muon")
LIKE_THE_ORIGINAL = TrainConfig(
    regime="shuffle", num_context=50, batch_size=64, optimizer="adam", learning_rate=3e-4, warmup_steps=0
)


@dataclass(frozen=True)
class Training:
    """A model, its trainer and its batches."""

    model: PairModel
    trainer: Trainer
    stream: Stream

    @classmethod
    def of(cls, model_config, regime, num_context, batch_size, num_points, config=LIKE_THE_ORIGINAL):
        stream = Stream(PairProcess(num_points=num_points), regime, num_context, batch_size, 0)
        model = build_model(model_config, 0)
        return cls(model, Trainer(model, config), stream)

    def steps_of_growing_depth(self):
        """Functions of `Points`, each compiled and doing all that the one before does, and more."""
        model = self.model

        def forward(points):
            return model.loss_of(points, model(points, training=True))

        def gradient(points):
            with tf.GradientTape() as tape:
                loss = forward(points)
            return loss, tape.gradient(loss, model.trainable_variables)

        compiled = {
            "forward": tf.function(forward, jit_compile=True, autograph=False),
            "gradient": tf.function(gradient, jit_compile=True, autograph=False),
        }
        return {**compiled, "whole": self.trainer.step}


def plain_model(config, like):
    """The plain decoder with the weights of ours, built by one call."""
    plain = PlainHistoric(config.width, config.num_heads, config.layer_dims)
    plain(*as_tensors(np.full((1, 2), 5.0), np.zeros((1, 2)), np.zeros((1, 2))))
    plain.set_weights([weight.numpy() for weight in like.trainable_variables])
    return plain


def test_both_ways_take_the_same_steps():
    training = Training.of(NARROW, "shuffle", 3, 4, 6)
    step = plain_step(plain_model(NARROW, training.model), 3)
    for number in range(3):
        batch = training.stream.batch(number)
        ours = float(training.trainer.step(to_points(batch)))
        # float32 against float64, and after the first step through the root of Adam
        assert ours == pytest.approx(float(step(*as_tensors(batch.x, batch.series, batch.y))), rel=1e-3)


def test_steps_of_the_historic_decoder(side_by_side, record, is_smallest):
    config = NARROW if is_smallest else WIDE
    num_points, batch_size, num_context = (5, 2, 2) if is_smallest else (200, 64, 50)
    training = Training.of(config, "shuffle", num_context, batch_size, num_points)
    step = plain_step(plain_model(config, training.model), num_context)
    batch = training.stream.batch(0)
    points, tensors = to_points(batch), as_tensors(batch.x, batch.series, batch.y)
    seconds = side_by_side(
        1 if is_smallest else 3,
        attn=lambda: float(training.trainer.step(points)),
        plain=lambda: float(step(*tensors)),
    )
    record(
        Ratio(
            f"historic decoder, e = {config.width}, {2 * num_points} points, batch {batch_size}:"
            " steps a second / those of a plain float64 graph",
            seconds["plain"] / seconds["attn"],
            3,
            "higher",
            note=f"{seconds['plain']:.3g} s and {seconds['attn']:.3g} s a step",
        )
    )


@pytest.mark.parametrize(
    ("name", "config", "regime", "num_context", "batch_size", "num_points", "num_steps"),
    [
        ("historic, e = 512", WIDE, "shuffle", 50, 64, 200, 5),
        ("historic, e = 64", HistoricConfig(), "shuffle", 13, 64, 50, 100),
        ("corrected", PairSmootherConfig(), "mixed", 13, 32, 50, 40),
    ],
)
def test_training_does_not_wait_for_data(
    benchmark, record, is_smallest, name, config, regime, num_context, batch_size, num_points, num_steps
):
    if is_smallest:
        config, num_context, batch_size, num_points, num_steps = NARROW, 2, 2, 5, 2
    training = Training.of(config, regime, num_context, batch_size, num_points)
    batches = _prefetched(training.stream, 0, num_steps + 1, slice(None))
    float(training.trainer.step(to_points(next(batches)[1])))  # compiles; nothing could have come before it
    waited = []

    def train():
        for _ in range(num_steps):
            asked = perf_counter()
            _, batch = next(batches)
            waited.append(perf_counter() - asked)
            float(training.trainer.step(to_points(batch)))

    started = perf_counter()
    benchmark.pedantic(train)
    record(
        Ratio(
            f"{name}: share of a training step spent on waiting for data",
            sum(waited) / (perf_counter() - started),
            0.01,
            "lower",
            unit="of the time",
            note=f"{num_steps} steps of {batch_size} pairs of {num_points} points a series",
        )
    )


def test_where_a_step_of_the_corrected_model_goes(side_by_side, record, is_smallest):
    """Parts by subtraction: what a step costs with and without all that comes after."""
    config, batch_size, num_points = (TINY, 2, 14) if is_smallest else (PairSmootherConfig(), 32, 50)
    training = Training.of(config, "mixed", 13, batch_size, num_points, LIKE_CORRECTED)
    points = to_points(training.stream.batch(0))
    ways = {
        name: lambda step=step: tf.nest.map_structure(np.asarray, step(points))
        for name, step in training.steps_of_growing_depth().items()
    }
    seconds = side_by_side(1 if is_smallest else 15, **ways)
    forward, gradient, whole = (seconds[name] for name in ("forward", "gradient", "whole"))
    parts = {"forward": forward, "backward": gradient - forward, "optimizer (Muon)": whole - gradient}
    for part, taken in parts.items():
        name = f"corrected: share of a training step, {part}"
        note = f"medians, subtracted; {1e3 * whole:.3g} ms a step"
        record(Ratio(name, taken / whole, None, "lower", "of the time", note))
