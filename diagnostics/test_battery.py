"""The battery over the subject of --subject, one item a check; its message is the finding."""

from diagnostics.battery import Battery
from diagnostics.check import Check
from diagnostics.checks import CHECKS
from diagnostics.runner import NUM_CHECKS, assert_passes, parametrize_with_checks


@parametrize_with_checks()
def test_check(battery: Battery, check: Check) -> None:
    assert_passes(battery.run(check))


def test_the_battery_is_whole() -> None:
    assert len({check.name for check in CHECKS}) == NUM_CHECKS
