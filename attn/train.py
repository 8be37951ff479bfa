"""The training loop: steps, checkpoints that survive a kill, and figures for every epoch."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attn.board import Board
from attn.locks import locked_run
from attn.models import ModelConfig, PairModel, build_model
from attn.processes import PairProcess
from attn.rollout import to_points
from attn.run_directory import finished_run, history_before, open_directory, seal, spec_of
from attn.runs import WEIGHTS, Run, RunError, check_name, load_run, load_weights, save_weights, write_json
from attn.snapshot import Snapshot
from attn.stream import Stream, TrainingData
from attn.trainer import TrainConfig, Trainer
from attn.types import Batch

__all__ = ["Progress", "TrainConfig", "held_out_pair", "train"]


@dataclass(frozen=True, eq=False)
class Progress:
    """After `step` of `num_steps`: the mean of recent losses, for progress bars."""

    step: int
    num_steps: int
    loss: float
    epoch: dict[str, float] | None  # the figures of an epoch that ends with this step
    model: PairModel  # as it is after this step


def train(
    directory: Path,
    model_config: ModelConfig,
    config: TrainConfig,
    source: TrainingData,
    *,
    data: Mapping[str, Any] | None = None,
    start_from: Path | None = None,
    resume: bool = False,
    pictures: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Train a model into `directory`, and return the finished run.

    source       draws fresh pairs for every step, or is a set of pairs or shards of which the last fifth is
                 held out
    data         what config.toml is to say of pairs that come from a file
    start_from   the directory of a finished run of the same model, whose weights are trained on
    resume       go on from the last whole checkpoint of a run of the same spec
    pictures     TensorBoard shows a test pair continued after every epoch; the first costs some seconds

    A finished run that is to be resumed is returned as it is, or made whole again where it is damaged.

    Raises RunError if the directory exists and `resume` is off, if its spec differs, if the model is not that
    of `start_from`, if another process changes the run meanwhile, or if the disk fails.
    """
    check_name(directory.name)
    with locked_run(directory, "trained"):
        return _train(
            directory, model_config, config, source, data, start_from, resume, pictures, on_progress
        )


def _train(
    directory: Path,
    model_config: ModelConfig,
    config: TrainConfig,
    source: TrainingData,
    data: Mapping[str, Any] | None,
    start_from: Path | None,
    resume: bool,
    pictures: bool,
    on_progress: Callable[[Progress], None] | None,
) -> Run:
    """`train`, while no other process changes the run."""
    stream = _stream(config, source)
    test = _test_batch(stream, config)
    model = build_model(model_config, config.seed)
    if start_from is not None:
        load_weights(model, start_from / WEIGHTS)
    spec = spec_of(model_config, config, source, data, start_from)
    open_directory(directory, spec, resume)
    finished = finished_run(directory)
    if finished is not None:
        return finished
    trainer = Trainer(model, config)
    restored = trainer.restore(directory / "checkpoints")
    start = restored.step
    history = history_before(start // config.steps_per_epoch, directory, restored)
    if start > 0:  # what stands there may be damaged, or of an epoch that did not get its checkpoint
        write_json(directory / "history.json", history)
    board = Board(directory, spec, held_out_pair(config, source) if pictures else None)
    losses: list[float] = []
    epoch_started = time.perf_counter()
    for step, batch in _prefetched(stream, start, config.num_steps):
        losses.append(float(trainer.step(to_points(batch))))
        if not math.isfinite(losses[-1]):
            raise RunError(
                f"the loss must be finite; got {losses[-1]} at step {step + 1}: lower the learning rate"
            )
        recent = float(np.mean(losses[-50:]))
        figures = None
        if (step + 1) % config.steps_per_epoch == 0:
            figures = trainer.figures(step + 1, losses, batch, test, time.perf_counter() - epoch_started)
            history.append(figures)
            write_json(directory / "history.json", history)
            trainer.save(directory / "checkpoints", step + 1, history)
            board.write_epoch(model, figures)
            losses, epoch_started = [], time.perf_counter()
        if on_progress is not None:
            on_progress(Progress(step + 1, config.num_steps, recent, figures, model))
    save_weights(model, directory / WEIGHTS)
    seal(directory)
    return load_run(directory)


def held_out_pair(config: TrainConfig, source: TrainingData) -> Snapshot | None:
    """The test pair that pictures of such a training show; None where none can be continued."""
    test = _test_batch(_stream(config, source), config)
    process = source if isinstance(source, PairProcess) else None
    return Snapshot.of(test, config.num_context, process, config.seed)


def _stream(config: TrainConfig, source: TrainingData) -> Stream:
    return Stream(source, config.regime, config.num_context, config.batch_size, config.seed, config.overfit)


def _test_batch(stream: Stream, config: TrainConfig) -> Batch:
    """What is held out; in overfit mode there is the one batch only."""
    return stream.batch(0) if config.overfit else stream.test(config.num_test_pairs)


def _prefetched(stream: Stream, start: int, stop: int) -> Iterator[tuple[int, Batch]]:
    """(step, batch) with the next batch drawn while the current one is in use."""
    batches = stream.batches(start, stop)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        for step in range(start, stop):
            batch = coming.result()
            assert batch is not None
            coming = pool.submit(next, batches, None)
            yield step, batch
