from dataclasses import replace

import numpy as np

from diagnostics.checks.masking import (
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


def test_rows_that_come_back_in_another_order_are_told_from_rows_that_mix(assert_fails):
    reordered = assert_fails(rows_are_independent, teacher_force=rows_sorted)
    assert reordered.suspects == ("row_order_lost",)
    assert "come back in another order" in reordered.detail
    for mixing in (rows_mix, rows_counted):
        assert "row_order_lost" not in assert_fails(rows_are_independent, teacher_force=mixing).suspects
