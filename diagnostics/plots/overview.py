"""All checks at a glance: a strip a subject, a cell a check."""

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from diagnostics.plots.style import BLUE, GREY, ORANGE, PURPLE, VERMILLION, label_of
from diagnostics.result import CheckResult, Report, Status

# colour and sign of a status: told apart without colour, too
LOOKS: dict[Status, tuple[str, str]] = {
    "passed": (BLUE, "+"),
    "failed": (VERMILLION, "×"),
    "skipped": (GREY, "–"),
    "error": (ORANGE, "!"),
    "expected_failure": (PURPLE, "e"),
}


def draw_overview(ax: Axes, reports: Sequence[Report], names: Sequence[str]) -> Axes:
    """Draw the status of every check, grouped by family; one strip a report, called by its name."""
    checks = _in_order(reports)
    column = {check: place for place, check in enumerate(checks)}
    for row, report in enumerate(reports):
        for result in report.results:
            color, sign = LOOKS[result.status]
            left = column[result.check]
            ax.add_patch(Rectangle((left, row), 0.9, 0.8, color=color, lw=0))
            ax.text(left + 0.45, row + 0.4, sign, color="white", ha="center", va="center", weight="bold")
        ax.text(0, row - 0.06, label_of(names[row]), va="bottom", fontsize=9)
    start = 0
    for family, members in groupby(checks.values(), key=lambda result: result.family):
        num = len(list(members))
        ax.plot([start, start + num - 0.1], [len(reports) - 0.1] * 2, color=GREY, lw=1.5)
        ax.text(start + 0.1, len(reports), family, rotation=-25, ha="left", va="top", fontsize=8.5)
        start += num
    ax.set(xlim=(-0.2, len(checks) + 1.5), ylim=(len(reports) + 1.0, -0.5))
    ax.set_axis_off()
    found = [status for status in LOOKS if any(report.count(status) for report in reports)]
    handles = [Patch(color=LOOKS[s][0], label=f"{LOOKS[s][1]} {s.replace('_', ' ')}") for s in found]
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=max(len(found), 1))
    return ax


def _in_order(reports: Sequence[Report]) -> dict[str, CheckResult]:
    """The checks of all reports by name, in the order in which they first stand."""
    checks: dict[str, CheckResult] = {}
    for report in reports:
        for result in report.results:
            checks.setdefault(result.check, result)
    return checks
