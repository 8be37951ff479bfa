from dataclasses import replace

import numpy as np
import pytest

from attn.types import Rollout
from diagnostics.checks.rollout import (
    one_trajectory_equals_many,
    rollout_equals_stepping,
    rollout_ignores_true_targets,
    rollout_keeps_the_context,
    samples_have_the_predicted_scale,
)
from diagnostics.measures import target_columns


def fed_the_truth(s, batch, num_samples, rng, feed="sample"):
    truth = s.teacher_force(replace(batch, y=np.nan_to_num(batch.y)))
    honest = s.rollout(batch, num_samples, rng, feed)
    mean = np.where(batch.is_target, truth.mean, honest.mean)
    return Rollout(np.where(batch.is_target, mean, honest.samples), mean, honest.scale)


def poisoned_by_nan(s, batch, num_samples, rng, feed="sample"):
    honest = s.rollout(batch, num_samples, rng, feed)
    poison = 0.0 * batch.y.sum(axis=1, keepdims=True)
    return replace(honest, samples=honest.samples + poison)


def stale(s, batch, num_samples, rng, feed="sample"):
    rollout = s.rollout(batch, num_samples, rng, feed)
    late = np.arange(batch.num_points) > target_columns(batch)[:, None] + 3
    return replace(rollout, scale=np.where(late, rollout.scale * 1.05, rollout.scale))


def label_blind(s, batch, num_samples, rng, feed="sample"):
    return s.rollout(replace(batch, series=np.zeros_like(batch.series)), num_samples, rng, feed)


def written_one_early(s, batch, num_samples, rng, feed="sample"):
    """The first prediction stands over the last observed point, and so on."""
    rollout = s.rollout(batch, num_samples, rng, feed)
    is_next_target = np.roll(batch.is_target, -1, axis=1)

    def early(values):
        return np.where(is_next_target, np.roll(values, -1, axis=2), values)

    return Rollout(early(rollout.samples), early(rollout.mean), early(rollout.scale))


def context_of_the_second_changed(s, batch, num_samples, rng, feed="sample"):
    rollout = s.rollout(batch, num_samples, rng, feed)
    second = (np.arange(num_samples) == 1)[:, None, None]
    return replace(rollout, mean=rollout.mean + 0.01 * second * batch.is_context)


def context_left_out(s, batch, num_samples, rng, feed="sample"):
    rollout = s.rollout(batch, num_samples, rng, feed)
    return replace(rollout, samples=np.where(batch.is_target, rollout.samples, np.nan))


def wider_alone(s, batch, num_samples, rng, feed="sample"):
    rollout = s.rollout(batch, num_samples, rng, feed)
    return replace(rollout, scale=rollout.scale * (1.05 if num_samples == 1 else 1.0))


def last_of_many_astray(s, batch, num_samples, rng, feed="sample"):
    rollout = s.rollout(batch, num_samples, rng, feed)
    astray = (np.arange(num_samples) == 3)[:, None, None] * batch.is_target
    return replace(rollout, mean=rollout.mean + 0.01 * astray)


def drawn(draw):
    """A rollout whose samples are mean + draw(rng, scale), alone."""

    def rollout(s, batch, num_samples, rng, feed="sample"):
        honest = s.rollout(batch, num_samples, rng, feed)
        return replace(honest, samples=honest.mean + draw(rng, honest.scale))

    return rollout


def repeated(*axes):
    """Draws that are the same along these axes of [S,B,L]."""

    def draw(rng, scale):
        shape = [1 if axis in axes else size for axis, size in enumerate(scale.shape)]
        return scale * rng.standard_normal(shape)

    return draw


def periodic(period):
    """Draws of a generator that is seeded anew every so many steps."""

    def draw(rng, scale):
        numbers = rng.standard_normal((*scale.shape[:2], period))
        return scale * numbers[:, :, np.arange(scale.shape[2]) % period]

    return draw


TWINS = {
    rollout_ignores_true_targets: {
        "fed": {"rollout": fed_the_truth},
        "nan": {"rollout": poisoned_by_nan},
    },
    rollout_equals_stepping: {"stale": {"rollout": stale}, "blind": {"rollout": label_blind}},
    rollout_keeps_the_context: {
        "one early": {"rollout": written_one_early},
        "of the second trajectory": {"rollout": context_of_the_second_changed},
        "left out": {"rollout": context_left_out},
    },
    one_trajectory_equals_many: {
        "wider alone": {"rollout": wider_alone},
        "the last astray": {"rollout": last_of_many_astray},
    },
    samples_have_the_predicted_scale: {
        "variance": {"rollout": drawn(lambda rng, scale: scale**2 * rng.standard_normal(scale.shape))},
        "no width": {"rollout": drawn(lambda rng, scale: 0 * scale)},
        "same over trajectories": {"rollout": drawn(repeated(0))},
        "same over pairs": {"rollout": drawn(repeated(1))},
        "same over steps": {"rollout": drawn(repeated(2))},
        "same every third step": {"rollout": drawn(periodic(3))},
    },
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


def test_draws_that_repeat_say_between_what(assert_fails):
    check = samples_have_the_predicted_scale
    for axis, between in enumerate(("from trajectory to trajectory", "from pair to pair", "1 steps apart")):
        assert between in assert_fails(check, rollout=drawn(repeated(axis))).detail


@pytest.mark.parametrize("period", [2, 5, 8])
def test_draws_that_come_again_some_steps_later_say_after_how_many(period, assert_fails):
    finding = assert_fails(samples_have_the_predicted_scale, rollout=drawn(periodic(period)))
    assert f"draws {period} steps apart" in finding.detail
