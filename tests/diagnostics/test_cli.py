import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from attn.files import save_pairs
from attn.processes import PairProcess
from diagnostics.checks import CHECKS
from diagnostics.cli import main
from diagnostics.report import ReportFile
from diagnostics.result import Report
from tests.diagnostics.sample_reports import report as sample

ROOT = Path(__file__).parents[2]
SUBJECTS = """
from dataclasses import replace
import numpy as np
from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics.adapters import OracleSubject

PROCESS = PairProcess(num_points=10)

def oracle():
    return OracleSubject(PROCESS)

class Blind(OracleSubject):
    def teacher_force(self, batch):
        blind = self.process.posterior(replace(batch, series=np.zeros_like(batch.series)))
        return Prediction(blind.mean, blind.scale)

def blind():
    return Blind(PROCESS, "blind \\x1b[31m<b>")

def homeless():
    subject = OracleSubject(PROCESS)
    subject.process = None
    return subject

def broken():
    raise RuntimeError("no weights\\nat all")
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch, in_this_process):
    """What a command stores in the current directory is not left in the repository."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def subjects(tmp_path, monkeypatch):
    (tmp_path / "cli_subjects.py").write_text(SUBJECTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "cli_subjects", raising=False)
    return "cli_subjects"


def refusal(capsys, *arguments):
    """The one sentence on stderr of a command that was refused."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_list_names_every_check(capsys):
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    assert all(known.name in said for known in CHECKS)


@pytest.mark.parametrize("known", CHECKS, ids=lambda known: known.name)
def test_explain_says_what_a_check_asks_and_what_to_change(known, capsys):
    assert main(["explain", known.name]) == 0
    said = capsys.readouterr().out
    assert known.question in said
    assert known.method in said
    assert all(suspect in said for suspect in known.suspects)


def test_a_check_that_passes_is_code_0_and_one_that_fails_is_code_1(subjects, capsys):
    base = ["check", "--num-pairs", "16", "--check", "history_labels_matter", "--subject"]
    assert main([*base, f"{subjects}:oracle"]) == 0
    assert "1 of 1 checks passed" in capsys.readouterr().out
    assert main([*base, f"{subjects}:blind"]) == 1
    said = capsys.readouterr().out
    assert "failed" in said
    assert "\x1b[31m" not in said
    assert shlex.join([*base[:1], "--subject", f"{subjects}:blind"]) in said


def test_given_pairs_are_asked_about_and_a_check_that_takes_too_long_is_given_up(subjects, capsys):
    save_pairs(Path("mine.npz"), PairProcess(num_points=10).sample(16, np.random.default_rng(0)), {})
    given = ["check", "--subject", f"{subjects}:oracle", "--pairs", "mine.npz", "--check", "no_future_leak"]
    assert main(given) == 0
    assert main([*given, "--check-timeout", "1e-6"]) == 3
    assert "did not answer within 1e-06 s" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--pairs", "none.npz"], "none.npz could not be read"),
        (["--check-timeout", "0"], "time_limit must be above 0 s; got 0.0"),
    ],
)
def test_wrong_pairs_and_limits_are_refused(subjects, capsys, arguments, rule):
    assert rule in refusal(capsys, "check", "--subject", f"{subjects}:oracle", *arguments)


def test_a_skipped_check_is_incomplete(subjects, capsys):
    arguments = [
        "--subject",
        f"{subjects}:oracle",
        "--check",
        "attention_rows_sum_to_one",
        "--num-pairs",
        "8",
    ]
    assert main(["check", *arguments]) == 3
    assert "does not offer attention" in " ".join(capsys.readouterr().out.split())


def test_json_is_a_report(subjects, capsys):
    arguments = [
        "--subject",
        f"{subjects}:oracle",
        "--check",
        "no_future_leak",
        "--num-pairs",
        "8",
        "--seed",
        "3",
    ]
    assert main(["check", *arguments, "--json"]) == 0
    report = Report.from_json(capsys.readouterr().out)
    assert [(result.check, result.seed) for result in report.results] == [("no_future_leak", 3)]


def test_an_expected_failure_is_no_finding_and_one_that_passes_is(subjects, tmp_path, capsys):
    expected = tmp_path / "expected.json"
    expected.write_text(json.dumps({"history_labels_matter": "known", "no_future_leak": "of another check"}))
    base = [
        "check",
        "--check",
        "history_labels_matter",
        "--num-pairs",
        "16",
        "--expected-failures",
        str(expected),
    ]
    assert main([*base, "--subject", f"{subjects}:blind"]) == 0
    assert main([*base, "--subject", f"{subjects}:oracle"]) == 1
    expected.write_text(json.dumps({"no_such_check": "?"}))
    capsys.readouterr()
    assert "no_such_check" in refusal(capsys, *base, "--subject", f"{subjects}:oracle")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "--subject", "S:oracle", "--check", "nonsense"], "check must be one of"),
        (["explain", "nonsense"], "check must be one of"),
        (["check", "--subject", "S:nobody"], "must name a factory"),
        (["check", "--subject", "S:broken"], "RuntimeError: no weights"),
        (["check", "--subject", "S:homeless"], "must have a process"),
        (["report", "--subject", "S:homeless", "--out", "OUT"], "must have a process"),
        (["check", "--subject", "S:oracle", "--num-pairs", "1"], "num-pairs"),
        (["check", "--subject", "S:oracle", "--seed", "minus"], "seed"),
        (["check"], "--subject"),
        ([], "Missing command"),
        (["check", "--subject", "S:oracle", "--expected-failures", "no.json"], "no.json"),
        (["check", "--subject", "/no/such/run"], "/no/such/run"),
        (["report", "--subject", "S:oracle", "--out", "OUT", "--num-context", "10"], "between 1 and 9"),
        (["nonsense"], "nonsense"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_mistake_is_one_sentence_and_code_2(arguments, sentence, subjects, tmp_path, capsys):
    arguments = [
        word.replace("S:", f"{subjects}:").replace("OUT", str(tmp_path / "out")) for word in arguments
    ]
    assert sentence in refusal(capsys, *arguments)


def test_a_place_that_cannot_be_written_to_is_said_before_anything_is_measured(subjects, tmp_path, capsys):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    said = refusal(capsys, "report", "--subject", f"{subjects}:oracle", "--out", str(taken / "out"))
    assert "Not a directory" in said
    assert taken.read_text() == "mine"


@pytest.mark.slow
def test_report_writes_the_report_and_says_five_lines(subjects, tmp_path, capsys):
    out = tmp_path / "my report"
    arguments = [
        "report",
        "--subject",
        f"{subjects}:blind",
        "--against",
        f"{subjects}:oracle",
        "--out",
        str(out),
    ]
    assert main([*arguments, "--num-pairs", "16", "--num-context", "3"]) == 0
    said = capsys.readouterr()
    path, *verdict = said.out.splitlines()
    assert Path(path) == out / "report.html"
    assert len(verdict) == 5
    assert "\x1b" not in said.out
    assert said.err == ""
    written = ReportFile.from_json((out / "report.json").read_text())
    assert [report.subject for report in written.reports] == ["blind \x1b[31m<b>", "oracle"]
    blind, oracle = (report.symptoms[0] for report in written.reports)
    assert {measure.num_pairs for symptom in (blind, oracle) for measure in symptom.measures} == {16}
    # the exact GP's error depends on the pairs alone: they were the same
    exact = [{m.name: m.value for m in s.measures}["rmse_oracle_free_running"] for s in (blind, oracle)]
    assert exact[0] == exact[1]
    for first, second in zip(blind.examples, oracle.examples, strict=True):
        assert (first.pair, first.y) == (second.pair, second.y)
        assert second.title.startswith(f"{first.rank} of 16 pairs for blind")
    assert shlex.split(written.command)[:2] == ["diagnose", "report"]
    assert str(out) in shlex.split(written.command)


def test_list_explain_and_schema_do_without_tensorflow():
    code = (
        "import sys; from diagnostics.cli import main; main(['list']); main(['explain', 'no_future_leak']);"
        " main(['schema']);"
        " sys.exit('tensorflow' in sys.modules or 'matplotlib' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_checks_are_listed_and_explained_as_json(capsys):
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["check"] for entry in listed] == [check.name for check in CHECKS]
    assert main(["explain", CHECKS[3].name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == listed[3]
    assert listed[3]["question"].endswith("?")
    assert list(listed[3]["suspects"]) == list(CHECKS[3].suspects)


def test_a_quiet_check_says_nothing_but_its_exit_code(subjects, capsys):
    ask = ["check", "--check", "no_future_leak", "--num-pairs", "4", "--quiet"]
    assert main([*ask, "--subject", f"{subjects}:oracle"]) == 0
    assert tuple(capsys.readouterr()) == ("", "")


@pytest.mark.slow
def test_a_report_is_said_as_json_or_not_at_all(subjects, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("diagnostics.investigate.investigate", lambda *specs, **options: [sample()])
    ask = ["report", "--subject", f"{subjects}:oracle", "--out", str(tmp_path / "out")]
    assert main([*ask, "--json"]) == 0
    assert capsys.readouterr().out == (tmp_path / "out/report.json").read_text() + "\n"
    why = "The symptom was not measured: the subject ended the process (exit code 7)."
    broken = sample().model_copy(update={"unmeasured": (why,)})
    monkeypatch.setattr("diagnostics.investigate.investigate", lambda *specs, **options: [broken])
    assert main([*ask, "--quiet", "--check-timeout", "7"]) == 3
    assert tuple(capsys.readouterr()) == ("", f"diagnose: historic: {why}\n")
    written = ReportFile.from_json((tmp_path / "out/report.json").read_text())
    assert written.reports[0].unmeasured == (why,)
    assert written.command.endswith("--check-timeout 7")
