"""How often the truth lies in the central 90 % of what was predicted, by distance from the boundary."""

from matplotlib.axes import Axes

from diagnostics.plots.style import BLUE, GREY, VERMILLION, Line, count_targets, say_undefined
from diagnostics.result import Symptom

SHOWN = (
    ("coverage_teacher_forced", "teacher forced", Line(BLUE, "s", "--")),
    ("coverage_free_running", "free running", Line(VERMILLION, "o", "-")),
)
NOMINAL = 0.9


def draw_coverage(ax: Axes, symptom: Symptom) -> Axes:
    """Draw the coverage with its intervals; 0.9 is right, below it forecasts are too sure of themselves."""
    found = {curve.name: curve for curve in symptom.curves}
    drawn = [(found[name], label, line) for name, label, line in SHOWN if name in found]
    if not drawn:
        return say_undefined(ax, "No coverage was measured.")
    for curve, label, line in drawn:
        ax.fill_between(curve.at, curve.low, curve.high, color=line.color, alpha=0.2, lw=0)
        ax.plot(
            curve.at, curve.value, color=line.color, ls=line.linestyle, marker=line.marker, ms=3.5,
            markevery=4, label=label,
        )  # fmt: skip
    ax.axhline(NOMINAL, color=GREY, lw=1.2, ls=":", label="calibrated")
    count_targets(ax)
    ax.set(ylabel="share in the 90 % band", ylim=(-0.02, 1.02))
    ax.figure.legend(loc="outside lower center", ncols=3)
    return ax
