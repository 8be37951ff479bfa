"""Subjects from a file, in a process of their own: what they do to it is a result of the check."""

import sys

import numpy as np
import pytest

from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject
from diagnostics.ask import SubjectError
from diagnostics.examiner import Setup
from diagnostics.isolated import run_checks_apart
from diagnostics.runner import run_checks

SUBJECTS = """
import os
from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject

PROCESS = PairProcess(num_points=10)

def oracle():
    return OracleSubject(PROCESS)

class Fatal(OracleSubject):
    def loss(self, batch):
        os._exit(7)

def fatal():
    return Fatal(PROCESS, "fatal")

def dies_at_once():
    os._exit(7)
"""
S = "isolated_subjects"
SETUP = Setup(num_pairs=8, checks=("loss_is_the_likelihood", "no_future_leak"))


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    (tmp_path / "isolated_subjects.py").write_text(SUBJECTS)
    monkeypatch.chdir(tmp_path)


def without_seconds(report):
    return [result.model_dump_json(exclude={"seconds"}) for result in report.results]


def test_the_battery_says_what_it_says_in_this_process():
    seen = []
    setup = Setup(num_pairs=8, seed=3)
    apart = run_checks_apart(f"{S}:oracle", setup, num_manifest=42, on_result=seen.append)
    here = run_checks(OracleSubject(PairProcess(num_points=10)), num_pairs=8, seed=3, spec=f"{S}:oracle")
    assert without_seconds(apart) == without_seconds(here)
    assert (apart.subject, apart.diagnosis, apart.num_manifest) == ("oracle", here.diagnosis, 42)
    assert seen == list(apart.results)
    assert S not in sys.modules


def test_a_check_in_which_the_process_ends_is_an_error_and_the_next_is_asked():
    report = run_checks_apart(f"{S}:fatal", SETUP, num_manifest=2)
    broken, sound = report.results
    assert (broken.status, sound.status, report.exit_code) == ("error", "passed", 3)
    assert (broken.check, broken.family) == ("loss_is_the_likelihood", "likelihood")
    assert broken.detail == "fatal: the subject ended the process (exit code 7)"
    assert broken.repro == (
        f"diagnose check --subject {S}:fatal --check loss_is_the_likelihood --seed 0 --num-pairs 8"
    )
    assert broken.seconds > 0


def test_what_is_said_of_given_pairs_names_as_many_as_there_are():
    pairs = PairProcess(num_points=10).sample(6, np.random.default_rng(0))
    setup = Setup(source=pairs, num_pairs=64, options=("--pairs", "p.npz"), checks=SETUP.checks[:1])
    (broken,) = run_checks_apart(f"{S}:fatal", setup, num_manifest=1).results
    assert broken.repro.endswith("--seed 0 --pairs p.npz --num-pairs 6")


def test_a_subject_that_ends_the_process_as_it_is_loaded_is_refused_by_its_name():
    sentence = r"isolated_subjects:dies_at_once: the subject ended the process \(exit code 7\), while it was"
    with pytest.raises(SubjectError, match=sentence):
        run_checks_apart("isolated_subjects:dies_at_once", SETUP, num_manifest=2)
