"""The drift fraction by distance from the boundary, with its interval, for one subject or several."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from diagnostics.plots.style import GREY, SUBJECT_LINES, count_targets, label_of, say_undefined
from diagnostics.result import Curve, Symptom


def draw_drift(ax: Axes, symptoms: Sequence[Symptom], names: Sequence[str]) -> Axes:
    """Draw one line a symptom, called by its name; 0 is no drop, 1 is wholly on the level of A."""
    curves = [_drift_of(symptom) for symptom in symptoms]
    if not any(np.isfinite(curve.value).any() for curve in curves if curve is not None):
        return say_undefined(ax, "The drift fraction is not defined for these data.")
    for curve, name, line in zip(curves, names, SUBJECT_LINES, strict=False):
        if curve is None:
            continue
        ax.fill_between(curve.at, curve.low, curve.high, color=line.color, alpha=0.2, lw=0)
        ax.plot(
            curve.at, curve.value, color=line.color, ls=line.linestyle, marker=line.marker, ms=3.5,
            markevery=3, label=label_of(name),
        )  # fmt: skip
    ax.axhline(0, color=GREY, lw=0.8, zorder=1)
    ax.axhline(1, color=GREY, lw=1, ls=":")
    ax.annotate(
        "on the level of A", (1, 1), fontsize=8, color=GREY, xytext=(0, 3), textcoords="offset points"
    )
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, -0.1), max(high, 1.15))
    count_targets(ax)
    ax.set(ylabel="drift fraction")
    ax.figure.legend(loc="outside lower center", ncols=len(symptoms))
    return ax


def _drift_of(symptom: Symptom) -> Curve | None:
    return next((curve for curve in symptom.curves if curve.name == "drift"), None)
