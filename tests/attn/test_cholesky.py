import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.cholesky import cholesky_factors


def positive_definite(num_matrices, length, seed=0):
    root = np.random.default_rng(seed).standard_normal((num_matrices, length, length))
    return root @ root.transpose(0, 2, 1) + length * np.eye(length)


def factors_of(matrices):
    def write_upper(number, workspace):
        upper = np.triu_indices(len(workspace))
        workspace[upper] = matrices[number][upper]

    return [np.tril(factor) for factor in cholesky_factors(len(matrices), matrices.shape[1], write_upper)]


@given(st.integers(1, 90), st.integers(1, 20), st.integers(0, 99))
@settings(max_examples=25)
def test_factors_are_those_of_each_matrix_in_order(length, num_matrices, seed):
    matrices = positive_definite(num_matrices, length, seed)
    factors = factors_of(matrices)
    assert len(factors) == num_matrices
    # Entries of size up to 3 length, condition numbers below 10: rounding is near 1e-14.
    np.testing.assert_allclose(factors, np.linalg.cholesky(matrices), rtol=0, atol=1e-11)


def test_what_the_last_factor_left_below_the_diagonal_does_not_count():
    matrices = positive_definite(2, 30)
    np.testing.assert_array_equal(factors_of(matrices)[1], factors_of(matrices[1:])[0])


def test_a_matrix_that_is_not_positive_definite_is_refused():
    matrices = positive_definite(2, 3)
    matrices[1] -= 100 * np.eye(3)
    with pytest.raises(np.linalg.LinAlgError, match="a covariance must be positive definite; got one that"):
        factors_of(matrices)
