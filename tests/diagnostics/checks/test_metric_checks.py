from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from diagnostics.checks._perturb import at
from diagnostics.checks.metric import metric_counts_every_target
from diagnostics.measures import target_columns


def first_skipped(s, batch, prediction):
    return s.score(replace(batch, num_context=batch.num_context + 1), prediction)


def off_by_one(s, batch, prediction):
    """Every prediction is compared with the y after its own; the last with none."""
    pairs = batch.is_target[:, :-1] & batch.is_target[:, 1:]
    return float(((prediction.mean[:, :-1] - batch.y[:, 1:])[pairs] ** 2).mean())


def last_skipped(s, batch, prediction):
    return s.score(
        replace(batch, valid=batch.valid & (np.arange(batch.num_points) < batch.num_points - 1)), prediction
    )


def blind(s, batch, prediction):
    return 0.87


TWINS = {
    metric_counts_every_target: {
        "first skipped": {"score": first_skipped},
        "off by one": {"score": off_by_one},
        "last skipped": {"score": last_skipped},
        "blind": {"score": blind},
    }
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


def test_the_finding_names_the_target_that_does_not_count(assert_fails):
    assert "error at the first target" in assert_fails(metric_counts_every_target, score=first_skipped).detail
    assert "error at the last target" in assert_fails(metric_counts_every_target, score=off_by_one).detail


def test_a_metric_may_be_better_when_it_is_higher(ask, twin):
    def r_squared(s, batch, prediction):
        return 1 - s.score(batch, prediction) / float(batch.y[batch.is_target].var())

    finding = ask(metric_counts_every_target, twin(score=r_squared))
    assert finding.status == "passed"
    assert finding.statistic == pytest.approx(1.0)


def weighing(first=1.0, last=1.0):
    """The mean squared error, in which the first and the last target of a row have weights of their own."""

    def score(s, batch, prediction):
        weight = np.where(at(target_columns(batch), batch), first, 1.0)
        weight = np.where(np.arange(batch.num_points) == batch.num_points - 1, last, weight)
        return float((weight * (prediction.mean - batch.y) ** 2)[batch.is_target].mean())

    return score


@pytest.mark.parametrize(
    ("weights", "status", "statistic", "tolerance"),
    [
        ({"first": 0.79}, "failed", 0.79, 0.8),
        ({"first": 0.81}, "passed", 0.81, 1.0),
        ({"first": 1.24}, "passed", 1.24, 1.0),
        ({"first": 1.26}, "failed", 1.26, 1.25),
        ({"last": 0.79}, "failed", 0.79, 0.8),
        ({"last": 1.26}, "failed", 1.26, 1.25),
        ({"first": -1.0}, "failed", -1.0, 0.8),
    ],
)
def test_the_share_of_a_target_is_the_statistic(weights, status, statistic, tolerance, ask, twin):
    finding = ask(metric_counts_every_target, twin(score=weighing(**weights)))
    assert (finding.status, finding.tolerance) == (status, tolerance)
    assert finding.statistic == pytest.approx(statistic)


def test_one_large_error_is_put_at_one_target_of_every_row(ask, twin):
    shown = []

    def score(s, batch, prediction):
        shown.append((batch, prediction))
        return s.score(batch, prediction)

    ask(metric_counts_every_target, twin(score=score))
    batch = shown[0][0]
    errors = [np.where(batch.is_target, prediction.mean - batch.y, 0.0) for _, prediction in shown]
    first = target_columns(batch)
    due = [np.zeros(batch.y.shape)] + [
        100 * batch.y[batch.is_context].std() * at(column, batch)
        for column in (first, first + 1, np.full(batch.num_pairs, batch.num_points - 1))
    ]
    np.testing.assert_allclose(errors, due, atol=1e-9)
    assert all((prediction.scale[batch.is_target] == 1).all() for _, prediction in shown)


@pytest.mark.parametrize(("num_points", "status"), [(3, "skipped"), (4, "passed")])
def test_three_targets_are_needed(num_points, status, ask, whole_subject):
    # one point of B is observed
    finding = ask(metric_counts_every_target, whole_subject(PairProcess(num_points=num_points)))
    assert finding.status == status
