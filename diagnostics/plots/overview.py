"""All checks at a glance: a strip a subject, a cell a check."""

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from diagnostics.plots.style import BLUE, GREY, ORANGE, PAPER, PURPLE, VERMILLION, label_of
from diagnostics.result import CheckResult, Report, Status

# colour and sign of a status: told apart without colour, too
LOOKS: dict[Status, tuple[str, str]] = {
    "passed": (BLUE, "+"),
    "failed": (VERMILLION, "×"),
    "skipped": (GREY, "–"),
    "error": (ORANGE, "!"),
    "expected_failure": (PURPLE, "e"),
}
CELL_HEIGHT = 0.62


def draw_overview(ax: Axes, reports: Sequence[Report], names: Sequence[str]) -> Axes:
    """Draw the status of every check, grouped by family; one strip a report, called by its name."""
    checks = _in_order(reports)
    left, families = _places(checks)
    for row, report in enumerate(reports):
        for result in report.results:
            color, sign = LOOKS[result.status]
            corner = (left[result.check], row)
            ax.add_patch(Rectangle(corner, 0.9, CELL_HEIGHT, color=color, lw=0))
            ax.text(
                corner[0] + 0.45, row + CELL_HEIGHT / 2, sign,
                color=PAPER, ha="center", va="center", fontsize=7, weight="bold",
            )  # fmt: skip
        ax.text(0, row - 0.05, label_of(names[row]), va="bottom", fontsize=9)
    bottom = len(reports) - 1 + CELL_HEIGHT
    for family, (start, end) in families.items():
        ax.plot([start, end], [bottom + 0.1] * 2, color=GREY, lw=1.5)
        ax.text(start, bottom + 0.17, family, rotation=-25, ha="left", va="top", fontsize=8.5)
    width = max((end for _, end in families.values()), default=1.0)
    ax.set(xlim=(-0.2, width + 1.5), ylim=(bottom + 0.9, -0.4))
    ax.set_axis_off()
    found = [status for status in LOOKS if any(report.count(status) for report in reports)]
    handles = [Patch(color=LOOKS[s][0], label=f"{LOOKS[s][1]} {s.replace('_', ' ')}") for s in found]
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=max(len(found), 1))
    return ax


def _places(checks: dict[str, CheckResult]) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """The left end of the cell of each check, and both ends of each family; families stand apart."""
    left: dict[str, float] = {}
    families: dict[str, tuple[float, float]] = {}
    start = 0.0
    for family, members in groupby(checks.values(), key=lambda result: result.family):
        names = [result.check for result in members]
        left |= {name: start + place for place, name in enumerate(names)}
        families[family] = (start, start + len(names) - 0.1)
        start += len(names) + 0.5
    return left, families


def _in_order(reports: Sequence[Report]) -> dict[str, CheckResult]:
    """The checks of all reports by name, families together, in the order in which they first stand."""
    checks: dict[str, CheckResult] = {}
    for report in reports:
        for result in report.results:
            checks.setdefault(result.check, result)
    families = list(dict.fromkeys(result.family for result in checks.values()))
    return dict(sorted(checks.items(), key=lambda item: families.index(item[1].family)))
