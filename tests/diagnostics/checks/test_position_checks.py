from dataclasses import replace

import numpy as np

from diagnostics.checks.position import (
    OF_LATER_STEPS,
    OF_THE_FIRST_STEP,
    history_labels_matter,
    query_position_is_its_own,
    single_step_equals_column,
    x_is_resolved,
)


def label_blind(s, batch):
    return s.teacher_force(replace(batch, series=np.zeros_like(batch.series)))


def moved_x(by):
    return lambda s, batch: s.teacher_force(replace(batch, x=np.roll(batch.x, by, axis=1)))


def binned(width):
    return lambda s, batch: s.teacher_force(replace(batch, x=np.floor(batch.x / width) * width))


def stuck_step(s, history, x_next, series_next):
    return s.predict_next(history, history.x[:, -1], series_next)


def is_later(history):
    return history.num_points > history.num_context.max()


def stuck_later(s, history, x_next, series_next):
    first = history.x[np.arange(history.num_pairs), history.num_context - 1]
    return s.predict_next(history, first if is_later(history) else x_next, series_next)


def scaled_later(s, history, x_next, series_next):
    fed_back = np.arange(history.num_points) >= history.num_context[:, None]
    return s.predict_next(
        replace(history, y=np.where(fed_back, 0.9 * history.y, history.y)), x_next, series_next
    )


TWINS = {
    history_labels_matter: {"blind": {"teacher_force": label_blind}},
    query_position_is_its_own: {
        "late": {"teacher_force": moved_x(1)},
        "early": {"teacher_force": moved_x(-1)},
    },
    x_is_resolved: {
        "bins of 0.1": {"teacher_force": binned(0.1)},
        "all in one bin": {"teacher_force": binned(100.0)},
    },
    single_step_equals_column: {
        "stuck": {"predict_next": stuck_step},
        "stuck later": {"predict_next": stuck_later},
        "scaled later": {"predict_next": scaled_later},
    },
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


def test_a_staircase_is_told_from_a_prediction_that_does_not_follow_x_at_all(assert_fails):
    staircase = assert_fails(x_is_resolved, teacher_force=binned(0.1))
    assert "staircase" in staircase.detail
    assert (staircase.suspects or x_is_resolved.suspects)[0] == "coarse_bins"
    still = assert_fails(x_is_resolved, teacher_force=binned(100.0))
    assert "not resolved at all" in still.detail
    assert still.suspects[0] == "query_off_by_one"


def test_a_step_that_differs_only_after_feedback_is_told_from_one_that_differs_at_once(assert_fails):
    def suspects_of(step):
        return assert_fails(single_step_equals_column, predict_next=step).suspects

    assert suspects_of(stuck_step) == OF_THE_FIRST_STEP
    assert suspects_of(stuck_later) == ("stuck_position",)
    assert suspects_of(scaled_later) == OF_LATER_STEPS
