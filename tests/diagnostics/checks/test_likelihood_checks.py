from dataclasses import replace

import numpy as np

from diagnostics.checks.likelihood import (
    first_target_is_calibrated,
    z_scores_are_calibrated,
)
from diagnostics.measures import target_columns


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
