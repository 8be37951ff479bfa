"""Likelihood: a loss or a metric that scores something else than the targets."""

from dataclasses import replace

import tensorflow as tf

from attn import scores
from attn.likelihood import gaussian_log_density, masked_mean
from attn.models.base import Normal, PairModel, Points
from attn.types import Batch, Prediction
from diagnostics.faults.injection import InjectedSubject, Replacement, injection
from diagnostics.faults.trained import fresh_run, shared_run, trained_subject
from diagnostics.measures import target_columns
from diagnostics.subject import Subject


@injection(34, "halved_log_scale")
def halved_log_scale(severity: float) -> Subject:
    """Learnt with half of the log scale in the loss."""
    return trained_subject("halved_log_scale")


@injection(35, "zero_targets_dropped")
def zero_targets_dropped(severity: float) -> Subject:
    """Targets that are exactly 0 are left out of the loss."""

    def loss_of(model: PairModel, points: Points, prediction: Normal) -> tf.Tensor:
        density = gaussian_log_density(points.y, prediction.mean, prediction.scale)
        return -masked_mean(density, points.is_target & (points.y != 0))

    return InjectedSubject(fresh_run("sound"), (Replacement(PairModel, "loss_of", loss_of),))


@injection(36, "context_scored")
def context_scored(severity: float) -> Subject:
    """Observed points are scored in the loss too."""

    def loss_of(model: PairModel, points: Points, prediction: Normal) -> tf.Tensor:
        density = gaussian_log_density(points.y, prediction.mean, prediction.scale)
        return -masked_mean(density, points.valid)

    return InjectedSubject(fresh_run("sound"), (Replacement(PairModel, "loss_of", loss_of),))


@injection(37, "first_target_unscored")
def first_target_unscored(severity: float) -> Subject:
    """Learnt with a loss that leaves out the first target of every row."""
    return trained_subject("first_target_unscored")


@injection(38, "metric_skips_first")
def metric_skips_first(severity: float) -> Subject:
    """The metric begins after the first prediction."""
    sound = scores.score

    def late(batch: Batch, prediction: Prediction, *, is_density: bool = True) -> scores.Scores:
        begun = replace(batch, num_context=(target_columns(batch) + 1).astype(batch.num_context.dtype))
        return sound(begun, prediction, is_density=is_density)

    return InjectedSubject(shared_run("sound"), (Replacement(scores, "score", late),))
