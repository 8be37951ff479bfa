import json
import math

import numpy as np
import pytest

from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject
from diagnostics.ask import SubjectError
from diagnostics.check import Finding, check
from diagnostics.regression.baseline import (
    Baseline,
    BaselineError,
    KeptMeasure,
    Plan,
    examine,
    process_for,
    read_baseline,
    rounded,
    to_baseline,
    write_baseline,
)
from diagnostics.runner import describe_environment
from diagnostics.symptom import measure_symptom

PROCESS = PairProcess(num_points=16)
PLAN = Plan(seed=3, num_pairs=40, num_context=4, num_check_pairs=8)


@check(family="data", suspects=())
def always_passes(subject, scenario, rng):
    """Does it pass?"""
    return Finding("passed", f"{scenario.pairs.num_pairs} pairs")


@check(family="data", suspects=())
def always_fails(subject, scenario, rng):
    """Does it fail?"""
    return Finding("failed", "it does")


@pytest.fixture(scope="module")
def examined():
    return examine(OracleSubject(PROCESS), PLAN, checks=(always_passes, always_fails))


@pytest.fixture(scope="module")
def baseline(examined):
    return to_baseline(examined, PLAN)


def hand_made(*values):
    return Baseline(
        subject="by hand",
        environment=describe_environment(),
        process={"kernel": "rbf", "num_points": 2},
        plan=PLAN,
        statuses={"always_passes": "passed"},
        mean_y=[0.1, 1 / 3],
        measures=(KeptMeasure(name="nll", value=math.nan, sums=[list(values)]),),
    )


def test_a_baseline_keeps_what_the_report_shows_for_the_same_seed(baseline):
    symptom = measure_symptom(
        OracleSubject(PROCESS), PROCESS, num_pairs=40, num_context=4, num_samples=2, seed=3
    )
    kept = {measure.name: measure.value for measure in baseline.measures}
    shown = {measure.name: measure.value for measure in symptom.measures}
    assert {name: kept[name] for name in shown} == shown
    assert set(kept) - set(shown) == {"nll_first"}


def test_the_kept_sums_give_the_value_again(baseline):
    sums = {measure.name: np.array(measure.sums) for measure in baseline.measures}
    values = {measure.name: measure.value for measure in baseline.measures}
    assert all(rows.shape[0] == 40 for rows in sums.values())
    total, count = sums["nll"].sum(axis=0)
    assert count == 40 * 12
    assert total / count == pytest.approx(values["nll"], rel=1e-6)
    square, count = sums["rmse_free_running"].sum(axis=0)
    assert math.sqrt(square / count) == pytest.approx(values["rmse_free_running"], rel=1e-6)


def test_a_baseline_says_where_it_comes_from(baseline):
    assert baseline.process["num_points"] == 16
    assert baseline.statuses == {"always_passes": "passed", "always_fails": "failed"}
    assert "numpy" in baseline.environment.packages
    assert baseline.plan == PLAN


def test_the_mean_of_y_is_that_of_the_valid_points(baseline):
    pairs = PROCESS.sample(40, np.random.default_rng([3, 1]))
    assert baseline.mean_y == pytest.approx(pairs.y.mean(axis=1), rel=1e-6)


def test_every_step_is_told(examined):
    steps = []
    examine(OracleSubject(PROCESS), PLAN, checks=(always_passes,), on_step=steps.append)
    assert steps == ["always_passes", "the measures"]
    assert examined.results[0].detail == "8 pairs"


def test_rounding_keeps_seven_digits_and_what_is_not_finite():
    values = np.array([[1 / 3, -123456789.0], [math.inf, math.nan]])
    kept = rounded(values)
    assert kept[0].tolist() == [0.3333333, -123456800.0]
    assert kept[1, 0] == math.inf
    assert math.isnan(kept[1, 1])
    assert rounded(kept)[0].tolist() == kept[0].tolist()


def test_what_is_written_is_read(tmp_path, baseline):
    path = tmp_path / "kept.json"
    for written in (baseline, hand_made(0.1, -0.0, 1e-300, 1.0, math.inf, -math.inf, math.nan)):
        write_baseline(path, written)
        assert read_baseline(path).model_dump_json() == written.model_dump_json()
    assert [file.name for file in tmp_path.iterdir()] == ["kept.json"]


def test_a_file_of_256_pairs_is_small(tmp_path):
    plan = Plan(seed=0, num_pairs=256, num_context=4)
    write_baseline(
        tmp_path / "kept.json", to_baseline(examine(OracleSubject(PROCESS), plan, checks=()), plan)
    )
    assert (tmp_path / "kept.json").stat().st_size < 250_000


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda text: text[: len(text) // 2], "could not be read as JSON"),
        (lambda text: "", "could not be read as JSON"),
        (lambda text: "[" * 100_000, "could not be read as JSON"),
        (lambda text: "\x00\xff", "could not be read as JSON"),
        (lambda text: "[1, 2]", "holds a list"),
        (lambda text: "{}", "schema version of a baseline must be 1; .* has None"),
        (lambda text: text.replace('"schema_version":1', '"schema_version":2'), "must be 1; .* has 2"),
        (lambda text: text.replace('"num_pairs":40', '"num_pairs":41'), "checksum"),
        (lambda text: text.replace('"passed"', '"failed"'), "checksum"),
        (lambda text: text.replace('"passed"', '"perhaps"'), "statuses.always_passes is not as it was"),
        (lambda text: text.replace('"mean_y"', '"mean_x"'), "mean_y is not as it was"),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(damage, sentence, tmp_path, baseline):
    path = tmp_path / "kept.json"
    write_baseline(path, baseline)
    path.write_text(damage(path.read_text()))
    with pytest.raises(BaselineError, match=sentence) as refused:
        read_baseline(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_older_file_is_told_by_its_version_and_not_by_its_fields(tmp_path):
    path = tmp_path / "kept.json"
    path.write_text(json.dumps({"schema_version": 0, "what": "it held then"}))
    with pytest.raises(BaselineError, match=r"must be 1; .* has 0"):
        read_baseline(path)


@pytest.mark.parametrize("num_context", [0, 16])
def test_a_plan_must_fit_the_process(num_context):
    plan = Plan(seed=0, num_pairs=4, num_context=num_context)
    with pytest.raises(ValueError, match=f"between 1 and 15 .*; got {num_context}"):
        examine(OracleSubject(PROCESS), plan, checks=())


@pytest.mark.parametrize("process", [None, "rbf"])
def test_a_subject_must_have_a_process(process):
    subject = OracleSubject(PROCESS)
    assert process_for(subject, PLAN) is PROCESS
    subject.process = process
    with pytest.raises(SubjectError, match=f"must have a process .* got {type(process).__name__}"):
        process_for(subject, PLAN)
