"""Covariance functions of variance 1, of a difference in x (Rasmussen and Williams 2006).

Each takes the differences, the length-scale and the period, all in units of x.  Differences are multiplied,
not divided: a division costs about as much as the exp.
"""

from collections.abc import Callable

import numpy as np

from attn.types import Floats


def rbf(difference: Floats, length_scale: float, period: float) -> Floats:
    """Equation 4.9; `period` does not count."""
    return np.exp(-0.5 * (1 / length_scale * difference) ** 2)


def periodic(difference: Floats, length_scale: float, period: float) -> Floats:
    """Equation 4.31."""
    return np.exp(-2 * (1 / length_scale * np.sin(np.pi / period * difference)) ** 2)


def matern(difference: Floats, length_scale: float, period: float) -> Floats:
    """Equation 4.17, nu = 5/2; `period` does not count."""
    scaled = np.sqrt(5) / length_scale * np.abs(difference)
    return (1 + scaled + scaled**2 / 3) * np.exp(-scaled)


KERNELS: dict[str, Callable[[Floats, float, float], Floats]] = {
    "rbf": rbf,
    "periodic": periodic,
    "matern": matern,
}
