"""What the benchmarks share: how ways are timed side by side, and where their ratios are written down.

`make bench` runs them at full size and writes reports/bench/.  With --benchmark-disable each runs once, at
its smallest size, and nothing is written: that is how `.ci/run` sees that they still work.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest

from tests.benchmarks.ledger import Cost, Ledger, Ratio, Standing
from tests.benchmarks.ledger_report import shown, write_ledger

LEDGER = pytest.StashKey[Ledger]()


def pytest_addoption(parser):
    parser.addoption("--bench-report", type=Path, help="folder for the ratios beside their targets")


def pytest_configure(config):
    config.stash[LEDGER] = Ledger()


@pytest.fixture
def is_smallest(request) -> bool:
    """Each benchmark runs once, at its smallest size: its figures mean nothing."""
    return request.config.getoption("benchmark_disable")


@pytest.fixture
def record(request) -> Callable[..., None]:
    """Write figures down, with the name of the benchmark."""
    ledger = request.config.stash[LEDGER]

    def write(*figures: Ratio | Cost | Standing) -> None:
        for figure in figures:
            ledger.write(replace(figure, benchmark=request.node.name))

    return write


@pytest.fixture
def side_by_side(benchmark, is_smallest):
    """The median seconds of several ways to the same thing, each run once before it is timed.

    The ways take turns, so that whatever else the machine does meets them alike.  The first is the one
    that pytest-benchmark reports.
    """

    def time_all(rounds: int, **ways: Callable[[], object]) -> dict[str, float]:
        (name, first), *others = ways.items()
        seconds: dict[str, list[float]] = {name: [] for name in ways}

        def timed(way, function):
            start = perf_counter()
            function()
            seconds[way].append(perf_counter() - start)

        def others_take_their_turn():
            for other in others:
                timed(*other)

        if not is_smallest:
            for function in ways.values():
                function()
        benchmark.pedantic(lambda: timed(name, first), setup=others_take_their_turn, rounds=rounds)
        return {way: median(taken) for way, taken in seconds.items()}

    return time_all


def pytest_terminal_summary(terminalreporter, config):
    """Print every ratio beside its target, and write the report if one was asked for."""
    ledger = config.stash[LEDGER]
    if config.getoption("benchmark_disable") or not (ledger.ratios or ledger.costs or ledger.standings):
        return
    terminalreporter.section("ratios beside their targets")
    for ratio in ledger.ratios:
        terminalreporter.write_line(f"{ratio.verdict:7} {shown(ratio):>12}  {ratio.bound:18}  {ratio.name}")
    folder = config.getoption("bench_report")
    if folder is not None:
        write_ledger(ledger, _times(config), folder)
        terminalreporter.write_line(f"written to {folder}")


def _times(config):
    """What pytest-benchmark measured, without its raw data."""
    return [
        {
            "name": bench.name,
            "median": bench.stats.median,
            "iqr": bench.stats.iqr,
            "rounds": bench.stats.rounds,
        }
        for bench in config._benchmarksession.benchmarks
        if not bench.has_error
    ]
