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
    for label in ("rank", "random"):
        process = PairProcess(num_points=24, label=label)
        assert asked(process=process, teacher_force=blind_but_for_the_target).detail == "it was judged"


def test_skill_in_the_order_of_training_or_of_inference_is_enough(asked):
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
    assert asked(teacher_force=knows_forecast, training_batches=in_order("shuffle")).status == "passed"
    assert asked(teacher_force=knows_forecast, training_batches=in_order("forecast")).status == "passed"
    assert asked(teacher_force=knows_forecast, training_batches=None).status == "passed"
    knows_shuffled = skilled_where(lambda batch: batch.num_context <= 24)
    assert asked(teacher_force=knows_shuffled, training_batches=None).status == "passed"
    assert asked(teacher_force=knows_shuffled, training_batches=in_order("shuffle")).status == "passed"
    assert asked(teacher_force=knows_shuffled, training_batches=in_order("forecast")).status == "skipped"


def test_without_training_batches_shuffled_points_stand_for_them(twin):
    subject = twin(training_batches=None)
    scenario = build_scenario(subject.process, np.random.default_rng(0), num_pairs=8)
    assert training_order(subject, scenario, None) == [scenario.shuffled]


def test_skill_is_measured_once_for_all_checks_of_a_scenario_and_for_each_subject(twin):
    asked = []

    def counted(s, batch):
        asked.append(batch)
        return s.teacher_force(batch)

    subject = twin(teacher_force=counted, training_batches=None)
    scenario = build_scenario(subject.process, np.random.default_rng(0), num_pairs=8)
    for seed in range(3):
        assert judged(subject, scenario, np.random.default_rng(seed)).status == "passed"
    assert asked == [scenario.shuffled, scenario.forecast]
    assert judged(twin(teacher_force=ignorant), scenario, np.random.default_rng(0)).status == "skipped"


def test_skill_is_the_share_of_the_variance_within_the_targets_of_a_series(twin):
    # targets of series 0: 1, 3; of series 1: 10, 14, 12: squares about their means 2 and 8
    batch = Batch(
        np.arange(7.0)[None],
        np.array([[0, 1, 0, 0, 1, 1, 1]]),
        np.array([[9.0, 9.0, 1.0, 3.0, 10.0, 14.0, 12.0]]),
        np.ones((1, 7), bool),
        np.array([2]),
    )

    def predicting(*means):
        row = np.array([[np.nan, np.nan, *means]])
        return twin(teacher_force=lambda s, batch: Prediction(row, np.where(np.isnan(row), np.nan, 1.0)))

    assert measure_skill(predicting(1.0, 3.0, 10.0, 14.0, 12.0), batch) == 1.0
    assert measure_skill(predicting(5.0, 7.0, -3.0, 1.0, -1.0), batch) == 1.0  # at wrong levels
    assert measure_skill(predicting(2.0, 2.0, 0.0, 0.0, 0.0), batch) == 0.0
    assert measure_skill(predicting(1.0, 3.0, 12.0, 12.0, 12.0), batch) == pytest.approx(1 - 8 / 10)
    assert measure_skill(predicting(3.0, 1.0, 10.0, 14.0, 12.0), batch) == pytest.approx(1 - 8 / 10)


def test_where_no_two_targets_of_a_series_stand_in_a_row_no_skill_shows(twin):
    batch = Batch(
        np.arange(3.0)[None], np.array([[0, 0, 1]]), np.ones((1, 3)), np.ones((1, 3), bool), np.array([1])
    )
    row = np.array([[np.nan, 1.0, 1.0]])
    perfect = twin(teacher_force=lambda s, batch: Prediction(row, np.where(np.isnan(row), np.nan, 1.0)))
    assert measure_skill(perfect, batch) == 0.0


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
    }
