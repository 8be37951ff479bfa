"""Five models trained for the same time on the same draws: how near each comes to the exact GP, and when."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import pytest

from attn.models import (
    HistoricConfig,
    ModelConfig,
    PairSmootherConfig,
    PairTransformerConfig,
    build_model,
)
from attn.models.base import PairModel
from attn.processes import PairProcess
from attn.rollout import teacher_force, to_points
from attn.stream import Stream
from attn.trainer import TrainConfig, Trainer
from attn.types import Batch, Prediction
from tests.benchmarks import target_independent
from tests.benchmarks.ledger import Ratio, Standing
from tests.benchmarks.quality import Held, gap

# Of training, compiling included; what is measured in between does not count.
SECONDS = 150.0
NUM_STANDINGS = 5
NUM_PAIRS = 512
# From so many steps on the speed of a step is known.
NUM_TIMED = 20

ADAMW = TrainConfig(regime="mixed", optimizer="adamw", learning_rate=3e-3, batch_size=16)
ADAM = replace(ADAMW, optimizer="adam", learning_rate=1e-3, batch_size=64, warmup_steps=100)
MUON = replace(ADAMW, optimizer="muon", batch_size=32)


def in_order(stream: Stream, num_steps: int) -> Iterator[Batch]:
    """The batches of the stream as they are."""
    return (stream.batch(step) for step in range(num_steps))


@dataclass(frozen=True)
class Contender:
    """A model, how it is trained, and how it predicts one target after the other."""

    model: ModelConfig
    training: TrainConfig
    target: float | None = None
    build: Callable[[ModelConfig, int], PairModel] = build_model
    batches: Callable[[Stream, int], Iterator[Batch]] = in_order
    predict: Callable[[PairModel, Batch], Prediction] = teacher_force


CONTENDERS = {
    "historic decoder": Contender(HistoricConfig(), ADAM),
    "historic decoder, labels in queries and keys": Contender(HistoricConfig(labels_in_qk=True), ADAM),
    "target-independent transformer": Contender(
        PairTransformerConfig(),
        ADAMW,
        build=target_independent.build,
        batches=target_independent.training_batches,
        predict=target_independent.autoregressive,
    ),
    "two-stream transformer": Contender(PairTransformerConfig(), ADAMW),
    "pair smoother, as `corrected`": Contender(PairSmootherConfig(), MUON, target=0.06),
}


def tiny(contender):
    """The same with a model of the smallest size."""
    layers = {"layer_dims": (8, 8, 4)} if isinstance(contender.model, HistoricConfig) else {"num_layers": 1}
    return replace(contender, model=replace(contender.model, width=8, num_heads=2, **layers))


@pytest.mark.parametrize("name", CONTENDERS)
def test_gap_against_training_time(name, benchmark, record, is_smallest):
    contender = tiny(CONTENDERS[name]) if is_smallest else CONTENDERS[name]
    process = PairProcess(num_points=14 if is_smallest else 50)
    held = Held.out(process, 2 if is_smallest else NUM_PAIRS, 0)
    budget, num_standings = (0.0, 1) if is_smallest else (SECONDS, NUM_STANDINGS)
    standings = benchmark.pedantic(train, args=(contender, held, budget, num_standings), rounds=1)
    for seconds, above_exact in standings:
        interval = above_exact.interval(np.random.default_rng(0))
        ends = float(interval.low[0]), float(interval.high[0])
        record(Standing(name, seconds, float(interval.value[0]), ends))
    label = f"{name}: nats per target above the exact GP after {seconds / 60:.1f} minutes of training"
    record(Ratio(label, float(interval.value[0]), contender.target, "lower", "nats", interval=ends))


def train(contender, held, budget, num_standings):
    """Train for `budget` seconds; (seconds, gap) at that many times, the last at the end."""
    model = contender.build(contender.model, 0)
    started, measuring = perf_counter(), 0.0
    num_steps = _num_steps(contender, held.process, budget)
    config = replace(contender.training, num_epochs=1, steps_per_epoch=num_steps)
    trainer = Trainer(model, config)
    stream = _stream(config, held.process)
    marks = {round(num_steps * share) for share in np.geomspace(0.1, 1, num_standings)}
    standings = []
    for number, batch in enumerate(contender.batches(stream, num_steps), start=1):
        float(trainer.step(to_points(batch)))
        if number in marks or number == num_steps:
            asked = perf_counter()
            standings.append((asked - started - measuring, gap(contender.predict(model, held.batch), held)))
            measuring += perf_counter() - asked
    return standings


def _stream(config, process):
    return Stream(process, config.regime, config.num_context, config.batch_size, config.seed)


def _num_steps(contender: Contender, process: PairProcess, budget: float) -> int:
    """How many steps fill the budget, compiling included: found with a model that is thrown away."""
    if budget == 0:
        return 1
    config = replace(contender.training, num_epochs=1, steps_per_epoch=1000)
    trainer, stream = Trainer(contender.build(contender.model, 0), config), _stream(config, process)
    started = perf_counter()
    float(trainer.step(to_points(next(contender.batches(stream, 1)))))
    compiling = perf_counter() - started
    started = perf_counter()
    for batch in contender.batches(stream, NUM_TIMED):
        float(trainer.step(to_points(batch)))
    trying = perf_counter() - started
    # the time that was tried belongs to the budget, and so does compiling once more
    return max(1, int((budget - 2 * compiling - trying) / (trying / NUM_TIMED)))
