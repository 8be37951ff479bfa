"""The drift fraction at the first target under each intervention, beside what it is without."""

from matplotlib.axes import Axes

from diagnostics.plots.style import BLUE, GREY, MINUS, VERMILLION, say_undefined
from diagnostics.result import Attribution, Estimate


def probes_height(attribution: Attribution) -> float:
    """Inches that the picture needs."""
    return 1.3 + 0.33 * len(_shown(attribution))


def draw_probes(ax: Axes, attribution: Attribution) -> Axes:
    """Draw one dot with its 95 % interval a probe; filled where the change is beyond chance, else hollow."""
    shown = _shown(attribution)
    if not shown:
        return say_undefined(ax, "The drift fraction is not defined for these data.")
    _, before, _ = shown[0]
    ax.axvline(0, color=GREY, lw=0.8, zorder=1)
    ax.axvline(1, color=GREY, lw=1, ls=":", zorder=1)
    ax.axvline(before.value, color=VERMILLION, lw=1, ls="--", zorder=1)
    for place, (_, after, moved) in enumerate(shown):
        color, marker = (VERMILLION, "D") if place == 0 else (BLUE, "o")
        ax.plot([after.low, after.high], [place] * 2, color=color, lw=1.6)
        ax.plot(after.value, place, marker, color=color, ms=6, mfc=color if moved else "white")
        ax.annotate(
            _figure(after.value), (after.high, place), xytext=(6, 0), textcoords="offset points",
            va="center", fontsize=8.5, bbox={"fc": "white", "ec": "none", "pad": 0.8},
        )  # fmt: skip
    ax.set_yticks(range(len(shown)), [title for title, _, _ in shown])
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    low, high = ax.get_xlim()
    low, high = min(low, -0.1), max(high, 1.05)
    ax.set(xlim=(low, high + 0.1 * (high - low)), ylim=(len(shown) - 0.5, -0.5))
    ax.set(xlabel="drift fraction at the first target")
    for level, name in ((0, "level of B"), (1, "level of A")):
        ax.annotate(
            name, (level, -0.5), xytext=(0, 2), textcoords="offset points",
            ha="center", va="bottom", fontsize=8, color=GREY,
        )  # fmt: skip
    return ax


def _figure(value: float) -> str:
    shown = f"{value:.2f}"
    return "0.00" if shown == "-0.00" else shown.replace("-", MINUS)


def _shown(attribution: Attribution) -> list[tuple[str, Estimate, bool]]:
    """Title, drift fraction, and whether it is filled: first as it is, then every probe."""
    totals = [row for row in attribution.at("first", "total") if row.drift is not None]
    probes = [row for row in attribution.at("first", "probe") if row.drift is not None]
    found = [("without any change", row.drift, True) for row in totals if row.drift is not None]
    for row in probes:
        if row.after is not None and row.drift is not None:
            found.append((row.title, row.after, not row.drift.low <= 0 <= row.drift.high))
    return found
