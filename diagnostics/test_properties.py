"""Properties of the subject of --subject, on batches that hypothesis chooses (see `scenarios.py`)."""

from dataclasses import replace

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from attn.types import Batch, Prediction
from diagnostics.ask import ask_attention, ask_column, ask_first, ask_free_run, ask_teacher_force
from diagnostics.battery import Battery
from diagnostics.judge import arithmetic_tolerance, difference
from diagnostics.scenarios import LARGEST_CUT, forecasts
from diagnostics.subject import offers

# Not shrunk: a simpler seed is no simpler batch, and every try asks the model anew.
few = settings(
    max_examples=8, deadline=None, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
)


def _draw(data: st.DataObject, battery: Battery) -> tuple[Batch, Prediction, float]:
    """A batch, its prediction in one pass, and how far another way to it may lie apart."""
    batch = data.draw(forecasts(battery.scenario))
    prediction = ask_teacher_force(battery.subject, batch)
    tolerance = arithmetic_tolerance(battery.subject, batch, prediction, np.random.default_rng(0))
    return batch, prediction, tolerance


@few
@given(data=st.data())
def test_predictions_are_finite_and_have_a_width(battery: Battery, data: st.DataObject) -> None:
    batch, prediction, _ = _draw(data, battery)
    assert (prediction.scale[batch.is_target] > 0).all()


@few
@given(data=st.data())
def test_a_row_alone_is_predicted_as_among_others(battery: Battery, data: st.DataObject) -> None:
    batch, prediction, tolerance = _draw(data, battery)
    row = data.draw(st.integers(0, batch.num_pairs - 1), label="row")
    of_row = slice(row, row + 1)
    alone = ask_teacher_force(battery.subject, batch.rows(of_row))
    among = Prediction(prediction.mean[of_row], prediction.scale[of_row])
    assert difference(among, alone, batch.is_target[of_row]).max() <= tolerance


@few
@given(data=st.data())
def test_the_order_of_rows_is_the_order_of_predictions(battery: Battery, data: st.DataObject) -> None:
    batch, prediction, tolerance = _draw(data, battery)
    order = np.array(data.draw(st.permutations(range(batch.num_pairs)), label="order"))
    permuted = ask_teacher_force(battery.subject, batch.rows(order))
    expected = Prediction(prediction.mean[order], prediction.scale[order])
    assert difference(expected, permuted, batch.is_target[order]).max() <= tolerance


@few
@given(data=st.data())
def test_a_step_of_inference_is_the_column_of_the_parallel_pass(
    battery: Battery, data: st.DataObject
) -> None:
    batch, prediction, tolerance = _draw(data, battery)
    first = int(batch.num_context.max())
    last = max(first, batch.num_points - LARGEST_CUT)
    column = data.draw(st.integers(first, last), label="column")
    step = ask_column(battery.subject, batch, column)
    of_pass = Prediction(prediction.mean[:, [column]], prediction.scale[:, [column]])
    assert difference(of_pass, step, batch.is_target[:, [column]]).max() <= tolerance


@few
@given(data=st.data())
def test_the_future_moves_no_prediction(battery: Battery, data: st.DataObject) -> None:
    batch, prediction, tolerance = _draw(data, battery)
    column = data.draw(st.integers(int(batch.num_context.max()), batch.num_points - 1), label="column")
    future = np.arange(batch.num_points) >= column
    other = replace(batch, y=np.where(future, batch.y[::-1] + 1, batch.y))
    after = ask_teacher_force(battery.subject, other)
    past = batch.is_target & (np.arange(batch.num_points) <= column)
    assert difference(prediction, after, past).max() <= tolerance


@few
@given(data=st.data())
def test_free_running_begins_with_the_first_prediction_and_keeps_the_context(
    battery: Battery, data: st.DataObject
) -> None:
    batch, _, tolerance = _draw(data, battery)
    num_samples = data.draw(st.sampled_from([1, 3]), label="num_samples")
    rollout = ask_free_run(
        battery.subject, batch, np.random.default_rng(0), feed="mean", num_samples=num_samples
    )
    first = ask_first(battery.subject, batch)
    column = int(batch.num_context[0])
    for mean, samples in zip(rollout.mean, rollout.samples, strict=True):
        np.testing.assert_allclose(mean[:, column], first.mean[:, 0], rtol=0, atol=tolerance)
        observed = samples[batch.is_context]
        np.testing.assert_allclose(observed, batch.y[batch.is_context], rtol=1e-6, atol=1e-6)


@few
@given(data=st.data())
def test_asking_for_attention_changes_no_prediction(battery: Battery, data: st.DataObject) -> None:
    batch, prediction, tolerance = _draw(data, battery)
    if offers(battery.subject, "attention"):
        ask_attention(battery.subject, batch)
    again = ask_teacher_force(battery.subject, batch)
    assert difference(prediction, again, batch.is_target).max() <= tolerance
