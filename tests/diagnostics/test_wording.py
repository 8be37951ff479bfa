import pytest

from diagnostics.result import CheckResult, Diagnosis, Environment, Measure, Report, Symptom
from diagnostics.wording import (
    calibration_in_words,
    count_statuses,
    figure,
    five_lines,
    measure_table,
    subject_names,
)


def measure(name, value, num_pairs=8):
    return Measure(
        name=name, value=value, low=value - 1, high=value + 1, num_pairs=num_pairs, meaning=f"the {name}"
    )


def symptom(*measures):
    return Symptom(subject="s", data="d", measures=measures, curves=(), examples=())


def report(name="s", *statuses, num_manifest=None, symptoms=()):
    results = [
        CheckResult(check=f"c{n}", family="data", status=status, detail="d", seed=0, repro="r", seconds=0.0)
        for n, status in enumerate(statuses)
    ]
    return Report(
        subject=name,
        environment=Environment(python="3", platform="p", packages={}),
        seed=0,
        num_manifest=len(results) if num_manifest is None else num_manifest,
        results=tuple(results),
        diagnosis=Diagnosis(verdict=f"Verdict of {name}."),
        symptoms=symptoms,
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.12345, "0.123"),
        (-0.0001, "0.000"),
        (99.5, "99.500"),
        (12345.6, "1.23e+04"),
        (float("nan"), "not defined"),
    ],
)
def test_figures_are_short(value, shown):
    assert figure(value) == shown


def test_measures_stand_beside_each_other_by_name():
    rows = measure_table(
        [symptom(measure("a", 2.0), measure("b", 3.0)), symptom(measure("b", 5.0, num_pairs=9))]
    )
    assert [row.meaning for row in rows] == ["the a", "the b"]
    assert rows[0].cells == ("2.000 [1.000, 3.000]", "not measured")
    assert rows[1].cells == ("3.000 [2.000, 4.000]", "5.000 [4.000, 6.000]")
    assert [row.num_pairs for row in rows] == ["8", "8 / 9"]


def test_a_battery_that_shrank_is_counted_against_its_manifest():
    counted = count_statuses(report("s", "passed", "failed", "skipped", num_manifest=5))
    assert counted == "1 of 5 checks passed, 1 failed, 1 skipped, 2 not run"


def test_two_subjects_of_one_name_are_numbered():
    assert subject_names([report("a"), report("b")]) == ("a", "b")
    assert subject_names([report("a"), report("a")]) == ("a (1)", "a (2)")


def test_calibration_is_not_said_where_it_was_not_measured():
    assert calibration_in_words(symptom(), "one") == "one: calibration was not measured."


@pytest.mark.parametrize("names", [("one",), ("one", "two")])
def test_the_verdict_has_five_lines(names):
    measured = symptom(measure("rmse_free_running", 1.5), measure("rmse_oracle_free_running", 0.1))
    lines = five_lines([report(name, "passed", symptoms=(measured,)) for name in names])
    assert len(lines) == 5
    assert lines[0] == "one: Verdict of one."
    assert "one 1.500" in lines[3]
    assert "the exact GP 0.100" in lines[3]
    assert ("Verdict of two" in lines[2]) == (len(names) == 2)
