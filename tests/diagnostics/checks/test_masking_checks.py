from dataclasses import replace

import numpy as np

from diagnostics.checks.masking import (
    OF_WHAT_WAS_FED_BACK,
    nearest_point_is_seen,
    newest_point_is_seen,
    newest_point_weighs_as_it_should,
    no_future_leak,
    one_context_point_is_enough,
    rows_are_independent,
)


def shifted(prediction, by):
    return replace(prediction, mean=prediction.mean + by)


def leak(s, batch):
    prediction = s.teacher_force(batch)
    return shifted(prediction, 0.05 * (batch.y - prediction.mean))


def leak_of_the_next(s, batch):
    return shifted(s.teacher_force(batch), 0.05 * np.roll(batch.y, -1, axis=1))


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


def only_the_newest_seen(s, batch):
    others = batch.is_context & ~newest(batch)
    return s.teacher_force(replace(batch, y=np.where(others, 0.0, batch.y)))


def rows_mix(s, batch):
    return shifted(s.teacher_force(batch), 0.01 * batch.y[:, :1].mean())


def rows_counted(s, batch):
    return shifted(s.teacher_force(batch), 0.001 * np.arange(batch.num_pairs)[:, None])


def rows_sorted(s, batch):
    """Rows are sorted by their first x, and are not put back."""
    return s.teacher_force(batch.rows(np.argsort(batch.x[:, 0])))


def lost_with_one_point(s, batch):
    return shifted(s.teacher_force(batch), np.where(batch.num_context == 1, np.nan, 0.0)[:, None])


def no_scale_with_one_point(s, batch):
    prediction = s.teacher_force(batch)
    return replace(prediction, scale=prediction.scale * (batch.num_context > 1)[:, None])


TWINS = {
    no_future_leak: {"own y": {"teacher_force": leak}, "next y": {"teacher_force": leak_of_the_next}},
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
    nearest_point_is_seen: {"only the newest": {"teacher_force": only_the_newest_seen}},
    rows_are_independent: {
        "mix": {"teacher_force": rows_mix},
        "count": {"teacher_force": rows_counted},
        "sorted": {"teacher_force": rows_sorted},
    },
    one_context_point_is_enough: {
        "nan": {"teacher_force": lost_with_one_point},
        "zero": {"teacher_force": no_scale_with_one_point},
    },
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


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


def test_rows_that_come_back_in_another_order_are_told_from_rows_that_mix(assert_fails):
    reordered = assert_fails(rows_are_independent, teacher_force=rows_sorted)
    assert reordered.suspects == ("row_order_lost",)
    assert "come back in another order" in reordered.detail
    for mixing in (rows_mix, rows_counted):
        assert "row_order_lost" not in assert_fails(rows_are_independent, teacher_force=mixing).suspects
