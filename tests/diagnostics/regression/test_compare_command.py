import json
import sys
from pathlib import Path

import pytest

from diagnostics.cli import main
from diagnostics.regression.baseline import read_baseline
from diagnostics.regression.changes import Comparison

SUBJECTS = """
from dataclasses import replace
import numpy as np
from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics.adapters import OracleSubject

PROCESS = PairProcess(num_points=10)

def oracle():
    return OracleSubject(PROCESS)

def renamed():
    return OracleSubject(PROCESS, "oracle [bold]\\x1b[31m")

class Blind(OracleSubject):
    def teacher_force(self, batch):
        blind = self.process.posterior(replace(batch, series=np.zeros_like(batch.series)))
        return Prediction(blind.mean, blind.scale)

def blind():
    return Blind(PROCESS, "blind")

class Stuck(OracleSubject):
    def rollout(self, *arguments, **options):
        raise RuntimeError("no key")

def stuck():
    return Stuck(PROCESS, "stuck")

class Unsaved(OracleSubject):
    reload = None

def unsaved():
    return Unsaved(PROCESS, "unsaved")

def other_process():
    return OracleSubject(PairProcess(num_points=10, noise_scale=0.3))

def homeless():
    subject = OracleSubject(PROCESS)
    subject.process = None
    return subject
"""
S = "compare_subjects"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(autouse=True)
def _here(place, monkeypatch, in_this_process):
    (place / f"{S}.py").write_text(SUBJECTS)
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.delitem(sys.modules, S, raising=False)
    monkeypatch.chdir(place)


@pytest.fixture(scope="module")
def baselines(place):
    """The baselines of the oracle and of the blind subject, written by the command."""
    (place / f"{S}.py").write_text(SUBJECTS)
    sys.path.insert(0, str(place))
    try:
        for name in ("oracle", "blind"):
            arguments = ["--num-pairs", "64", "--num-context", "3", "--seed", "2"]
            out = ["--out", str(place / "kept" / f"{name}.json")]
            assert main(["baseline", "--subject", f"{S}:{name}", *out, *arguments]) == 0
    finally:
        sys.path.remove(str(place))
    return place / "kept"


def refusal(capsys, *arguments):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_a_baseline_is_written_as_it_was_asked_for(baselines):
    kept = read_baseline(baselines / "oracle.json")
    assert (kept.subject, kept.plan.num_pairs, kept.plan.num_context, kept.plan.seed) == ("oracle", 64, 3, 2)
    assert kept.statuses["history_labels_matter"] == "passed"
    assert len(kept.mean_y) == 64


def test_a_baseline_is_said_as_json_or_not_at_all(baselines, capsys, monkeypatch):
    kept = read_baseline(baselines / "oracle.json")
    monkeypatch.setattr("diagnostics.remeasure.measure_baseline", lambda *arguments, **options: kept)
    ask = ["baseline", "--subject", f"{S}:oracle", "--out", "again.json"]
    assert main([*ask, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["file"], said["subject"], said["statuses"]) == ("again.json", "oracle", kept.statuses)
    assert said["measures"] == {measure.name: measure.value for measure in kept.measures}
    assert main([*ask, "--quiet"]) == 0
    assert tuple(capsys.readouterr()) == ("", "")
    assert main(["compare", str(baselines / "oracle.json"), "--subject", f"{S}:renamed", "--quiet"]) == 0
    assert tuple(capsys.readouterr()) == ("", "")


def test_an_unchanged_subject_is_code_0_whatever_it_is_called(baselines, capsys):
    assert main(["compare", str(baselines / "oracle.json"), "--subject", f"{S}:renamed"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "0.000 [0.000, 0.000]" in said
    assert "0 of 14 measures worse, 0 better; 0 of" in said
    assert "oracle before, oracle [bold]?[31m after: 64 pairs" in said


def test_a_worse_subject_is_code_1_and_the_table_says_what_moved(baselines, capsys):
    assert main(["compare", str(baselines / "oracle.json"), "--subject", f"{S}:blind"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "history_labels_matter passed failed newly failed" in said
    assert "] worse" in said
    assert "checks newly failed" in said


def test_the_json_says_the_same(baselines, capsys):
    assert main(["compare", str(baselines / "oracle.json"), "--subject", f"{S}:blind", "--json"]) == 1
    comparison = Comparison.model_validate(json.loads(capsys.readouterr().out))
    verdicts = {change.name: change.verdict for change in comparison.measures}
    assert (verdicts["nll_first"], verdicts["nll_gap"]) == ("worse", "worse")
    assert comparison.exit_code == 1


def test_a_subject_that_cannot_be_measured_is_code_3_and_its_checks_are_compared(baselines, capsys):
    compare = ["compare", str(baselines / "oracle.json"), "--subject", f"{S}:stuck"]
    assert main(compare) == 3
    said = " ".join(capsys.readouterr().out.split())
    why = "Nothing was measured: stuck: rollout must not raise; got RuntimeError: no key."
    assert why in said
    assert "rollout_keeps_the_context passed error unanswered" in said
    assert main([*compare, "--json"]) == 3
    comparison = Comparison.model_validate(json.loads(capsys.readouterr().out))
    assert (comparison.measures, comparison.unmeasured, comparison.new_subject) == ((), why, "stuck")


def test_a_better_subject_is_code_0(baselines, capsys):
    assert main(["compare", str(baselines / "blind.json"), "--subject", f"{S}:oracle"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "] better" in said
    assert "failed passed no longer fails" in said


def test_a_check_that_can_no_longer_be_asked_is_code_3(baselines, capsys):
    assert main(["compare", str(baselines / "oracle.json"), "--subject", f"{S}:unsaved"]) == 3
    assert "passed skipped unanswered" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["compare", "KEPT", "--subject", f"{S}:other_process"], "noise_scale 0.1; got 0.3"),
        (["compare", "KEPT", "--subject", f"{S}:homeless"], "must have a process"),
        (["compare", "KEPT", "--subject", f"{S}:nobody"], "must name a factory"),
        (["compare", "no.json", "--subject", f"{S}:oracle"], "no.json"),
        (["compare", f"{S}.py", "--subject", f"{S}:oracle"], "is damaged, or no baseline"),
        (["compare", "KEPT"], "--subject"),
        (["baseline", "--subject", f"{S}:oracle"], "--out"),
        (["baseline", "--subject", f"{S}:homeless", "--out", "b.json"], "must have a process"),
        (
            ["baseline", "--subject", f"{S}:oracle", "--out", "b.json", "--num-context", "10"],
            "between 1 and 9",
        ),
        (["baseline", "--subject", f"{S}:oracle", "--out", "b.json", "--num-pairs", "31"], "num-pairs"),
        (["baseline", "--subject", f"{S}:oracle", "--out", f"{S}.py/b.json"], f"{S}.py"),
        (["baseline", "--subject", f"{S}:oracle", "--out", "folder"], "folder"),
    ],
)
def test_a_mistake_is_one_sentence_and_code_2(arguments, sentence, baselines, place, capsys):
    (place / "folder").mkdir(exist_ok=True)
    arguments = [str(baselines / "oracle.json") if word == "KEPT" else word for word in arguments]
    assert sentence in refusal(capsys, *arguments)
    assert not Path("b.json").exists()


def test_a_baseline_of_another_schema_is_refused(baselines, place, capsys):
    old = json.loads((baselines / "oracle.json").read_text())
    (place / "old.json").write_text(json.dumps({**old, "schema_version": 0}))
    said = refusal(capsys, "compare", "old.json", "--subject", f"{S}:oracle")
    assert "schema version of a baseline must be 1; old.json has 0" in said
