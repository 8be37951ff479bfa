"""The catalogue is whole, and what it injects is what its check is for."""

import pytest

from diagnostics.causes import FAULTS
from diagnostics.checks import CHECKS, find_check
from diagnostics.faults import CATALOGUE, find_injection
from diagnostics.faults.trained import RECIPES, TRAINED, fresh_run
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
