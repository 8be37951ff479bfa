"""The battery as pytest items, for any repository: `battery::CHECK`, without a test file of ours.

pytest_collection_modifyitems of the plugin appends them; every process of pytest-xdist makes the same in the
same order.  The subject is loaded when the first of them is set up.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from diagnostics.battery import Battery
from diagnostics.check import Check
from diagnostics.checks import CHECKS
from diagnostics.runner import NUM_CHECKS, assert_passes

NODE = "battery"
LARGEST_LIST = 3


def asks_a_check(item: pytest.Item) -> bool:
    """Whether a collected test is one of `parametrize_with_checks`: then that is the battery."""
    callspec = getattr(item, "callspec", None)
    return callspec is not None and any(isinstance(value, Check) for value in callspec.params.values())


def collect_battery(
    session: pytest.Session, expected_failures: Mapping[str, str], load: Callable[[], Battery]
) -> list[pytest.Item]:
    """One item a check, one for each expected failure that names no check, and `is_whole`.

    `load` makes the battery, when the first item is set up; what it raises as pytest.fail fails the items.
    """
    collector = BatteryNode.from_parent(session, name=NODE, nodeid=NODE)
    collector.load = load
    collector.unknown = sorted(set(expected_failures) - {check.name for check in CHECKS})
    return list(session.genitems(collector))


class BatteryNode(pytest.Collector):
    """The parent of the items, which holds the battery that they share."""

    load: Callable[[], Battery]
    unknown: Iterable[str]
    battery: Battery

    def setup(self) -> None:
        """Load the subject; pytest calls it once, before the first item."""
        self.battery = self.load()

    def collect(self) -> Iterable[pytest.Item]:
        """The items, in the order of the manifest."""
        for check in CHECKS:
            item = CheckItem.from_parent(self, name=check.name)
            item.check = check
            item.add_marker(check.family)
            yield item
        for name in self.unknown:
            yield UnknownItem.from_parent(self, name=name)
        yield CountItem.from_parent(self, name="is_whole")


class _Item(pytest.Item):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.add_marker(NODE)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """The headline is the id."""
        return self.path, None, self.nodeid


class CheckItem(_Item):
    """One check."""

    check: Check

    def runtest(self) -> None:
        """Ask it; the outcome is that of the finding."""
        assert isinstance(self.parent, BatteryNode)
        assert_passes(self.parent.battery.run(self.check))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the check is written."""
        code = inspect.unwrap(self.check.function).__code__
        return Path(code.co_filename), code.co_firstlineno - 1, self.nodeid


class UnknownItem(_Item):
    """An expected failure that names no check: a check that was renamed, or a slip of the pen."""

    def runtest(self) -> None:
        """Fail, and name it."""
        pytest.fail(f"expected failures must name checks of the battery; got {self.name}", pytrace=False)


class CountItem(_Item):
    """The number of checks is part of the verdict: a battery from which some were taken is not green."""

    def runtest(self) -> None:
        """Compare the checks that are to run, on whichever worker, with the manifest."""
        chosen = {item.check.name for item in self.session.items if isinstance(item, CheckItem)}
        left_out = [check.name for check in CHECKS if check.name not in chosen]
        if len(chosen) != NUM_CHECKS:
            named = f", without {_some(left_out)}" if left_out else ""
            pytest.fail(f"the battery must run {NUM_CHECKS} checks; got {len(chosen)}{named}", pytrace=False)


def _some(names: list[str]) -> str:
    more = len(names) - LARGEST_LIST
    return ", ".join(names[:LARGEST_LIST]) + (f" and {more} more" if more > 0 else "")
