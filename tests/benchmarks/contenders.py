"""Models that are trained side by side: each learns from batches and predicts one target after the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from attn.models import (
    HistoricConfig,
    ModelConfig,
    PairSmootherConfig,
    PairTransformerConfig,
    build_model,
)
from attn.models.base import PairModel
from attn.rollout import teacher_force, to_points
from attn.stream import Stream
from attn.trainer import TrainConfig, Trainer
from attn.types import Batch, Prediction
from tests.benchmarks import target_independent

ADAMW = TrainConfig(regime="mixed", optimizer="adamw", learning_rate=3e-3, batch_size=16)
ADAM = replace(ADAMW, optimizer="adam", learning_rate=1e-3, batch_size=64, warmup_steps=100)
MUON = replace(ADAMW, optimizer="muon", batch_size=32)


class Learner(Protocol):
    """A model in training."""

    def step(self, batch: Batch) -> None:
        """One step of training."""
        ...

    def predict(self, batch: Batch) -> Prediction:
        """Every target given the true points before it."""
        ...


@dataclass(frozen=True)
class Contender:
    """How a model is made, trained and used.

    learner   from the number of steps, and whether the smallest size will do
    batches   those of a stream as this model is trained on them
    package   that must be installed
    """

    training: TrainConfig
    learner: Callable[[int, bool], Learner]
    batches: Callable[[Stream, int], Iterator[Batch]]
    package: str | None = None


class PairLearner:
    """A model of this project."""

    def __init__(self, model: PairModel, config: TrainConfig, predict: Callable[..., Prediction]) -> None:
        self.model, self.trainer, self.predict_with = model, Trainer(model, config), predict

    def step(self, batch: Batch) -> None:
        """One step; waits until it is done."""
        float(self.trainer.step(to_points(batch)))

    def predict(self, batch: Batch) -> Prediction:
        """Autoregressive, as this model is used."""
        return self.predict_with(self.model, batch)


def in_order(stream: Stream, num_steps: int) -> Iterator[Batch]:
    """The batches of the stream as they are."""
    return (stream.batch(step) for step in range(num_steps))


def tiny(config: ModelConfig) -> ModelConfig:
    """The same model at its smallest size."""
    layers = {"layer_dims": (8, 8, 4)} if isinstance(config, HistoricConfig) else {"num_layers": 1}
    return replace(config, width=8, num_heads=2, **layers)


def of_pairs(
    config: ModelConfig,
    training: TrainConfig,
    build: Callable[[ModelConfig, int], PairModel] = build_model,
    predict: Callable[..., Prediction] = teacher_force,
) -> Callable[[int, bool], Learner]:
    """The learner of a model of this project."""

    def learner(num_steps: int, is_smallest: bool) -> Learner:
        model = build(tiny(config) if is_smallest else config, 0)
        return PairLearner(model, replace(training, num_epochs=1, steps_per_epoch=num_steps), predict)

    return learner


def conv_gnp(num_steps: int, is_smallest: bool) -> Learner:
    """The learner of the package neuralprocesses, which is imported only here."""
    from tests.benchmarks.conv_gnp import ConvGNP

    return ConvGNP(num_steps, channels=(8, 8) if is_smallest else (64,) * 6)


SHIPPED = "pair smoother, as `corrected`"
CONTENDERS = {
    "historic decoder": Contender(ADAM, of_pairs(HistoricConfig(), ADAM), in_order),
    "historic decoder, labels in queries and keys": Contender(
        ADAM, of_pairs(HistoricConfig(labels_in_qk=True), ADAM), in_order
    ),
    "target-independent transformer": Contender(
        ADAMW,
        of_pairs(PairTransformerConfig(), ADAMW, target_independent.build, target_independent.autoregressive),
        target_independent.training_batches,
    ),
    "ConvGNP of neuralprocesses, autoregressive": Contender(
        ADAMW, conv_gnp, target_independent.training_batches, package="neuralprocesses"
    ),
    "two-stream transformer": Contender(ADAMW, of_pairs(PairTransformerConfig(), ADAMW), in_order),
    SHIPPED: Contender(MUON, of_pairs(PairSmootherConfig(), MUON), in_order),
}
