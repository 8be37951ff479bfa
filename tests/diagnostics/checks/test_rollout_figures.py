"""What the checks of free running ask, and the figures that they state."""

from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Rollout
from diagnostics.check import build_scenario
from diagnostics.checks.rollout import (
    one_trajectory_equals_many,
    rollout_equals_stepping,
    rollout_ignores_true_targets,
    rollout_keeps_the_context,
    samples_have_the_predicted_scale,
)


def moved_in(trajectory, column, by, field="mean"):
    """A rollout of which one figure is moved, in one trajectory, at a target counted from 1."""

    def rollout(s, batch, num_samples, rng, feed="sample"):
        honest = s.rollout(batch, num_samples, rng, feed)
        if num_samples <= trajectory:
            return honest
        values = getattr(honest, field).copy()
        values[trajectory, :, batch.num_context[0] + column - 1] += by
        return replace(honest, **{field: values})

    return rollout


@pytest.fixture
def asked_of(ask, twin):
    """What a check asks the rollout for: batch, number of trajectories, next random number, feed."""

    def record(check):
        calls = []

        def rollout(s, batch, num_samples, rng, feed="sample"):
            calls.append((batch, num_samples, rng.bit_generator.state["state"]["state"], feed))
            return s.rollout(batch, num_samples, rng, feed)

        assert ask(check, twin(rollout=rollout)).status == "passed"
        return calls

    return record


def test_the_true_targets_are_replaced_under_one_seed(asked_of):
    (honest, _, seed, _), (noise, *_), (nothing, *_) = calls = asked_of(rollout_ignores_true_targets)
    assert [(call[1], call[2]) for call in calls] == 3 * [(1, seed)]
    for other in (noise, nothing):
        np.testing.assert_array_equal(other.y[other.is_context], honest.y[honest.is_context])
    assert np.isnan(nothing.y[nothing.is_target]).all()
    added = (noise.y - honest.y)[honest.is_target]
    assert added.std() == pytest.approx(honest.y[honest.is_context].std(), rel=0.1)


def test_a_rollout_that_moves_with_the_truth_is_told_from_one_that_nan_breaks(assert_fails):
    def answering(answer):
        def rollout(s, batch, num_samples, rng, feed="sample"):
            honest = s.rollout(batch, num_samples, rng, feed)
            return replace(honest, mean=honest.mean + answer(batch.y[:, -1:]) * batch.is_target)

        return rollout

    noise = assert_fails(rollout_ignores_true_targets, rollout=answering(np.nan_to_num))
    assert "moves when the true targets become noise" in noise.detail
    broken = assert_fails(rollout_ignores_true_targets, rollout=answering(lambda y: 0 * y))
    assert "with NaN in their place" in broken.detail
    assert broken.statistic is None


@pytest.mark.parametrize("field", ["mean", "scale"])
@pytest.mark.parametrize("target", [1, 2, 10, 18])
def test_a_step_that_differs_is_named_by_its_target(field, target, assert_fails):
    finding = assert_fails(rollout_equals_stepping, rollout=moved_in(0, target, 0.5, field))
    assert f"first at target {target}" in finding.detail
    assert finding.statistic == pytest.approx(0.5)


def test_what_is_fed_back_must_be_the_mean_at_every_target(assert_fails):
    finding = assert_fails(rollout_equals_stepping, rollout=moved_in(0, 7, 0.5, "samples"))
    assert "first at target 7" in finding.detail
    assert finding.statistic >= 0.5


def test_one_trajectory_of_means_is_asked_for(asked_of):
    assert [(call[1], call[3]) for call in asked_of(rollout_equals_stepping)] == [(1, "mean")]
    assert [(call[1], call[3]) for call in asked_of(one_trajectory_equals_many)] == [(1, "mean"), (4, "mean")]
    assert [call[1] for call in asked_of(rollout_keeps_the_context)] == [4]
    assert [call[1] for call in asked_of(samples_have_the_predicted_scale)] == [4]


@pytest.mark.parametrize("field", ["samples", "mean"])
@pytest.mark.parametrize("trajectory", [0, 3])
def test_context_that_changed_in_any_trajectory_is_the_statistic(field, trajectory, assert_fails):
    finding = assert_fails(rollout_keeps_the_context, rollout=moved_in(trajectory, 0, -0.5, field))
    assert finding.statistic == pytest.approx(0.5)
    assert "in 64 of 64 rows" in finding.detail


def test_context_may_differ_by_roundings_of_its_largest_value(ask, twin):
    scenario = build_scenario(PairProcess(num_points=24), np.random.default_rng([0, 0]), num_pairs=64)
    batch = scenario.forecast  # as `ask` draws it
    allowed = 64 * 2.0**-23 * np.abs(batch.y[batch.is_context]).max()
    for share, status in ((0.9, "passed"), (1.1, "failed")):
        finding = ask(rollout_keeps_the_context, twin(rollout=moved_in(1, 0, share * allowed)))
        assert finding.status == status
        assert finding.tolerance == pytest.approx(allowed)


def test_context_that_is_left_out_is_infinitely_far(assert_fails):
    assert assert_fails(rollout_keeps_the_context, rollout=moved_in(1, 0, np.nan)).statistic == np.inf


@pytest.mark.parametrize("field", ["mean", "scale", "samples"])
def test_any_difference_of_one_of_many_is_the_statistic(field, assert_fails):
    finding = assert_fails(one_trajectory_equals_many, rollout=moved_in(3, 5, 0.5, field))
    assert finding.statistic == pytest.approx(0.5)


def with_z(z_of):
    """Rollouts whose draws have the z-scores z_of(rng, shape)."""

    def rollout(s, batch, num_samples, rng, feed="sample"):
        honest = s.rollout(batch, num_samples, rng, feed)
        return replace(honest, samples=honest.mean + honest.scale * z_of(rng, honest.scale.shape))

    return rollout


def random_signs(rng, shape):
    return rng.choice([-1.0, 1.0], shape)


# Of neighbours one is large and one is small: their product is 0.84, and the mean square is still about 1.
LARGE, SMALL = 1.2, 0.7


def turning(axis, period):
    """Signs that are drawn for `period` places along an axis of [S,B,L] and then change, as sizes do."""

    def z(rng, shape):
        drawn = random_signs(rng, [period if place == axis else size for place, size in enumerate(shape)])
        place = np.arange(shape[axis])
        turn = np.where(place // period % 2 == 0, LARGE, -SMALL)
        return np.take(drawn, place % period, axis) * np.expand_dims(turn, [p for p in range(3) if p != axis])

    return z


def in_twos(rng, shape):
    """Pairs of which every second one has the signs of the one before it: half of the neighbours agree."""
    signs = random_signs(rng, (shape[0], (shape[1] + 1) // 2, shape[2])).repeat(2, axis=1)[:, : shape[1]]
    return signs * np.where(np.arange(shape[1]) % 2 == 0, LARGE, SMALL)[:, None]


@pytest.mark.parametrize(
    ("z", "between", "correlation"),
    [
        (turning(0, 1), "from trajectory to trajectory", -0.84),
        (turning(2, 1), "1 steps apart", -0.84),
        (turning(2, 2), "2 steps apart", -0.84),
        (turning(2, 8), "8 steps apart", -0.84),
        (in_twos, "from pair to pair", 0.42),
    ],
)
def test_draws_that_turn_are_as_dependent_as_draws_that_repeat(z, between, correlation, assert_fails):
    finding = assert_fails(samples_have_the_predicted_scale, rollout=with_z(z))
    assert f"draws {between} is " in finding.detail
    assert finding.statistic == pytest.approx(correlation, abs=0.05)
    assert finding.tolerance == np.sign(correlation) * 0.1


def test_draws_that_turn_after_nine_steps_are_not_looked_for(ask, twin):
    assert ask(samples_have_the_predicted_scale, twin(rollout=with_z(turning(2, 9)))).status == "passed"


@pytest.mark.parametrize(
    ("width", "status", "edge"),
    [(0.85, "failed", 0.8), (0.95, "passed", 0.8), (1.05, "passed", 1.25), (1.2, "failed", 1.25)],
)
def test_the_variance_of_the_draws_has_a_band(width, status, edge, ask, twin):
    honest = with_z(lambda rng, shape: width * random_signs(rng, shape))
    finding = ask(samples_have_the_predicted_scale, twin(rollout=honest))
    assert (finding.status, finding.tolerance) == (status, edge)
    assert finding.statistic == pytest.approx(width**2)


@pytest.mark.parametrize(("num_points", "num_pairs"), [(2, 64), (400, 1)])
def test_one_target_or_one_pair_has_no_neighbour(num_points, num_pairs, ask, twin):
    pairs = PairProcess(num_points=num_points).sample(num_pairs, np.random.default_rng(0))
    finding = ask(samples_have_the_predicted_scale, twin(rollout=with_z(random_signs)), source=pairs)
    assert (finding.status, finding.statistic) == ("passed", pytest.approx(1.0))


def test_two_pairs_are_neighbours(ask, twin):
    def the_same_for_both(rng, shape):
        return np.broadcast_to(random_signs(rng, (shape[0], 1, shape[2])), shape)

    pairs = PairProcess(num_points=400).sample(2, np.random.default_rng(0))
    finding = ask(samples_have_the_predicted_scale, twin(rollout=with_z(the_same_for_both)), source=pairs)
    assert (finding.status, finding.statistic) == ("failed", pytest.approx(1.0))
    assert "from pair to pair" in finding.detail


def test_draws_of_no_width_from_scales_of_zero_are_one_trajectory(assert_fails):
    def certain(s, *args):
        rollout = s.rollout(*args)
        return Rollout(rollout.mean, rollout.mean, 0 * rollout.scale)

    finding = assert_fails(samples_have_the_predicted_scale, rollout=certain)
    assert "every predicted scale of the rollout is 0" in finding.detail
