import pytest

from diagnostics.causes import FAULTS
from diagnostics.checks import CHECKS
from diagnostics.diagnose import diagnose
from diagnostics.result import CheckResult, Measure, Symptom


def results(*failed, skipped=()):
    """The whole battery, passed but for the named checks."""
    status = {**dict.fromkeys(failed, "failed"), **dict.fromkeys(skipped, "skipped")}
    return [
        CheckResult(
            check=check.name,
            family=check.family,
            status=status.get(check.name, "passed"),
            detail=f"what {check.name} saw",
            suspects=check.suspects if check.name in failed else (),
            seed=0,
            repro="",
            seconds=0.0,
        )
        for check in CHECKS
    ]


def symptom(first, later):
    measures = [
        Measure(name=name, value=value, low=value - 0.01, high=value + 0.01, num_pairs=9, meaning="")
        for name, value in (("drift_first", first), ("drift_later", later))
    ]
    return Symptom(subject="s", data="", measures=tuple(measures), curves=(), examples=())


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
    assert "First cause: the history is label-blind" in diagnosis.verdict
    assert diagnosis.verdict.count(". ") == 1


@pytest.mark.parametrize(
    ("failed", "fault"),
    [
        (("reload_predicts_the_same",), "head_count_mismatch"),
        (("loss_is_the_likelihood", "z_scores_are_calibrated"), "halved_log_scale"),
        (("no_future_leak",), "future_leak"),
        (("newest_point_is_seen", "first_target_is_predicted_as_well"), "newest_point_hidden"),
        (("rollout_ignores_true_targets",), "true_values_fed"),
        (("rollout_equals_stepping", "no_drift_later"), "stale_cache"),
        (("samples_have_the_predicted_scale",), "variance_for_scale"),
        (("x_is_resolved",), "coarse_bins"),
        (("relabelling_changes_nothing",), "label_is_rank"),
    ],
)
def test_the_first_cause_is_that_of_the_failed_checks(failed, fault):
    assert diagnose(results(*failed)).causes[0].fault == fault


def test_a_fault_is_struck_off_when_the_check_that_it_could_not_pass_has_passed():
    failed = ("no_drift_at_the_first_target", "no_drift_later")
    assert "label_blind_history" not in [cause.fault for cause in diagnose(results(*failed)).causes]
    unasked = diagnose(results(*failed, skipped=("history_labels_matter",)))
    assert unasked.causes[0].fault == "label_blind_history"


def test_the_table_of_faults_names_real_checks_and_reads_as_sentences():
    names = {check.name for check in CHECKS}
    for fault in FAULTS.values():
        assert fault.refuted_by is None or fault.refuted_by in names
        assert fault.mend.endswith(".")
        assert not fault.title.endswith(".")


def test_a_refuting_check_suspects_the_fault_that_it_refutes():
    for name, fault in FAULTS.items():
        if fault.refuted_by is not None:
            assert name in next(check for check in CHECKS if check.name == fault.refuted_by).suspects


def test_without_a_symptom_the_checks_of_the_boundary_speak():
    assert diagnose(results("no_drift_later")).verdict.startswith("The forecast leaves the level of B")
    assert diagnose(results()).verdict.startswith("There is no drop at the boundary.")
    partly = diagnose(results(skipped=("no_drift_later",))).verdict
    assert partly.startswith("Whether there is a drop at the boundary was not measured.")
    assert "1 gave no verdict" in partly
