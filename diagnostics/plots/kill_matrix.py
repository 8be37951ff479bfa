"""The kill matrix: which check detects which fault."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from diagnostics.plots.style import BLUE

Matrix = Sequence[Sequence[bool]]


def plot_kill_matrix(ax: Axes, faults: Sequence[str], checks: Sequence[str], killed: Matrix) -> Axes:
    """A row a fault, a column a check; filled where the check fails on it and passes on its sound twin."""
    values = np.array(killed, float)
    ax.imshow(values, cmap=ListedColormap(["white", BLUE]), aspect="auto", vmin=0, vmax=1)
    ax.set_xticks(range(len(checks)), checks, rotation=90, fontsize=7)
    ax.set_yticks(range(len(faults)), faults, fontsize=7)
    ax.set_xticks(np.arange(-0.5, len(checks)), minor=True)
    ax.set_yticks(np.arange(-0.5, len(faults)), minor=True)
    ax.grid(visible=False)
    ax.grid(which="minor", color="0.85", linewidth=0.5)
    ax.tick_params(which="both", length=0)
    ax.set_xlabel("check")
    ax.set_ylabel("fault, at full severity")
    return ax
