from dataclasses import replace

import numpy as np
import pytest

from attn.arrange import arrange
from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject
from diagnostics.attribution.training_order import find_training_order, stands_in_forecast_order

PROCESS = PairProcess(num_points=12)


class Trained(OracleSubject):
    """Shows batches of a regime; counts how many it was asked for."""

    def __init__(self, regime, rows=8):
        super().__init__(PROCESS)
        self.regime, self.rows, self.asked = regime, rows, 0

    def training_batches(self, num_batches, rng):
        self.asked += num_batches
        return [arrange(PROCESS.sample(self.rows, rng), self.regime, 6, rng) for _ in range(num_batches)]


@pytest.mark.parametrize(
    ("regime", "is_forecast"),
    [("forecast", True), ("mixed", True), ("shuffle", False), ("full_infer", False), ("half_half", False)],
)
def test_the_order_is_read_off_the_batches(regime, is_forecast):
    subject = Trained(regime)
    found = find_training_order(subject, 100, np.random.default_rng(0))
    assert found.is_forecast is is_forecast
    assert found.batch.num_pairs == 100
    assert subject.asked == 13
    assert not found.why_not


def test_forecast_order_is_a_then_b_each_by_x():
    rng = np.random.default_rng(0)
    batch = arrange(PROCESS.sample(6, rng), "forecast", 6, rng)
    assert stands_in_forecast_order(batch).all()
    swapped = batch.x.copy()
    swapped[0, [3, 5]] = swapped[0, [5, 3]]  # within A
    swapped[1, [13, 15]] = swapped[1, [15, 13]]  # within the observed B
    swapped[2, [20, 22]] = swapped[2, [22, 20]]  # among the targets, which do not count
    found = stands_in_forecast_order(replace(batch, x=swapped))
    assert found.tolist() == [False, False, True, True, True, True]


def test_a_subject_without_training_batches_says_why():
    found = find_training_order(OracleSubject(PROCESS), 8, np.random.default_rng(0))
    assert (found.batch, found.is_forecast) == (None, False)
    assert "does not offer training_batches" in found.why_not


def test_what_a_subject_raises_becomes_the_reason():
    class Broken(Trained):
        def training_batches(self, num_batches, rng):
            raise RuntimeError("no data here")

    found = find_training_order(Broken("shuffle"), 8, np.random.default_rng(0))
    assert found.batch is None
    assert "no data here" in found.why_not
