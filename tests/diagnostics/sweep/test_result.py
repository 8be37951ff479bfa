import math

import pytest

from diagnostics.sweep.result import Count, Sweep
from tests.diagnostics.sweep.made import made


def test_the_interval_is_that_of_wilson():
    # by the formula, with z = 1.959964: centre (p + z^2/2n) / (1 + z^2/n), half width beside it
    z, n, p = 1.959963984540054, 10, 0.3
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert Count(12, 10, 3).interval == pytest.approx((centre - half, centre + half), abs=1e-12)
    assert Count(12, 10, 3).share == 0.3


def test_of_no_answer_nothing_is_known():
    assert Count(3, 0, 0).interval == (0.0, 1.0)
    assert math.isnan(Count(3, 0, 0).share)


def test_answers_and_failures_are_counted_by_subject_and_check():
    counts = made(["a failed passed", "a error skipped", "b failed failed"]).counts()
    assert counts["a", "zero"] == Count(2, 1, 1)
    assert counts["a", "one"] == Count(2, 1, 0)
    assert counts["b", "one"] == Count(1, 1, 1)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (["a passed passed", "a passed passed"], 0),
        (["a passed passed", "a passed failed"], 1),
        (["a passed error", "a passed failed"], 1),
        (["a passed error", "a passed passed"], 3),
        (["a passed skipped"], 3),
        ([], 3),
    ],
)
def test_the_exit_code_is_that_of_a_check(rows, code):
    assert made(rows).exit_code == code


def test_rows_that_are_missing_are_no_success():
    whole = made(["a passed passed", "a passed passed"])
    assert Sweep(**{**dict(whole), "rows": whole.rows[1:]}).exit_code == 3


def test_json_brings_back_what_was_written():
    found = made(["a passed failed"], statistic=math.inf)
    assert Sweep.model_validate_json(found.model_dump_json()) == found
