"""The verdicts, the exponents and the files of a ledger."""

import json

import pytest

from tests.benchmarks.ledger import Cost, Ledger, Ratio, Standing
from tests.benchmarks.ledger_report import markdown, shown, write_ledger


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


def test_all_that_a_benchmark_wrote_gives_way_to_what_it_writes_anew(tmp_path):
    first = Ledger(
        [
            Ratio("a", 1.0, 2, "lower", benchmark="t"),
            Ratio("b", 3.0, None, "lower", interval=(2.0, 4.0), benchmark="u"),
            Ratio("of old", 3.0, 2, "lower", benchmark="t"),
        ],
        [Cost("way", 10, 0.1, "t"), Cost("other way", 20, 0.2, "u")],
        [Standing("m", 9.0, 0.5, (0.4, 0.6), "t"), Standing("n", 9.0, 0.7, (0.6, 0.8), "u")],
    )
    write_ledger(first, [{"name": "t", "median": 1.0}, {"name": "u", "median": 1.0}], tmp_path)
    again = Ledger(
        [Ratio("c", 5.0, None, "lower", benchmark="v"), Ratio("a", 1.5, 2, "lower", benchmark="t")],
        [],
        [Standing("m", 8.0, 0.3, (0.2, 0.4), "t")],
    )
    write_ledger(again, [{"name": "t", "median": 2.0}], tmp_path)
    content = json.loads((tmp_path / "bench.json").read_text())
    assert [(r["name"], r["measured"], r["interval"]) for r in content["ratios"]] == [
        ("a", 1.5, None),
        ("b", 3.0, [2.0, 4.0]),
        ("c", 5.0, None),
    ]
    assert [c["seconds"] for c in content["costs"]] == [0.2]
    assert [(s["model"], s["gap"]) for s in content["standings"]] == [("m", 0.3), ("n", 0.7)]
    assert content["times"] == [{"name": "u", "median": 1.0}, {"name": "t", "median": 2.0}]
    assert "1 of 1 targets met" in (tmp_path / "bench.md").read_text()


def test_a_report_that_does_not_say_which_benchmark_wrote_what_is_replaced(tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps({"schema_version": 1, "ratios": [{"name": "a"}]}))
    write_ledger(Ledger([Ratio("b", 1.0, None, "lower", benchmark="t")]), [], tmp_path)
    content = json.loads((tmp_path / "bench.json").read_text())
    assert [(r["name"], r["benchmark"]) for r in content["ratios"]] == [("b", "t")]


def test_figures_without_a_unit_end_in_no_blank():
    assert Ratio("a", 1.0, 2, "lower", unit="").bound == "at most 2"
    assert shown(Ratio("a", 1.0, 2, "lower", unit="")) == "1"
