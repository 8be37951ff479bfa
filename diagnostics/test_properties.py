"""Properties of the subject of --subject, for inputs that hypothesis chooses; sizes stay constant."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.types import Batch
from diagnostics.ask import ask_first, ask_free_run, ask_teacher_force
from diagnostics.battery import Battery
from diagnostics.check import build_scenario
from diagnostics.judge import arithmetic_tolerance, difference

NUM_PAIRS = 16
few = settings(max_examples=5, deadline=None, derandomize=True, database=None)


def _forecast(battery: Battery, seed: int) -> Batch:
    """The first pairs of the battery's scenario, or new ones of its process."""
    scenario = battery.scenario
    if scenario.process is None:
        rows = np.random.default_rng(seed).integers(0, scenario.pairs.num_pairs, NUM_PAIRS)
        return scenario.forecast.rows(rows)
    rng = np.random.default_rng(seed)
    return build_scenario(
        scenario.process, rng, num_pairs=NUM_PAIRS, num_context=scenario.num_context
    ).forecast


@few
@given(seed=st.integers(0, 2**31), share=st.floats(0, 1))
def test_predictions_are_finite_with_ties_in_x_and_points_at_0(
    battery: Battery, seed: int, share: float
) -> None:
    batch, rng = _forecast(battery, seed), np.random.default_rng(seed)
    chosen = rng.random(batch.x.shape) < share
    tied = replace(
        batch,
        x=np.where(chosen, batch.x[:, :1], batch.x),
        y=np.where(rng.random(batch.y.shape) < share, 0.0, batch.y),
    )
    prediction = ask_teacher_force(battery.subject, tied)
    assert (prediction.scale[tied.is_target] > 0).all()


@few
@given(seed=st.integers(0, 2**31))
def test_the_order_of_rows_is_the_order_of_predictions(battery: Battery, seed: int) -> None:
    batch, rng = _forecast(battery, seed), np.random.default_rng(seed)
    order = rng.permutation(NUM_PAIRS)
    whole = ask_teacher_force(battery.subject, batch)
    permuted = ask_teacher_force(battery.subject, batch.rows(order))
    expected = replace(whole, mean=whole.mean[order], scale=whole.scale[order])
    tolerance = arithmetic_tolerance(battery.subject, batch, whole, rng)
    assert difference(expected, permuted, batch.is_target[order]).max() <= tolerance


@few
@given(seed=st.integers(0, 2**31))
def test_free_running_begins_with_the_first_prediction_and_keeps_the_context(
    battery: Battery, seed: int
) -> None:
    batch, rng = _forecast(battery, seed), np.random.default_rng(seed)
    rollout = ask_free_run(battery.subject, batch, rng)
    first = ask_first(battery.subject, batch)
    tolerance = arithmetic_tolerance(battery.subject, batch, ask_teacher_force(battery.subject, batch), rng)
    column = int(batch.num_context[0])
    np.testing.assert_allclose(rollout.mean[0][:, column], first.mean[:, 0], rtol=0, atol=tolerance)
    written = rollout.samples[0][batch.is_context]
    np.testing.assert_allclose(written, batch.y[batch.is_context], rtol=1e-6, atol=1e-6)
