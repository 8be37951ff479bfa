"""The step of a training that several workers share: each takes its rows, and all take the same step."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from attn.models import PairModel
from attn.models.base import Points
from attn.trainer import Restored, TrainConfig, Trainer
from attn.workers import Workers


class SharedTrainer(Trainer):
    """A trainer among others like it.

    The loss of a batch is a mean over its targets, and workers differ in how many of these they hold: what is
    summed over workers are sums over targets, and what they are divided by is summed as well.  So the step is
    that of one machine with the whole batch, but for the order in which numbers are added up.
    """

    def __init__(self, model: PairModel, config: TrainConfig, workers: Workers) -> None:
        super().__init__(model, config)
        self.workers = workers

    def step(self, points: Points) -> tf.Tensor:
        """The step of `Trainer.step` for all rows, of which `points` holds this worker's; the loss of all."""
        return self._descend_by(self.workers.sum(self._sums(points)))

    def restore(self, directory: Path) -> Restored:
        """The chief takes up the newest whole checkpoint, and every other worker what the chief has."""
        restored = super().restore(directory) if self.workers.is_chief else Restored(0, [])
        variables = [*self.model.trainable_variables, *self.optimizer.variables]
        state = self.workers.from_chief(
            [np.array([restored.step]), *(variable.numpy() for variable in variables)]
        )
        for variable, value in zip(variables, state[1:], strict=True):
            variable.assign(value)
        return replace(restored, step=int(state[0][0]))

    @tf.function(jit_compile=True)
    def _sums(self, points: Points) -> tf.Tensor:
        """[2 + weights]: the targets that count, the sum of their losses, and its gradient."""
        loss, gradients = self.gradient(points)
        count = tf.reduce_sum(tf.cast(self.model.counted(points), tf.float32))
        parts = [tf.reshape(gradient, [-1]) for gradient in gradients]
        return tf.concat([count[None], count * tf.concat([loss[None], *parts], axis=0)], axis=0)

    @tf.function(jit_compile=True)
    def _descend_by(self, sums: tf.Tensor) -> tf.Tensor:
        """The step by what `_sums` gave, summed over all workers; the loss before it."""
        weights = self.model.trainable_variables
        loss, flat = tf.split(sums[1:] / tf.maximum(sums[0], 1), [1, -1])
        parts = tf.split(flat, [weight.shape.num_elements() for weight in weights])
        gradients = [tf.reshape(part, weight.shape) for part, weight in zip(parts, weights, strict=True)]
        return self.descend(loss[0], gradients)


def trainer_of(model: PairModel, config: TrainConfig, workers: Workers) -> Trainer:
    """The trainer of one machine, or one among several."""
    return Trainer(model, config) if workers.is_alone else SharedTrainer(model, config, workers)
