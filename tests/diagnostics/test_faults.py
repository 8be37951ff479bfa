"""The catalogue is whole, and what it injects is what its check is for."""

import numpy as np
import pytest

from attn.stream import Stream
from diagnostics.causes import FAULTS
from diagnostics.checks import CHECKS, find_check
from diagnostics.faults import CATALOGUE, find_injection
from diagnostics.faults.trained import RECIPES, TRAINED, fresh_run, shared_run
from diagnostics.run_subject import TrainedSubject
from diagnostics.runner import prepare

# One or two of every family, chosen for speed; the self-test asks all checks of all faults.
KILLED_BY = {
    "x_before_sorting": "training_batches_follow_the_process",
    "labels_not_sorted": "labels_belong_to_their_series",
    "future_leak": "no_future_leak",
    "mask_dropped_with_scores": "attention_rows_sum_to_one",
    "reseeded_generator": "samples_have_the_predicted_scale",
    "attention_dilution": "attention_has_no_floor",
    "label_is_rank": "relabelling_changes_nothing",
    "metric_skips_first": "metric_counts_every_target",
    "partial_restore": "reload_predicts_the_same",
    "shared_draws": "pairs_are_independent",
    "shared_noise": "noise_is_independent",
    "arrays_swapped": "pairs_follow_their_process",
}
# Faults in what surrounds the traced functions.
SHARING = (
    "x_before_sorting",
    "labels_not_sorted",
    "positions_shared_across_rows",
    "stuck_position",
    "row_order_lost",
    "zero_taken_for_padding",
    "padding_leak",
    "shifted_by_one",
    "true_values_fed",
    "single_sample_scale",
    "reseeded_generator",
    "metric_skips_first",
    "partial_restore",
    "shared_draws",
    "shared_noise",
    "arrays_swapped",
)
CHECK_NAMES = {check.name for check in CHECKS}


def test_every_row_of_the_catalogue_is_injected_once():
    assert sorted(known.row for known in CATALOGUE) == list(range(1, 45))
    assert len({known.fault for known in CATALOGUE}) == 44


@pytest.mark.parametrize("known", CATALOGUE, ids=lambda known: known.fault)
def test_an_injection_names_a_known_fault_its_sizes_and_its_twin(known):
    assert known.fault in FAULTS
    assert known.summary.endswith(".")
    assert len(set(known.severities)) == len(known.severities)
    assert known.twin in RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_every_trained_model_ships_and_is_restored(name):
    run = fresh_run(name)
    assert run.directory == TRAINED / name
    assert run.history[-1]["step"] == RECIPES[name].training.num_steps


@pytest.mark.slow
def test_the_faults_outside_of_what_is_traced_are_those_that_share_a_model():
    made = {known: known.make(known.severities[0]) for known in CATALOGUE}
    sharing = {known.fault for known in CATALOGUE if made[known].run.model is shared_run(known.twin).model}
    assert sharing == set(SHARING)


@pytest.mark.slow
@pytest.mark.parametrize("fault", SHARING)
def test_a_fault_leaves_no_trace_of_itself_in_a_model_that_others_share(fault):
    shared_run.cache_clear()  # whatever is traced now is traced with the fault in place
    known = find_injection(fault)
    faulty = known.make(known.severities[0])
    shared, fresh = TrainedSubject(shared_run(known.twin)), TrainedSubject(fresh_run(known.twin))
    batch = Stream(shared.process, "forecast", 5, 8, seed=0).batch(0)
    _ask_all(faulty, batch)
    for through_shared, through_fresh in zip(_ask_all(shared, batch), _ask_all(fresh, batch), strict=True):
        np.testing.assert_array_equal(through_shared, through_fresh)


def _ask_all(subject, batch):
    """What the traces say: the parallel pass, free running, attention and loss."""
    forced = subject.teacher_force(batch)
    written = subject.rollout(batch, 2, np.random.default_rng(0))
    weights = subject.attention(batch).weights
    return forced.mean, forced.scale, written.samples, written.scale, weights, subject.loss(batch)


def test_every_fault_that_is_named_can_be_refuted():
    for fault in FAULTS.values():
        assert fault.all_of or fault.any_of
        assert {*fault.all_of, *fault.any_of, *fault.unless} <= CHECK_NAMES


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        pytest.param(fault, check, marks=[pytest.mark.slow] if fault == "partial_restore" else [])
        for fault, check in KILLED_BY.items()
    ],
)
def test_the_check_fails_on_its_fault_and_passes_on_the_sound_twin(fault, check):
    known = find_injection(fault)
    sound = prepare(TrainedSubject(fresh_run(known.twin))).run(find_check(check))
    assert sound.status == "passed", sound.detail
    faulty = prepare(known.make(known.severities[0])).run(find_check(check))
    assert faulty.status == "failed", faulty.detail
    assert fault in faulty.suspects


def test_an_unknown_fault_is_answered_with_the_names():
    with pytest.raises(ValueError, match=r"fault must be one of label_blind_history, .*; got 'nonsense'"):
        find_injection("nonsense")
