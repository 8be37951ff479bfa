"""The PIT histogram: where the truth falls in what was predicted; flat is calibrated."""

import numpy as np
from matplotlib.axes import Axes

from diagnostics.plots.style import BLUE, GREY, VERMILLION, Line, say_undefined
from diagnostics.result import Symptom

# name of the histogram, what it is called, and its look
SHOWN = (
    ("pit_teacher_forced", "teacher forced", Line(BLUE, "s", "--")),
    ("pit_free_running", "free running", Line(VERMILLION, "o", "-")),
)


def draw_pit(ax: Axes, symptom: Symptom) -> Axes:
    """Draw the density of the PIT by bin, as steps with an interval on each; 1 everywhere is calibrated.

    A hump in the middle: the scale is too large; high ends: too small; a slope: the mean is off.
    """
    found = {curve.name: curve for curve in symptom.histograms}
    drawn = [(found[name], label, line) for name, label, line in SHOWN if name in found]
    if not drawn:
        return say_undefined(ax, "No calibration was measured.")
    for place, (curve, label, line) in enumerate(drawn):
        edges = np.linspace(0, 1, len(curve.at) + 1)
        ax.stairs(curve.value, edges, color=line.color, ls=line.linestyle, lw=1.6)
        # the two stand beside each other within a bin
        at = np.array(curve.at) + (place - 0.5) * 0.3 / len(curve.at)
        ax.vlines(at, curve.low, curve.high, color=line.color, lw=1.2)
        ax.plot(at, curve.value, color=line.color, ls="none", marker=line.marker, ms=4)
        ax.plot([], [], color=line.color, ls=line.linestyle, marker=line.marker, ms=4, label=label)
    ax.axhline(1, color=GREY, lw=1.2, ls=":", label="calibrated")
    ax.set(xlim=(0, 1), ylim=(0, None), ylabel="density")
    ax.set(xlabel="place of the truth in its prediction (PIT)")
    ax.figure.legend(loc="outside lower center", ncols=3)
    return ax
