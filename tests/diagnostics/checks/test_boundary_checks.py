from dataclasses import replace

import numpy as np

from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics.adapters import OracleSubject
from diagnostics.checks.boundary import (
    no_drift_at_the_first_target,
    no_drift_later,
    no_offset_at_the_first_target,
    prediction_follows_a_level_shift,
    relabelling_changes_nothing,
)
from diagnostics.checks.likelihood import first_target_is_calibrated
from diagnostics.measures import level_gap, target_columns
from diagnostics.power.twins import OffsetSubject

PROCESS = PairProcess(num_points=24)
NUM_PAIRS = 64


def shifted(prediction, by):
    return replace(prediction, mean=prediction.mean + by)


def label_blind_step(s, history, x_next, series_next):
    blind = replace(history, series=np.zeros_like(history.series))
    return s.predict_next(blind, x_next, np.zeros_like(series_next))


def label_blind_rollout(s, batch, num_samples, rng, feed="sample"):
    return s.rollout(replace(batch, series=np.zeros_like(batch.series)), num_samples, rng, feed)


def drop_of(share):
    """A step that lies `share` of the gap towards A."""

    def step(s, history, x_next, series_next):
        gap = level_gap(replace(history, num_context=np.full(history.num_pairs, history.num_points - 1)))
        return shifted(s.predict_next(history, x_next, series_next), share * np.nan_to_num(gap)[:, None])

    return step


def offset_of(size):
    """A step that lies `size` standard deviations of the exact posterior towards A, however wide the gap."""

    def step(s, history, x_next, series_next):
        return OffsetSubject(s, s.process, size).predict_next(history, x_next, series_next)

    return step


def drifting_rollout(s, batch, num_samples, rng, feed="sample"):
    rollout = s.rollout(batch, num_samples, rng, feed)
    later = np.arange(batch.num_points) > target_columns(batch)[:, None]
    return replace(rollout, mean=rollout.mean + 0.2 * level_gap(batch)[:, None] * later)


def compressed(s, batch):
    prediction = s.teacher_force(batch)
    return replace(prediction, mean=0.8 * prediction.mean)


def partial_to_a_label(s, batch):
    return shifted(s.teacher_force(batch), 0.1 * (1 - 2 * batch.series))


TWINS = {
    no_drift_at_the_first_target: {
        "blind": {"predict_next": label_blind_step},
        "small": {"predict_next": drop_of(0.1)},
        "away": {"predict_next": drop_of(-0.1)},
    },
    no_offset_at_the_first_target: {
        "towards": {"predict_next": offset_of(0.5)},
        "away": {"predict_next": offset_of(-0.5)},
    },
    no_drift_later: {"blind": {"rollout": label_blind_rollout}, "grown": {"rollout": drifting_rollout}},
    prediction_follows_a_level_shift: {"compressed": {"teacher_force": compressed}},
    relabelling_changes_nothing: {"partial": {"teacher_force": partial_to_a_label}},
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


def test_an_offset_of_half_a_deviation_is_below_what_the_drift_fraction_shows(ask, twin):
    assert ask(no_drift_at_the_first_target, twin(predict_next=offset_of(0.5))).status == "passed"


def test_an_offset_that_the_subject_expects_is_excused(ask, twin):
    def unsure_step(s, history, x_next, series_next):
        prediction = offset_of(0.5)(s, history, x_next, series_next)
        return replace(prediction, scale=4 * prediction.scale)

    finding = ask(no_offset_at_the_first_target, twin(predict_next=unsure_step))
    assert finding.status == "passed", finding.detail


def test_drift_is_judged_against_the_truth_where_there_is_no_process(ask, twin):
    pairs = PROCESS.sample(200, np.random.default_rng(5))
    for check in (no_drift_at_the_first_target, no_drift_later):
        healthy = ask(check, OracleSubject(PROCESS), source=pairs)
        assert healthy.status == "passed", healthy.detail
        assert "against the true y" in healthy.detail
        blind = twin(predict_next=label_blind_step, rollout=label_blind_rollout)
        assert ask(check, blind, source=pairs).status == "failed"


def test_labels_that_tell_the_level_are_not_held_against_a_model_without_a_process(ask, twin):
    check, subject = relabelling_changes_nothing, twin(teacher_force=partial_to_a_label)
    telling = replace(PROCESS, label="rank").sample(NUM_PAIRS, np.random.default_rng(7))
    finding = ask(check, subject, source=telling)
    assert finding.status == "passed"
    assert "nothing is judged" in finding.detail
    assert ask(check, subject, source=PROCESS.sample(NUM_PAIRS, np.random.default_rng(7))).status == "failed"


def test_a_model_that_is_honestly_uncertain_at_the_boundary_is_not_flagged(ask, twin):
    def unsure(s, batch):
        prediction = s.teacher_force(batch)
        first = np.arange(batch.num_points) == target_columns(batch)[:, None]
        error = 0.4 * np.random.default_rng(0).standard_normal((batch.num_pairs, 1))
        scale = np.where(first, np.hypot(prediction.scale, 0.4), prediction.scale)
        return Prediction(prediction.mean + first * error, scale)

    for check in (no_drift_at_the_first_target, first_target_is_calibrated):
        assert ask(check, twin(teacher_force=unsure)).status == "passed"
