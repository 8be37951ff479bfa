"""The training loop: one compiled step, checkpoints that survive a kill, and figures for every epoch."""

import json
import math
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from attn.models import ModelConfig, PairModel, build_model
from attn.models.base import Points
from attn.processes import PairProcess
from attn.rollout import teacher_force, to_points
from attn.runs import (
    SCHEMA_VERSION,
    Run,
    RunError,
    assign_weights,
    check_name,
    load_run,
    read_summary,
    save_weights,
    weights_of,
    write_json,
)
from attn.stream import Stream
from attn.tensors import TensorsError, load_tensors, save_tensors
from attn.types import Batch, Floats, Pairs

OPTIMIZERS = ("adam", "adamw")
NUM_CHECKPOINTS = 3
_PACKAGES = ("attn-diagnostics", "tensorflow", "keras", "numpy", "scipy")


@dataclass(frozen=True)
class TrainConfig:
    """How to train: the learning rate warms up over `warmup_steps`, then falls to 0 along a cosine.

    regime, num_context   the arrangement of the training batches (see `attn.arrange`)
    clip_norm             gradients are scaled down to this global norm
    overfit               train on one fixed batch: a model that cannot learn it by heart is broken
    """

    regime: str = "mixed"
    num_context: int = 13
    num_epochs: int = 10
    steps_per_epoch: int = 500
    batch_size: int = 16
    optimizer: str = "adamw"
    learning_rate: float = 3e-3
    warmup_steps: int = 200
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    seed: int = 0
    num_test_pairs: int = 256
    overfit: bool = False

    def __post_init__(self) -> None:
        for field in ("num_context", "num_epochs", "steps_per_epoch", "batch_size", "num_test_pairs"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1; got {getattr(self, field)}")
        for field in ("learning_rate", "clip_norm"):
            if not (math.isfinite(getattr(self, field)) and getattr(self, field) > 0):
                raise ValueError(f"{field} must be finite and above 0; got {getattr(self, field)}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}; got {self.optimizer!r}")
        if self.warmup_steps < 0 or self.weight_decay < 0 or self.seed < 0:
            raise ValueError("warmup_steps, weight_decay and seed must not be negative")

    @property
    def num_steps(self) -> int:
        """Steps of the whole training."""
        return self.num_epochs * self.steps_per_epoch


@dataclass(frozen=True, eq=False)
class Progress:
    """Where training stands, for progress bars: after `step` of `num_steps`, with the mean of the last losses."""

    step: int
    num_steps: int
    loss: float
    epoch: dict[str, float] | None  # the figures of an epoch that ends with this step


def train(
    directory: Path,
    model_config: ModelConfig,
    config: TrainConfig,
    source: PairProcess | Pairs,
    *,
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Train a model into `directory`, and return the finished run.

    source   draws fresh pairs for every step, or is a set of pairs of which every fifth is held out
    resume   go on from the last whole checkpoint of a run of the same spec

    Raises RunError if the directory exists and `resume` is off, if its spec differs, or if the disk fails.
    """
    stream = Stream(source, config.regime, config.num_context, config.batch_size, config.seed, config.overfit)
    test = stream.batch(0) if config.overfit else stream.test(config.num_test_pairs)
    spec = _spec(model_config, config, source)
    _open_directory(directory, spec, resume)
    model = build_model(model_config, config.seed)
    trainer = _Trainer(model, config)
    start = trainer.restore(directory / "checkpoints")
    history = read_summary(directory).history[: start // config.steps_per_epoch]
    board = tf.summary.create_file_writer(str(directory / "tensorboard"))
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
            trainer.save(directory / "checkpoints", step + 1)
            _write_board(board, model, figures)
            losses, epoch_started = [], time.perf_counter()
        if on_progress is not None:
            on_progress(
                Progress(step + 1, config.num_steps, recent, figures)
            )
    save_weights(model, directory / "weights.safetensors")
    return load_run(directory)


class _Trainer:
    """The model, its optimizer and the compiled step."""

    def __init__(self, model: PairModel, config: TrainConfig) -> None:
        self.model = model
        self.optimizer = _optimizer(config)
        self.optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=True)
    def step(self, points: Points) -> tf.Tensor:
        """One step of gradient descent; returns the loss before it."""
        with tf.GradientTape() as tape:
            loss = self.model.loss_of(points, self.model(points, training=True))
        weights = self.model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    def figures(
        self, step: int, losses: list[float], last: Batch, test: Batch, seconds: float
    ) -> dict[str, float]:
        """The row of an epoch: loss, MSE and R^2 of each series, on training and on test pairs."""
        row = {
            "step": float(step),
            "seconds": seconds,
            "learning_rate": float(self.optimizer.learning_rate),
            "train_loss": float(np.mean(losses)),
            "test_loss": float(_loss(self.model, to_points(test))),
        }
        for name, batch in (("train", last), ("test", test)):
            row |= {f"{name}_{key}": value for key, value in _errors(self.model, batch).items()}
        return row

    def save(self, directory: Path, step: int) -> None:
        """Write a checkpoint, then remove all but the last three."""
        directory.mkdir(exist_ok=True)
        arrays = {f"weights/{name}": value for name, value in weights_of(self.model).items()}
        arrays |= {f"optimizer/{i:04d}": v.numpy() for i, v in enumerate(self.optimizer.variables)}
        try:
            save_tensors(directory / f"step-{step:09d}.safetensors", arrays, {"step": step})
        except TensorsError as error:
            raise RunError(str(error)) from error
        for old in sorted(directory.glob("step-*.safetensors"))[:-NUM_CHECKPOINTS]:
            old.unlink()

    def restore(self, directory: Path) -> int:
        """Take up the newest whole checkpoint; the number of steps done, 0 where there is none."""
        for path in sorted(directory.glob("step-*.safetensors"), reverse=True):
            try:
                tensors = load_tensors(path)
            except TensorsError:
                continue  # cut short by whatever ended the training: the one before it is whole
            arrays = tensors.arrays
            weights = {
                name.removeprefix("weights/"): a for name, a in arrays.items() if name.startswith("weights/")
            }
            assign_weights(self.model, weights, path)
            for i, variable in enumerate(self.optimizer.variables):
                variable.assign(arrays[f"optimizer/{i:04d}"])
            return int(tensors.description["step"])
        return 0


def _optimizer(config: TrainConfig) -> keras.optimizers.Optimizer:
    after_warmup = max(1, config.num_steps - config.warmup_steps)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if config.warmup_steps else config.learning_rate,
        decay_steps=after_warmup,
        warmup_target=config.learning_rate if config.warmup_steps else None,
        warmup_steps=config.warmup_steps,
    )
    # beta_2 0.98: with a few thousand steps the default's memory of 1000 steps would span most of them
    if config.optimizer == "adam":
        return keras.optimizers.Adam(rate, beta_2=0.98, global_clipnorm=config.clip_norm)
    return keras.optimizers.AdamW(
        rate, beta_2=0.98, weight_decay=config.weight_decay, global_clipnorm=config.clip_norm
    )


@tf.function
def _loss(model: PairModel, points: Points) -> tf.Tensor:
    return model.loss_of(points, model(points))


def _errors(model: PairModel, batch: Batch) -> dict[str, float]:
    """MSE over all targets, and R^2 of each series that has targets, under teacher forcing."""
    mean = teacher_force(model, batch).mean
    errors = {"mse": float(np.mean((mean - batch.y)[batch.is_target] ** 2))}
    for series in (0, 1):
        chosen = batch.is_target & (batch.series == series)
        if chosen.sum() > 1:
            errors[f"r2_series_{series}"] = _r2(batch.y[chosen], mean[chosen])
    return errors


def _r2(y: Floats, mean: Floats) -> float:
    return float(1 - np.sum((y - mean) ** 2) / max(np.sum((y - y.mean()) ** 2), 1e-12))


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
        partial.replace(directory)
    except OSError as error:
        raise RunError(f"{directory} could not be made: {error.strerror or error}") from error


def _check_same_spec(directory: Path, spec: dict[str, Any]) -> None:
    """A run goes on only as what it was begun as, in every field of model, training and data."""
    begun = read_summary(directory).spec
    wanted = json.loads(json.dumps(spec))
    for part in ("model", "training", "process"):
        old, new = begun.get(part) or {}, wanted.get(part) or {}
        for field in sorted({*old, *new}):
            if old.get(field) != new.get(field):
                raise RunError(
                    f"{field} must be {old.get(field)}, as when {directory} was begun; got {new.get(field)}"
                )


def _spec(model_config: ModelConfig, config: TrainConfig, source: PairProcess | Pairs) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "model": asdict(model_config),
        "training": asdict(config),
        "process": asdict(source) if isinstance(source, PairProcess) else None,
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


def _write_board(board: tf.summary.SummaryWriter, model: PairModel, figures: dict[str, float]) -> None:
    """Scalars and a histogram of every weight for TensorBoard."""
    step = int(figures["step"])
    with board.as_default():
        for name, value in figures.items():
            if name != "step":
                tf.summary.scalar(name, value, step)
        for weight in model.trainable_variables:
            tf.summary.histogram(weight.path, tf.convert_to_tensor(weight), step)
    board.flush()
