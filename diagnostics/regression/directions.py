"""When a measure has got worse: which way that is, and the smallest change that matters.

The *badness* of a measure is 0 or least where the measure is best, and rises as it gets worse:

    measure                 badness           smallest change of it that matters, and why
    r2_*                    -value            0.01      one hundredth of the variance of y
    drift_*                 |value|           0.01      of the gap: about 0.03 in y where offsets have scale 2
    nll, nll_gap            value             0.01      nats: one hundredth of a target's likelihood
    nll_first               value             0.05      nats: the cost of a mean a third of its scale off
    rmse_*                  log value         log 1.02  2 % of the error itself, whatever the units of y
    coverage_90             |value - 0.9|     0.02      one target in fifty
    z_square, _first        |log value|       log 1.05  5 % of a variance, so 2.5 % of a scale, either way
    jump_ratio              max(value, 1)     0.02      at most 1 is healthy, so nothing changes below it
    rmse_oracle_*           none              the exact GP's error says nothing of the subject
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from attn.types import Floats


@dataclass(frozen=True, eq=False)
class Direction:
    """`badness` of the values of a measure, any shape, and the `smallest` change of it that matters."""

    badness: Callable[[Floats], Floats]
    smallest: float


_R_SQUARED = Direction(np.negative, 0.01)
_DRIFT = Direction(np.abs, 0.01)
_NATS = Direction(np.positive, 0.01)
_ERROR = Direction(np.log, float(np.log(1.02)))
_COVERAGE = Direction(lambda value: np.abs(value - 0.9), 0.02)
_Z_SQUARE = Direction(lambda value: np.abs(np.log(value)), float(np.log(1.05)))
_JUMP = Direction(lambda value: np.maximum(value, 1.0), 0.02)

DIRECTIONS: dict[str, Direction] = {
    "r2_shuffled": _R_SQUARED,
    "r2_shuffled_series_0": _R_SQUARED,
    "r2_shuffled_series_1": _R_SQUARED,
    "drift_first": _DRIFT,
    "drift_later": _DRIFT,
    "nll": _NATS,
    "nll_gap": _NATS,
    "nll_first": Direction(np.positive, 0.05),
    "rmse_teacher_forced": _ERROR,
    "rmse_free_running": _ERROR,
    "coverage_90": _COVERAGE,
    "z_square": _Z_SQUARE,
    "z_square_first": _Z_SQUARE,
    "jump_ratio": _JUMP,
}
