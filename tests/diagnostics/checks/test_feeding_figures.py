"""What the checks of feeding ask, and the figures that they state."""

from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from diagnostics.check import build_scenario
from diagnostics.checks.feeding import context_order_is_irrelevant, inference_is_deterministic

# As `ask` draws it: 30 of 48 points are observed in every row.
BATCH = build_scenario(PairProcess(num_points=24), np.random.default_rng([0, 0]), num_pairs=64).forecast


def moved_in_every_second_call(name, by, field="mean"):
    """The second of two equal calls answers otherwise, in the first row alone."""
    calls = []

    def answer(s, *args):
        calls.append(args)
        prediction = getattr(s, name)(*args)
        values = getattr(prediction, field).copy()
        values[..., 0, -1] += by * (len(calls) % 2 == 0)
        return replace(prediction, **{field: values})

    return {name: answer}


@pytest.mark.parametrize("field", ["mean", "scale"])
@pytest.mark.parametrize("name", ["predict_next", "rollout"])
def test_the_difference_of_two_equal_calls_is_the_statistic(name, field, assert_fails):
    finding = assert_fails(inference_is_deterministic, **moved_in_every_second_call(name, 0.5, field))
    assert finding.statistic == pytest.approx(0.5)
    assert "in 1 of 64 rows" in finding.detail


def test_two_rollouts_of_means_begin_with_equal_generators(ask, twin):
    calls = []

    def rollout(s, batch, num_samples, rng, feed="sample"):
        calls.append((num_samples, feed, rng.bit_generator.state))
        return s.rollout(batch, num_samples, rng, feed)

    assert ask(inference_is_deterministic, twin(rollout=rollout)).status == "passed"
    assert calls[0] == calls[1]
    assert calls[0][:2] == (1, "mean")


def test_a_subject_without_a_rollout_is_asked_about_its_steps(assert_fails):
    parts = moved_in_every_second_call("predict_next", 0.5)
    assert assert_fails(inference_is_deterministic, rollout=None, **parts).statistic == pytest.approx(0.5)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("size", "status"), [(0.049, "passed"), (0.054, "failed")])
def test_the_move_under_a_new_order_is_in_predicted_scales(sign, size, status, ask, twin):
    share_that_changed = []

    def step(s, history, *point):
        prediction = s.predict_next(history, *point)
        is_other = history.y[:, -1:] != BATCH.y[:, 29:30]
        share_that_changed.append(is_other.mean())
        return replace(prediction, mean=prediction.mean + sign * size * prediction.scale * is_other)

    finding = ask(context_order_is_irrelevant, twin(predict_next=step))
    assert (finding.status, finding.tolerance) == (status, 0.05)
    assert finding.statistic == pytest.approx(size * np.sqrt(share_that_changed[-1]), rel=1e-4)
