"""Where the error comes from: each part a bar that begins where the one before it ended."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from diagnostics.plots.style import BLACK, BLUE, GREY, MINUS, PAPER, SKY_BLUE, VERMILLION, say_undefined
from diagnostics.result import Attribution, AttributionRow

BAR_HEIGHT = 0.62
# told apart without colour: what takes error away is hatched, and every bar carries its signed figure
EXACT, ADDS, TAKES_AWAY, TOTAL = (GREY, ""), (VERMILLION, ""), (SKY_BLUE, "///"), (BLUE, "")


def waterfall_height(attribution: Attribution) -> float:
    """Inches that the picture needs."""
    return 0.9 + 0.33 * sum(len(rows) + 1 for _, rows in _groups(attribution))


def draw_waterfall(ax: Axes, attribution: Attribution) -> Axes:
    """Draw the parts of the squared error and their sum, at the first target and at the later ones.

    The line at the end of a bar is the 95 % interval of that part alone.
    """
    groups = _groups(attribution)
    if not groups:
        return say_undefined(ax, "No error was attributed.")
    labels: dict[float, str] = {}
    place = 0.0
    for heading, rows in groups:
        ax.text(0.0, place, heading, weight="bold", fontsize=9.5, va="center")
        _draw_group(ax, rows, place + 1)
        labels |= {place + 1 + number: row.title for number, row in enumerate(rows)}
        place += len(rows) + 1.2
    ax.set_yticks(list(labels), list(labels.values()))
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.axvline(0, color=GREY, lw=0.8, zorder=1)
    low, high = ax.get_xlim()
    # room for the figures on the right
    ax.set(xlim=(min(low, 0), high + 0.2 * (high - low)), ylim=(place - 0.6, -0.7))
    ax.set(xlabel="mean squared error of y")
    ax.locator_params(axis="x", nbins=5)
    return ax


def _groups(attribution: Attribution) -> list[tuple[str, tuple[AttributionRow, ...]]]:
    later = ", ".join(str(number) for number in attribution.later)
    found = [
        ("at the first target", attribution.at("first", "part", "total")),
        (f"at the later targets ({later})", attribution.at("later", "part", "total")),
    ]
    return [(heading, rows) for heading, rows in found if rows]


def _draw_group(ax: Axes, rows: Sequence[AttributionRow], top: float) -> None:
    reached = 0.0
    for number, row in enumerate(rows):
        error, place = row.error, top + number
        start = 0.0 if row.role == "total" else reached
        end = start + error.value
        color, hatch = _look(row)
        ax.barh(place, error.value, BAR_HEIGHT, left=start, color=color, hatch=hatch, ec=PAPER, lw=0)
        ax.plot([start + error.low, start + error.high], [place] * 2, color=BLACK, lw=1.1)
        if number + 1 < len(rows):
            ax.plot(
                [end] * 2, [place - BAR_HEIGHT / 2, place + 1 + BAR_HEIGHT / 2], color=GREY, lw=0.8, ls=":"
            )
        right = max(start, end, start + error.high)
        ax.annotate(
            _signed(row), (right, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8.5
        )
        reached = end


def _look(row: AttributionRow) -> tuple[str, str]:
    if row.role == "total":
        return TOTAL
    if row.name == "oracle":
        return EXACT
    return ADDS if row.error.value >= 0 else TAKES_AWAY


def _signed(row: AttributionRow) -> str:
    """`+0.41`, or `0` for what is smaller than rounding shows."""
    value = row.error.value
    if abs(value) < 5e-5:
        return "0"
    return (f"{value:.3g}" if row.role == "total" else f"{value:+.3g}").replace("-", MINUS)
