import json
from dataclasses import replace

import pytest

from attn.processes import PairProcess
from attn.types import Prediction
from diagnostics.adapters import OracleSubject
from diagnostics.ask import SubjectError
from diagnostics.cells.workers import Lost
from diagnostics.checks import find_check
from diagnostics.cli import main
from diagnostics.commands import sweep as command
from diagnostics.faults import find_injection
from diagnostics.runner import run_checks
from diagnostics.sweep import run
from diagnostics.sweep.plan import Asked, Cell, find_faults, plan
from diagnostics.sweep.run import assemble, run_cell, sweep, without_result

CHECKS = ("no_future_leak", "attention_rows_sum_to_one")
NAME = f"{__name__}:oracle"
PROCESS = PairProcess(num_points=6)


def oracle():
    return OracleSubject(PROCESS)


another = oracle


class Here:
    """Does cells in this process, but for those of subjects that are called as in `lost`."""

    def __init__(self, lost=()):
        self.lost, self.done = lost, []

    def do(self, work, cells):
        for key, cell in cells.items():
            self.done.append(key)
            yield key, Lost("its process was ended") if cell.asked.name in self.lost else work(cell)


def cells(names=(NAME,), seeds=(0, 1)):
    return plan([Asked(name, NAME) for name in names], seeds, CHECKS, num_pairs=8, time_limit=60.0)


def test_a_cell_says_what_the_battery_says():
    found = run_cell(cells(seeds=[3])[0])
    checks = [find_check(name) for name in CHECKS]
    report = run_checks(oracle(), seed=3, num_pairs=8, checks=checks)
    assert [(row.check, row.status, row.statistic, row.tolerance, row.detail) for row in found.rows] == [
        (r.check, r.status, r.statistic, r.tolerance, r.detail) for r in report.results
    ]
    assert {(row.subject, row.seed) for row in found.rows} == {(NAME, 3)}
    # the oracle shows no attention
    assert [row.status for row in found.rows] == ["passed", "skipped"]


def test_a_fault_is_made_in_its_severity_and_its_cause_is_kept(monkeypatch):
    class Leaking(OracleSubject):
        def __init__(self, severity):
            super().__init__(PROCESS)
            self.severity = severity

        def teacher_force(self, batch):
            found = super().teacher_force(batch)
            return Prediction(found.mean + self.severity * batch.y, found.scale)

    monkeypatch.setattr(run, "find_injection", lambda fault: replace(find_injection(fault), make=Leaking))
    (asked,) = find_faults(["coarse_bins:0.25"])
    assert run._subject(asked).severity == 0.25
    found = run_cell(Cell(asked, 0, ("no_future_leak",), 8, 60.0))
    assert [row.status for row in found.rows] == ["failed"]
    assert found.cell.cause == "future_leak"


def test_a_subject_that_is_none_is_said():
    with pytest.raises(SubjectError, match="must name a factory"):
        run_cell(Cell(Asked("a", "no_such_module:load"), 0, CHECKS, 8, 60.0))


def test_the_table_is_by_subject_whatever_came_first(tmp_path):
    asked = cells(["b", "a"])
    found = sweep(asked, tmp_path / "store", workers=Here(), command="c")
    assert [(row.subject, row.seed) for row in found.rows][::2] == [("b", 0), ("b", 1), ("a", 0), ("a", 1)]
    assert [(cell.subject, cell.seed) for cell in found.cells] == [("b", 0), ("b", 1), ("a", 0), ("a", 1)]


def test_a_cell_that_is_lost_is_an_error_of_every_check(tmp_path):
    asked = cells(["a", "b"], [0])
    found = sweep(asked, tmp_path / "store", workers=Here(["b"]), command="c")
    assert [row.status for row in found.rows] == ["passed", "skipped", "error", "error"]
    assert found.rows[2].detail == "the battery did not come to its end: its process was ended"
    assert [cell.lost for cell in found.cells] == [None, "its process was ended"]
    assert found.exit_code == 3


@pytest.fixture
def run_command(tmp_path, monkeypatch):
    """`diagnose sweep` with workers in this process; those that it was given."""

    def run_with(*words, workers):
        monkeypatch.setattr(command, "workers_of", lambda number, scheduler: workers)
        options = ["--out", str(tmp_path / "out"), "--num-pairs", "8", "--check", "no_future_leak"]
        return main(["sweep", *options, *words])

    return run_with


def test_the_command_writes_counts_and_forgets_what_it_kept(tmp_path, run_command, capsys):
    assert run_command("--subject", NAME, "--seeds", "0-1", workers=Here()) == 0
    assert f"{NAME}: 1 of 1 checks pass under all 2 seeds." in capsys.readouterr().out
    names = ["sweep.csv", "sweep.json", "sweep.md", "sweep.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    again = Here()
    assert run_command("--subject", NAME, "--seeds", "0-1", "--quiet", workers=again) == 0
    assert len(again.done) == 2
    assert capsys.readouterr().out == ""


def test_what_was_interrupted_goes_on(run_command, capsys):
    class Interrupted(Here):
        def do(self, work, cells):
            for number, outcome in enumerate(super().do(work, cells)):
                if number == 2:
                    raise KeyboardInterrupt
                yield outcome

    words = ["--subject", NAME, "--seeds", "0-3", "--json"]
    assert run_command(*words, workers=Interrupted()) == 130
    rest = Here()
    assert run_command(*words, workers=rest) == 0
    assert [key.split("/")[-2] for key in rest.done] == ["2", "3"]
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 4


def test_what_was_lost_is_tried_again_and_the_rest_is_not(run_command):
    words = ["--subject", NAME, "--seeds", "0", "--subject", f"{__name__}:another", "--quiet"]
    assert run_command(*words, workers=Here([NAME])) == 3
    again = Here()
    assert run_command(*words, workers=again) == 0
    assert [key.split("/")[0] for key in again.done] == [NAME]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "at least one --subject or --fault must be given; got none"),
        (["--subject", "nothing"], "a run must be one of the shipped runs"),
        (["--subject", "no_module:load"], "subject must name a factory that can be imported and called"),
        (["--fault", "nothing"], "fault must be one of label_blind_history"),
        (["--fault", "future_leak", "--seeds", "x"], "seeds must be numbers and ranges"),
        (["--fault", "future_leak", "--check", "x"], "check must be one of"),
    ],
)
def test_a_wrong_command_is_said_in_one_sentence(words, sentence, run_command, capsys):
    assert run_command(*words, workers=Here()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_assembling_needs_no_worker():
    asked = cells(seeds=[0])
    found = assemble(asked, [without_result(asked[0], "why")], "c")
    assert (found.subjects, found.seeds, found.checks, found.num_pairs) == ((NAME,), (0,), CHECKS, 8)
