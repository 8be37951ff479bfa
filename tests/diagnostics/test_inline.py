from diagnostics.inline import causes_as_list, measures_as_table, probes_as_table, results_as_table
from diagnostics.result import (
    Attribution,
    AttributionRow,
    Cause,
    CheckResult,
    Curve,
    Diagnosis,
    Estimate,
    Measure,
    Symptom,
)

NO_CURVE = Curve(name="free_running", at=[], value=[], low=[], high=[])


def result(check, status, detail):
    return CheckResult(
        check=check, family="masking", status=status, detail=detail, seed=0, repro="again", seconds=0.0
    )


def probe(name, after):
    return AttributionRow(
        name=name,
        title=f"with {name}",
        where="first",
        role="probe",
        error=Estimate(value=0.0, low=0.0, high=0.0),
        after=after,
        sentence=f"{name} changes it.",
    )


def symptom(name, value):
    measure = Measure(name="m", value=value, low=value - 1, high=value + 1, num_pairs=7, meaning="what it is")
    return Symptom(subject=name, data="", measures=(measure,), curves=(), examples=())


def test_every_result_is_a_row_with_its_sign():
    shown = results_as_table(
        [result("one", "passed", "all is well"), result("two", "expected_failure", "known")]
    )
    assert shown.splitlines() == [
        "| check | status | finding |",
        "| --- | --- | --- |",
        "| one | + passed | all is well |",
        "| two | e expected failure | known |",
    ]


def test_what_a_subject_says_is_text_and_no_markup():
    (*_, row) = results_as_table([result("one", "failed", "a | b <img src=x>\nand more")]).splitlines()
    assert row == r"| one | × failed | a \| b \<img src=x\> and more |"


def test_subjects_stand_side_by_side():
    assert measures_as_table([symptom("mine", 2.0), symptom("yours", 3.0)]).splitlines() == [
        "| measure | mine | yours |",
        "| --- | --- | --- |",
        r"| what it is | 2.000 \[1.000, 3.000\] | 3.000 \[2.000, 4.000\] |",
    ]


def test_causes_are_numbered_after_the_verdict():
    cause = Cause(
        fault="f",
        family="masking",
        title="A *leak*",
        evidence=("one: seen", "two: too"),
        mend="mask it",
        confirm=(),
    )
    assert causes_as_list(Diagnosis(verdict="It drops.", causes=(cause, cause))).splitlines() == [
        "**It drops.**",
        "",
        r"1. **A \*leak\***",
        "   - Seen by one: seen",
        "   - To change: mask it",
        r"2. **A \*leak\***",
        "   - Seen by one: seen",
        "   - To change: mask it",
    ]
    assert causes_as_list(Diagnosis(verdict="All is well.")) == "**All is well.**\n"


def test_probes_without_a_drift_fraction_are_left_out():
    rows = (probe("this", Estimate(value=0.25, low=0.125, high=0.5)), probe("that", None))
    attribution = Attribution(num_pairs=2, later=(), training_order="", rows=rows, free_running=NO_CURVE)
    assert probes_as_table(attribution).splitlines()[2:] == [
        r"| with this | 0.25 \[0.125, 0.5\] | this changes it. |"
    ]
