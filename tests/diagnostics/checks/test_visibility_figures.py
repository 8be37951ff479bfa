"""What the checks of visibility ask, and the figures that they state."""

from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics.check import build_scenario
from diagnostics.checks._perturb import at, newest_context
from diagnostics.checks.visibility import (
    OF_WHAT_WAS_FED_BACK,
    newest_point_is_seen,
    newest_point_weighs_as_it_should,
    other_series_is_seen,
)
from diagnostics.measures import predicted_series

PROCESS = PairProcess(num_points=24)
# As `ask` draws it: 30 of 48 points are observed in every row, so that columns 30 to 47 are targets.
SCENARIO = build_scenario(PROCESS, np.random.default_rng([0, 0]), num_pairs=64)
BATCH = SCENARIO.forecast
SPREAD = BATCH.y[BATCH.is_context].std()
ROWS = np.arange(64)


def shifted(prediction, by):
    return replace(prediction, mean=prediction.mean + by)


def following_the_newest(share):
    """Both paths follow the newest of the observed points by that share of what is due, at inference."""

    def without(batch):
        return replace(batch, y=np.where(at(newest_context(batch), batch), 0.0, batch.y))

    def teacher_force(s, batch):
        if batch.num_context.min() < 24:  # the order of the training
            return s.teacher_force(batch)
        whole, rest = s.teacher_force(batch), s.teacher_force(without(batch))
        return shifted(whole, (share - 1) * (whole.mean - rest.mean))

    def predict_next(s, history, *point):
        whole, rest = s.predict_next(history, *point), s.predict_next(without(history), *point)
        return shifted(whole, (share - 1) * (whole.mean - rest.mean))

    return {"teacher_force": teacher_force, "predict_next": predict_next}


def in_shuffled_order(s, num_batches, rng):
    return [s.arranged("shuffle", rng) for _ in range(num_batches)]


@pytest.mark.parametrize(
    ("share", "status", "tolerance"), [(0.38, "failed", 0.4), (0.42, "passed", 0.4), (5.0, "passed", 0.4)]
)
@pytest.mark.parametrize(
    ("paths", "suspects"),
    [
        (["teacher_force"], ("newest_point_hidden",)),
        (["predict_next"], ("newest_point_dropped",)),
        (["teacher_force", "predict_next"], None),
    ],
)
def test_the_share_of_the_due_move_is_judged_on_both_paths(
    share, status, tolerance, paths, suspects, ask, twin
):
    parts = {path: following_the_newest(share)[path] for path in paths}
    finding = ask(newest_point_weighs_as_it_should, twin(**parts, training_batches=in_shuffled_order))
    assert (finding.status, finding.tolerance) == (status, tolerance)
    assert finding.suspects == (suspects if status == "failed" else None)
    if status == "failed" or "predict_next" in paths:
        assert finding.statistic == pytest.approx(share)


def test_the_newest_point_is_moved_by_the_predicted_scale_up_and_down(asked_of):
    _, (before, after) = asked_of(newest_point_weighs_as_it_should)
    moved = after.y - before.y
    due = np.where(ROWS % 2 == 0, 1, -1) * PROCESS.posterior(BATCH).scale[:, 30]
    np.testing.assert_allclose(moved[:, -1], due)
    assert (moved[:, :-1] == 0).all()


def test_the_newest_point_is_moved_by_one_and_by_minus_two_deviations(asked_of):
    (before, *touched), histories = asked_of(newest_point_is_seen)
    for batch, size in zip(touched, (1, -2), strict=True):
        due = size * SPREAD * at(np.full(64, 29), BATCH)
        np.testing.assert_allclose(batch.y - before.y, due, atol=1e-12)
    assert [history.num_points for history in histories] == 3 * [30] + 3 * [31] + 3 * [39]
    for step in range(0, 9, 3):
        base, *moved = histories[step : step + 3]
        for history, size in zip(moved, (1, -2), strict=True):
            due = size * SPREAD * at(np.full(64, base.num_points - 1), base)
            np.testing.assert_allclose(history.y - base.y, due, atol=1e-12)


def answering(response):
    """Predictions that answer the newest of the observed points with response(its y - what it was)."""
    was = BATCH.y[:, 29:30]

    def teacher_force(s, batch):
        mean = response(batch.y[:, 29:30] - was)
        return Prediction(np.where(batch.is_target, mean, np.nan), np.ones(batch.y.shape))

    return teacher_force


@pytest.mark.parametrize("sign", [1, -1])
def test_an_answer_in_one_direction_is_an_answer(sign, ask, twin):
    one_sided = answering(lambda move: np.maximum(sign * move, 0))
    assert ask(newest_point_is_seen, twin(teacher_force=one_sided)).status == "passed"


@pytest.mark.parametrize(("num_rows", "status"), [(57, "failed"), (58, "passed")])
def test_nine_of_ten_rows_must_answer_the_newest_point(num_rows, status, ask, twin):
    finding = ask(
        newest_point_is_seen, twin(teacher_force=answering(lambda move: move * (num_rows > ROWS)[:, None]))
    )
    assert (finding.status, finding.tolerance) == (status, 0.9)
    assert finding.statistic == num_rows / 64
    assert finding.suspects is None


@pytest.mark.parametrize("target", [1, 2, 10])
def test_the_step_that_does_not_see_the_newest_point_is_named(target, assert_fails):
    def still(s, history, *point):
        prediction = s.predict_next(history, *point)
        is_there = history.num_points == 29 + target
        return replace(prediction, mean=np.where(is_there, 0.0, prediction.mean))

    finding = assert_fails(
        newest_point_is_seen,
        predict_next=lambda s, history, *point: replace(
            still(s, history, *point), scale=np.ones((history.num_pairs, 1))
        ),
    )
    assert f"in the inference step for target {target} " in finding.detail
    assert finding.statistic == 0.0
    assert finding.suspects == (None if target == 1 else OF_WHAT_WAS_FED_BACK)


def test_noise_as_wide_as_y_is_added_to_all_of_a(asked_of):
    (before, after), (history, touched) = asked_of(other_series_is_seen)
    for one, other in ((before, after), (history, touched)):
        is_a = one.is_context & (one.series != predicted_series(BATCH)[:, None])
        moved = other.y - one.y
        np.testing.assert_array_equal(moved != 0, is_a)
        assert moved[is_a].std() == pytest.approx(SPREAD, rel=0.1)


@pytest.mark.parametrize("path", ["parallel pass", "inference step"])
@pytest.mark.parametrize(("num_rows", "status"), [(0, "failed"), (31, "failed"), (32, "passed")])
def test_half_of_the_rows_must_answer_a(path, num_rows, status, ask, twin):
    def answer(batch):
        move = (batch.y[:, :1] - BATCH.y[:, :1]) * (num_rows > ROWS)[:, None]
        return np.where(batch.series[:, :1] == BATCH.series[:, :1], move, 0.0)

    def teacher_force(s, batch):
        return Prediction(np.where(batch.is_target, answer(batch), np.nan), np.ones(batch.y.shape))

    def predict_next(s, history, x_next, series_next):
        return Prediction(answer(history), np.ones((64, 1)))

    part = {"teacher_force": teacher_force} if path == "parallel pass" else {"predict_next": predict_next}
    finding = ask(other_series_is_seen, twin(**part))
    assert (finding.status, finding.tolerance) == (status, 0.5)
    if status == "failed":
        assert finding.statistic == num_rows / 64
        assert path in finding.detail
