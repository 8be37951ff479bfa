import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import diagnostics.adapters
import diagnostics.pytest_items  # noqa: F401 - what a run in this process imports is forgotten after it
from attn.files import save_pairs
from attn.processes import PairProcess
from diagnostics.checks import CHECKS
from diagnostics.plugin import read_expected_failures
from diagnostics.runner import NUM_CHECKS

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
SUBJECTS = """
from dataclasses import replace
from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject

PROCESS = PairProcess(num_points=8)

class Leaky(OracleSubject):
    def teacher_force(self, batch):
        prediction = super().teacher_force(batch)
        return replace(prediction, mean=0.9 * prediction.mean + 0.1 * batch.y)

class Bare:
    name = "bare"
    teacher_force = OracleSubject(PROCESS).teacher_force
    predict_next = OracleSubject(PROCESS).predict_next

class Hanging(OracleSubject):
    def teacher_force(self, batch):
        import time

        time.sleep(60)

def oracle():
    return OracleSubject(PROCESS)

def hanging():
    return Hanging(PROCESS)

def leaky():
    return Leaky(PROCESS)

def exits():
    raise RuntimeError("no weights here")
"""
OWN_BATTERY = """
from diagnostics.checks import find_check
from diagnostics.runner import assert_passes, parametrize_with_checks

names = ("no_future_leak", "x_is_resolved", "attention_rows_sum_to_one")

@parametrize_with_checks([find_check(name) for name in names])
def test_check(battery, check):
    assert_passes(battery.run(check))
"""
# pytester forgets what a run imports and pytest collects garbage at its end: neither is what is tested here
OPTIONS = tuple(
    f"-pno:{name}" for name in ("cacheprovider", "benchmark", "hypothesispytest", "unraisableexception")
)
if "diagnostics" not in {entry.name for entry in entry_points(group="pytest11")}:
    OPTIONS += ("-pdiagnostics.plugin",)


@pytest.fixture
def stranger(pytester, monkeypatch):
    """A directory that knows nothing of this repository but the installed package."""
    pytester.makepyfile(stranger_subjects=SUBJECTS)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of the workers of xdist
    # a worker within a worker may not hear that it is to end, and would be waited for ten seconds
    monkeypatch.setattr("xdist.workermanage.NodeManager.EXIT_TIMEOUT", 1)
    return pytester


def run(stranger, *arguments, subject="stranger_subjects:oracle", options=OPTIONS):
    given = () if subject is None else ("--subject", subject)
    return stranger.runpytest_inprocess(*options, *given, *arguments)


def outcomes(stranger, name):
    """{node id: outcome} of a junit file."""
    cases = ElementTree.parse(stranger.path / name).getroot().iter("testcase")
    return {
        f"{case.get('classname')}::{case.get('name')}": [
            child.tag for child in case if child.tag != "system-err"
        ]
        for case in cases
    }


def declare(stranger, expected):
    (stranger.path / "expected.json").write_text(json.dumps(expected))
    return "--expected-failures", "expected.json"


def test_the_battery_is_collected_in_a_directory_without_tests(stranger):
    result = run(stranger, "--collect-only", "-q")
    assert result.outlines[: NUM_CHECKS + 1] == [*(f"battery::{c.name}" for c in CHECKS), "battery::is_whole"]
    assert result.ret == 0


def test_without_subject_nothing_is_added_to_the_tests_of_a_stranger(stranger):
    stranger.makepyfile("def test_one():\n    pass")
    result = run(stranger, "--strict-markers", subject=None)
    result.assert_outcomes(passed=1)
    run(stranger, "--markers", subject=None).stdout.no_fnmatch_line("*battery*")


def test_without_subject_nothing_heavy_is_imported(tmp_path):
    (tmp_path / "test_light.py").write_text(
        "import sys\n"
        "def test_light():\n"
        "    assert not {'numpy', 'tensorflow', 'pydantic', 'typer'} & set(sys.modules)\n"
        "    of_attn = {name for name in sys.modules if name.partition('.')[0] == 'attn'}\n"
        "    assert of_attn <= {'attn', 'attn.lazy'}\n"
    )
    code = f"import sys, pytest; sys.path.append({str(ROOT)!r}); sys.exit(pytest.main({[*OPTIONS, '-q']!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_finding_is_said_in_its_sentence_beside_the_tests_of_the_stranger(stranger):
    stranger.makepyfile("def test_one():\n    pass")
    result = run(stranger, "-rs", "--strict-markers", subject="stranger_subjects:leaky")
    assert result.ret == 1
    counted = result.parseoutcomes()
    assert sum(counted.values()) == NUM_CHECKS + 2
    assert counted["passed"] > counted["skipped"] > 0
    assert counted["failed"] >= 2
    result.stdout.fnmatch_lines(
        [
            "*_ battery::no_future_leak _*",
            "no_future_leak: predictions differ by up to *: the future leaks",
            "  again: diagnose check --subject stranger_subjects:leaky --check no_future_leak --seed 0",
        ]
    )
    result.stdout.fnmatch_lines(["SKIPPED*the subject does not offer attention"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*runner.py*Failed*")


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (("-k", "no_future_leak"), ["no_future_leak"]),
        (("-m", "likelihood", "-k", "calibrated"), ["z_scores_are_calibrated", "first_target_is_calibrated"]),
        (("-m", "battery", "-k", "x_is_resolved"), ["x_is_resolved"]),
        (("-m", "persistence", "-k", "reload"), ["reload_predicts_the_same"]),
    ],
)
def test_checks_are_chosen_by_name_and_by_family(stranger, arguments, chosen):
    result = run(stranger, "--collect-only", "-q", "--strict-markers", *arguments)
    assert result.outlines[: len(chosen) + 1] == [*(f"battery::{name}" for name in chosen), ""]


def test_a_battery_from_which_a_check_was_taken_is_not_green(stranger):
    run(stranger, "-k", "is_whole or no_future_leak", "--junitxml=few.xml")
    assert outcomes(stranger, "few.xml") == {"battery::no_future_leak": [], "battery::is_whole": ["failure"]}
    result = run(
        stranger, "-m", "battery", "-k", "not x_is_resolved", "--deselect", "battery::no_future_leak"
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            f"the battery must run {NUM_CHECKS} checks; got {NUM_CHECKS - 2},"
            " without x_is_resolved, no_future_leak"
        ]
    )


def test_it_stops_at_the_first_failure_and_runs_the_last_failed(stranger):
    cached = OPTIONS[1:]
    assert (
        run(stranger, "-x", subject="stranger_subjects:leaky", options=cached).parseoutcomes()["failed"] == 1
    )
    result = run(stranger, "--lf", subject="stranger_subjects:leaky", options=cached)
    assert result.parseoutcomes() == {"failed": 1, "deselected": NUM_CHECKS}


def test_workers_of_xdist_say_what_one_process_says(stranger):
    chosen = ("-m", "masking or position", "--subject", "stranger_subjects:leaky")
    run(stranger, *chosen, "--junitxml=one.xml", subject=None)
    done = stranger.runpytest_subprocess(*OPTIONS, *chosen, "-n", "2", "--junitxml=two.xml", timeout=120)
    assert done.ret == 1
    assert outcomes(stranger, "two.xml") == outcomes(stranger, "one.xml")
    assert ["failure"] in outcomes(stranger, "two.xml").values()


def test_expected_failures_are_declared_and_wrong_entries_are_named(stranger):
    declared = declare(stranger, {"no_future_leak": "by design", "x_is_resolved": "hoped", "no_such": "?"})
    chosen = ("-k", "no_future_leak or x_is_resolved or no_such")
    result = run(stranger, *chosen, *declared, "-rx", subject="stranger_subjects:leaky")
    result.assert_outcomes(xfailed=1, failed=2, deselected=NUM_CHECKS - 1)
    result.stdout.fnmatch_lines(
        [
            "x_is_resolved: expected to fail (hoped), but it passes: *",
            "expected failures must name checks of the battery; got no_such",
            "XFAIL battery::no_future_leak - *the future leaks (expected: by design)",
        ]
    )


def test_given_pairs_stand_in_for_a_process(stranger):
    pairs = PairProcess(num_points=8).sample(20, np.random.default_rng(0))
    save_pairs(stranger.path / "mine.npz", pairs, {})
    chosen = ("-k", "no_future_leak or drift", "--pairs", "mine.npz")
    run(stranger, *chosen, subject="stranger_subjects:Bare").assert_outcomes(
        passed=3, deselected=NUM_CHECKS - 2
    )
    result = run(stranger, *chosen, subject="stranger_subjects:leaky")
    result.stdout.fnmatch_lines(["  again: *--check no_future_leak --seed 0 --pairs mine.npz --num-pairs 20"])


@pytest.mark.parametrize(
    ("arguments", "subject", "rule"),
    [
        (
            (),
            "exits",
            "subject must name a factory *; got 'stranger_subjects:exits' (RuntimeError: no weights here)",
        ),
        (("-n", "1"), "exits", "subject must name a factory *"),
        ((), "PROCESS", "subject must*; got *"),
        ((), "Bare", "bare must have a process, or pairs must be given (--pairs FILE); got neither"),
        (("--pairs", "no.npz"), "Bare", "*no.npz could not be read: *"),
        (("--check-timeout", "0"), "oracle", "time_limit must be above 0 s; got 0.0"),
        (("--expected-failures", "no.json"), "oracle", "expected failures must be a readable JSON file; *"),
        (("--expected-failures", "no.json", "--collect-only"), "oracle", "expected failures must be *"),
    ],
)
def test_a_wrong_subject_or_file_is_one_sentence_and_a_usage_error(stranger, arguments, subject, rule):
    result = run(stranger, *arguments, subject=f"stranger_subjects:{subject}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert len([line for line in result.errlines if line.startswith("ERROR")]) == 1
    result.stderr.fnmatch_lines([f"ERROR: {rule}"])
    assert "Traceback" not in str(result.stderr) + str(result.stdout)


def test_a_check_that_hangs_fails_with_its_sentence(stranger):
    chosen = ("-k", "no_future_leak or rows_are_independent", "--check-timeout", "0.05")
    result = run(stranger, *chosen, subject="stranger_subjects:hanging")
    result.assert_outcomes(failed=2, deselected=NUM_CHECKS - 1)
    result.stdout.fnmatch_lines(["no_future_leak: oracle: the subject did not answer within 0.05 s"])


def test_a_battery_file_of_the_stranger_is_not_doubled(stranger):
    stranger.makepyfile(test_own_battery=OWN_BATTERY)
    result = run(stranger, "-rs", subject="stranger_subjects:leaky")
    result.assert_outcomes(failed=1, passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*the future leaks"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result = run(stranger, *declare(stranger, {"no_such": "?"}), subject="stranger_subjects:leaky")
    result.stdout.fnmatch_lines(["*expected failures must name checks of the battery; got no_such"])


@pytest.mark.slow
def test_our_own_battery_is_not_doubled_and_does_not_need_a_subject():
    for given in ((), ("--subject", "corrected")):
        command = [sys.executable, "-m", "pytest", "diagnostics/", "--collect-only", "-q", *OPTIONS, *given]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.stdout.count("[no_future_leak]") == 1
        assert "battery::" not in done.stdout


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("{", "readable JSON file"),
        ('["a"]', "JSON object of check: reason"),
        ('{"a": 1}', "JSON object of check"),
    ],
)
def test_a_wrong_file_of_expected_failures_is_one_sentence(tmp_path, text, rule):
    path = tmp_path / "expected.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=rule):
        read_expected_failures(str(path))


def test_no_file_expects_nothing_and_a_missing_one_is_an_error(tmp_path):
    assert read_expected_failures(None) == {}
    with pytest.raises(ValueError, match="readable JSON file"):
        read_expected_failures(str(tmp_path / "missing.json"))
