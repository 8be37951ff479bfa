from dataclasses import replace

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
