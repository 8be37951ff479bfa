from dataclasses import replace

import numpy as np

from diagnostics.checks.feeding import context_order_is_irrelevant, inference_is_deterministic


def noise(*shape):
    """Numbers of no seed: other ones at every call."""
    return 0.01 * np.random.default_rng().standard_normal(shape)


def noisy(s, batch):
    prediction = s.teacher_force(batch)
    return replace(prediction, mean=prediction.mean + noise(*batch.y.shape))


def noisy_step(s, history, x_next, series_next):
    prediction = s.predict_next(history, x_next, series_next)
    return replace(prediction, mean=prediction.mean + noise(history.num_pairs, 1))


def noisy_rollout(s, batch, num_samples, rng, feed="sample"):
    return s.rollout(batch, num_samples, np.random.default_rng(), "sample")


def residual_of(share):
    """A step to which a share of the newest y is added."""

    def step(s, history, x_next, series_next):
        prediction = s.predict_next(history, x_next, series_next)
        return replace(prediction, mean=prediction.mean + share * history.y[:, -1:])

    return step


TWINS = {
    inference_is_deterministic: {
        "pass": {"teacher_force": noisy},
        "step": {"predict_next": noisy_step},
        "rollout": {"rollout": noisy_rollout},
    },
    context_order_is_irrelevant: {"residual": {"predict_next": residual_of(0.1)}},
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


def test_a_residual_that_is_far_below_the_predicted_scale_is_let_pass(ask, twin):
    assert ask(context_order_is_irrelevant, twin(predict_next=residual_of(1e-4))).status == "passed"
