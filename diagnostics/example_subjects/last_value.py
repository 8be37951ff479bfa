"""A baseline: the newest y of the same series, with a fixed scale.

It is blind to x and knows nothing of its own uncertainty.  The battery says so: last_value.json.
"""

import numpy as np

from attn.processes import PairProcess
from attn.types import Batch, Floats, Ints, Prediction

SCALE = 0.3


class LastValue:
    """The adapter."""

    name = "last value"
    process = PairProcess(num_points=16)

    def teacher_force(self, batch: Batch) -> Prediction:
        """Step by step from the true past."""
        mean = np.full(batch.x.shape, np.nan)
        for column in np.flatnonzero(batch.is_target.any(axis=0)).tolist():
            step = self.predict_next(batch.first(column), batch.x[:, column], batch.series[:, column])
            mean[:, column] = np.where(batch.is_target[:, column], step.mean[:, 0], np.nan)
        return Prediction(mean, np.where(batch.is_target, SCALE, np.nan))

    def predict_next(self, history: Batch, x_next: Floats, series_next: Ints) -> Prediction:
        """The newest point of the same series; of any series where there is none."""
        same = history.valid & (history.series == series_next[:, None])
        usable = np.where(same.any(axis=1, keepdims=True), same, history.valid)
        newest = history.num_points - 1 - usable[:, ::-1].argmax(axis=1)
        mean = np.take_along_axis(history.y, newest[:, None], axis=1)
        return Prediction(mean, np.full(mean.shape, SCALE))
