from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from attn.processes import PairProcess
from attn.types import Attention, Pairs, Prediction, Rollout
from diagnostics import test_properties as properties
from diagnostics.check import build_scenario
from diagnostics.runner import prepare
from diagnostics.scenarios import NUM_PAIRS, forecasts

# hypothesis pictures the whole battery where a property fails, as it must here
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

PROCESS = PairProcess(num_points=12)
SCENARIO = build_scenario(PROCESS, np.random.default_rng(0), num_pairs=16, num_context=4)


def shifted(prediction, by):
    return replace(prediction, mean=prediction.mean + by)


def moved_by_all(s, batch):
    """A statistic over the whole batch, padding and future included."""
    return shifted(s.teacher_force(batch), 0.01 * np.mean(batch.y))


def counted(s, batch):
    return shifted(s.teacher_force(batch), 0.01 * np.arange(batch.num_pairs)[:, None])


def leak(s, batch):
    return shifted(s.teacher_force(batch), 0.1 * batch.y)


def no_width_at_ties(s, batch):
    prediction = s.teacher_force(batch)
    return replace(prediction, scale=prediction.scale * (batch.x != batch.x[:, :1]))


def lost_where_padded(s, batch):
    return shifted(s.teacher_force(batch), np.where(batch.valid[:, -1:], 0.0, np.nan))


def stuck_step(s, history, x_next, series_next):
    later = 0.1 * (history.num_points > history.num_context.max())
    return shifted(s.predict_next(history, x_next, series_next), later)


def many_are_worse(s, batch, num_samples, rng, feed="sample"):
    run = s.rollout(batch, num_samples, rng, feed)
    return Rollout(run.samples, run.mean + 0.1 * (num_samples > 1), run.scale)


def context_overwritten(s, batch, num_samples, rng, feed="sample"):
    run = s.rollout(batch, num_samples, rng, feed)
    return Rollout(np.where(batch.is_context, 0.0, run.samples), run.mean, run.scale)


class Disturbed:
    """Its first prediction after it was asked for its attention is another."""

    name = "disturbed"

    def __init__(self, healthy):
        self.healthy, self.process, self.asked = healthy, healthy.process, False

    def teacher_force(self, batch):
        by, self.asked = 0.1 * self.asked, False
        return shifted(self.healthy.teacher_force(batch), by)

    def predict_next(self, history, x_next, series_next):
        return self.healthy.predict_next(history, x_next, series_next)

    def attention(self, batch):
        self.asked = True
        positions = np.arange(batch.num_points)
        weights = np.ones((1, batch.num_pairs, 1, batch.num_points, batch.num_points))
        return Attention(weights, positions, positions)


BROKEN = {
    "no width": (
        properties.test_predictions_are_finite_and_have_a_width,
        {"teacher_force": no_width_at_ties},
    ),
    "not alone": (properties.test_a_row_alone_is_predicted_as_among_others, {"teacher_force": moved_by_all}),
    "counted": (properties.test_the_order_of_rows_is_the_order_of_predictions, {"teacher_force": counted}),
    "stuck": (
        properties.test_a_step_of_inference_is_the_column_of_the_parallel_pass,
        {"predict_next": stuck_step},
    ),
    "leak": (properties.test_the_future_moves_no_prediction, {"teacher_force": leak}),
    "many": (
        properties.test_free_running_begins_with_the_first_prediction_and_keeps_the_context,
        {"rollout": many_are_worse},
    ),
    "overwritten": (
        properties.test_free_running_begins_with_the_first_prediction_and_keeps_the_context,
        {"rollout": context_overwritten},
    ),
}


@pytest.mark.parametrize(("holds", "broken"), BROKEN.values(), ids=BROKEN)
def test_a_property_holds_for_the_oracle_and_not_for_its_broken_twin(holds, broken, twin):
    holds(battery=prepare(twin(), num_pairs=16))
    with pytest.raises(AssertionError):
        holds(battery=prepare(twin(**broken), num_pairs=16))


def test_predictions_that_are_lost_in_a_padded_row_are_found(twin):
    battery = prepare(twin(teacher_force=lost_where_padded), num_pairs=16)
    with pytest.raises(ValueError, match="finite at every target"):
        properties.test_predictions_are_finite_and_have_a_width(battery=battery)


def test_a_subject_that_its_attention_disturbs_is_found(twin):
    battery = prepare(Disturbed(twin()), num_pairs=16)
    with pytest.raises(AssertionError):
        properties.test_asking_for_attention_changes_no_prediction(battery=battery)


def tied(batch):
    return (np.diff(np.sort(np.where(batch.valid, batch.x, np.nan), axis=1), axis=1) == 0).any()


AXES = {
    "one observed point of B": lambda b: (b.num_context == 12 + 1).all(),
    "longer than in training": lambda b: b.num_points == 4 * 12,
    "padding on the left": lambda b: not b.valid[:, 0].all() and b.valid[:, 0].any(),
    "padding on the right": lambda b: not b.valid[:, -1].all() and b.valid[:, -1].any(),
    "ties in x": tied,
    "points at exactly 0": lambda b: (b.y[b.is_context] == 0).any() and (b.y[b.is_target] == 0).any(),
    "wide x": lambda b: np.ptp(b.x) > 12,
    "narrow x": lambda b: np.ptp(b.x) < 6,
    "large y": lambda b: np.std(b.y) > 10,
    "small y": lambda b: np.std(b.y) < 0.5,
    "both series continued": lambda b: {0, 1} == set(b.series[:, -1]),
}


@pytest.mark.parametrize("is_reached", AXES.values(), ids=AXES)
def test_every_axis_is_reached(is_reached):
    quiet = settings(max_examples=200, database=None, derandomize=True, phases=[Phase.generate])
    assert is_reached(find(forecasts(SCENARIO), is_reached, settings=quiet))


@settings(max_examples=30)
@given(st.data())
def test_given_pairs_of_unequal_length_serve_as_well(data):
    pairs = PROCESS.sample(5, np.random.default_rng(1))
    ragged = Pairs(pairs.x, pairs.series, pairs.y, np.arange(24) % 12 < 9 + np.arange(5)[:, None])
    batch = data.draw(forecasts(build_scenario(ragged, np.random.default_rng(0), num_pairs=5)))
    assert batch.num_pairs == NUM_PAIRS
    assert batch.is_target.any(axis=1).all()


def test_predictions_of_the_protocol_are_all_that_is_needed(twin):
    class Bare:
        name = "bare"

        def teacher_force(self, batch):
            return twin().teacher_force(batch)

        def predict_next(self, history, x_next, series_next):
            return Prediction(*vars(twin().predict_next(history, x_next, series_next)).values())

    battery = prepare(Bare(), source=PROCESS, num_pairs=16)
    properties.test_free_running_begins_with_the_first_prediction_and_keeps_the_context(battery=battery)
    properties.test_asking_for_attention_changes_no_prediction(battery=battery)
