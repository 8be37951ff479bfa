from dataclasses import replace

import numpy as np

from diagnostics.checks.loss import (
    every_target_is_scored,
    loss_is_the_likelihood,
    observed_points_are_not_scored,
    targets_equal_to_zero_count,
)


def parts_of(s, batch):
    """z^2 / 2 and log scale of every target."""
    prediction = s.teacher_force(batch)
    z = ((batch.y - prediction.mean) / prediction.scale)[batch.is_target]
    return 0.5 * z**2, np.log(prediction.scale[batch.is_target])


def with_weight_of_log_scale(weight):
    def loss(s, batch):
        square, log_scale = parts_of(s, batch)
        return float((square + weight * log_scale).mean())

    return loss


def zero_dropping(s, batch):
    square, log_scale = parts_of(s, batch)
    return float((square + log_scale)[batch.y[batch.is_target] != 0].mean())


def context_scoring(s, batch):
    everything = replace(batch, num_context=np.ones_like(batch.num_context))
    return s.loss(everything)


def of_other_predictions(s, batch):
    """The loss of a path that sees half of each target's error: evaluation does not."""
    square, log_scale = parts_of(s, batch)
    seen = np.random.default_rng(0).random(square.shape) < 0.5
    return float((square * seen + log_scale).mean())


def first_dropping(s, batch):
    return s.loss(replace(batch, num_context=batch.num_context + 1))


def last_dropping(s, batch):
    return s.loss(replace(batch, valid=batch.valid & (np.arange(batch.num_points) < batch.num_points - 1)))


def negated(s, batch):
    return -s.loss(batch)


TWINS = {
    loss_is_the_likelihood: {
        "halved": {"loss": with_weight_of_log_scale(0.5)},
        "doubled": {"loss": with_weight_of_log_scale(2.0)},
        "context": {"loss": context_scoring},
        "other predictions": {"loss": of_other_predictions},
        "negated": {"loss": negated},
    },
    targets_equal_to_zero_count: {"zeros": {"loss": zero_dropping}},
    observed_points_are_not_scored: {"context": {"loss": context_scoring}},
    every_target_is_scored: {"first": {"loss": first_dropping}, "second": {"loss": last_dropping}},
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


def test_a_wrong_weight_is_told_from_a_loss_of_something_else(assert_fails):
    check = loss_is_the_likelihood
    halved = assert_fails(check, loss=with_weight_of_log_scale(0.5))
    assert "log scale weighs 0.50" in halved.detail
    assert (halved.suspects or check.suspects)[0] == "halved_log_scale"
    for loss in (context_scoring, of_other_predictions):
        other = assert_fails(check, loss=loss)
        assert "something else is scored" in other.detail
        assert other.suspects == ("leak_in_evaluation", "context_scored")


def test_a_factor_and_a_constant_are_free(ask, twin):
    def in_other_units(s, batch):
        return 3.0 * s.loss(batch) - 7.0

    assert ask(loss_is_the_likelihood, twin(loss=in_other_units)).status == "passed"
