"""Promises, and how they are written down."""

import json

import pytest

from tests.reliability.ledger import Promise, markdown, write_promises


def test_a_promise_is_kept_only_if_every_case_was_and_there_was_one():
    assert Promise("files", "a", 3, 3).is_kept
    assert not Promise("files", "a", 2, 3).is_kept
    assert not Promise("files", "a", 0, 0).is_kept


def test_random_cases_bound_those_that_were_not_tried():
    # 50 of 50: (1 - p)^50 = 0.05 at p = 0.0582
    assert Promise("files", "a", 50, 50, is_random=True).most_broken == pytest.approx(0.0582, abs=1e-4)
    assert Promise("files", "a", 50, 50).most_broken is None
    assert Promise("files", "a", 49, 50, is_random=True).most_broken is None


def test_a_part_renews_its_own_rows_only(tmp_path):
    write_promises([Promise("files", "a", 1, 2), Promise("battery", "b", 1, 1)], tmp_path)
    write_promises([Promise("files", "a", 2, 2, note="mended")], tmp_path)
    kept = json.loads((tmp_path / "reliability.json").read_text())["promises"]
    assert [(p["section"], p["text"], p["num_kept"]) for p in kept] == [
        ("battery", "b", 1),
        ("files", "a", 2),
    ]
    text = (tmp_path / "reliability.md").read_text()
    assert "2 of 2 promises kept" in text
    assert text.index("## Battery") < text.index("## Files")


def test_the_table_says_what_random_cases_are_worth():
    assert "50 of 50 (broken in at most 5.8 % of all, at 95 %)" in markdown(
        [Promise("files", "a", 50, 50, is_random=True)]
    )
