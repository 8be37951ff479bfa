"""Against Python's decimal numbers, which round correctly in 40 digits."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numba import njit

from attn.elementary import EXP, SIN_PI, exp, sin_pi

PI = Decimal("3.141592653589793238462643383279502884197")


@pytest.fixture(autouse=True, scope="module")
def compiled():
    """Before anything is timed."""
    of_all(np.zeros(1))
    exp(0.0), sin_pi(0.0)


@njit
def of_all(values):
    """As the covariances use them: in a loop, which becomes SIMD."""
    exps, sines = np.empty(len(values)), np.empty(len(values))
    for i in range(len(values)):
        exps[i], sines[i] = exp(values[i]), sin_pi(values[i])
    return exps, sines


def exact_exp(v):
    with localcontext(prec=40):
        return Decimal(v).exp()


def exact_sin_pi(r):
    """By its Taylor series, for |r| <= 1/2."""
    with localcontext(prec=40):
        angle = PI * Decimal(r)
        return sum((-1) ** k * angle ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(20))


def polynomial(coefficients, at):
    """With the coefficients as float64 holds them, and no further rounding."""
    total = Decimal(0)
    for coefficient in reversed(coefficients):
        total = total * at + Decimal(coefficient)
    return total


def test_the_polynomial_of_exp_is_far_below_rounding():
    with localcontext(prec=40):
        for r in np.linspace(-math.log(2) / 2, math.log(2) / 2, 201):
            at = Decimal(r)
            assert abs(1 + at + at**2 * polynomial(EXP, at) - at.exp()) < Decimal("2e-17") * at.exp()


def test_the_polynomial_of_the_sine_is_far_below_rounding():
    with localcontext(prec=40):
        for r in np.linspace(-0.5, 0.5, 201):
            at = Decimal(r)
            assert abs(at * (PI + at**2 * polynomial(SIN_PI, at**2)) - exact_sin_pi(r)) < Decimal("3e-17")


@given(st.floats(-708, 0))
@example(-0.0)
@example(-708.0)
@example(-math.log(2) / 2)
@example(-1.5 * math.log(2))
def test_exp_is_exact_to_its_last_place(v):
    # in such units, just below a power of 2: the last sum 0.5, the one before 0.25, r 0.2, r^2 q 0.2, q 0.1
    assert abs(Decimal(exp(v)) - exact_exp(v)) <= Decimal("1.25") * Decimal(math.ulp(math.exp(v)))


@given(st.floats(-0.5, 0.5))
def test_sine_of_less_than_half_a_turn(r):
    # in units of 2^-53: z q 2.3, its sum with pi 1, pi itself 0.6, the last product 0.5
    assert abs(Decimal(sin_pi(r)) - exact_sin_pi(r)) <= Decimal("5e-16")


@given(st.floats(-0.5, 0.5), st.integers(-(2**20), 2**20))
def test_sine_of_many_turns_repeats_but_for_its_sign(r, turns):
    u = turns + r
    rest = u - round(u)
    assert abs(sin_pi(u)) == abs(sin_pi(rest))


@pytest.mark.parametrize("function", [exp, sin_pi])
def test_zero_is_exact(function):
    assert function(0.0) == (1.0 if function is exp else 0.0)


def test_nothing_is_below_the_smallest_that_exp_gives():
    assert exp(-708.0) == exp(-1e300) == exp(-np.inf) > 0
    assert exp(-708.0) < 1e-307


def test_nan_stays_nan():
    assert np.isnan(of_all(np.full(9, np.nan))).all()


@given(st.lists(st.floats(-700, 0), min_size=1, max_size=40))
def test_many_at_once_are_the_same_bits_as_one_by_one(values):
    exps, sines = of_all(np.array(values))
    np.testing.assert_array_equal(exps, [exp(v) for v in values])
    np.testing.assert_array_equal(sines, [sin_pi(v) for v in values])


@given(st.lists(st.floats(-700, 0), min_size=1, max_size=40))
def test_without_a_compiler_they_are_the_same_bits(values):
    """No multiplication is fused with an addition: what Python computes is what every CPU computes."""
    np.testing.assert_array_equal(of_all(np.array(values))[0], [exp.py_func(v) for v in values])
