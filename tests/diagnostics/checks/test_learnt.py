from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Batch, Prediction
from diagnostics.check import Finding, build_scenario
from diagnostics.checks import CHECKS
from diagnostics.checks._learnt import LEAST_SKILL, learnt, measure_skill, training_order


def ignorant(s, batch):
    """The mean of nothing at all."""
    return Prediction(np.where(batch.is_target, 0.0, np.nan), np.where(batch.is_target, 1.0, np.nan))


def blind_but_for_the_target(s, batch):
    """The best that can be done with labels by rank where only the predicted point has one.

    Half of the variance of the offsets is common to all points, the rest is noise; the label of the target
    tells on which side of the common level it lies, by E|N(0, 4) - N(0, 4)| / 2 = 2 / sqrt(pi).
    """
    one_series = PairProcess(num_points=24, shift_scale=np.sqrt(2), noise_scale=np.sqrt(2 + 0.1**2))
    prediction = one_series.posterior(replace(batch, series=np.zeros_like(batch.series)))
    return replace(prediction, mean=prediction.mean + 2 / np.sqrt(np.pi) * (1 - 2 * batch.series))


@learnt
def judged(subject, scenario, rng):
    return Finding("passed", "it was judged")


@pytest.fixture
def asked(twin):
    """What `judged` finds of a twin with these parts."""

    def ask(**parts):
        subject = twin(**parts)
        scenario = build_scenario(subject.process, np.random.default_rng(0), num_pairs=64)
        return judged(subject, scenario, np.random.default_rng(1))

    return ask


def test_an_ignorant_subject_is_skipped_with_the_reason(asked):
    finding = asked(teacher_force=ignorant)
    assert finding.status == "skipped"
    assert "it has not learnt the task, so the boundary cannot be judged" in finding.detail
    assert f"at least {LEAST_SKILL:.0%} is asked" in finding.detail


def test_a_subject_whose_history_is_label_blind_has_learnt_enough_to_be_judged(asked):
    by_rank = PairProcess(num_points=24, label="rank")
    assert asked(process=by_rank, teacher_force=blind_but_for_the_target).detail == "it was judged"


def test_the_order_of_the_training_decides_where_it_is_known(asked):
    def skilled_where(is_skilled):
        def teacher_force(s, batch):
            skilled, unskilled = s.teacher_force(batch), ignorant(s, batch)
            rows = np.reshape(is_skilled(batch), (-1, 1))
            return Prediction(
                np.where(rows, skilled.mean, unskilled.mean), np.where(rows, skilled.scale, unskilled.scale)
            )

        return teacher_force

    def in_order(regime):
        return lambda s, num_batches, rng: [s.arranged(regime, rng) for _ in range(num_batches)]

    # in forecast order more than half of the points are observed, in shuffled order 6 of 48
    knows_forecast = skilled_where(lambda batch: batch.num_context > 24)
    assert asked(teacher_force=knows_forecast, training_batches=in_order("shuffle")).status == "skipped"
    assert asked(teacher_force=knows_forecast, training_batches=in_order("forecast")).status == "passed"
    assert asked(teacher_force=knows_forecast, training_batches=None).status == "passed"
    knows_shuffled = skilled_where(lambda batch: batch.num_context <= 24)
    assert asked(teacher_force=knows_shuffled, training_batches=None).status == "passed"


def test_without_training_batches_both_orders_are_tried(twin):
    subject = twin(training_batches=None)
    scenario = build_scenario(subject.process, np.random.default_rng(0), num_pairs=8)
    assert training_order(subject, scenario, None) == [scenario.shuffled, scenario.forecast]


def test_skill_is_the_share_of_the_squared_error_of_the_observed_mean(twin):
    # the observed mean is 2, its errors at the targets are 1 and -3 (squares 10 in all)
    batch = Batch(
        np.arange(4.0)[None], np.zeros((1, 4), int), np.array([[1.0, 3.0, 3.0, -1.0]]), np.ones((1, 4), bool),
        np.array([2]),
    )  # fmt: skip

    def predicting(*means):
        row = np.array([[np.nan, np.nan, *means]])
        return twin(teacher_force=lambda s, batch: Prediction(row, np.where(np.isnan(row), np.nan, 1.0)))

    assert measure_skill(predicting(3.0, -1.0), batch) == 1.0
    assert measure_skill(predicting(2.0, 2.0), batch) == 0.0
    assert measure_skill(predicting(4.0, -3.0), batch) == pytest.approx(0.5)  # (1 + 4) / 10 is left
    assert measure_skill(predicting(3.0, 9.0), batch) == pytest.approx(-9.0)


def test_the_decorator_keeps_question_and_method_and_is_on_the_statistics_of_the_model(ask, twin):
    judging = {
        check.name
        for check in CHECKS
        if "has not learnt the task" in ask(check, twin(teacher_force=ignorant)).detail
    }
    assert judging == {
        "newest_point_weighs_as_it_should",
        "context_order_is_irrelevant",
        "no_drift_at_the_first_target",
        "no_offset_at_the_first_target",
        "no_drift_later",
        "prediction_follows_a_level_shift",
        "relabelling_changes_nothing",
        "forecast_order_was_trained",
        "z_scores_are_calibrated",
        "first_target_is_calibrated",
        "first_target_is_predicted_as_well",
    }
