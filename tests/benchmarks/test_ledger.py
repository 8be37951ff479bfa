"""The verdicts, the exponents and the files of a ledger."""

import json

import pytest

from tests.benchmarks.ledger import Cost, Ledger, Ratio, Standing
from tests.benchmarks.ledger_report import markdown, write_ledger


@pytest.mark.parametrize(
    ("measured", "target", "better", "verdict"),
    [
        (300.0, 300.0, "higher", "met"),
        (299.9, 300.0, "higher", "missed"),
        (1.0, 1.0, "lower", "met"),
        (1.01, 1.0, "lower", "missed"),
        (float("nan"), 1.0, "lower", "missed"),
        (7.0, None, "lower", "stated"),
    ],
)
def test_verdicts(measured, target, better, verdict):
    assert Ratio("a", measured, target, better).verdict == verdict


def test_the_exponent_is_that_of_the_doubling():
    ledger = Ledger(costs=[Cost("cubic", 20, 8.0), Cost("cubic", 10, 1.0), Cost("other", 10, 1.0)])
    assert [step.exponent for step in ledger.ways()["cubic"]] == [None, pytest.approx(3)]
    assert [step.exponent for step in ledger.ways()["other"]] == [None]


def test_the_files_hold_every_figure(tmp_path):
    ledger = Ledger(
        [Ratio("speed", 123.4, 300, "higher"), Ratio("memory", 0.51, 2, "lower", "GiB", "peak")],
        [Cost("way", 10, 0.001), Cost("way", 20, 0.004)],
    )
    write_ledger(ledger, [{"name": "b", "median": 1.0}], tmp_path / "bench")
    content = json.loads((tmp_path / "bench" / "bench.json").read_text())
    assert [r["verdict"] for r in content["ratios"]] == ["missed", "met"]
    assert content["costs"][1]["exponent"] == pytest.approx(2)
    assert content["times"] == [{"name": "b", "median": 1.0}]
    assert (tmp_path / "bench" / "cost.png").read_bytes().startswith(b"\x89PNG")
    table = markdown(ledger)
    assert "| speed | 123 x | at least 300 x | missed |  |" in table
    assert "| memory | 0.51 GiB | at most 2 GiB | met | peak |" in table
    assert "| way | 20 | 4 | 2.00 |" in table
    assert "1 of 2 targets met" in table


def test_what_is_measured_anew_takes_the_place_of_what_was_there(tmp_path):
    first = Ledger(
        [Ratio("a", 1.0, 2, "lower"), Ratio("b", 3.0, None, "lower", interval=(2.0, 4.0))],
        [Cost("way", 10, 0.1), Cost("way", 20, 0.2)],
        [Standing("m", 9.0, 0.5, (0.4, 0.6)), Standing("n", 9.0, 0.7, (0.6, 0.8))],
    )
    write_ledger(first, [{"name": "t", "median": 1.0}, {"name": "u", "median": 1.0}], tmp_path)
    again = Ledger(
        [Ratio("c", 5.0, None, "lower"), Ratio("a", 1.5, 2, "lower")],
        [Cost("way", 20, 0.4)],
        [Standing("m", 8.0, 0.3, (0.2, 0.4))],
    )
    write_ledger(again, [{"name": "t", "median": 2.0}], tmp_path)
    content = json.loads((tmp_path / "bench.json").read_text())
    assert [(r["name"], r["measured"], r["interval"]) for r in content["ratios"]] == [
        ("a", 1.5, None),
        ("b", 3.0, [2.0, 4.0]),
        ("c", 5.0, None),
    ]
    assert [c["seconds"] for c in content["costs"]] == [0.1, 0.4]
    assert [(s["model"], s["gap"]) for s in content["standings"]] == [("n", 0.7), ("m", 0.3)]
    assert content["times"] == [{"name": "u", "median": 1.0}, {"name": "t", "median": 2.0}]
