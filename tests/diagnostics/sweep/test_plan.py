import shutil

import pytest

from attn.catalogue import PRETRAINED
from diagnostics.sweep.plan import Asked, Cell, find_faults, find_subjects, parse_seeds, plan


def test_seeds_are_numbers_and_ranges():
    assert parse_seeds("0-3,7, 2") == (0, 1, 2, 3, 7)
    assert parse_seeds("5") == (5,)
    for wrong in ("", "3-1", "a", "1-", "-1", "0-10000", "1,,2"):
        with pytest.raises(ValueError, match="seeds must be numbers and ranges such as 0-4,7"):
            parse_seeds(wrong)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b", "a"):
        shutil.copytree(PRETRAINED / "historic", tmp_path / "runs" / name)
    (tmp_path / "runs" / "none").mkdir()
    return tmp_path / "runs"


def test_a_pattern_stands_for_the_runs_that_it_matches(runs):
    found = find_subjects(["runs/*", "runs/a", "corrected", "package.module:factory"])
    assert [asked.name for asked in found] == ["runs/a", "runs/b", "corrected", "package.module:factory"]
    # a worker may have another working directory, and the shipped runs elsewhere
    assert [asked.spec for asked in found][::2] == [str(runs / "a"), "corrected"]
    assert found[3] == Asked("package.module:factory", "package.module:factory")


def test_a_subject_that_is_none_is_refused(runs):
    with pytest.raises(ValueError, match=r"must match directories of runs; none matches 'else/\*'"):
        find_subjects(["else/*"])
    with pytest.raises(ValueError, match="a run must be one of the shipped runs"):
        find_subjects(["runs/none"])


def test_a_run_that_was_trained_anew_is_another(runs):
    (before,) = find_subjects(["runs/a"])
    assert find_subjects(["runs/a"]) == [before]
    weights = runs / "a" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes() + b"1")
    (after,) = find_subjects(["runs/a"])
    assert before.digest != after.digest
    keys = {Cell(asked, 0, ("a",), 64, 9.0).key for asked in (before, after)}
    assert len(keys) == 2


def test_faults_have_the_severities_of_the_catalogue():
    found = find_faults(["coarse_bins", "coarse_bins:0.25", "coarse_bins:1"])
    assert [(asked.name, asked.severity) for asked in found] == [
        ("coarse_bins at 1", 1.0),
        ("coarse_bins at 0.25", 0.25),
    ]
    with pytest.raises(ValueError, match=r"severity of coarse_bins must be one of 1, 0\.5, 0\.25; got '3'"):
        find_faults(["coarse_bins:3"])
    with pytest.raises(ValueError, match="fault must be one of"):
        find_faults(["bins"])


def test_whatever_is_asked_otherwise_is_another_cell():
    one = Asked("a", "a")
    cells = [
        *plan([one, Asked("b", "b")], [0, 1], ["x", "y"], num_pairs=64, time_limit=9.0),
        *plan([one], [0], ["x"], num_pairs=64, time_limit=9.0),
        *plan([one], [0], ["x", "y"], num_pairs=63, time_limit=9.0),
        *plan([one], [0], ["x", "y"], num_pairs=64, time_limit=8.0),
    ]
    assert len({cell.key for cell in cells}) == len(cells) == 7
    # every subject is asked once before any is asked again
    assert [(cell.asked.name, cell.seed) for cell in cells[:4]] == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
