from dataclasses import replace

import numpy as np

from attn.processes import PairProcess
from diagnostics.checks.visibility import (
    OF_WHAT_WAS_FED_BACK,
    newest_point_is_seen,
    newest_point_weighs_as_it_should,
    other_series_is_seen,
)


def shifted(prediction, by):
    return replace(prediction, mean=prediction.mean + by)


def newest(batch):
    """True at the last observed point of every row [B,L]."""
    return np.arange(batch.num_points) == batch.num_context[:, None] - 1


def newest_hidden(s, batch):
    return s.teacher_force(replace(batch, y=np.where(newest(batch), 0.0, batch.y)))


def dropped(s, history, x_next, series_next):
    """One step from a history whose last column was lost."""
    y = history.y.copy()
    y[:, -1] = 0.0
    return s.predict_next(replace(history, y=y), x_next, series_next)


def dropped_later(s, history, x_next, series_next):
    is_first = history.num_points == history.num_context.max()
    return (s.predict_next if is_first else lambda *args: dropped(s, *args))(history, x_next, series_next)


def hidden_but_for_an_average(s, batch):
    """The newest point is out of sight, and yet moves every prediction a little."""
    average = np.where(batch.is_context, batch.y, 0.0).mean(axis=1, keepdims=True)
    return shifted(s.teacher_force(replace(batch, valid=batch.valid & ~newest(batch))), 0.1 * average)


def dropped_but_for_an_average(s, history, x_next, series_next):
    seen = history.valid & (np.arange(history.num_points) < history.num_points - 1)
    average = history.y.mean(axis=1, keepdims=True)
    return shifted(s.predict_next(replace(history, valid=seen), x_next, series_next), 0.1 * average)


def windowed(s, batch):
    """Only the observed points of B, which stand last, are in the window."""
    first_series = np.take_along_axis(batch.series, batch.num_context[:, None], axis=1)
    is_a = batch.is_context & (batch.series != first_series)
    return s.teacher_force(replace(batch, valid=batch.valid & ~is_a))


def windowed_step(s, history, x_next, series_next):
    is_a = history.series != series_next[:, None]
    return s.predict_next(replace(history, valid=history.valid & ~is_a), x_next, series_next)


TWINS = {
    newest_point_is_seen: {
        "hidden": {"teacher_force": newest_hidden},
        "dropped": {"predict_next": dropped},
        "dropped later": {"predict_next": dropped_later},
    },
    newest_point_weighs_as_it_should: {
        "hidden": {"teacher_force": hidden_but_for_an_average},
        "dropped": {"predict_next": dropped_but_for_an_average},
        "both": {"teacher_force": hidden_but_for_an_average, "predict_next": dropped_but_for_an_average},
    },
    other_series_is_seen: {
        "windowed pass": {"teacher_force": windowed},
        "windowed step": {"predict_next": windowed_step},
    },
}


def test_a_point_that_is_hidden_from_attention_and_averaged_in_is_still_seen(ask, twin):
    parts = {"teacher_force": hidden_but_for_an_average, "predict_next": dropped_but_for_an_average}
    assert ask(newest_point_is_seen, twin(**parts)).status == "passed"


def test_a_newest_point_that_is_lost_on_one_path_alone_names_that_path(assert_fails):
    check = newest_point_weighs_as_it_should
    step, parallel = (
        {"predict_next": dropped_but_for_an_average},
        {"teacher_force": hidden_but_for_an_average},
    )
    assert assert_fails(check, **step).suspects == ("newest_point_dropped",)
    assert assert_fails(check, **parallel).suspects == ("newest_point_hidden",)
    assert assert_fails(check, **step, **parallel).suspects is None


def test_what_is_lost_only_after_it_was_fed_back_is_not_hidden_from_the_first_target(assert_fails):
    later = assert_fails(newest_point_is_seen, predict_next=dropped_later)
    assert later.suspects == OF_WHAT_WAS_FED_BACK
    assert "target 2" in later.detail
    assert assert_fails(newest_point_is_seen, predict_next=dropped).suspects is None


def test_a_window_that_loses_a_is_told_by_the_path_that_has_it(assert_fails):
    assert "in the parallel pass" in assert_fails(other_series_is_seen, teacher_force=windowed).detail
    assert "in the inference step" in assert_fails(other_series_is_seen, predict_next=windowed_step).detail


def test_a_window_that_loses_a_hides_nothing_that_the_other_checks_of_sight_move(ask, twin):
    subject = twin(teacher_force=windowed, predict_next=windowed_step)
    for check in (newest_point_is_seen, newest_point_weighs_as_it_should):
        assert ask(check, subject).status == "passed"


def test_single_sequences_have_no_other_series(ask, twin):
    finding = ask(other_series_is_seen, twin(process=PairProcess(num_points=16, shift="none")))
    assert finding.status == "skipped"
    assert "single sequences" in finding.detail
