"""What a training of many workers is planned from: the costs of a pair, a step and a checkpoint."""

from dataclasses import replace

import numpy as np

from attn.models import PairSmootherConfig, build_model
from attn.processes import PairProcess
from attn.rollout import to_points
from attn.stream import Stream
from attn.together import SharedTrainer
from attn.trainer import TrainConfig, Trainer
from attn.workers import Workers
from tests.benchmarks.ledger import Ratio

TINY = PairSmootherConfig(width=8, num_layers=1, num_heads=2, hidden_dim=8, estimate_dim=4)
CONFIG = TrainConfig(optimizer="muon")


def parts(is_smallest):
    """The model as shipped, pairs of 50 points a series, 32 of them a worker and step."""
    num_points, num_rows = (5, 2) if is_smallest else (50, 32)
    stream = Stream(PairProcess(num_points=num_points), "mixed", min(13, num_points - 2), num_rows, 0)
    return TINY if is_smallest else PairSmootherConfig(), stream


def test_what_a_pair_costs(side_by_side, record, is_smallest):
    _, stream = parts(is_smallest)
    batch = stream.batch(0)
    size = sum(getattr(batch, name).nbytes for name in ("x", "series", "y", "valid")) / batch.num_pairs
    seconds = side_by_side(2 if is_smallest else 20, draw=lambda: stream.batch(1))["draw"] / batch.num_pairs
    record(
        Ratio("bytes of a pair in memory", size, None, "lower", "B", f"{batch.num_points} points"),
        Ratio("milliseconds to draw and arrange a pair", 1e3 * seconds, None, "lower", "ms"),
    )


def test_what_one_of_many_workers_draws(side_by_side, record, is_smallest):
    """Its own rows; of those of the others the random numbers and the order."""
    _, stream = parts(is_smallest)
    own = slice(0, stream.batch_size)
    shared = replace(stream, batch_size=stream.batch_size * (2 if is_smallest else 100))
    seconds = side_by_side(1 if is_smallest else 10, draw=lambda: next(shared.batches(1, 2, own)))["draw"]
    record(
        Ratio(
            "milliseconds to draw and arrange the rows of one worker",
            1e3 * seconds,
            None,
            "lower",
            "ms",
            f"{stream.batch_size} of {shared.batch_size} pairs",
        )
    )


def test_what_a_step_costs_alone_and_shared(side_by_side, record, is_smallest):
    """Without the network: what sharing adds on one machine is the vector, and one function more."""
    config, stream = parts(is_smallest)
    points = to_points(stream.batch(0))
    alone = Trainer(build_model(config, 0), CONFIG)
    shared = SharedTrainer(build_model(config, 0), CONFIG, Workers())
    seconds = side_by_side(
        1 if is_smallest else 15,
        shared=lambda: float(shared.step(points)),
        alone=lambda: float(alone.step(points)),
    )
    vector = int(shared._sums(points).shape[0])
    assert vector == 2 + sum(int(np.prod(weight.shape)) for weight in alone.model.trainable_variables)
    record(
        Ratio("milliseconds of a step, alone", 1e3 * seconds["alone"], None, "lower", "ms"),
        Ratio(
            "a shared step without the network / alone", seconds["shared"] / seconds["alone"], None, "lower"
        ),
        Ratio("bytes summed over the workers a step", 4 * vector, None, "lower", "B"),
    )


def test_what_a_checkpoint_costs(side_by_side, record, is_smallest, tmp_path):
    trainer = Trainer(build_model(parts(is_smallest)[0], 0), CONFIG)
    folder = tmp_path / "checkpoints"
    seconds = side_by_side(1 if is_smallest else 5, save=lambda: trainer.save(folder, 1, []))
    size = (folder / "step-000000001.safetensors").stat().st_size
    record(
        Ratio("bytes of a checkpoint", size, None, "lower", "B", "three are kept"),
        Ratio("milliseconds to write it", 1e3 * seconds["save"], None, "lower", "ms"),
    )
