from dataclasses import replace

import numpy as np
import pytest

from diagnostics.adapters import OracleSubject
from diagnostics.checks.persistence import record_is_reproduced, reload_predicts_the_same
from diagnostics.subject import Record


def other(s):
    """A subject of another noise."""
    return OracleSubject(replace(s.process, noise_scale=0.2))


def stuck_step(s, history, x_next, series_next):
    return s.predict_next(history, history.x[:, -1], series_next)


def other_step(s):
    restored = OracleSubject(s.process)
    restored.predict_next = lambda *args: stuck_step(s, *args)
    return restored


def off_by(nats):
    """A record of another loss than that of its batch."""

    def record(s):
        kept = s.record()
        return Record(kept.batch, kept.loss + nats)

    return record


TWINS = {
    reload_predicts_the_same: {"other": {"reload": other}, "other step": {"reload": other_step}},
    record_is_reproduced: {
        "other model": {"loss": lambda s, batch: other(s).loss(batch)},
        "worse": {"record": off_by(-0.02)},
        "better": {"record": off_by(0.02)},
    },
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


def test_the_paths_of_a_restored_subject_are_told_apart(assert_fails):
    assert "parallel pass" in assert_fails(reload_predicts_the_same, reload=other).detail
    assert "inference step" in assert_fails(reload_predicts_the_same, reload=other_step).detail


def test_a_model_that_was_restored_wrongly_reloads_itself_without_a_difference(ask, twin):
    """Only what was known before the first save gives it away."""
    wrong = {
        "teacher_force": lambda s, batch: other(s).teacher_force(batch),
        "predict_next": lambda s, *args: other(s).predict_next(*args),
        "loss": lambda s, batch: other(s).loss(batch),
        "reload": other,
    }
    assert ask(reload_predicts_the_same, twin(**wrong)).status == "passed"
    assert ask(record_is_reproduced, twin(**wrong)).status == "failed"


def test_the_last_bits_of_a_float32_loss_are_no_difference(ask, twin):
    def in_float32(s):
        kept = s.record()
        return Record(kept.batch, kept.loss * (1 + 2**-23))

    finding = ask(record_is_reproduced, twin(record=in_float32))
    assert finding.status == "passed", finding.detail
    assert finding.statistic > 0


def moved(name, by):
    """Restores a subject whose predictions on one path are moved by so much."""

    def reload(s):
        restored = OracleSubject(s.process)

        def answer(*args):
            prediction = getattr(s, name)(*args)
            return replace(prediction, mean=prediction.mean + by)

        setattr(restored, name, answer)
        return restored

    return reload


@pytest.mark.parametrize("name", ["teacher_force", "predict_next"])
def test_the_difference_of_a_restored_subject_is_the_statistic(name, assert_fails):
    finding = assert_fails(reload_predicts_the_same, reload=moved(name, 0.25))
    assert finding.statistic == pytest.approx(0.25)
    assert "in 64 of 64 rows" in finding.detail


def a_loss_of(recorded, *, response):
    """The loss of the recorded batch, and of any other so much more."""

    def loss(s, batch):
        return recorded if (batch.y == s.record().batch.y).all() else recorded + response

    return loss


@pytest.mark.parametrize(
    ("response", "tolerance"),
    [
        (1e-5, 100 * 1e-5 + 64 * 2.0**-23 * 8),
        (-1e-5, 100 * 1e-5 + 64 * 2.0**-23 * 8),
        (1.0, 0.01 + 64 * 2.0**-23 * 8),
    ],
)
def test_the_tolerance_of_a_loss_follows_its_response_to_a_rounding(response, tolerance, ask, twin):
    for apart in (0.9 * tolerance, -0.9 * tolerance, 1.1 * tolerance, -1.1 * tolerance):
        parts = {
            "loss": a_loss_of(-8.0, response=response),
            "record": lambda s, apart=apart: Record(s.record().batch, -8.0 + apart),
        }
        finding = ask(record_is_reproduced, twin(**parts))
        assert finding.status == ("passed" if abs(apart) < tolerance else "failed")
        assert finding.statistic == pytest.approx(abs(apart))
        assert finding.tolerance == pytest.approx(tolerance)


def test_x_and_y_are_moved_by_one_rounding(ask, twin):
    asked = []

    def loss(s, batch):
        asked.append(batch)
        return s.loss(batch)

    ask(record_is_reproduced, twin(loss=loss))
    kept, nudged = asked
    for field in ("x", "y"):
        share = getattr(nudged, field) / getattr(kept, field) - 1
        np.testing.assert_allclose(np.abs(share), 2.0**-23, rtol=1e-6)
        assert {-1, 1} == set(np.sign(share).ravel())


def test_a_loss_that_is_recorded_to_the_last_bit_needs_no_tolerance(ask, twin):
    parts = {"loss": a_loss_of(0.0, response=0.0), "record": lambda s: Record(s.record().batch, 0.0)}
    finding = ask(record_is_reproduced, twin(**parts))
    assert (finding.status, finding.statistic, finding.tolerance) == ("passed", 0.0, 0.0)
