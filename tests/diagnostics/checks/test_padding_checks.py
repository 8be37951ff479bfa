from dataclasses import replace

import numpy as np

from diagnostics.checks.padding import padding_is_inert, rows_of_unequal_length_agree, zero_is_a_value


def shifted(prediction, by):
    return replace(prediction, mean=prediction.mean + by)


def reads_padding(s, batch):
    content = np.where(batch.valid, 0.0, batch.y).sum(axis=1, keepdims=True)
    return shifted(s.teacher_force(batch), 0.001 * content)


def reads_column(column):
    """Padding is read where it stands in that column: on one side only."""

    def teacher_force(s, batch):
        content = np.where(batch.valid, 0.0, batch.y)[:, [column]]
        return shifted(s.teacher_force(batch), 0.001 * content)

    return teacher_force


def counts_padding(s, batch):
    return shifted(s.teacher_force(batch), 0.01 * (~batch.valid).sum(axis=1, keepdims=True))


def breaks_with_padding(s, batch):
    return shifted(s.teacher_force(batch), 0.0 if batch.valid.all() else np.nan)


def drops_zeros(feature):
    def teacher_force(s, batch):
        is_zero = (getattr(batch, feature) == 0) & batch.is_context
        return s.teacher_force(replace(batch, valid=batch.valid & ~is_zero))

    return teacher_force


def positions_of_the_first_row(s, batch):
    """Every row is moved by how far its positions are from those of the first row."""
    position = np.cumsum(batch.valid, axis=1)
    return shifted(s.teacher_force(batch), 0.01 * (position - position[:1]))


def step_at_a_column(s, history, x_next, series_next):
    """The position of a step is the number of columns, not of the points in them."""
    missing = (~history.valid).sum(axis=1, keepdims=True)
    return shifted(s.predict_next(history, x_next, series_next), 0.01 * missing)


TWINS = {
    padding_is_inert: {
        "content": {"teacher_force": reads_padding},
        "content on the left": {"teacher_force": reads_column(0)},
        "content on the right": {"teacher_force": reads_column(-1)},
        "presence": {"teacher_force": counts_padding},
        "nan": {"teacher_force": breaks_with_padding},
    },
    zero_is_a_value: {
        "y": {"teacher_force": drops_zeros("y")},
        "x": {"teacher_force": drops_zeros("x")},
    },
    rows_of_unequal_length_agree: {
        "shared positions": {"teacher_force": positions_of_the_first_row},
        "step": {"predict_next": step_at_a_column},
    },
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


def test_the_finding_says_what_stood_in_the_padding_and_which_feature_was_0(assert_fails):
    content = assert_fails(padding_is_inert, teacher_force=reads_column(0)).detail
    assert "filled with noise" in content
    assert "filled with zeros" in assert_fails(padding_is_inert, teacher_force=counts_padding).detail
    for feature in ("x", "y"):
        detail = assert_fails(zero_is_a_value, teacher_force=drops_zeros(feature)).detail
        assert f"its {feature} is exactly 0" in detail


def test_rows_of_unequal_length_are_asked_on_both_paths(assert_fails):
    check = rows_of_unequal_length_agree
    assert "parallel pass" in assert_fails(check, teacher_force=positions_of_the_first_row).detail
    assert "inference step" in assert_fails(check, predict_next=step_at_a_column).detail
