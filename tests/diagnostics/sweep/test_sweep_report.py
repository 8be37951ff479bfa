import csv
import json

import numpy as np
from matplotlib.figure import Figure

from diagnostics.plots.sweep import draw_sweep, sweep_size
from diagnostics.sweep.report import sweep_in_words, write_sweep
from tests.diagnostics.sweep.made import made

LINES = ["a failed passed", "a failed failed", "b passed passed", "b passed passed"]
LINES += ["c error passed", "c passed error"]


def test_four_files_are_written(tmp_path):
    found = made(LINES, lost="its process was ended")
    written = write_sweep(found, tmp_path / "out")
    with written.table.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:7] == ["subject", "seed", "check", "status", "statistic", "tolerance", "seconds"]
    assert rows[1] == ["a", "0", "zero", "failed", "0.5", "", "0.25", "failed, it says"]
    assert len(rows) == 1 + 12
    assert json.loads(written.json.read_text())["schema_version"] == 1
    assert written.picture.read_bytes().startswith(b"\x89PNG")
    text = written.markdown.read_text()
    assert "3 subjects, 2 seeds, 2 checks." in text
    # Wilson: 2 of 2 is [34 %, 100 %], 1 of 2 is [9 %, 91 %], 0 of 1 is [0 %, 79 %]
    assert "| a | zero | 2 of 2 | 100 % [34 %, 100 %] |  |" in text
    assert "| a | one | 1 of 2 | 50 % [9 %, 91 %] |  |" in text
    assert "| c | one | 0 of 1 | 0 % [0 %, 79 %] | 1 |" in text
    assert "| b |" not in text
    assert "- c, seed 1: its process was ended" in text
    assert "diagnose sweep" in text


def test_where_all_passed_there_is_no_table(tmp_path):
    text = write_sweep(made(["a passed passed"]), tmp_path).markdown.read_text()
    assert "Every check passed under every seed." in text
    assert "|" not in text
    assert "Without a result" not in text


def test_every_digit_of_a_statistic_is_kept(tmp_path):
    written = write_sweep(made(["a passed passed"], statistic=0.1 + 0.2), tmp_path)
    assert ",0.30000000000000004," in written.table.read_text()


def test_a_sentence_a_subject():
    assert sweep_in_words(made(LINES)) == [
        "a: 1 of 2 checks fail under all 2 seeds; 1 under some; named first: future_leak (2).",
        "b: 2 of 2 checks pass under all 2 seeds.",
        "c: 0 of 2 checks fail under all 2 seeds; 2 lack an answer.",
    ]
    assert sweep_in_words(made(["a passed passed"])) == ["a: 2 of 2 checks pass under seed 0."]


def test_the_picture_shows_shares_and_what_has_no_answer():
    found = made([*LINES, "d error passed", "d error passed"])
    ax = Figure(figsize=sweep_size(found)).add_subplot()
    draw_sweep(ax, found)
    shares = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(shares, [[1, 0.5], [0, 0], [0, 0], [np.nan, 0]])
    crosses = ax.lines[0].get_xydata()
    assert [tuple(place) for place in crosses] == [(0, 2), (1, 2), (0, 3)]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c", "d"]
