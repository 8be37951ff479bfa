"""What is trained and how: the configuration, the compiled step, the figures of an epoch, the checkpoints."""

import logging
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from attn.models import PairModel
from attn.models.base import Points
from attn.rollout import loss, teacher_force
from attn.runs import RunError, assign_weights, weights_of
from attn.tensors import Arrays, TensorsError, load_tensors, save_tensors
from attn.types import Batch, Floats

_LOG = logging.getLogger(__name__)

OPTIMIZERS = ("adam", "adamw", "muon")
# Matrices narrower than this are lists of vectors rather than maps between spaces: Muon leaves them to Adam.
_NARROW = 8
# Root mean square of an orthogonalised update at learning rate 1.  Four times that of Liu et al. 2025
# (section 2.2), whose models are larger by orders of magnitude: with it the rate that suits AdamW suits Muon.
_MUON_RMS = 0.8
NUM_CHECKPOINTS = 3
# A rare batch may have no finite gradient; a training that has gone astray has no other batch any more.
MAX_SKIPPED = 10


@dataclass(frozen=True)
class TrainConfig:
    """How to train: the learning rate warms up over `warmup_steps`, then falls to 0 along a cosine.

    regime, num_context   the arrangement of the training batches (see `attn.arrange`)
    optimizer             `adam`, `adamw`, or `muon`: orthogonalised momentum (Jordan et al. 2024) for the
                          matrices between layers, AdamW for all other weights
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


@dataclass(frozen=True)
class Restored:
    """Where a training goes on: after `step`, with the figures of the epochs so far.

    history   None where the checkpoint is of a version that kept it in history.json alone
    """

    step: int
    history: list[dict[str, float]] | None


class Trainer:
    """The model, its optimizer and the compiled step."""

    def __init__(self, model: PairModel, config: TrainConfig) -> None:
        self.model = model
        self.schedule = _schedule(config)
        # Keras would follow the schedule anew for every weight that decays, in a quarter of all operations.
        self.rate = tf.Variable(0.0, trainable=False)
        self.optimizer = _optimizer(config, model, self.rate.value)
        self.optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=True)
    def step(self, points: Points) -> tf.Tensor:
        """One step of gradient descent; returns the loss before it, or NaN where it was skipped."""
        return self.descend(*self.gradient(points))

    def gradient(self, points: Points) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The loss, and its gradient with respect to every weight."""
        with tf.GradientTape() as tape:
            loss = self.model.loss_of(points, self.model(points, training=True))
        return loss, tape.gradient(loss, self.model.trainable_variables)

    def descend(self, loss: tf.Tensor, gradients: list[tf.Tensor]) -> tf.Tensor:
        """Move the weights; returns the loss, or NaN where it or the norm of the gradient is not finite.

        Then nothing moves: weights, moments and the count of steps that the learning rate follows stay as
        they were, as if there had been no such batch.
        """
        is_finite = tf.math.is_finite(loss) & tf.math.is_finite(tf.linalg.global_norm(gradients))
        if is_finite:
            self.rate.assign(self.schedule(self.optimizer.iterations))
            self.optimizer.apply(gradients, self.model.trainable_variables)
        return tf.where(is_finite, loss, math.nan)

    def figures(
        self, step: int, losses: list[float], last: Batch, test: Batch, seconds: float
    ) -> dict[str, float]:
        """The row of an epoch: loss, MSE and R^2 of each series, on training and on test pairs.

        losses   of every step of the epoch, NaN where it was skipped; their mean is over the others
        """
        row = {
            "step": float(step),
            "seconds": seconds,
            "learning_rate": float(self.schedule(self.optimizer.iterations)),
            "train_loss": mean_of_taken(losses),
            "skipped_steps": float(np.isnan(losses).sum()),
            "test_loss": loss(self.model, test),
        }
        for name, batch in (("train", last), ("test", test)):
            row |= {f"{name}_{key}": value for key, value in _errors(self.model, batch).items()}
        return row

    def save(self, directory: Path, step: int, history: list[dict[str, float]]) -> None:
        """Write a checkpoint with the figures of all epochs so far, then remove all but the last three.

        Raises RunError if the disk fails.
        """
        arrays = {f"weights/{name}": value for name, value in weights_of(self.model).items()}
        arrays |= {f"optimizer/{i:04d}": v.numpy() for i, v in enumerate(self.optimizer.variables)}
        try:
            directory.mkdir(exist_ok=True)
            save_tensors(
                directory / f"step-{step:09d}.safetensors", arrays, {"step": step, "history": history}
            )
            for old in sorted(directory.glob("step-*.safetensors"))[:-NUM_CHECKPOINTS]:
                old.unlink()
        except TensorsError as error:
            raise RunError(str(error)) from error
        except OSError as error:
            raise RunError(f"{error.filename} could not be written: {error.strerror}") from error

    def restore(self, directory: Path) -> Restored:
        """Take up the newest whole checkpoint; a damaged one is passed over with a warning.

        Raises RunError if it does not fit the model and its optimizer.
        """
        for path in sorted(directory.glob("step-*.safetensors"), reverse=True):
            try:
                tensors = load_tensors(path)
            except TensorsError as error:
                _LOG.warning("%s (passed over: the training goes on from what is before it)", error)
                continue
            parts: dict[str, dict[str, Any]] = {"weights": {}, "optimizer": {}}
            for name, array in tensors.arrays.items():
                part, _, own_name = name.partition("/")
                parts[part][own_name] = array
            assign_weights(self.model, parts["weights"], path)
            _assign(self.optimizer, parts["optimizer"], path)
            return Restored(int(tensors.description["step"]), tensors.description.get("history"))
        return Restored(0, [])


def _assign(optimizer: keras.optimizers.Optimizer, arrays: Arrays, path: Path) -> None:
    """Set all that an optimizer remembers; raises RunError if what is kept is of another version of it."""
    kept = [arrays[name].shape for name in sorted(arrays)]
    wanted = [tuple(variable.shape) for variable in optimizer.variables]
    if kept != wanted:
        raise RunError(
            f"{path} must hold the {len(wanted)} arrays of the optimizer; it holds {len(kept)}, or others"
        )
    for variable, name in zip(optimizer.variables, sorted(arrays), strict=True):
        variable.assign(arrays[name])


def check_skipped(num_skipped: int, config: TrainConfig, step: int) -> None:
    """Raise RunError where `num_skipped` steps in a row, the last of them `step`, are too many.

    No epoch may be skipped whole: it would have no loss.
    """
    if num_skipped == min(MAX_SKIPPED, config.steps_per_epoch):
        raise RunError(
            f"loss and gradient must be finite in one of {num_skipped} steps in a row; up to step {step} they"
            " were in none: lower the learning rate"
        )


def mean_of_taken(losses: list[float]) -> float:
    """The mean loss of the steps that were not skipped; NaN where all were."""
    taken = [loss for loss in losses if not math.isnan(loss)]
    return float(np.mean(taken)) if taken else math.nan


def _schedule(config: TrainConfig) -> keras.optimizers.schedules.LearningRateSchedule:
    after_warmup = max(1, config.num_steps - config.warmup_steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if config.warmup_steps else config.learning_rate,
        decay_steps=after_warmup,
        warmup_target=config.learning_rate if config.warmup_steps else None,
        warmup_steps=config.warmup_steps,
    )


def _optimizer(
    config: TrainConfig, model: PairModel, rate: Callable[[], tf.Tensor]
) -> keras.optimizers.Optimizer:
    # beta_2 0.98: with a few thousand steps the default's memory of 1000 steps would span most of them
    if config.optimizer == "adam":
        return keras.optimizers.Adam(rate, beta_2=0.98, global_clipnorm=config.clip_norm)
    if config.optimizer == "muon":
        return keras.optimizers.Muon(
            rate,
            adam_beta_2=0.98,
            weight_decay=config.weight_decay,
            adam_weight_decay=config.weight_decay,
            global_clipnorm=config.clip_norm,
            rms_rate=_MUON_RMS,
            exclude_layers=[f"^{re.escape(path)}$" for path in _left_to_adam(model)],
        )
    return keras.optimizers.AdamW(
        rate, beta_2=0.98, weight_decay=config.weight_decay, global_clipnorm=config.clip_norm
    )


def _left_to_adam(model: PairModel) -> list[str]:
    """Paths of the matrices that are no maps between spaces: few rows or columns, or weights of features."""
    return [
        weight.path
        for weight in model.trainable_variables
        if len(weight.shape) == 2 and (min(weight.shape) < _NARROW or "relation" in weight.path)
    ]


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
