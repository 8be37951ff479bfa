from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Batch
from diagnostics.check import build_scenario
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


def rows_of(*orders):
    """Rows of four points, the first two observed; each order names the series of its points."""
    shape = (len(orders), 4)
    return Batch(
        np.zeros(shape), np.array(orders), np.zeros(shape), np.ones(shape, bool), np.full(len(orders), 2)
    )


@pytest.mark.parametrize(
    ("order", "is_shown"),
    [
        ((0, 1, 1, 1), True),
        ((0, 1, 0, 0), True),
        ((0, 1, 0, 1), False),  # both series are to be predicted
        ((0, 0, 1, 1), False),  # of B nothing is observed
        ((1, 1, 1, 1), False),  # where there is an A, it is not observed
        ((0, 0, 0, 0), True),  # single sequences have no other order
    ],
)
def test_a_row_is_in_the_order_of_inference(order, is_shown, ask, twin):
    def training_batches(s, num_batches, rng):
        return [rows_of(order, (0, 1, 0, 1))] + (num_batches - 1) * [rows_of((0, 1, 1, 0))]

    finding = ask(forecast_order_was_trained, twin(training_batches=training_batches))
    assert finding.detail.startswith("1 of 9" if is_shown else "none of 9")
    if is_shown:
        assert (finding.status, finding.statistic, finding.tolerance) == ("passed", 1 / 9, 0.0)


def test_a_series_of_which_only_padding_is_left_is_none(ask, twin):
    def training_batches(s, num_batches, rng):
        batch = rows_of((0, 0, 0, 1), (0, 1, 0, 1))
        cut = replace(batch, valid=np.array([[True, True, True, False], [True] * 4]))
        return num_batches * [cut]

    finding = ask(forecast_order_was_trained, twin(training_batches=training_batches))
    assert finding.detail.startswith("8 of 16 rows")


def test_the_cost_of_an_order_is_in_nats_above_the_exact_posterior(assert_fails):
    finding = assert_fails(
        forecast_order_was_trained,
        training_batches=trained_on("shuffle"),
        teacher_force=poor_in_forecast_order,
    )
    process = PairProcess(num_points=24)
    batch = build_scenario(process, np.random.default_rng([0, 0]), num_pairs=64).forecast  # as `ask` draws it
    exact = process.posterior(batch)
    z = ((batch.y - exact.mean) / exact.scale)[batch.is_target]
    assert finding.statistic == pytest.approx((0.5 * z**2 * (1 / 0.6**2 - 1) + np.log(0.6)).mean())
    assert finding.tolerance == 0.05


def test_an_order_that_was_not_trained_may_cost_less(ask, twin):
    def poor_in_training_order(s, batch):
        prediction = s.teacher_force(batch)
        factor = np.where(batch.num_context < 24, 0.6, 1.0)[:, None]
        return replace(prediction, scale=factor * prediction.scale)

    subject = twin(training_batches=trained_on("shuffle"), teacher_force=poor_in_training_order)
    finding = ask(forecast_order_was_trained, subject)
    assert finding.status == "passed"
    assert finding.statistic < -0.2
