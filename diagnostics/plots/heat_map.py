"""Where the first target looks: a row a head, a column a visible point."""

import numpy as np
from matplotlib.axes import Axes

from diagnostics.plots.style import VERMILLION, say_undefined
from diagnostics.result import BoundaryAttention


def draw_heat_map(ax: Axes, attention: BoundaryAttention) -> Axes:
    """Draw the weights of one pair, layers averaged; keys stand in order of series, then of x.

    The line separates A from B; next to it stand how many points each has.
    """
    weights = np.array(attention.heat_map)
    if weights.size == 0:
        return say_undefined(ax, "The first target saw no point.")
    series = np.array(attention.heat_map_series)
    order = np.lexsort((np.array(attention.heat_map_x), series))
    image = ax.imshow(weights[:, order], aspect="auto", cmap="cividis", vmin=0, interpolation="none")
    num_a, num_b = int((series == 0).sum()), int((series == 1).sum())
    ax.axvline(num_a - 0.5, color=VERMILLION, lw=1.8)
    num_keys = len(series)
    ax.set_xticks(
        [(num_a - 1) / 2, num_a + (num_b - 1) / 2] if num_a else [(num_b - 1) / 2],
        [f"A: {num_a} points", f"B: {num_b} points"] if num_a else [f"B: {num_b} points"],
    )
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.5, num_keys - 0.5)
    ax.set_yticks(range(0, len(weights), -(-len(weights) // 8)))
    ax.grid(False)
    ax.set(xlabel="visible points, by series and then by x", ylabel="head")
    ax.figure.colorbar(image, ax=ax, label="weight of attention", shrink=0.9)
    return ax
