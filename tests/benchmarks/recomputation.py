"""The rollouts to beat, written from the description of the original: no cache, every step anew.

At every step the whole forward pass runs over all points so far and the one that is asked for, and only its
last prediction is used.  `eager` is the original's way, one trajectory at a time; `graph` and `fused` are
the same, batched over the trajectories and compiled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from attn.models import PairModel
from attn.models.base import Points
from attn.types import Batch

Forward = Callable[[Points], Any]


@dataclass(frozen=True, eq=False)
class Recomputation:
    """One pair, S trajectories that start from its context, and the noise [S,T] of their draws."""

    model: PairModel
    batch: Batch
    noise: np.ndarray

    def eager(self, num_trajectories: int) -> np.ndarray:
        """The y of the targets [num_trajectories,T], one trajectory after the other."""
        rows = [self._write(self.model, self.noise[s : s + 1]) for s in range(num_trajectories)]
        return np.concatenate(rows)

    def graph(self) -> Callable[[], np.ndarray]:
        """All trajectories at once, traced once for every length: [S,T]."""
        spec = Points(*(tf.TensorSpec([None] * rank, dtype) for rank, dtype in _SIGNATURE))
        forward = tf.function(self.model, input_signature=[spec], autograph=False)
        return lambda: self._write(forward, self.noise)

    def fused(self) -> Callable[[], np.ndarray]:
        """All trajectories at once by XLA, over points padded to their full number: [S,T]."""
        forward = tf.function(self.model, jit_compile=True, autograph=False)
        return lambda: self._write(forward, self.noise, self.batch.num_points)

    def _write(self, forward: Forward, noise: np.ndarray, padded: int | None = None) -> np.ndarray:
        """Step after step; the asked-for point is the last one of a pass, or the first of its padding."""
        x, series, y = (
            np.repeat(part, len(noise), axis=0) for part in (self.batch.x, self.batch.series, self.batch.y)
        )
        first = int(self.batch.num_context[0])
        for t in range(first, self.batch.num_points):
            length = padded or t + 1
            prediction = forward(
                Points(
                    tf.constant(x[:, :length], tf.float32),
                    tf.constant(series[:, :length], tf.int32),
                    tf.constant(np.where(np.arange(length) < t, y[:, :length], 0), tf.float32),
                    tf.constant(np.tile(np.arange(length) <= t, (len(noise), 1))),
                    tf.fill([len(noise)], first),
                )
            )
            mean, scale = (part[:, t].numpy() for part in prediction)
            y[:, t] = mean + scale * noise[:, t - first]
        return y[:, first:]


_SIGNATURE = ((2, tf.float32), (2, tf.int32), (2, tf.float32), (2, tf.bool), (1, tf.int32))
