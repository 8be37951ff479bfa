import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.cholesky import _BLOCK_ROWS, cholesky_factors

# Below, at and above one block of rows, and so many matrices that they take several turns in the workspace.
LENGTHS = [1, 2, _BLOCK_ROWS - 1, _BLOCK_ROWS, _BLOCK_ROWS + 1, 3 * _BLOCK_ROWS + 7]


def positive_definite(num_matrices, length, seed=0):
    root = np.random.default_rng(seed).standard_normal((num_matrices, length, length))
    return root @ root.transpose(0, 2, 1) + length * np.eye(length)


def factors_of(matrices):
    def top_rows(chosen, start, num_rows):
        return matrices[chosen, start : start + num_rows, start:]

    return [np.tril(factor) for factor in cholesky_factors(len(matrices), matrices.shape[1], top_rows)]


@given(st.sampled_from(LENGTHS), st.integers(1, 40), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_factors_are_those_of_each_matrix_in_order(length, num_matrices, seed):
    matrices = positive_definite(num_matrices, length, seed)
    factors = factors_of(matrices)
    assert len(factors) == num_matrices
    # Entries of size up to 3 length, condition numbers below 10: rounding is near 1e-14.
    np.testing.assert_allclose(factors, np.linalg.cholesky(matrices), rtol=0, atol=1e-11)


def test_nothing_below_the_blocks_on_the_diagonal_is_asked_for():
    matrices = positive_definite(3, 60)
    asked = np.zeros((60, 60), int)

    def top_rows(chosen, start, num_rows):
        asked[start : start + num_rows, start:] += 1
        return matrices[chosen, start : start + num_rows, start:]

    list(cholesky_factors(3, 60, top_rows))
    assert (asked[np.triu_indices(60)] == 1).all()
    assert asked[_BLOCK_ROWS:, :_BLOCK_ROWS].sum() == 0


def test_a_matrix_that_is_not_positive_definite_is_refused():
    matrices = positive_definite(2, 3)
    matrices[1] -= 100 * np.eye(3)
    with pytest.raises(np.linalg.LinAlgError, match="a covariance must be positive definite; got one that"):
        factors_of(matrices)
