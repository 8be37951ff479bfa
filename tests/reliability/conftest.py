"""What the tests of reliability share: their size, and where what they saw is written down.

`make reliability` runs them at full size and writes reports/reliability/.  Without a folder to write to each
runs at its smallest size: that is how `.ci/run` sees that they still work.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.diagnostics.conftest import Here
from tests.reliability.ledger import Promise, write_promises


class Ledger:
    """Collects what the tests saw, wherever they ran: their reports come to the process that was started."""

    def __init__(self) -> None:
        self.promises: list[Promise] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.promises += [Promise(**seen) for name, seen in report.user_properties if name == "promise"]


def pytest_addoption(parser):
    parser.addoption("--reliability-report", type=Path, help="full size; folder for what was seen")


def pytest_configure(config):
    config.pluginmanager.register(Ledger(), "ledger")


@pytest.fixture
def report_folder(request) -> Path | None:
    """Where pictures and tables of the report go; None at the smallest size."""
    return request.config.getoption("reliability_report")


@pytest.fixture
def is_smallest(report_folder) -> bool:
    """As few cases as show that the test itself works."""
    return report_folder is None


@pytest.fixture
def in_this_process(monkeypatch):
    """Commands ask their subject in the process of the test: of thousands none could be started."""
    monkeypatch.setattr("diagnostics.isolated.Apart", Here)


@pytest.fixture
def promise(request) -> Callable[[Promise], None]:
    """Write down what was seen, and fail where a promise was broken."""

    def write(seen: Promise) -> None:
        request.node.user_properties.append(("promise", asdict(seen)))
        assert seen.is_kept, f"{seen.text}: {seen.num_kept} of {seen.num_cases}; {seen.note}"

    return write


def pytest_terminal_summary(terminalreporter, config):
    """Print what was seen, and write the report if one was asked for."""
    promises = config.pluginmanager.get_plugin("ledger").promises
    if not promises:
        return
    terminalreporter.section("promises")
    for seen in promises:
        terminalreporter.write_line(f"{seen.num_kept:6} of {seen.num_cases:<6} {seen.text}  {seen.note}")
    folder = config.getoption("reliability_report")
    if folder is not None:
        write_promises(promises, folder)
        terminalreporter.write_line(f"written to {folder}")
