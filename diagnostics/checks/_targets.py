"""Targets whose z-scores are chosen, so that the density that a loss must give them is known."""

from dataclasses import replace

import numpy as np

from attn.types import Batch, Floats, Ints, Prediction
from diagnostics.ask import ask_teacher_force
from diagnostics.checks._perturb import at, first_target
from diagnostics.measures import target_columns
from diagnostics.subject import Subject

# Log scales that differ by less over the batches cannot be told apart in a float32 loss.
LEAST_VARIATION = 1e-5


def last_targets(batch: Batch, count: int) -> Batch:
    """The same rows with only their last `count` targets left to predict."""
    still_to_come = np.cumsum(batch.is_target[:, ::-1], axis=1)[:, ::-1]
    num_context = np.where(still_to_come > count, np.arange(1, batch.num_points + 1), 0).max(axis=1)
    return replace(batch, num_context=np.maximum(num_context, batch.num_context))


def write_first(batch: Batch, prediction: Prediction, z: Floats) -> Batch:
    """`batch` with the y of each row's first target `z` [B] scales from its mean."""
    y = prediction.mean + z[:, None] * prediction.scale
    return replace(batch, y=np.where(at(target_columns(batch), batch), y, batch.y))


def write_both(subject: Subject, batch: Batch, z_first: Floats, z_second: Floats) -> tuple[Batch, float]:
    """Two targets a row, each at its z from its own prediction; and the mean of their log scales."""
    prediction = ask_teacher_force(subject, batch)
    batch = write_first(batch, prediction, z_first)
    log_scales = [np.log(first_target(batch, prediction.scale))]
    prediction = ask_teacher_force(subject, batch)
    last = last_targets(batch, 1)
    log_scales.append(np.log(first_target(last, prediction.scale)))
    written = replace(write_first(last, prediction, z_second), num_context=batch.num_context)
    return written, float(np.mean(log_scales))


def stretch(order: Ints, number: int, num_stretches: int, rng: np.random.Generator) -> Ints:
    """As many rows as there are, drawn from one half of `order`: stretch 0 its first, the last its second."""
    half = max(len(order) // 2, 1)
    start = number * (len(order) - half) // (num_stretches - 1)
    return rng.choice(order[start : start + half], len(order))


def regress(parts: Floats, losses: Floats) -> tuple[list[float], float]:
    """Weights by least squares, and the root of the share of the losses' variation that they leave over."""
    centred, target = parts - parts.mean(axis=0), losses - losses.mean()
    size = np.maximum(centred.std(axis=0), LEAST_VARIATION)
    weights = np.linalg.lstsq(centred / size, target, rcond=None)[0] / size
    left = target - centred @ weights
    return weights.tolist(), float(np.sqrt((left**2).sum() / max((target**2).sum(), 1e-30)))
