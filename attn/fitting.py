"""An exact Gaussian process whose hyper-parameters are fitted to pairs: the oracle of data without a process.

The hyper-parameters maximise the log marginal likelihood of all points of the pairs (Rasmussen and Williams
2006, equation 5.8), in log space, from several starts.  A kernel has variance 1; `amplitude` is what it is
multiplied by, shift and noise included, and is fitted too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from attn.processes import PairProcess
from attn.types import Batch, Floats, Pairs, Prediction

# Where each search begins: f may be smooth or rough, the shift an offset, a draw of series 1, or both.
STARTS = tuple(
    PairProcess(kernel=kernel, shift=shift, shift_length_scale=2.0)
    for kernel in ("rbf", "matern")
    for shift in ("const", "rbf", "const_rbf")
)
# In units of a pair's own range of x (10) and scale of y (1): nothing that such data can tell lies beyond.
_LOWEST, _HIGHEST = 1e-3, 1e3


class FitError(ValueError):
    """Pairs to which no process can be fitted; one sentence."""


@dataclass(frozen=True)
class Fit:
    """A process fitted to pairs: y / amplitude is drawn from `process`.

    log_density   of a point of the pairs that it was fitted to, on average, in nats
    """

    process: PairProcess
    amplitude: float
    log_density: float

    def posterior(self, batch: Batch) -> Prediction:
        """Exact N(y_t | all earlier points) at every target; see `PairProcess.posterior`."""
        return self._scaled(self.process.posterior(self._unscaled(batch)))

    def forecast(self, batch: Batch) -> Prediction:
        """Exact N(y_t | the context alone) at every target; see `PairProcess.forecast`."""
        return self._scaled(self.process.forecast(self._unscaled(batch)))

    def _unscaled(self, batch: Batch) -> Batch:
        return replace(batch, y=batch.y / self.amplitude)

    def _scaled(self, prediction: Prediction) -> Prediction:
        return Prediction(self.amplitude * prediction.mean, self.amplitude * prediction.scale)


def fit_best(
    pairs: Pairs,
    starts: Sequence[PairProcess] = STARTS,
    on_fit: Callable[[Fit], None] = lambda fit: None,
) -> Fit:
    """The fit of the largest likelihood over several starts; `on_fit` is called after each.

    Raises FitError where there are fewer than two points, or y does not vary.
    """
    fits = []
    for start in starts:
        fits.append(fit(pairs, start))
        on_fit(fits[-1])
    return max(fits, key=lambda fitted: fitted.log_density)


def fit(pairs: Pairs, start: PairProcess) -> Fit:
    """Fit the amplitude and the fields of `start` that its kernel and its shift have.

    Raises FitError where there are fewer than two points, or y does not vary.
    """
    y = pairs.y[pairs.valid]
    if y.size < 2 or np.ptp(y) == 0:
        raise FitError(f"a process needs at least two points and a y that varies; got {y.size} points")
    fields = _free_fields(start)

    def described(log_values: Floats) -> tuple[PairProcess, float]:
        values = np.exp(log_values).tolist()
        return replace(start, **dict(zip(fields, values[1:], strict=True))), values[0]

    def loss(log_values: Floats) -> float:
        """Minus the log density of a point."""
        process, amplitude = described(log_values)
        unscaled = replace(pairs, y=pairs.y / amplitude)
        return float(np.log(amplitude) - process.log_marginal(unscaled).sum() / y.size)

    begin = np.log([1.0, *(getattr(start, field) for field in fields)])
    bounds = [(np.log(_LOWEST), np.log(_HIGHEST))] * len(begin)
    found = minimize(loss, begin, method="L-BFGS-B", bounds=bounds)
    return Fit(*described(found.x), -float(found.fun))


def _free_fields(process: PairProcess) -> list[str]:
    fields = ["length_scale", "noise_scale"]
    if process.kernel == "periodic":
        fields.append("period")
    if process.shift != "none":
        fields.append("shift_scale")
    if process.shift in ("rbf", "const_rbf"):
        fields.append("shift_length_scale")
    if process.shift == "const_rbf":
        fields.append("offset_scale")
    return fields
