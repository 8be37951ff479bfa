"""The self-test counts rightly: by hand-made results, and one real cell of each kind."""

import json

import pytest

from diagnostics.checks import CHECKS
from diagnostics.cli import main
from diagnostics.faults import CATALOGUE
from diagnostics.selftest import run
from diagnostics.selftest.healthy import KINDS, healthy_variant
from diagnostics.selftest.report import in_words, write_selftest
from diagnostics.selftest.run import Cell, CellResult, plan, run_cell
from diagnostics.selftest.summary import Share, summarise


def result(kind, name="variant", failed=(), causes=(), families=(), severity=1.0, number=0):
    status = {check.name: "failed" if check.name in failed else "passed" for check in CHECKS}
    details = dict.fromkeys(failed, "it is broken.")
    return CellResult(Cell(kind, name, severity, number), status, list(causes), list(families), details, 1.0)


RESULTS = [
    result("twin", "sound"),
    result("twin", "sound_decoder", failed=["no_drift_later"]),
    result("fault", "future_leak", ["no_future_leak"], ["future_leak"], ["masking"]),
    result(
        "fault", "coarse_bins", ["x_is_resolved"], ["future_leak", "coarse_bins"], ["masking", "position"]
    ),
    result("fault", "coarse_bins", severity=0.25),
    # what the sound twin fails as well is no detection
    result("fault", "label_only_in_query", ["no_drift_later"]),
    result("healthy", number=0),
    result("healthy", failed=["no_drift_later"], number=1),
]


def test_shares_count_what_they_say():
    shares = {share.name: (share.count, share.total) for share in summarise(RESULTS, 60.0).shares}
    assert shares == {
        "faults of the catalogue injected": (3, 44),
        "detected at full severity": (2, 3),
        "detected over all severities": (2, 4),
        "right family named first": (1, 3),
        "right fault in the first three": (2, 3),
        "healthy variants left alone": (1, 2),
    }
    assert not summarise(RESULTS, 60.0).is_met


def test_kills_are_those_that_the_twin_survives():
    summary = summarise(RESULTS, 60.0)
    assert summary.kills("no_drift_later") == ()
    assert summary.kills("x_is_resolved") == summary.only_killer_of("x_is_resolved") == ("coarse_bins",)


def test_the_interval_of_none_in_300_is_that_of_clopper_and_pearson():
    low, high = Share("unflagged", 300, 300, 1.0).interval
    assert low == pytest.approx(0.025 ** (1 / 300))
    assert high == 1.0


def test_the_report_is_written_and_says_what_was_missed(tmp_path):
    summary = summarise(RESULTS, 60.0)
    path = write_selftest(summary, RESULTS, tmp_path / "out", command="diagnose selftest")
    text = path.read_text()
    assert "MISSED" in text
    assert "variant 1, no_drift_later: it is broken" in text
    table = (path.parent / "kill-matrix.csv").read_text().splitlines()
    assert len(table) == 1 + len(RESULTS)
    assert (path.parent / "kill-matrix.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((path.parent / "selftest.json").read_text())["num_healthy"] == 2
    assert len(in_words(summary)) == 6


def test_the_command_prints_words_or_json_or_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(run, "run_cells", lambda *_, **__: RESULTS)
    ask = ["selftest", "--out", str(tmp_path / "s")]
    assert main(ask) == 1
    said = capsys.readouterr().out
    assert "false alarm: variant 1, no_drift_later: it is broken." in said
    assert "label_only_in_query at 1: not detected" in said
    assert main([*ask, "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "s/selftest.json").read_text())
    assert main([*ask, "--quiet"]) == 1
    assert capsys.readouterr().out == ""


def test_the_plan_holds_every_fault_every_size_and_the_variants():
    quick = plan(num_healthy=3, all_severities=False)
    whole = plan(num_healthy=3, all_severities=True)
    assert sum(cell.kind == "fault" for cell in quick) == len(CATALOGUE)
    assert sum(cell.kind == "fault" for cell in whole) == sum(len(known.severities) for known in CATALOGUE)
    assert len({cell.key for cell in whole}) == len(whole)
    assert {cell.name for cell in quick if cell.kind == "twin"} == {known.twin for known in CATALOGUE}


def test_a_variant_is_a_function_of_its_number():
    for number in range(len(KINDS)):
        one, other = healthy_variant(number), healthy_variant(number)
        assert (one.name, one.process, one.num_context) == (other.name, other.process, other.num_context)
    assert len({healthy_variant(number).process for number in range(0, 10 * len(KINDS), len(KINDS))}) == 10


def test_a_healthy_cell_raises_no_alarm():
    found = run_cell(Cell("healthy", "variant", number=0))
    assert found.alarms == set(), found.details
    assert set(found.status) == {check.name for check in CHECKS}
