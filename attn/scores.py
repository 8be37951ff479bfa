"""How good predictions are, in the units of what they predict: MSE, R^2, R^2 of each series, NLL."""

from dataclasses import dataclass

import numpy as np

from attn.types import Batch, Bools, Floats, Prediction


@dataclass(frozen=True)
class Scores:
    """Figures over all targets of a batch.

    r2_by_series   of series 0 and 1; None where a series has fewer than 2 targets, or they do not vary
    nll            mean negative log density of a target in nats; None where only means were scored
    """

    mse: float
    r2: float | None
    r2_by_series: tuple[float | None, float | None]
    nll: float | None


def score(batch: Batch, prediction: Prediction, *, is_density: bool = True) -> Scores:
    """Score `prediction` [B,L] at the targets of `batch`, the very first target included.

    is_density   the scales belong to the densities of y one after the other, so that their logs add up
    """
    targets = batch.is_target
    by_series = (_r2(batch.y, prediction.mean, targets & (batch.series == series)) for series in (0, 1))
    z = (batch.y - prediction.mean)[targets] / prediction.scale[targets] if is_density else None
    return Scores(
        mse=float(np.mean((batch.y - prediction.mean)[targets] ** 2)),
        r2=_r2(batch.y, prediction.mean, targets),
        r2_by_series=(next(by_series), next(by_series)),
        nll=None if z is None else _mean_nll(z, prediction.scale[targets]),
    )


def _mean_nll(z: Floats, scale: Floats) -> float:
    return float(np.mean(0.5 * z**2 + np.log(scale) + 0.5 * np.log(2 * np.pi)))


def _r2(y: Floats, mean: Floats, where: Bools) -> float | None:
    """1 - squared error / squared distance from the mean of all y that are scored."""
    if where.sum() < 2 or np.ptp(y[where]) == 0:
        return None
    return float(1 - np.sum((y - mean)[where] ** 2) / np.sum((y[where] - y[where].mean()) ** 2))
