"""What the checks of the loss ask, and the figures that they state."""

from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics.check import build_scenario
from diagnostics.checks.loss import (
    every_target_is_scored,
    loss_is_the_likelihood,
    observed_points_are_not_scored,
    targets_equal_to_zero_count,
)

PROCESS = PairProcess(num_points=24)
BATCH = build_scenario(PROCESS, np.random.default_rng([0, 0]), num_pairs=64).forecast  # as `ask` draws it
SPREAD = BATCH.y[BATCH.is_context].std()


def density(s, batch):
    """z^2 / 2 and log scale of every target, NaN elsewhere [B,L]."""
    prediction = s.teacher_force(batch)
    z = np.where(batch.is_target, (batch.y - prediction.mean) / prediction.scale, np.nan)
    return 0.5 * z**2, np.log(prediction.scale)


def weighted(of_scale):
    def loss(s, batch):
        square, log_scale = density(s, batch)
        return float(np.nanmean(square + of_scale * np.where(np.isnan(square), np.nan, log_scale)))

    return loss


@pytest.fixture
def asked_of(ask, twin):
    """The batches of which a check asks the loss, the losses, and the finding."""

    def record(check, loss=None):
        batches, losses = [], []

        def recorded(s, batch):
            batches.append(batch)
            losses.append((loss or type(s).loss)(s, batch))
            return losses[-1]

        return batches, losses, ask(check, twin(loss=recorded))

    return record


def disturbed(s, batch):
    """The likelihood, and beside it a little of the newest observed y."""
    newest = batch.y[np.arange(batch.num_pairs), batch.num_context - 1]
    return weighted(1.0)(s, batch) + 0.05 * float(newest.mean())


@pytest.mark.parametrize("loss", [weighted(1.0), weighted(0.9), disturbed])
def test_what_the_density_leaves_over_is_the_root_of_its_share(loss, asked_of, whole_subject):
    batches, losses, finding = asked_of(loss_is_the_likelihood, loss)
    subject = whole_subject(PROCESS)
    parts = np.array([[np.nanmean(part[b.is_target]) for part in density(subject, b)] for b in batches])
    design = np.column_stack([parts, np.ones(len(parts))])
    left = np.array(losses) - design @ np.linalg.lstsq(design, np.array(losses), rcond=None)[0]
    assert finding.statistic == pytest.approx(left.std() / np.std(losses), abs=1e-9)
    assert finding.tolerance == 0.05


def test_eight_batches_of_one_target_a_row_go_from_easy_rows_to_hard_ones(asked_of, whole_subject):
    batches, _, finding = asked_of(loss_is_the_likelihood)
    assert finding.status == "passed"
    assert len(batches) == 8
    assert all((batch.is_target.sum(axis=1) == 1).all() and batch.num_pairs == 64 for batch in batches)
    scales = [np.mean(density(whole_subject(PROCESS), batch)[1][batch.is_target]) for batch in batches]
    assert scales[0] < min(scales[3:])
    assert scales[7] > max(scales[:5])


def test_z_scores_are_of_every_size(asked_of, whole_subject):
    sizes = []
    for batch in asked_of(loss_is_the_likelihood)[0]:
        square = density(whole_subject(PROCESS), batch)[0][batch.is_target]
        sizes.append(np.sqrt(2 * square.mean()))
    assert 0.4 < min(sizes) < 0.9
    assert 1.4 < max(sizes) < 2.4


@pytest.mark.parametrize(
    ("weight", "status", "edge"),
    [(0.79, "failed", 0.8), (0.81, "passed", 0), (1.19, "passed", 0), (1.21, "failed", 1.2)],
)
def test_the_weight_of_the_log_scale_has_a_band(weight, status, edge, ask, twin):
    finding = ask(loss_is_the_likelihood, twin(loss=weighted(weight)))
    assert finding.status == status
    assert finding.suspects is None
    if status == "failed":
        assert (finding.statistic, finding.tolerance) == (pytest.approx(weight), edge)
    else:
        assert finding.statistic < 1e-6
        assert f"log scale weighs {weight:.3f}" in finding.detail


def test_a_scale_that_never_varies_has_no_weight_that_could_be_judged(ask, twin):
    def constant(s, batch):
        return replace(s.teacher_force(batch), scale=np.full(batch.y.shape, 0.5))

    def loss(s, batch):
        return float(np.mean(0.5 * ((batch.y - constant(s, batch).mean) / 0.5)[batch.is_target] ** 2))

    assert ask(loss_is_the_likelihood, twin(teacher_force=constant, loss=loss)).status == "passed"


def test_a_loss_that_falls_with_the_error_is_no_likelihood(assert_fails):
    finding = assert_fails(loss_is_the_likelihood, loss=lambda s, batch: -2 * s.loss(batch))
    assert (finding.statistic, finding.tolerance) == (pytest.approx(-2.0), 0.0)


def scoring(first=1.0, second=1.0):
    """The likelihood of the last two targets of every row, of these weights."""

    def loss(s, batch):
        square, log_scale = density(s, batch)
        weights = np.where(np.cumsum(batch.is_target, axis=1) == 1, first, second)
        return float(np.nanmean(weights * (square + log_scale)))

    return loss


@pytest.mark.parametrize(
    ("first", "status", "edge"),
    [
        (0.79, "failed", 0.8),
        (0.81, "passed", 0.8),
        (1.24, "passed", 1.25),
        (1.26, "failed", 1.25),
        (-1, "failed", 0.8),
    ],
)
def test_the_share_of_the_first_target_is_the_statistic(first, status, edge, ask, twin):
    finding = ask(every_target_is_scored, twin(loss=scoring(first=first)))
    assert (finding.status, finding.tolerance) == (status, edge)
    assert finding.statistic == pytest.approx(first)


@pytest.mark.parametrize("second", [0.0, -1.0])
def test_a_second_target_that_does_not_count_is_said_first(second, assert_fails):
    finding = assert_fails(every_target_is_scored, loss=scoring(second=second))
    # one of two targets goes from one scale to two: 3/2 nats of it, 3/4 of the average
    assert (finding.statistic, finding.tolerance) == (pytest.approx(0.75 * second), 0.0)


def test_two_targets_a_row_stand_at_one_scale_and_at_two(asked_of, whole_subject):
    batches, losses, finding = asked_of(every_target_is_scored)
    z = [
        np.sqrt(2 * density(whole_subject(PROCESS), batch)[0][batch.is_target].reshape(64, 2))
        for batch in batches
    ]
    for found, due in zip(z, ([1, 1], [1, 2], [2, 1]), strict=True):
        np.testing.assert_allclose(found, np.tile(due, (64, 1)), rtol=1e-6)
    assert losses[1] - losses[0] == pytest.approx(0.75)
    assert finding.statistic == pytest.approx(1.0)


def jumping(by):
    """A loss that is higher by so much where the last target of every row is exactly 0."""

    def loss(s, batch):
        return s.loss(batch) + by * float((batch.y[:, -1] == 0).mean())

    return loss


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("share", "status"), [(0.009, "passed"), (0.012, "failed")])
def test_the_jump_at_zero_is_a_share_of_the_loss(sign, share, status, asked_of, ask, twin):
    _, losses, healthy = asked_of(targets_equal_to_zero_count)
    assert healthy.statistic < 1e-3
    zero, rise = losses[2], losses[1] - losses[0]
    size = max(abs(zero), rise)
    finding = ask(targets_equal_to_zero_count, twin(loss=jumping(sign * share * size)))
    assert (finding.status, finding.tolerance) == (status, 0.01)
    assert finding.statistic == pytest.approx(share, rel=0.03)


def test_a_jump_where_the_loss_itself_is_small_is_a_share_of_what_an_error_costs(ask, twin, asked_of):
    zero = asked_of(targets_equal_to_zero_count)[1][2]

    def around_nothing(s, batch):
        return s.loss(batch) - zero + 0.012 * 0.75 * float((batch.y[:, -1] == 0).mean())

    finding = ask(targets_equal_to_zero_count, twin(loss=around_nothing))
    assert finding.statistic == pytest.approx(0.012, rel=0.03)


def test_the_last_target_is_put_at_zero_and_almost_at_zero(asked_of):
    base, _, zero, nearly = asked_of(targets_equal_to_zero_count)[0]
    assert (zero.y[:, -1] == 0).all()
    last_two = np.arange(48) >= 46
    of_context = base.y[:, ~last_two].std()
    np.testing.assert_allclose(nearly.y[:, -1], 1e-6 * of_context)
    for batch in (zero, nearly):
        np.testing.assert_array_equal(batch.y[:, :-1], base.y[:, :-1])


def test_observed_points_move_by_half_a_deviation_and_targets_keep_their_z(asked_of, whole_subject):
    batches, _, finding = asked_of(observed_points_are_not_scored)
    base, _, moved = batches
    noise = (moved.y - base.y)[base.is_context]
    assert noise.std() == pytest.approx(0.5 * base.y[base.is_context].std(), rel=0.1)
    np.testing.assert_allclose(density(whole_subject(PROCESS), moved)[0][moved.is_target], 0.5, rtol=1e-6)
    assert finding.statistic < 1e-6


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("share", "status"), [(0.45, "passed"), (0.55, "failed")])
def test_the_undue_move_is_a_share_of_what_an_error_costs(sign, share, status, ask, twin):
    def loss(s, batch):
        is_moved = batch.y[0, 0] not in BATCH.y
        return s.loss(batch) + sign * share * 0.75 * is_moved

    finding = ask(observed_points_are_not_scored, twin(loss=loss))
    assert (finding.status, finding.tolerance) == (status, 0.5)
    assert finding.statistic == pytest.approx(share)


def test_a_loss_may_follow_the_scales_that_follow_what_was_observed(ask, twin):
    def unsure_of_large_values(s, batch):
        size = np.abs(np.where(batch.is_context, batch.y, 0.0)).mean(axis=1, keepdims=True)
        return Prediction(s.teacher_force(batch).mean, (0.1 + size**2) * np.ones(batch.y.shape))

    def loss(s, batch):
        prediction = unsure_of_large_values(s, batch)
        z = (batch.y - prediction.mean) / prediction.scale
        return float(3 * (0.5 * z**2 + np.log(prediction.scale))[batch.is_target].mean())

    finding = ask(observed_points_are_not_scored, twin(teacher_force=unsure_of_large_values, loss=loss))
    assert finding.statistic == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    "loss_check", [every_target_is_scored, targets_equal_to_zero_count, observed_points_are_not_scored]
)
def test_two_targets_are_needed(loss_check, ask, whole_subject):
    # of two points of B one is observed, of three as well
    assert ask(loss_check, whole_subject(PairProcess(num_points=2))).status == "skipped"
    assert ask(loss_check, whole_subject(PairProcess(num_points=3))).status == "passed"


def test_a_loss_that_no_target_moves_leaves_the_observed_points_unjudged(asked_of):
    """So it is where float32 cannot hold a move of one predicted scale, as with y of 1e8."""
    _, _, finding = asked_of(observed_points_are_not_scored, lambda s, batch: 1.0)
    assert finding.status == "skipped"
    assert "moves no loss" in finding.detail
