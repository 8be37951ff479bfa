from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Prediction
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


@pytest.fixture
def asked_of(ask, twin):
    """The batches about which a check asks the parallel pass, and its finding."""

    def record(check):
        batches = []

        def teacher_force(s, batch):
            batches.append(batch)
            return s.teacher_force(batch)

        return batches, ask(check, twin(teacher_force=teacher_force))

    return record


def test_four_columns_of_padding_are_put_on_either_side(asked_of):
    batches, _ = asked_of(padding_is_inert)
    plain, padded = batches[0], [batch for batch in batches if batch.num_points != batches[0].num_points]
    inside = slice(4, -4)
    for batch, size in zip(padded, (0.0, 100.0), strict=True):
        assert batch.num_points == plain.num_points + 8
        np.testing.assert_array_equal(batch.num_context, plain.num_context + 4)
        np.testing.assert_array_equal(batch.valid, np.pad(plain.valid, ((0, 0), (4, 4))))
        for field in ("x", "series", "y"):
            np.testing.assert_array_equal(getattr(batch, field)[:, inside], getattr(plain, field))
        for field in ("x", "y"):
            content = getattr(batch, field)[~batch.valid]
            assert content.std() == pytest.approx(size, rel=0.1)
        assert set(batch.series[~batch.valid]) == {0, 1}


def test_the_move_is_the_statistic(assert_fails):
    def by_two(s, batch):
        return shifted(s.teacher_force(batch), 2.0 * (not batch.valid.all()))

    finding = assert_fails(padding_is_inert, teacher_force=by_two)
    assert finding.statistic == pytest.approx(2.0)
    assert "in 64 of 64 rows" in finding.detail


def newest(batch, values):
    return values[np.arange(batch.num_pairs), batch.num_context - 1]


def test_the_newest_point_is_put_at_zero_and_almost_at_zero(asked_of):
    batches, _ = asked_of(zero_is_a_value)
    # of each feature: at 0, the same a rounding away, almost at 0
    y_zero, _, y_nearly, x_zero, _, x_nearly = batches
    assert (newest(y_zero, y_zero.y) == 0).all()
    size = newest(y_nearly, y_nearly.y)
    unmoved = np.where(y_zero.is_context & (y_zero.y != 0), y_zero.y, np.nan)
    assert (size == size[0]).all()
    assert size[0] == pytest.approx(1e-6 * np.nanstd(unmoved), rel=0.1)
    assert (newest(x_zero, x_zero.x) == 0).all()
    low, high = y_zero.x.min(), y_zero.x.max()
    np.testing.assert_allclose(newest(x_nearly, x_nearly.x), 1e-6 * (high - low))
    for zero, nearly, feature in ((y_zero, y_nearly, "y"), (x_zero, x_nearly, "x")):
        changed = getattr(zero, feature) != getattr(nearly, feature)
        np.testing.assert_array_equal(changed.sum(axis=1), 1)
    np.testing.assert_allclose(np.diff(x_zero.x), np.diff(y_zero.x), atol=1e-9)


@pytest.mark.parametrize("feature", ["x", "y"])
@pytest.mark.parametrize(("share", "status"), [(0.9e-3, "passed"), (1.2e-3, "failed")])
def test_a_thousandth_of_the_typical_scale_is_allowed(feature, share, status, ask, twin):
    def moved(s, batch):
        at_zero = newest(batch, getattr(batch, feature)) == 0
        scale = np.where(np.arange(batch.num_points) < batch.num_points - 5, 1.0, 9.0)
        return Prediction(np.where(batch.is_target, share * at_zero[:, None], 0.0), scale + 0 * batch.y)

    assert ask(zero_is_a_value, twin(teacher_force=moved)).status == status


def test_rows_are_cut_to_unequal_lengths(asked_of):
    batches, finding = asked_of(rows_of_unequal_length_agree)
    together, alone = batches[0], batches[2:]
    assert finding.statistic < 1e-9
    start, stop = together.valid.argmax(axis=1), 48 - together.valid[:, ::-1].argmax(axis=1)
    np.testing.assert_array_equal(start, [0, 1, 2, 3, 0, 1])
    np.testing.assert_array_equal(stop, [48, 47, 46, 48, 47, 46])
    np.testing.assert_array_equal(together.num_context - together.num_context[0], [0, 1, 2, 0, 1, 2])
    for row, batch in enumerate(alone):
        assert batch.valid.all()
        assert batch.num_context == together.num_context[row] - start[row]
        for field in ("x", "series", "y"):
            kept = getattr(together, field)[row, start[row] : stop[row]]
            np.testing.assert_array_equal(getattr(batch, field)[0], kept)


@pytest.mark.parametrize("name", ["teacher_force", "predict_next"])
def test_the_largest_difference_among_unequal_rows_is_the_statistic(name, assert_fails):
    def moved_together(s, *args):
        prediction = getattr(s, name)(*args)
        row = np.arange(len(prediction.mean))[:, None]
        return shifted(prediction, np.where(row == 3, 2.0, 1.0) * (len(row) > 1) * (row > 0))

    finding = assert_fails(rows_of_unequal_length_agree, **{name: moved_together})
    # of the inference step rows are asked together only where they observe equally many columns
    assert finding.statistic == pytest.approx(2.0 if name == "teacher_force" else 1.0)


@pytest.mark.parametrize(("num_points", "status"), [(6, "skipped"), (7, "passed")])
def test_forecasts_may_be_too_short_to_be_cut(num_points, status, ask, whole_subject):
    assert (
        ask(rows_of_unequal_length_agree, whole_subject(PairProcess(num_points=num_points))).status == status
    )
