import numpy as np
import pytest

from attn.contenders import last_value, of_rule, rms_error, shifted_a
from attn.types import Batch

# A at x = 0, 2, 4 is 0, 4, 0; B at x = 1, 2 was observed as 5 and 8, its targets are at 3, 5 and (padding) 6.
BATCH = Batch(
    x=np.array([[0.0, 4, 2, 1, 2, 3, 5, 6]]),
    series=np.array([[1, 1, 1, 0, 0, 0, 0, 0]]),
    y=np.array([[0.0, 0, 4, 5, 8, 7, 2, 99]]),
    valid=np.array([[True] * 7 + [False]]),
    num_context=np.array([5]),
)


def test_last_value_is_carried_on():
    assert last_value(BATCH)[0, 5:7].tolist() == [8, 8]


def test_a_is_interpolated_and_shifted_by_the_mean_distance():
    """A between its points is 2 at 1 and at 3, and 0 beyond its end; B lies 3 and 4 above it: 3.5."""
    assert shifted_a(BATCH)[0, 5:7].tolist() == [5.5, 3.5]


def test_rms_error_counts_targets_alone():
    assert rms_error(np.full((1, 8), 4.0), BATCH) == pytest.approx(np.sqrt((3**2 + 2**2) / 2))


def test_a_rule_says_the_same_whatever_follows():
    answer = of_rule(last_value(BATCH), 2.0, BATCH)
    assert answer.free is answer.forced
    assert answer.free.scale[0, 5:7].tolist() == [2, 2]
    assert np.isnan(answer.free.mean[0, [0, 4, 7]]).all()
