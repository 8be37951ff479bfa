"""How much attention each series gets, beside how many of the visible points it has."""

import numpy as np
from matplotlib.axes import Axes

from diagnostics.plots.style import BLACK, VERMILLION, count_targets
from diagnostics.result import BoundaryAttention


def draw_mass(ax: Axes, attention: BoundaryAttention) -> Axes:
    """Draw the share of attention on A and on B by target, and the shares of the points, thin and dotted."""
    at = np.arange(1, len(attention.mass_on_a) + 1)
    points_of_a = np.array(attention.points_of_a)
    drawn = (
        ("A", attention.mass_on_a, points_of_a, BLACK, "-", "s"),
        ("B", attention.mass_on_b, 1 - points_of_a, VERMILLION, "--", "o"),
    )
    for name, mass, points, color, linestyle, marker in drawn:
        ax.plot(
            at,
            mass,
            color=color,
            ls=linestyle,
            marker=marker,
            ms=3.5,
            markevery=4,
            label=f"attention on {name}",
        )
        ax.plot(at, points, color=color, ls=":", lw=1.3, label=f"share of points, {name}")
    count_targets(ax)
    ax.set(ylabel="share", ylim=(-0.02, 1.02))
    ax.figure.legend(loc="outside lower center", ncols=2)
    return ax
