import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.kernels import KERNELS, Term, _write_upper, upper_triangles


def kernel(name, difference, length_scale=1.0, period=1.0):
    """The equations of Rasmussen and Williams (2006), by Python's own functions."""
    scaled = difference / length_scale
    if name == "constant":
        return 1.0
    if name == "rbf":  # 4.9
        return math.exp(-(scaled**2) / 2)
    if name == "periodic":  # 4.31, whose period is 2 pi
        return math.exp(-2 * math.sin(math.pi * difference / period) ** 2 / length_scale**2)
    root = math.sqrt(5) * abs(scaled)  # 4.17, nu = 5/2
    return (1 + root + root**2 / 3) * math.exp(-root)


def written(terms, x, noise, row=0):
    """The upper triangle of one row's covariance; what is not written stays NaN."""
    cov = np.full((x.shape[1],) * 2, np.nan)
    upper_triangles(terms, x, noise)(row, cov)
    return cov


def ones(x):
    return np.ones(np.shape(x))


@pytest.mark.parametrize("name", [*KERNELS, "constant"])
@given(
    x=st.lists(st.floats(-20, 20), min_size=1, max_size=12),
    length_scale=st.floats(0.3, 5),
    period=st.floats(0.5, 9),
)
def test_each_kernel_is_its_equation(name, x, length_scale, period):
    x = np.array([x])
    cov = written([Term(name, ones(x), length_scale, period)], x, 0 * x)
    for i, j in zip(*np.triu_indices(x.shape[1]), strict=True):
        expected = kernel(name, x[0, i] - x[0, j], length_scale, period)
        # an angle of up to 80 half turns and an exponent of up to 10^4 / 2, each rounded at 1e-16 of itself
        assert cov[i, j] == pytest.approx(expected, rel=1e-11, abs=1e-13)


@pytest.mark.parametrize("name", [*KERNELS, "constant"])
def test_variance_is_exactly_1(name):
    x = np.array([[3.7, 3.7, -1e6]])
    cov = written([Term(name, ones(x), 0.3, 0.7)], x, 0 * x)
    assert (cov.diagonal() == 1).all()
    assert cov[0, 1] == 1


def test_terms_are_added_with_the_scales_of_both_points():
    x = np.array([[0.0, 1.0, 3.0]])
    terms = [Term("rbf", np.array([[1.0, 2.0, 0.0]])), Term("constant", np.array([[0.0, 3.0, 5.0]]))]
    cov = written(terms, x, np.array([[0.1, 0.2, 0.3]]))
    expected = [
        [1.0 + 0.1, 2 * math.exp(-0.5), 0.0],
        [np.nan, 4.0 + 9.0 + 0.2, 15.0],
        [np.nan, np.nan, 25.0 + 0.3],
    ]
    np.testing.assert_allclose(cov, expected, rtol=1e-15, atol=0)


def test_each_row_has_points_and_scales_of_its_own():
    rng = np.random.default_rng(0)
    x, scale, noise = rng.uniform(size=(3, 4, 7))
    for row in range(4):
        alone = slice(row, row + 1)
        np.testing.assert_array_equal(
            written([Term("matern", scale, 0.5)], x, noise, row),
            written([Term("matern", scale[alone], 0.5)], x[alone], noise[alone]),
        )


def test_differences_are_float64_whatever_x_is():
    x = np.array([[5.1, 14.9, 10.2]], np.float32)
    terms = [Term("rbf", ones(x), 0.37)]
    np.testing.assert_array_equal(written(terms, x, 0 * x), written(terms, x.astype(float), 0 * x))


def test_whatever_the_arrays_are_made_of_one_function_is_compiled():
    rng = np.random.default_rng(0)
    x, scale = rng.uniform(size=(2, 3, 4))
    fortran = np.asfortranarray
    np.testing.assert_array_equal(
        written([Term("rbf", fortran(scale))], fortran(x), fortran(x)), written([Term("rbf", scale)], x, x)
    )
    written([Term("rbf", scale[::2, ::-2])], x.astype(np.float32)[::2, ::-2], x[::2, ::-2])
    assert len(_write_upper.signatures) == 1  # each takes a second to compile


def test_an_unknown_x_makes_no_number_of_its_covariance():
    x = np.array([[0.0, np.nan]])
    assert np.isnan(written([Term("rbf", ones(x))], x, ones(x))[0, 1])
