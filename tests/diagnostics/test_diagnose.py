import pytest

from diagnostics import diagnose as module
from diagnostics.causes import FAULTS, Fault
from diagnostics.checks import CHECKS, find_check
from diagnostics.checks.position import OF_LATER_STEPS
from diagnostics.diagnose import diagnose
from diagnostics.result import CheckResult, Measure, Symptom


def result_of(check, status="passed", suspects=None, is_statistic=False):
    """A result as the runner makes it; suspects None = those of the check, where it failed."""
    if suspects is None:
        suspects = find_check(check).suspects if status == "failed" else ()
    return CheckResult(
        check=check,
        family=find_check(check).family,
        status=status,
        detail=f"what {check} saw",
        suspects=suspects,
        evidence={"low": 1.0} if is_statistic else {},
        seed=0,
        repro="",
        seconds=0.0,
    )


def results(*failed, skipped=()):
    """The whole battery, passed but for the named checks."""
    status = {**dict.fromkeys(failed, "failed"), **dict.fromkeys(skipped, "skipped")}
    return [result_of(check.name, status.get(check.name, "passed")) for check in CHECKS]


def named(*found):
    """The faults that a diagnosis of these results names, in its order."""
    return [cause.fault for cause in diagnose(found).causes]


def symptom(first, later):
    measures = [
        Measure(name=name, value=value, low=value - 0.01, high=value + 0.01, num_pairs=9, meaning="")
        for name, value in (("drift_first", first), ("drift_later", later))
    ]
    return Symptom(subject="s", data="", measures=tuple(measures), curves=(), examples=())


@pytest.fixture
def made_up(monkeypatch):
    """Put a table of made-up faults in the place of the known ones."""

    def put(**faults):
        table = {name: Fault("data", name, f"Mend {name}.", **limits) for name, limits in faults.items()}
        monkeypatch.setattr(module, "FAULTS", table)

    return put


def test_nothing_failed():
    diagnosis = diagnose(results(), symptom(0.001, -0.002))
    assert diagnosis.causes == ()
    assert diagnosis.verdict.startswith("There is no drop at the boundary (drift fraction 0.00 [-0.01, 0.01]")
    assert diagnosis.verdict.endswith(f"{len(CHECKS)} of {len(CHECKS)} checks passed.")


def test_a_label_blind_model_is_named_first_with_the_figures():
    failed = (
        "history_labels_matter",
        "no_drift_at_the_first_target",
        "no_drift_later",
        "context_order_is_irrelevant",
        "x_is_resolved",
        "loss_is_the_likelihood",
    )
    diagnosis = diagnose(results(*failed), symptom(0.245, 0.65))
    first = diagnosis.causes[0]
    assert (first.fault, first.family) == ("label_blind_history", "position")
    assert first.confirm[0] == "history_labels_matter"
    assert first.evidence[0] == "history_labels_matter: what history_labels_matter saw"
    assert diagnosis.verdict.startswith(
        "The forecast leaves the level of B at the boundary (drift fraction 0.24"
    )
    assert "The most likely cause is that the history is label-blind" in diagnosis.verdict
    assert diagnosis.verdict.count(". ") == 1


@pytest.mark.parametrize(
    ("failed", "fault"),
    [
        (("record_is_reproduced",), "head_count_mismatch"),
        (("reload_predicts_the_same",), "partial_restore"),
        (("loss_is_the_likelihood", "z_scores_are_calibrated"), "halved_log_scale"),
        (("no_future_leak",), "future_leak"),
        (("newest_point_weighs_as_it_should",), "newest_point_hidden"),
        (("newest_point_is_seen", "single_step_equals_column"), "newest_point_dropped"),
        (("rollout_ignores_true_targets",), "true_values_fed"),
        (("rollout_equals_stepping", "no_drift_later"), "stale_cache"),
        (("rollout_keeps_the_context", "rollout_equals_stepping"), "shifted_by_one"),
        (("one_trajectory_equals_many", "samples_have_the_predicted_scale"), "single_sample_scale"),
        (("samples_have_the_predicted_scale",), "variance_for_scale"),
        (("x_is_resolved",), "coarse_bins"),
        (("rows_of_unequal_length_agree",), "positions_shared_across_rows"),
        (("zero_is_a_value",), "zero_taken_for_padding"),
        (("attention_has_no_floor", "no_drift_later"), "attention_dilution"),
        (("forecast_order_was_trained", "no_drift_at_the_first_target"), "shuffled_training_only"),
        (("relabelling_changes_nothing",), "label_is_rank"),
        (("metric_counts_every_target",), "metric_skips_first"),
        (("pairs_follow_their_process",), "arrays_swapped"),
        (("pairs_are_independent", "noise_is_independent"), "shared_draws"),
        (("noise_is_independent",), "shared_noise"),
        (("training_batches_follow_the_process",), "x_before_sorting"),
        (("training_batches_follow_the_process", "labels_belong_to_their_series"), "labels_not_sorted"),
    ],
)
def test_the_first_cause_is_that_of_the_failed_checks(failed, fault):
    assert diagnose(results(*failed)).causes[0].fault == fault


def test_a_fault_is_struck_off_when_the_check_that_it_could_not_pass_has_passed():
    failed = ("no_drift_at_the_first_target", "no_drift_later")
    assert "label_blind_history" not in named(*results(*failed))
    unasked = diagnose(results(*failed, skipped=("history_labels_matter",)))
    assert "label_blind_history" in [cause.fault for cause in unasked.causes]


def test_one_passed_check_of_all_of_strikes_a_fault_off_and_every_one_of_any_of_must(made_up):
    contracts = ("x_is_resolved", "no_future_leak")
    made_up(strict={"all_of": contracts}, lenient={"any_of": contracts})
    both = ("strict", "lenient")
    voting = result_of("no_drift_later", "failed", both)

    def left(first, second):
        return set(named(voting, result_of(contracts[0], *first), result_of(contracts[1], *second)))

    assert left(("failed", both), ("failed", both)) == {"strict", "lenient"}
    assert left(("skipped",), ("skipped",)) == {"strict", "lenient"}
    assert left(("passed",), ("skipped",)) == {"lenient"}
    assert left(("failed", both), ("passed",)) == {"lenient"}
    assert left(("passed",), ("passed",)) == set()


def test_a_check_of_all_of_that_failed_in_another_way_strikes_a_fault_off(made_up):
    made_up(strict={"all_of": ("x_is_resolved",)}, other={})
    voting = result_of("no_drift_later", "failed", ("strict", "other"))
    assert named(voting, result_of("x_is_resolved", "failed", ("other",))) == ["other"]
    assert named(voting, result_of("x_is_resolved", "failed", ("other", "strict"))) == ["strict", "other"]


def test_the_suspects_of_a_check_share_its_vote(made_up):
    made_up(a={}, b={}, c={}, d={})
    # three suspects have 6/11, 3/11 and 2/11 of a vote, two have 2/3 and 1/3
    three = result_of("no_drift_later", "failed", ("a", "b", "c"))
    one, other = (
        result_of("x_is_resolved", "failed", ("d", "a")),
        result_of("no_future_leak", "failed", ("d", "b")),
    )
    assert named(three, one, other) == ["d", "a", "b", "c"]  # 4/3, 6/11 + 1/3, 3/11 + 1/3, 2/11
    # a check that suspects one alone outweighs the first of many
    assert named(three, result_of("x_is_resolved", "failed", ("c",))) == ["c", "a", "b"]


def test_a_fault_gains_a_whole_vote_for_each_failed_check_of_all_of(made_up):
    many = ("a", "b", "c", "d", "bound")
    made_up(a={}, b={}, c={}, d={}, bound={"all_of": ("no_drift_later",)})
    assert named(result_of("no_drift_later", "failed", many)) == ["bound", "a", "b", "c", "d"]
    # five suspects share a vote as 60 : 30 : 20 : 15 : 12, and the last gains a whole one: 12/137 + 1 = 1.088
    second = result_of("x_is_resolved", "failed", ("a", "b"))
    assert named(result_of("no_drift_later", "failed", many), second)[:2] == [
        "a",
        "bound",
    ]  # a: 60/137 + 2/3 = 1.105


def test_a_statistic_has_half_a_vote_of_a_contract(made_up):
    made_up(a={}, b={})
    by_interval = result_of("no_drift_later", "failed", ("a",), is_statistic=True)
    contract = result_of("x_is_resolved", "failed", ("b", "a"))
    assert named(by_interval, contract) == ["a", "b"]  # 1/2 + 1/3 against 2/3
    assert named(by_interval, result_of("x_is_resolved", "failed", ("b",))) == ["b", "a"]


def test_what_disturbs_all_comes_first_and_what_another_failure_explains_last(made_up):
    made_up(a={}, noisy={"disturbs_all": True}, explained={"unless": ("x_is_resolved",)})
    voting = result_of("no_drift_later", "failed", ("explained", "a", "noisy"))
    assert named(voting) == ["noisy", "explained", "a"]
    explaining = result_of("x_is_resolved", "failed", ("explained",))
    assert named(voting, explaining) == ["noisy", "a", "explained"]


ROLLOUTS_APART = ("rollout_equals_stepping", "one_trajectory_equals_many")


def test_rollouts_that_part_where_the_step_itself_is_wrong_speak_last_of_a_single_trajectory():
    """Bin indices that are fed back blow roundings up: whether one trajectory parts from four is chance."""
    later_steps = result_of("single_step_equals_column", "failed", OF_LATER_STEPS)
    parted = [result_of(name, "failed") for name in ROLLOUTS_APART]
    causes = named(later_steps, *parted)
    assert set(causes[:3]) == set(OF_LATER_STEPS)
    assert causes[-1] == "single_sample_scale"
    assert named(*parted)[0] == "single_sample_scale"


def test_no_more_than_five_causes_are_named(made_up):
    faults = ("a", "b", "c", "d", "e", "f")
    made_up(**{name: {} for name in faults})
    assert named(result_of("no_drift_later", "failed", faults)) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_reads_as_sentences_and_names_real_checks(name):
    fault = FAULTS[name]
    assert fault.mend.endswith(".")
    assert not fault.title.endswith(".")
    assert {*fault.all_of, *fault.any_of, *fault.unless} <= {check.name for check in CHECKS}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_can_be_refuted_and_what_refutes_it_suspects_it(name):
    fault = FAULTS[name]
    refuting = {*fault.all_of, *fault.any_of}
    assert refuting
    assert [check for check in refuting if name not in find_check(check).suspects] == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_not_explained_away_by_its_own_checks(name):
    fault = FAULTS[name]
    assert not set(fault.unless) & {*fault.all_of, *fault.any_of}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_where_all_checks_that_suspect_it_failed(name):
    suspecting = [check.name for check in CHECKS if name in check.suspects]
    assert name in named(*results(*suspecting))


def test_without_a_symptom_the_checks_of_the_boundary_speak():
    assert diagnose(results("no_drift_later")).verdict.startswith("The forecast leaves the level of B")
    assert diagnose(results()).verdict.startswith("There is no drop at the boundary.")
    partly = diagnose(results(skipped=("no_drift_later",))).verdict
    assert partly.startswith("Whether there is a drop at the boundary was not measured.")
    assert "1 gave no verdict" in partly
