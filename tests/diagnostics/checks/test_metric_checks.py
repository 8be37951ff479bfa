from dataclasses import replace

import numpy as np
import pytest

from diagnostics.checks.metric import metric_counts_every_target


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
