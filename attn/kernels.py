"""Covariances as sums of terms, one a kernel, compiled (kernels after Rasmussen and Williams 2006).

    cov(y_i, y_j) = sum over terms of scale_i scale_j k(x_i - x_j)

A kernel k has variance 1.  Differences in x are multiplied, not divided, which is cheaper.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from attn.elementary import exp, sin_pi
from attn.types import Floats, Ints
from attn.uninterrupted import uninterrupted

KERNELS = ("rbf", "periodic", "matern")
_NAMES = (*KERNELS, "constant")
_RBF, _PERIODIC, _MATERN, _CONSTANT = range(len(_NAMES))
_SIGNATURE = "void(f8[:, ::1], f8[::1], i8[::1], f8[:, ::1], f8[:, ::1], f8[::1])"  # of _write_upper


@dataclass(frozen=True, eq=False)
class Term:
    """One term of a covariance of B x L points.

    kernel         a name of KERNELS, or `constant`, which is 1 at every difference
    scale          of every point [B,L], not negative: where it is 0, the term is 0
    length_scale   of the kernel, in units of x; `period` counts for `periodic` only
    """

    kernel: str
    scale: Floats
    length_scale: float = 1.0
    period: float = 1.0


def upper_triangles(terms: Sequence[Term], x: Floats, noise: Floats) -> Callable[[int, Floats], None]:
    """A function (row, cov) that writes the covariance of that row's points into cov [L,L] float64.

    Only what stands on the diagonal and to the right of it is written.  x [B,L] may be of any dtype:
    differences are float64.  `noise` [B,L] is the variance that is added on the diagonal.
    """
    if not _write_upper.signatures:  # the first of a process is compiled, which takes a second
        with uninterrupted():
            _write_upper.compile(_SIGNATURE)
    x, noise = x.astype(np.float64, order="C"), noise.astype(np.float64, order="C")
    kernels = np.array([_NAMES.index(term.kernel) for term in terms])
    rates = np.array([[1 / term.length_scale, 1 / term.period] for term in terms])
    stacked = np.stack([term.scale for term in terms], axis=1)
    scales = np.ascontiguousarray(stacked, np.float64)  # [B,terms,L]

    def write(row: int, cov: Floats) -> None:
        _write_upper(cov, x[row], kernels, scales[row], rates, noise[row])

    return write


@njit(nogil=True)
def _write_upper(cov: Floats, x: Floats, kernels: Ints, scales: Floats, rates: Floats, noise: Floats) -> None:
    for i in range(len(x)):
        rest = cov[i, i:]
        rest[:] = 0.0
        for term, kernel in enumerate(kernels):
            if scales[term, i] > 0:
                _add_term(rest, x[i:], scales[term, i:], kernel, rates[term, 0], rates[term, 1])
        rest[0] += noise[i]


@njit
def _add_term(
    cov: Floats, x: Floats, scale: Floats, kernel: int, inverse_length_scale: float, frequency: float
) -> None:
    """Add the covariance of the first point with every point [L]; a loop that chose its kernel is no SIMD."""
    x_0, scale_0 = x[0], scale[0]
    if kernel == _RBF:
        for j in range(len(x)):
            cov[j] += scale_0 * scale[j] * _rbf(inverse_length_scale * (x_0 - x[j]))
    elif kernel == _PERIODIC:
        for j in range(len(x)):
            cov[j] += scale_0 * scale[j] * _rbf(2 * inverse_length_scale * sin_pi(frequency * (x_0 - x[j])))
    elif kernel == _MATERN:
        for j in range(len(x)):
            cov[j] += scale_0 * scale[j] * _matern(inverse_length_scale * (x_0 - x[j]))
    elif kernel == _CONSTANT:
        for j in range(len(x)):
            cov[j] += scale_0 * scale[j]


@njit
def _rbf(difference: float) -> float:
    """Equation 4.9 for a length-scale of 1; of twice a sine of half the angle it is equation 4.31."""
    return exp(-0.5 * difference * difference)


@njit
def _matern(difference: float) -> float:
    """Equation 4.17 for nu = 5/2 and a length-scale of 1."""
    scaled = np.sqrt(5) * abs(difference)
    return (1 + scaled + scaled * scaled / 3) * exp(-scaled)
