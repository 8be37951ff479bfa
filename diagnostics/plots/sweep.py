"""Which check fails how often: a row a subject, a column a check."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from diagnostics.plots.style import BLACK, BLUE, PANEL, label_of
from diagnostics.sweep.result import Sweep

_COLORS = LinearSegmentedColormap.from_list("share", ["white", BLUE]).with_extremes(bad=PANEL)


def sweep_size(sweep: Sweep) -> tuple[float, float]:
    """Width and height of the picture in inches: every name can be read."""
    return 4.2 + 0.19 * len(sweep.checks), 3.4 + 0.2 * len(sweep.subjects)


def draw_sweep(ax: Axes, sweep: Sweep) -> Axes:
    """Draw the share of seeds under which each check fails; a cross where a seed has no answer."""
    counts = sweep.counts()
    shares = np.array([[counts[name, check].share for check in sweep.checks] for name in sweep.subjects])
    image = ax.imshow(shares, cmap=_COLORS, aspect="auto", vmin=0, vmax=1)
    missing = [
        (column, row)
        for row, name in enumerate(sweep.subjects)
        for column, check in enumerate(sweep.checks)
        if counts[name, check].num_answered < counts[name, check].num_seeds
    ]
    ax.plot(*np.array(missing).reshape(-1, 2).T, ls="", marker="x", color=BLACK, ms=4, mew=1.2)
    ax.set_xticks(range(len(sweep.checks)), sweep.checks, rotation=90, fontsize=7)
    ax.set_yticks(range(len(sweep.subjects)), [label_of(name) for name in sweep.subjects], fontsize=7)
    ax.set_xticks(np.arange(-0.5, len(sweep.checks)), minor=True)
    ax.set_yticks(np.arange(-0.5, len(sweep.subjects)), minor=True)
    ax.grid(visible=False)
    ax.grid(which="minor", color="0.85", linewidth=0.5)
    ax.tick_params(which="both", length=0)
    ax.set_xlabel("check" + (" (x: without an answer under some seed)" if missing else ""))
    ax.figure.colorbar(image, ax=ax, label=f"failed, share of {len(sweep.seeds)} seeds", shrink=0.9)
    return ax
