"""What is asked of a subject before it is judged by its drift, and the figures of it."""

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Batch, Prediction
from diagnostics.check import Finding, build_scenario
from diagnostics.checks._learnt import learnt, measure_skill

SCENARIO = build_scenario(PairProcess(num_points=24), np.random.default_rng(0), num_pairs=16)


@learnt
def judged(subject, scenario, rng):
    return Finding("passed", "it was judged")


def test_four_batches_of_the_training_are_asked_for(twin):
    asked = []

    def training_batches(s, num_batches, rng):
        asked.append(num_batches)
        return s.training_batches(num_batches, rng)

    judged(twin(training_batches=training_batches), SCENARIO, np.random.default_rng(1))
    assert asked == [4]


@pytest.mark.parametrize(("share", "status"), [(0.19, "skipped"), (0.21, "passed")])
def test_a_fifth_of_the_variance_must_be_explained(share, status, twin):
    def partly(s, batch):
        """The error keeps 1 - share of the variance of y."""
        mean = (1 - np.sqrt(1 - share)) * batch.y
        return Prediction(np.where(batch.is_target, mean, np.nan), np.ones(batch.y.shape))

    finding = judged(twin(teacher_force=partly), SCENARIO, np.random.default_rng(1))
    assert finding.status == status
    if status == "skipped":
        assert f"explains {share:.0%} of the variance" in finding.detail


def test_the_level_of_each_series_is_taken_out(twin):
    # row 1: two targets of series 0 (1 and 3), two of series 1 (10 and 16); row 2: one of each
    batch = Batch(
        np.arange(12.0).reshape(2, 6),
        np.array([[0, 1, 0, 0, 1, 1], [0, 1, 0, 1, 0, 0]]),
        np.array([[0.0, 0, 1, 3, 10, 16], [0, 0, 5, 9, 50, 90]]),
        np.array([[True] * 6, [True, True, True, True, False, False]]),
        np.array([2, 2]),
    )
    error = np.array([[0.0, 0, 7, 8, 1, -1], [0, 0, 100, -100, 0, 0]])

    def with_error(s, batch):
        return Prediction(np.where(batch.is_target, batch.y + error, np.nan), np.ones(batch.y.shape))

    # squares about the mean of two values are half of their squared difference
    assert measure_skill(twin(teacher_force=with_error), batch) == pytest.approx(1 - (1 + 4) / (4 + 36))


def test_where_nothing_varies_there_is_no_skill(twin):
    batch = SCENARIO.forecast.rows(slice(0, 2))
    one_target = Batch(batch.x, batch.series, batch.y, batch.valid, np.full(2, batch.num_points - 1))
    assert measure_skill(twin(), one_target) == 0.0
