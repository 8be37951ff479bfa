import json

import pytest

from attn import catalogue
from attn.catalogue import RunError, check_name, find_run, list_runs, read_summary, run_directories

SPEC = {"schema_version": 1, "model": {"kind": "historic"}}


@pytest.fixture
def first(tmp_path):
    """A run of which nothing but the spec is there."""
    directory = tmp_path / "first"
    directory.mkdir()
    (directory / "spec.json").write_text(json.dumps(SPEC))
    return directory


def test_a_summary_is_what_stands_on_disk(first):
    assert read_summary(first).history == []
    (first / "history.json").write_text('[{"step": 3}]')
    summary = read_summary(first)
    assert (summary.name, summary.spec, summary.history) == ("first", SPEC, [{"step": 3}])


def test_runs_are_found_by_directory_or_by_the_name_of_a_shipped_one(first, monkeypatch):
    assert find_run(str(first)) == first
    monkeypatch.setattr(catalogue, "PRETRAINED", first.parent)
    assert find_run("first") == first
    assert [run.name for run in list_runs(first.parent)] == ["first"]
    for name in ("second", "../first", "first\0", "x" * 5000, ""):
        with pytest.raises(RunError, match="a run must be one of the shipped runs"):
            find_run(name)


def test_what_is_no_run_or_is_being_made_is_passed_over(first, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / ".second.new").mkdir()
    (tmp_path / ".second.new/spec.json").write_text(json.dumps(SPEC))
    assert run_directories(tmp_path) == [first]
    assert run_directories(tmp_path / "nowhere") == []


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a b", "x" * 101, "nul\0"])
def test_names_that_could_leave_the_directory_are_refused(name):
    with pytest.raises(RunError, match="the name of a run must be"):
        check_name(name)
