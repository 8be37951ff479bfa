"""The training loop: steps, checkpoints that survive a kill, and figures for every epoch."""

import json
import math
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from attn.board import Board
from attn.config import CONFIG, to_toml
from attn.files import write_whole
from attn.models import ModelConfig, PairModel, build_model
from attn.processes import PairProcess
from attn.rollout import to_points
from attn.runs import (
    SCHEMA_VERSION,
    Run,
    RunError,
    check_name,
    load_run,
    load_weights,
    origin_of,
    read_summary,
    save_weights,
    write_json,
)
from attn.snapshot import Snapshot
from attn.stream import Stream
from attn.together import trainer_of
from attn.trainer import TrainConfig, check_skipped, mean_of_taken
from attn.types import Batch, Pairs
from attn.workers import Workers

__all__ = ["Progress", "TrainConfig", "held_out_pair", "train"]


# A run goes on, and workers train together, only if these parts of their specs are the same.
_FIXED_PARTS = ("model", "training", "process", "start_from")
_PACKAGES = ("attn-diagnostics", "tensorflow", "keras", "numpy", "scipy")


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
    source: PairProcess | Pairs,
    *,
    data: Mapping[str, Any] | None = None,
    start_from: Path | None = None,
    resume: bool = False,
    pictures: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    workers: Workers | None = None,
) -> Run:
    """Train a model into `directory`, and return the finished run.

    source       draws fresh pairs for every step, or is a set of pairs of which the last fifth is held out
    data         what config.toml is to say of pairs that come from a file
    start_from   the directory of a finished run of the same model, whose weights are trained on
    resume       go on from the last whole checkpoint of a run of the same spec
    pictures     TensorBoard shows a test pair continued after every epoch; the first costs some seconds
    workers      with whom the batches are shared; missing: nobody.  The chief alone reads and writes
                 `directory`, and the run of the others has no history

    A step whose loss or gradient is not finite is skipped and counted (see `Trainer.descend`).

    Raises RunError if the directory exists and `resume` is off, if its spec differs, if the model is not that
    of `start_from`, if MAX_SKIPPED steps in a row (at most an epoch) were skipped, or if the disk fails;
    WorkersError if another worker was lost or is given something else, and ClusterError if a batch has fewer
    rows than there are workers.
    """
    workers = workers or Workers()
    rows = workers.cluster.rows(config.batch_size)
    stream = _stream(config, source)
    test = _test_batch(stream, config)
    model = build_model(model_config, config.seed)
    if start_from is not None:
        load_weights(model, start_from / "weights.safetensors")
    spec = _spec(model_config, config, source, data, start_from)
    if workers.is_chief:
        _open_directory(directory, spec, resume)
    if not workers.is_alone:
        workers.check_alike([*(spec[part] for part in _FIXED_PARTS), stream.batch(0).x.tolist()])
    trainer = trainer_of(model, config, workers)
    start = trainer.restore(directory / "checkpoints")
    history: list[dict[str, float]] = []
    if workers.is_chief:
        history += read_summary(directory).history[: start // config.steps_per_epoch]
        board = Board(directory, spec, held_out_pair(config, source) if pictures else None)
    losses: list[float] = []
    num_skipped = 0  # in a row
    epoch_started = time.perf_counter()
    for step, batch in _prefetched(stream, start, config.num_steps):
        losses.append(float(trainer.step(to_points(batch.rows(rows)))))
        num_skipped = num_skipped + 1 if math.isnan(losses[-1]) else 0
        check_skipped(num_skipped, config, step + 1)
        recent = mean_of_taken(losses[-50:])
        figures = None
        if (step + 1) % config.steps_per_epoch == 0:
            if workers.is_chief:
                figures = trainer.figures(step + 1, losses, batch, test, time.perf_counter() - epoch_started)
                history.append(figures)
                write_json(directory / "history.json", history)
                trainer.save(directory / "checkpoints", step + 1)
                board.write_epoch(model, figures)
            losses, epoch_started = [], time.perf_counter()
        if on_progress is not None:
            on_progress(Progress(step + 1, config.num_steps, recent, figures, model))
    if workers.is_chief:
        save_weights(model, directory / "weights.safetensors")
    workers.wait()
    if workers.is_chief:
        return load_run(directory)
    return Run(
        directory.name, directory, spec, history, model, source if isinstance(source, PairProcess) else None
    )


def held_out_pair(config: TrainConfig, source: PairProcess | Pairs) -> Snapshot | None:
    """The test pair that pictures of such a training show; None where none can be continued."""
    test = _test_batch(_stream(config, source), config)
    process = source if isinstance(source, PairProcess) else None
    return Snapshot.of(test, config.num_context, process, config.seed)


def _stream(config: TrainConfig, source: PairProcess | Pairs) -> Stream:
    return Stream(source, config.regime, config.num_context, config.batch_size, config.seed, config.overfit)


def _test_batch(stream: Stream, config: TrainConfig) -> Batch:
    """What is held out; in overfit mode there is the one batch only."""
    return stream.batch(0) if config.overfit else stream.test(config.num_test_pairs)


def _prefetched(stream: Stream, start: int, stop: int) -> Iterator[tuple[int, Batch]]:
    """(step, batch) with the next batch drawn while the current one is in use."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(stream.batch, start) if start < stop else None
        for step in range(start, stop):
            assert coming is not None
            batch = coming.result()
            coming = pool.submit(stream.batch, step + 1)
            yield step, batch


def _open_directory(directory: Path, spec: dict[str, Any], resume: bool) -> None:
    check_name(directory.name)
    if directory.exists():
        if not resume:
            raise RunError(
                f"a new run needs a directory that does not exist; {directory} does (resume it, or rename)"
            )
        _check_same_spec(directory, spec)
        return
    partial = directory.with_name(f".{directory.name}.new")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write_json(partial / "spec.json", spec)
        _write_config(partial / CONFIG, spec)
        partial.replace(directory)
    except OSError as error:
        raise RunError(f"{directory} could not be made: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_config(path: Path, spec: dict[str, Any]) -> None:
    """The parts of a spec that `attn train --config` makes the same run from."""
    names = ("model", "training", "process", "data", "start_from")
    parts = {name: spec[name] for name in names if spec[name]}
    with write_whole(path) as file:
        file.write(to_toml(parts).encode())


def _check_same_spec(directory: Path, spec: dict[str, Any]) -> None:
    """A run goes on only as what it was begun as, in every field of model, training and data."""
    begun = read_summary(directory).spec
    wanted = json.loads(json.dumps(spec))
    for part in _FIXED_PARTS:
        old, new = begun.get(part) or {}, wanted.get(part) or {}
        for field in sorted({*old, *new}):
            if old.get(field) != new.get(field):
                raise RunError(
                    f"{field} must be {old.get(field)}, as when {directory} was begun; got {new.get(field)}"
                )


def _spec(
    model_config: ModelConfig,
    config: TrainConfig,
    source: PairProcess | Pairs,
    data: Mapping[str, Any] | None,
    start_from: Path | None,
) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "model": asdict(model_config),
        "training": asdict(config),
        "process": asdict(source) if isinstance(source, PairProcess) else None,
        "data": None if data is None else dict(data),
        "start_from": None if start_from is None else origin_of(start_from),
        "seed": config.seed,
        "packages": {"python": platform.python_version(), **_versions()},
        "git_commit": _git_commit(),
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _git_commit() -> str | None:
    """The commit of the code, where it runs from a checkout."""
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip() or None
