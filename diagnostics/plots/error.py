"""The root mean square error by distance from the boundary: teacher forced, free running, and exact."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from diagnostics.plots.style import BLACK, BLUE, GREEN, VERMILLION, count_targets, say_undefined
from diagnostics.result import Symptom

# curve, label, colour, line style, marker
LINES = (
    ("rmse_free_running", "free running", VERMILLION, "-", "o"),
    ("rmse_teacher_forced", "teacher forced", BLUE, "--", "s"),
    ("rmse_oracle_free_running", "exact GP, free running", BLACK, ":", "^"),
    ("rmse_oracle_teacher_forced", "exact GP, teacher forced", GREEN, "-.", "v"),
)

# errors that differ by more than this factor are drawn on a logarithmic axis, else from zero on
WIDE = 6


def draw_error(ax: Axes, symptom: Symptom, limits: tuple[float, float] | None = None) -> Axes:
    """Draw the error curves of a symptom with their intervals; `limits` is the range of the y axis."""
    curves = {curve.name: curve for curve in symptom.curves}
    drawn = [line for line in LINES if line[0] in curves]
    if not drawn:
        return say_undefined(ax, "No error was measured.")
    for name, label, color, linestyle, marker in drawn:
        curve = curves[name]
        ax.fill_between(curve.at, curve.low, curve.high, color=color, alpha=0.15, lw=0)
        ax.plot(
            curve.at, curve.value, color=color, ls=linestyle, marker=marker, ms=3.5, markevery=4, label=label
        )
    _scale(ax, limits)
    count_targets(ax)
    ax.set(ylabel="root mean square error of y")
    ax.figure.legend(loc="outside lower center", ncols=2)
    return ax


def _scale(ax: Axes, limits: tuple[float, float] | None) -> None:
    low, high = limits or ax.get_ylim()
    if low > 0 and high / low > WIDE:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set_ylim(low, high)
    else:
        ax.set_ylim(0, high)


def error_limits(symptoms: Sequence[Symptom]) -> tuple[float, float] | None:
    """A range that holds the error curves of all symptoms, so that their pictures can be compared."""
    shown = {line[0] for line in LINES}
    ends = [end for s in symptoms for c in s.curves if c.name in shown for end in (c.low, c.high)]
    values = np.array([value for end in ends for value in end])
    values = values[np.isfinite(values) & (values > 0)]
    return (float(values.min()) * 0.8, float(values.max()) * 1.25) if values.size else None
