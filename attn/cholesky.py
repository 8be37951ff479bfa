"""Cholesky factors of many covariance matrices, one after the other in the same memory.

Three things make this cheaper than to factor a stack of matrices.  A fresh matrix of 400 points is 1.3 MB of
pages that the system has yet to provide, which takes about as long as to factor it: here one workspace serves
all.  Of a symmetric matrix LAPACK reads one triangle: nothing else is computed.  And a block of rows stays in
the cache while the terms of a covariance are added up.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.linalg.lapack import dpotrf

from attn.types import Floats

# Rows that are computed at once: fewer waste less beside the diagonal, more cost fewer calls.
_BLOCK_ROWS = 25
# Entries that are computed at once, of several matrices if these are small: 256 KiB of float64.
_BLOCK_ENTRIES = 2**15


def cholesky_factors(
    num_matrices: int, length: int, top_rows: Callable[[slice, int, int], Floats]
) -> Iterator[Floats]:
    """The lower factor of each symmetric positive definite matrix, in order: [length, length] float64.

    top_rows   (matrices, start, num_rows) -> rows `start` to `start + num_rows` of these matrices, from
               column `start` on [matrices, num_rows, length - start]

    A factor lives until the next is asked for, and what stands above its diagonal means nothing.
    Raises numpy.linalg.LinAlgError for a matrix that is not positive definite.
    """
    num_held = max(1, _BLOCK_ENTRIES // (_BLOCK_ROWS * length))
    workspace = np.empty((num_held, length, length))
    for first in range(0, num_matrices, num_held):
        held = workspace[: num_matrices - first]
        for start in range(0, length, _BLOCK_ROWS):
            rows = slice(start, start + _BLOCK_ROWS)
            held[:, rows, start:] = top_rows(slice(first, first + num_held), start, _BLOCK_ROWS)
        for matrix in held:
            # LAPACK counts by columns: the transpose is in its order, and its lower triangle was filled
            factor, info = dpotrf(matrix.T, lower=True, clean=False, overwrite_a=True)
            if info:
                raise np.linalg.LinAlgError("a covariance must be positive definite; got one that is not")
            yield factor
