"""Cholesky factors of many covariance matrices, one after the other in the same memory.

Two things make this cheaper than to factor a stack of matrices.  A fresh matrix of 400 points is 1.3 MB of
pages that the system has yet to provide, which takes about as long as to factor it: here one workspace serves
all.  And of a symmetric matrix LAPACK reads one triangle: nothing else is computed.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.linalg.lapack import dpotrf

from attn.types import Floats


def cholesky_factors(
    num_matrices: int, length: int, write_upper: Callable[[int, Floats], None]
) -> Iterator[Floats]:
    """The lower factor of each symmetric positive definite matrix, in order: [length, length] float64.

    write_upper   (number of the matrix, workspace [length, length]) -> None, with the matrix written on the
                  diagonal of the workspace and to the right of it

    A factor lives until the next is asked for, and what stands above its diagonal means nothing.
    Raises numpy.linalg.LinAlgError for a matrix that is not positive definite.
    """
    workspace = np.empty((length, length))
    for number in range(num_matrices):
        write_upper(number, workspace)
        # LAPACK counts by columns: the transpose is in its order, and its lower triangle was written
        factor, info = dpotrf(workspace.T, lower=True, clean=False, overwrite_a=True)
        if info:
            raise np.linalg.LinAlgError("a covariance must be positive definite; got one that is not")
        yield factor
