"""The training loop: steps, checkpoints that survive a kill, and figures for every epoch."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attn.board import Board
from attn.locks import locked_run
from attn.models import ModelConfig, PairModel, build_model
from attn.processes import PairProcess
from attn.rollout import to_points
from attn.run_directory import FIXED_PARTS, finished_run, history_before, open_directory, seal, spec_of
from attn.runs import WEIGHTS, Run, check_name, load_run, load_weights, save_weights, write_json
from attn.snapshot import Snapshot
from attn.stream import Stream, TrainingData
from attn.together import trainer_of
from attn.trainer import TrainConfig, check_skipped, mean_of_taken
from attn.types import Batch
from attn.workers import Workers

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
    workers: Workers | None = None,
) -> Run:
    """Train a model into `directory`, and return the finished run.

    source       draws fresh pairs for every step, or is a set of pairs or shards of which the last fifth is
                 held out
    data         what config.toml is to say of pairs that come from a file
    start_from   the directory of a finished run of the same model, whose weights are trained on
    resume       go on from the last whole checkpoint of a run of the same spec
    pictures     TensorBoard shows a test pair continued after every epoch; the first costs some seconds
    workers      with whom the batches are shared; missing: nobody.  The chief alone reads and writes
                 `directory`, and the run of the others has no history

    A step whose loss or gradient is not finite is skipped and counted (see `Trainer.descend`).  A finished
    run that one worker is to resume is returned as it is, or made whole again where it is damaged.

    Raises RunError if the directory exists and `resume` is off, if its spec differs, if the model is not that
    of `start_from`, if another process changes the run meanwhile, if MAX_SKIPPED steps in a row (at most an
    epoch) were skipped, or if the disk fails; WorkersError if another worker was lost or is given something
    else, and ClusterError if a batch has fewer rows than there are workers.
    """
    workers = workers or Workers()
    check_name(directory.name)
    with locked_run(directory, "trained") if workers.is_chief else nullcontext():
        return _train(
            directory, model_config, config, source, data, start_from, resume, pictures, on_progress, workers
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
    workers: Workers,
) -> Run:
    """`train`, while no other process changes the run."""
    rows = workers.cluster.rows(config.batch_size)
    stream = _stream(config, source)
    test = _test_batch(stream, config)
    model = build_model(model_config, config.seed)
    if start_from is not None:
        load_weights(model, start_from / WEIGHTS)
    spec = spec_of(model_config, config, source, data, start_from)
    if workers.is_chief:
        open_directory(directory, spec, resume)
    if not workers.is_alone:
        workers.check_alike([spec[part] for part in FIXED_PARTS])
    elif (finished := finished_run(directory)) is not None:
        return finished
    trainer = trainer_of(model, config, workers)
    restored = trainer.restore(directory / "checkpoints")
    history: list[dict[str, float]] = []
    if workers.is_chief:
        history += history_before(restored.step // config.steps_per_epoch, directory, restored)
        if history:  # what stands there may be damaged, or of an epoch that did not get its checkpoint
            write_json(directory / "history.json", history)
        board = Board(directory, spec, held_out_pair(config, source) if pictures else None)
    losses: list[float] = []
    num_skipped = 0  # in a row
    epoch_started = time.perf_counter()
    for step, batch in _prefetched(stream, restored.step, config.num_steps, rows):
        losses.append(float(trainer.step(to_points(batch))))
        num_skipped = num_skipped + 1 if math.isnan(losses[-1]) else 0
        check_skipped(num_skipped, config, step + 1)
        recent = mean_of_taken(losses[-50:])
        figures = None
        if (step + 1) % config.steps_per_epoch == 0:
            if workers.is_chief:
                figures = trainer.figures(step + 1, losses, batch, test, time.perf_counter() - epoch_started)
                history.append(figures)
                write_json(directory / "history.json", history)
                trainer.save(directory / "checkpoints", step + 1, history)
                board.write_epoch(model, figures)
            losses, epoch_started = [], time.perf_counter()
        if on_progress is not None:
            on_progress(Progress(step + 1, config.num_steps, recent, figures, model))
    if workers.is_chief:
        save_weights(model, directory / WEIGHTS)
        seal(directory)
    workers.wait()
    if workers.is_chief:
        return load_run(directory)
    process = source if isinstance(source, PairProcess) else None
    return Run(directory.name, directory, spec, history, model, process)


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


def _prefetched(stream: Stream, start: int, stop: int, rows: slice) -> Iterator[tuple[int, Batch]]:
    """(step, these rows of its batch) with the next batch drawn while the current one is in use."""
    batches = stream.batches(start, stop, rows)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        for step in range(start, stop):
            batch = coming.result()
            assert batch is not None
            coming = pool.submit(next, batches, None)
            yield step, batch
