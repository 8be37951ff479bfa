"""The battery as a whole: it passes on the oracle, is complete, and says what it cannot ask.

The twins on which each check fails stand in `checks/`, a file for each file of the package.
"""

import json
import pkgutil
import runpy
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from attn.processes import PairProcess
from diagnostics import checks
from diagnostics.causes import FAULTS
from diagnostics.check import Check, build_scenario
from diagnostics.checks import CHECKS, find_check
from diagnostics.measures import predicted_series
from diagnostics.runner import NUM_CHECKS
from diagnostics.subject import OPTIONAL, offers

REPORTS = Path(__file__).parents[2] / "reports"
PROCESS = PairProcess(num_points=24)
PROCESSES = {
    "const": PROCESS,
    "rank": replace(PROCESS, label="rank"),
    "periodic": replace(PROCESS, kernel="periodic"),
    "matern": replace(PROCESS, kernel="matern"),
    "rbf shift": replace(PROCESS, shift="rbf", shift_scale=1.0),
}
FAMILY_FILES = [module.name for module in pkgutil.iter_modules(checks.__path__) if module.name[0] != "_"]
of_every_file = pytest.mark.parametrize("file", FAMILY_FILES)
NEEDS_A_PROCESS = {
    "newest_point_weighs_as_it_should",
    "no_offset_at_the_first_target",
    "pairs_follow_their_process",
    "pairs_are_independent",
    "noise_is_independent",
}
NEEDS_TWO_SERIES = {
    "history_labels_matter",
    "other_series_is_seen",
    "no_drift_at_the_first_target",
    "no_offset_at_the_first_target",
    "no_drift_later",
}


def defined_in(file):
    module = import_module(f"diagnostics.checks.{file}")
    return {value for value in vars(module).values() if isinstance(value, Check)}


def with_status(found, status):
    return {name for name, finding in found.items() if finding.status == status}


def test_the_healthy_subject_lacks_nothing(whole_subject):
    assert all(offers(whole_subject(PROCESS), capability) for capability in OPTIONAL)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)
@of_every_file
def test_every_check_passes_on_the_oracle(file, process, seed, ask, whole_subject):
    found = {check.name: ask(check, whole_subject(process), seed) for check in defined_in(file)}
    assert [f"{name}: {f.detail}" for name, f in found.items() if f.status != "passed"] == []


@of_every_file
def test_every_check_has_twins_on_which_it_fails(file):
    twins = runpy.run_path(str(Path(__file__).parent / "checks" / f"test_{file}_checks.py"))["TWINS"]
    assert set(twins) == defined_in(file)
    assert all(twins.values())


def test_the_manifest_holds_every_check_of_the_files():
    assert set(CHECKS) == set().union(*(defined_in(file) for file in FAMILY_FILES))
    assert NUM_CHECKS == len(CHECKS) == len({check.name for check in CHECKS})


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_documents_itself_and_suspects_known_faults(check):
    assert check.question.endswith("?")
    assert len(check.method) > 80
    assert check.suspects
    assert set(check.suspects) <= set(FAULTS)


@of_every_file
def test_without_a_process_those_checks_are_skipped_that_compare_with_it(file, ask, whole_subject):
    pairs = PROCESS.sample(64, np.random.default_rng(6))
    found = {check.name: ask(check, whole_subject(PROCESS), source=pairs) for check in defined_in(file)}
    assert with_status(found, "skipped") == NEEDS_A_PROCESS & set(found)
    assert {name: found[name].detail for name in with_status(found, "failed")} == {}


@of_every_file
def test_single_sequences_skip_what_needs_two_series(file, ask, whole_subject):
    single = PairProcess(shift="none", num_points=30)
    found = {check.name: ask(check, whole_subject(single)) for check in defined_in(file)}
    assert with_status(found, "skipped") == NEEDS_TWO_SERIES & set(found)
    assert {name: found[name].detail for name in with_status(found, "failed")} == {}


def test_the_names_of_what_is_skipped_are_names_of_checks():
    assert {check.name for check in CHECKS} >= NEEDS_A_PROCESS | NEEDS_TWO_SERIES


def test_series_to_predict_differ_between_rows_of_a_scenario():
    scenario = build_scenario(PROCESS, np.random.default_rng(0), num_pairs=64)
    assert set(predicted_series(scenario.forecast)) == {0, 1}
    assert scenario.num_context == 6


def test_a_check_that_alone_detects_no_fault_says_what_it_is_for():
    found = json.loads((REPORTS / "selftest" / "selftest.json").read_text())["faults"]
    alone = {row["killers"][0] for row in found if len(row["killers"]) == 1}
    unjustified = {check.name for check in CHECKS if "Beside other checks:" not in check.method} - alone
    assert unjustified == {"other_series_is_seen"}  # no fault of the catalogue needs it, as its method says
    assert "No fault of the catalogue" in find_check("other_series_is_seen").method
