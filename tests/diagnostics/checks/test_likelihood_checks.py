from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics.check import build_scenario
from diagnostics.checks.likelihood import (
    first_target_is_calibrated,
    z_scores_are_calibrated,
)
from diagnostics.measures import target_columns

PROCESS = PairProcess(num_points=24)


def scaled(factor):
    def teacher_force(s, batch):
        prediction = s.teacher_force(batch)
        return replace(prediction, scale=factor * prediction.scale)

    return teacher_force


def poor_first(s, batch):
    prediction = s.teacher_force(batch)
    first = np.arange(batch.num_points) == target_columns(batch)[:, None]
    return replace(prediction, mean=prediction.mean + 0.5 * first)


TWINS = {
    z_scores_are_calibrated: {
        "too wide": {"teacher_force": scaled(np.sqrt(2))},
        "too sure": {"teacher_force": scaled(0.7)},
    },
    first_target_is_calibrated: {"poor": {"teacher_force": poor_first}},
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


def test_calibration_is_asked_where_the_model_was_trained(ask, twin):
    def too_sure_of_much_context(s, batch):
        """Too sure only in rows that observe all of A, which none of its training batches does."""
        narrow = np.where(batch.num_context > batch.num_points // 2, 0.5, 1.0)[:, None]
        prediction = s.teacher_force(batch)
        return replace(prediction, scale=narrow * prediction.scale)

    def shuffled(s, num_batches, rng):
        return [s.arranged("shuffle", rng) for _ in range(num_batches)]

    trained = twin(teacher_force=too_sure_of_much_context, training_batches=shuffled)
    finding = ask(z_scores_are_calibrated, trained)
    assert finding.status == "passed"
    assert "in training order" in finding.detail
    untold = ask(z_scores_are_calibrated, twin(teacher_force=too_sure_of_much_context, training_batches=None))
    assert untold.status == "failed"
    assert "in inference order" in untold.detail


def with_z(z_of):
    """Predictions as sure as the exact ones, whose z-scores are those of z_of(batch) [B,L]."""

    def teacher_force(s, batch):
        scale = s.teacher_force(batch).scale
        return Prediction(batch.y - z_of(batch) * scale, scale)

    return teacher_force


def is_first(batch):
    return np.arange(batch.num_points) == target_columns(batch)[:, None]


def test_the_mean_square_is_over_rows_however_many_targets_they_have(ask, twin):
    batch = build_scenario(PROCESS, np.random.default_rng(0), num_pairs=2).shuffled
    unequal = replace(batch, num_context=np.array([3, 20]))
    subject = twin(
        teacher_force=with_z(lambda b: np.where(b.num_context < 10, 2.0, 0.5)[:, None]),
        training_batches=lambda s, num_batches, rng: num_batches * [unequal],
    )
    finding = ask(z_scores_are_calibrated, subject)
    assert finding.statistic == pytest.approx((2.0**2 + 0.5**2) / 2)
    assert (finding.status, finding.tolerance) == ("passed", 1.4)  # from 0.25 to 4 over two kinds of rows


@pytest.mark.parametrize(("z", "edge"), [(0.8, 0.7), (1.3, 1.4)])
def test_calibration_has_a_band_on_either_side(z, edge, ask, twin):
    inside, outside = (
        ask(z_scores_are_calibrated, twin(teacher_force=with_z(lambda b, z=z: np.full(b.y.shape, z))))
        for z in (np.sqrt(edge) + 0.01 * np.sign(1 - edge), np.sqrt(edge) - 0.01 * np.sign(1 - edge))
    )
    assert (inside.status, outside.status) == ("passed", "failed")
    assert inside.tolerance == outside.tolerance == edge


@pytest.mark.parametrize(
    ("z", "status", "edge"), [(0.6, "failed", 0.5), (1.0, "passed", 0.5), (1.5, "failed", 2.0)]
)
def test_the_first_target_is_judged_by_its_own_z_score(z, status, edge, ask, twin):
    subject = twin(teacher_force=with_z(lambda batch: np.where(is_first(batch), z, 0.1)))
    finding = ask(first_target_is_calibrated, subject)
    assert (finding.status, finding.tolerance) == (status, edge)
    assert finding.statistic == pytest.approx(z**2)
