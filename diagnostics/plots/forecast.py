"""The inference plot: one pair, what was observed of it, and what was predicted."""

import numpy as np
from matplotlib.axes import Axes

from attn.types import Bools, Floats
from diagnostics.plots.style import BLACK, GREEN, GREY, ORANGE, SKY_BLUE, VERMILLION
from diagnostics.result import Example

# half-widths of the central 90 % of a normal distribution, in standard deviations
BAND = 1.645


def draw_forecast(ax: Axes, example: Example) -> Axes:
    """Draw A black, B red with its observed points as dots, means golden and samples light blue.

    The exact posterior mean and its 90 % band stand beside them where there is an oracle; a dotted line
    marks the boundary, between the last observed and the first predicted point of B.
    """
    x, y, mean = np.array(example.x), np.array(example.y), np.array(example.mean)
    is_target = np.arange(len(x)) >= example.num_context
    is_b = np.array(example.series) == example.series[-1]
    a, b, observed = ~is_b, is_b, is_b & ~is_target
    if a.any():
        ax.plot(*_by_x(x[a], y[a]), color=BLACK, lw=1.4, label="A, observed")
    ax.plot(*_by_x(x[b], y[b]), color=VERMILLION, lw=1.2, ls=(0, (4, 1.5)), label="B, true")
    ax.plot(x[observed], y[observed], "o", color=VERMILLION, ms=5, label="B, observed")
    for sample in np.array(example.samples).reshape(-1, len(x)):
        ax.plot(x[is_target], sample[is_target], ".", color=SKY_BLUE, ms=3, alpha=0.45, zorder=1.5)
    ax.plot(
        x[is_target],
        mean[is_target],
        "D",
        color=ORANGE,
        ms=3.6,
        mec=BLACK,
        mew=0.3,
        label="predicted",
        zorder=3,
    )
    ax.plot([], [], ".", color=SKY_BLUE, label="samples")
    _draw_oracle(ax, example, is_target)
    if observed.any() and is_target.any():
        boundary = (x[observed].max() + x[is_target][0]) / 2
        ax.axvline(boundary, color=GREY, ls=":", lw=1.2)
        ax.annotate(
            "boundary", (boundary, 1), xycoords=("data", "axes fraction"), fontsize=8, color=GREY,
            xytext=(3, -9), textcoords="offset points",
        )  # fmt: skip
    ax.set(xlabel="x", ylabel="y")
    ax.set_title(example.title, wrap=True)
    ax.figure.legend(loc="outside lower center", ncols=3)
    return ax


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
        x, mean - BAND * scale, mean + BAND * scale, color=GREEN, alpha=0.16, lw=0, label="its 90 %"
    )
