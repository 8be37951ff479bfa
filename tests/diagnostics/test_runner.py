import shlex
from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject
from diagnostics.ask import SubjectError
from diagnostics.battery import repro
from diagnostics.check import Finding, check
from diagnostics.checks import CHECKS, find_check
from diagnostics.result import Report
from diagnostics.runner import assert_passes, prepare, run_checks, to_report
from diagnostics.subject import offers

PROCESS = PairProcess(num_points=10)


class Blind(OracleSubject):
    """Cannot tell the series apart."""

    def teacher_force(self, batch):
        return self.process.posterior(replace(batch, series=np.zeros_like(batch.series)))


class Minimal:
    """What is required and nothing else."""

    name = "minimal"
    teacher_force = OracleSubject(PROCESS).teacher_force
    predict_next = OracleSubject(PROCESS).predict_next


def asking(function):
    function.__doc__ = "Does it work?\n\nIt is asked."
    return check(family="feeding", suspects=("stale_cache",))(function)


def run(subject, **arguments):
    return run_checks(subject, num_pairs=16, **arguments)


def statuses(report):
    return {result.check: result.status for result in report.results}


def test_the_oracle_passes_all_that_it_can_be_asked():
    oracle = OracleSubject(PROCESS)
    report = run(oracle)
    lacks = {check.name for check in CHECKS if not all(offers(oracle, need) for need in check.needs)}
    assert {result.check for result in report.results if result.status != "passed"} == lacks
    assert report.count("skipped") == len(lacks) > 0
    assert report.exit_code == 3
    assert report.num_manifest == len(CHECKS)
    assert "numpy" in report.environment.packages
    assert Report.from_json(report.model_dump_json()).diagnosis == report.diagnosis


def test_twenty_runs_with_one_seed_say_the_same():
    checks = [
        find_check(name) for name in ("no_drift_later", "samples_have_the_predicted_scale", "no_future_leak")
    ]
    said = {
        tuple(
            (r.status, r.statistic, r.detail)
            for r in run(OracleSubject(PROCESS), seed=5, checks=checks).results
        )
        for _ in range(20)
    }
    assert len(said) == 1
    other = run(OracleSubject(PROCESS), seed=6, checks=checks)
    assert tuple((r.status, r.statistic, r.detail) for r in other.results) not in said


def test_a_check_says_the_same_alone_as_in_the_battery():
    whole = {r.check: r.detail for r in run(OracleSubject(PROCESS)).results}
    alone = run(OracleSubject(PROCESS), checks=[find_check("z_scores_are_calibrated")]).results[0]
    assert alone.detail == whole["z_scores_are_calibrated"]


def test_what_a_subject_lacks_is_skipped_with_the_reason():
    report = run(Minimal(), source=PROCESS)
    skipped = {r.check: r.detail for r in report.results if r.status == "skipped"}
    assert skipped["rollout_equals_stepping"] == "the subject does not offer rollout"
    assert set(skipped) == {c.name for c in CHECKS if c.needs}
    assert report.count("failed") == 0
    assert report.exit_code == 3


def test_a_subject_without_process_needs_pairs():
    with pytest.raises(
        SubjectError, match=r"minimal must have a process, or pairs must be given .*; got neither"
    ):
        run(Minimal())
    report = run(Minimal(), source=PROCESS.sample(16, np.random.default_rng(0)))
    assert report.count("error") == 0


def test_errors_of_subject_and_check_become_one_sentence_and_never_green():
    def broken_subject(subject, scenario, rng):
        raise SubjectError("s: rule; got nonsense")

    def broken_check(subject, scenario, rng):
        raise IndexError("far\naway")

    report = run(OracleSubject(PROCESS), checks=[asking(broken_subject), asking(broken_check)])
    assert [r.status for r in report.results] == ["error", "error"]
    assert report.results[0].detail == "s: rule; got nonsense"
    assert report.results[1].detail == "the check itself broke: IndexError: far"
    assert report.exit_code == 3


def test_a_failure_carries_suspects_and_a_line_that_repeats_it():
    seen = []
    report = run(Blind(PROCESS, "a b"), seed=3, on_result=seen.append)
    failed = next(r for r in report.results if r.check == "history_labels_matter")
    assert failed.status == "failed"
    assert failed.suspects[0] == "label_blind_history"
    words = shlex.split(failed.repro)
    assert words[:4] == ["diagnose", "check", "--subject", "a b"]
    assert words[4:] == ["--check", "history_labels_matter", "--seed", "3", "--num-pairs", "16"]
    assert report.exit_code == 1
    assert [r.check for r in seen] == [check.name for check in CHECKS]
    assert all(r.suspects == () for r in report.results if r.status == "passed")


def test_expected_failures_are_declared_and_must_fail():
    expected = {"history_labels_matter": "known", "no_future_leak": "hoped for"}
    result = statuses(run(Blind(PROCESS), expected_failures=expected))
    assert result["history_labels_matter"] == "expected_failure"
    assert result["no_future_leak"] == "failed"
    with pytest.raises(ValueError, match="expected failures must name checks of the battery; got no_such"):
        run(Blind(PROCESS), expected_failures={"no_such": "?"})


def test_assert_passes_speaks_in_the_finding():
    battery = prepare(Blind(PROCESS), num_pairs=16)
    with pytest.raises(pytest.fail.Exception, match="label-blind"):
        assert_passes(battery.run(find_check("history_labels_matter")))
    with pytest.raises(pytest.skip.Exception, match="does not offer attention"):
        assert_passes(battery.run(find_check("attention_rows_sum_to_one")))
    assert_passes(battery.run(find_check("no_future_leak")))


def test_a_result_is_valid_where_a_statistic_is_infinite():
    def infinite(subject, scenario, rng):
        return Finding("failed", "far", np.inf, 0.0)

    report = run(OracleSubject(PROCESS), checks=[asking(infinite)])
    assert Report.from_json(report.model_dump_json()).results[0].statistic == np.inf


def test_what_is_unmeasured_or_unanswered_makes_a_report_incomplete():
    def broken(subject, scenario, rng):
        raise SubjectError("s: rule; got nonsense")

    sound = run(OracleSubject(PROCESS), checks=[find_check("no_future_leak")])
    assert (sound.is_broken, sound.exit_code) == (False, 0)
    lacking = to_report("s", sound.results, seed=0, num_manifest=1, unmeasured=["Nothing was measured: why."])
    assert (lacking.is_broken, lacking.exit_code) == (True, 3)
    unanswered = run(OracleSubject(PROCESS), checks=[asking(broken)])
    assert (unanswered.is_broken, unanswered.exit_code) == (True, 3)
    skipped = run(OracleSubject(PROCESS), checks=[find_check("attention_rows_sum_to_one")])
    assert (skipped.is_broken, skipped.exit_code) == (False, 3)


def test_a_subject_that_writes_into_its_input_spoils_no_other_check():
    class Scribbler(OracleSubject):
        def teacher_force(self, batch):
            batch.y[:] = 0.0
            return super().teacher_force(batch)

    battery = prepare(Scribbler(PROCESS), num_pairs=16)
    before = battery.scenario.forecast.y.copy()
    for known in CHECKS:
        battery.run(known)
    np.testing.assert_array_equal(battery.scenario.forecast.y, before)


@pytest.mark.parametrize("limit", [0, -1.0, float("nan")])
def test_a_time_limit_must_be_positive(limit):
    with pytest.raises(ValueError, match="time_limit must be above 0 s; got"):
        run_checks(OracleSubject(PROCESS), time_limit=limit)


def test_a_reproduction_can_be_written_to_any_file():
    assert "--subject '?'" in repro(CHECKS[0], "\ud800", 0, ())
