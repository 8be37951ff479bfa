"""Models trained for the same time on the same draws: how near each comes to the exact GP, and when."""

from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.stream import Stream
from attn.trainer import TrainConfig
from diagnostics.measures import Statistic
from tests.benchmarks.contenders import CONTENDERS, SHIPPED, Contender
from tests.benchmarks.ledger import Ratio, Standing
from tests.benchmarks.quality import Held, gap

# Of training, compiling included; what is measured in between does not count.
SECONDS = 150.0
TEN_MINUTES = 600.0
NUM_STANDINGS = 4
NUM_PAIRS = 512
# Steps from which the speed of a step is known.
NUM_TIMED = 60


@pytest.mark.parametrize("name", CONTENDERS)
def test_gap_against_training_time(name, benchmark, record, is_smallest):
    contender = CONTENDERS[name]
    if contender.package is not None:
        pytest.importorskip(contender.package, reason=f"needs the package {contender.package}")
    process = PairProcess(num_points=14 if is_smallest else 50)
    held = Held.out(process, 2 if is_smallest else NUM_PAIRS, 0)
    standings = benchmark.pedantic(train, args=(contender, held, SECONDS, is_smallest), rounds=1)
    for seconds, above_exact in standings:
        value, ends = with_interval(above_exact)
        record(Standing(name, seconds, value, ends))
    label = f"{name}: nats per target above the exact GP, side by side"
    note = f"after {seconds / 60:.1f} minutes of training, compiling included"
    record(Ratio(label, value, None, "lower", "nats", note, ends))


def test_gap_after_ten_minutes(benchmark, record, is_smallest):
    process = PairProcess(num_points=14 if is_smallest else 50)
    held = Held.out(process, 2 if is_smallest else NUM_PAIRS, 0)
    asked = CONTENDERS[SHIPPED], held, TEN_MINUTES, is_smallest
    standings = benchmark.pedantic(train, args=asked, rounds=1)
    value, ends = with_interval(standings[-1][1])
    label = f"{SHIPPED}: nats per target above the exact GP after 10 minutes of training"
    record(Ratio(label, value, 0.06, "lower", "nats", interval=ends))


def with_interval(statistic: Statistic) -> tuple[float, tuple[float, float]]:
    """A figure and the ends of its 95 % interval."""
    interval = statistic.interval(np.random.default_rng(0))
    return float(interval.value[0]), (float(interval.low[0]), float(interval.high[0]))


def train(
    contender: Contender, held: Held, budget: float, is_smallest: bool
) -> list[tuple[float, Statistic]]:
    """Train for `budget` seconds; (seconds, gap) at some times, the last at the end."""
    if is_smallest:
        return train_once(contender, held)
    started, measuring = perf_counter(), 0.0
    num_steps = _num_steps(contender, held.process, budget)
    learner, stream = contender.learner(num_steps, False), _stream(contender.training, held.process)
    marks = {round(num_steps * share) for share in np.geomspace(0.1, 1, NUM_STANDINGS)}
    standings = []
    for number, batch in enumerate(contender.batches(stream, num_steps), start=1):
        learner.step(batch)
        if number in marks:
            asked = perf_counter()
            standings.append((asked - started - measuring, gap(learner.predict(held.batch), held)))
            measuring += perf_counter() - asked
    return standings


def train_once(contender: Contender, held: Held) -> list[tuple[float, Statistic]]:
    """One step of the smallest model."""
    learner = contender.learner(1, True)
    learner.step(next(contender.batches(_stream(replace(contender.training, batch_size=2), held.process), 1)))
    return [(1.0, gap(learner.predict(held.batch), held))]


def _stream(config: TrainConfig, process: PairProcess) -> Stream:
    return Stream(process, config.regime, config.num_context, config.batch_size, config.seed)


def _num_steps(contender: Contender, process: PairProcess, budget: float) -> int:
    """How many steps fill `budget` seconds, compiling included: found with a model that is thrown away."""
    learner, stream = contender.learner(1000, False), _stream(contender.training, process)
    started = perf_counter()
    learner.step(next(contender.batches(stream, 1)))
    compiling = perf_counter() - started
    started = perf_counter()
    for batch in contender.batches(stream, NUM_TIMED):
        learner.step(batch)
    trying = perf_counter() - started
    # the time that was tried belongs to the budget, and so does compiling once more
    return max(1, int((budget - 2 * compiling - trying) / (trying / NUM_TIMED)))
