from dataclasses import replace

import numpy as np
import pytest

from diagnostics.checks.order import forecast_order_was_trained


def trained_on(regime):
    def training_batches(s, num_batches, rng):
        return [s.arranged(regime, rng) for _ in range(num_batches)]

    return training_batches


def poor_in_forecast_order(s, batch):
    """Too sure of itself wherever all targets belong to one series."""
    prediction = s.teacher_force(batch)
    shown = [(batch.is_target & (batch.series == label)).any(axis=1, keepdims=True) for label in (0, 1)]
    return replace(prediction, scale=np.where(shown[0] & shown[1], 1.0, 0.6) * prediction.scale)


TWINS = {
    forecast_order_was_trained: {
        "shuffled only": {
            "training_batches": trained_on("shuffle"),
            "teacher_force": poor_in_forecast_order,
        }
    }
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


@pytest.mark.parametrize("regime", ["forecast", "full_infer", "half_half", "mixed"])
def test_training_that_shows_the_order_of_inference_passes_whatever_was_learnt(ask, twin, regime):
    subject = twin(training_batches=trained_on(regime), teacher_force=poor_in_forecast_order)
    finding = ask(forecast_order_was_trained, subject)
    assert finding.status == "passed"
    assert "of 128 rows of training are in the order of inference" in finding.detail
    assert finding.statistic > 0.2


def test_an_order_that_was_never_shown_is_excused_where_it_costs_nothing(ask, twin):
    finding = ask(forecast_order_was_trained, twin(training_batches=trained_on("shuffle")))
    assert finding.status == "passed"
    assert finding.statistic == pytest.approx(0, abs=1e-9)
    assert finding.detail.startswith("none of 128 rows of training is in the order of inference")


def test_without_a_process_the_cost_of_an_order_is_unknown(ask, twin):
    subject = twin(training_batches=trained_on("shuffle"))
    pairs = subject.process.sample(64, np.random.default_rng(0))
    finding = ask(forecast_order_was_trained, subject, source=pairs)
    assert finding.status == "skipped"
    assert "unknown without a process" in finding.detail
