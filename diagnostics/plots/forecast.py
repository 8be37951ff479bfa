"""The inference plot: one pair, what was observed of it, and what was predicted."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from attn.types import Bools, Floats
from diagnostics.plots.style import BLACK, GREEN, GREY, ORANGE, PANEL, PAPER, SKY_BLUE, VERMILLION
from diagnostics.result import Example

# half-widths of the central 90 % of a normal distribution, in standard deviations
BAND = 1.645
# of each example: enough to see the spread, and few enough to see what lies behind
NUM_SAMPLES = 8


def draw_forecast(ax: Axes, example: Example, limits: tuple[float, float] | None = None) -> Axes:
    """Draw A black, B red with its observed points as dots, means golden and samples light blue.

    The exact posterior mean and its 90 % band stand beside them where there is an oracle; a dotted line
    marks the boundary, between the last observed and the first predicted point of B.  `limits` is the range
    of the y axis.
    """
    x, y, mean = np.array(example.x), np.array(example.y), np.array(example.mean)
    is_target = np.arange(len(x)) >= example.num_context
    is_b = np.array(example.series) == example.series[-1]
    a, b, observed = ~is_b, is_b, is_b & ~is_target
    _lay_out(ax)
    if a.any():
        ax.plot(*_by_x(x[a], y[a]), color=BLACK, lw=1.4, label="A, observed")
    ax.plot(*_by_x(x[b], y[b]), color=VERMILLION, lw=1.1, ls=(0, (5, 1.2)), label="B, true")
    ax.plot(x[observed], y[observed], "o", color=VERMILLION, ms=5, label="B, observed")
    samples = np.array(example.samples).reshape(-1, len(x))[:NUM_SAMPLES, is_target]
    ax.plot(
        np.tile(x[is_target], len(samples)), samples.ravel(), "o", color=SKY_BLUE, ms=2.6, mew=0,
        alpha=0.7, zorder=1.5, label="samples",
    )  # fmt: skip
    ax.plot(
        x[is_target], mean[is_target], "D", color=ORANGE, ms=3.8, mec=BLACK, mew=0.3, label="predicted",
        zorder=3,
    )  # fmt: skip
    _draw_oracle(ax, example, is_target)
    if observed.any() and is_target.any():
        _draw_boundary(ax, (x[observed].max() + x[is_target][0]) / 2)
    ax.set(xlabel="x", ylabel="y", ylim=limits)
    ax.set_title(example.title, wrap=True)
    ax.figure.legend(loc="outside lower center", ncols=3)
    return ax


def example_limits(examples: Sequence[Example]) -> tuple[float, float]:
    """A range that holds all that is drawn of some examples, so that their pictures can be compared."""
    ends = [
        value
        for example in examples
        for row in (example.y, example.mean, example.oracle_mean or [], *example.samples)
        for value in row
        if math.isfinite(value)
    ]
    margin = 0.05 * (max(ends) - min(ends)) or 1.0
    return min(ends) - margin, max(ends) + margin


def _lay_out(ax: Axes) -> None:
    """A grey panel with a light grid, as in the picture in which the drop was first seen."""
    ax.set_facecolor(PANEL)
    ax.grid(color=PAPER, lw=0.9)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


def _draw_boundary(ax: Axes, boundary: float) -> None:
    ax.axvline(boundary, color=GREY, ls=":", lw=1.2)
    ax.annotate(
        "boundary", (boundary, 1), xycoords=("data", "axes fraction"), fontsize=8, color=GREY,
        xytext=(3, -9), textcoords="offset points",
    )  # fmt: skip


def _by_x(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def _draw_oracle(ax: Axes, example: Example, is_target: Bools) -> None:
    if example.oracle_mean is None or example.oracle_scale is None:
        return
    order = np.flatnonzero(is_target)[np.argsort(np.array(example.x)[is_target], kind="stable")]
    x, mean, scale = (
        np.array(values)[order] for values in (example.x, example.oracle_mean, example.oracle_scale)
    )
    ax.plot(x, mean, color=GREEN, ls="-", lw=1.5, label="exact GP")
    ax.fill_between(
        x, mean - BAND * scale, mean + BAND * scale, color=GREEN, alpha=0.2, lw=0, label="its 90 %"
    )
