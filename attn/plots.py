"""Example plots, and the plot of an inference: every function draws on the Axes it is given and returns it.

Colours can be told apart with any colour vision, and no two kinds of points share a shape.  Figures are
made without pyplot: no state of a program that uses this package is touched.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from attn.types import Batch, Bools, Floats, Pairs, Prediction, Rollout

BLACK, RED, GOLDEN, LIGHT_BLUE, PURPLE = "#000000", "#c5360b", "#b8860b", "#8ec5ee", "#7b4ea3"
ORANGE, GREEN, GREY = "#f59a00", "#00805f", "#8a8a8a"
NUM_SEQUENCES, NUM_PAIRS = 5, 4
# A normal distribution has 95 % of its mass within so many standard deviations.
BAND = 1.96


@dataclass(frozen=True, eq=False)
class Inference:
    """What an inference plot shows, all in the same units.

    batch         the arranged pairs, every point that is known included
    rollout       S trajectories; its columns are the first ones of the batch
    exact         the exact GP given the context alone, None where no process is known
    series_names  of series 0 and 1; x_name and y_name stand on the axes
    """

    batch: Batch
    rollout: Rollout
    exact: Prediction | None = None
    series_names: tuple[str, str] = ("series 0", "series 1")
    x_name: str = "x"
    y_name: str = "y"

    def only(self, row: int) -> Self:
        """The same for one pair alone."""
        pick = slice(row, row + 1)
        rollout, exact = self.rollout, self.exact
        return replace(
            self,
            batch=self.batch.rows(pick),
            rollout=Rollout(rollout.samples[:, pick], rollout.mean[:, pick], rollout.scale[:, pick]),
            exact=None if exact is None else Prediction(exact.mean[pick], exact.scale[pick]),
        )

    def predicted_series(self, row: int) -> int:
        """The series that is continued in a row: that of its last point."""
        return int(self.batch.series[row, self.batch.valid[row]][-1])


def new_figure(num_rows: int = 1, num_columns: int = 1, *, size: tuple[float, float] = (9, 5)) -> Figure:
    """A figure of num_rows x num_columns Axes that can be saved; `size` in inches."""
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    figure.subplots(num_rows, num_columns)
    return figure


def plot_sequences(axes: Axes, pairs: Pairs) -> Axes:
    """The first sequences of `pairs`, all on one Axes: the original's plot of single sequences."""
    dashes = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
    colours = (BLACK, RED, GOLDEN, GREEN, PURPLE)
    for row in range(min(NUM_SEQUENCES, pairs.num_pairs)):
        x, y = _by_x(pairs.x[row], pairs.y[row], pairs.valid[row])
        axes.plot(x, y, color=colours[row], linestyle=dashes[row], label=f"sequence {row}")
    return finish(axes, "x", "y")


def plot_pair(
    axes: Axes,
    pairs: Pairs,
    row: int,
    *,
    series_names: tuple[str, str] = ("series 0", "series 1"),
    x_name: str = "x",
    y_name: str = "y",
) -> Axes:
    """One pair: series 0 black with dots, series 1 red with triangles."""
    for series, colour, marker in ((0, BLACK, "o"), (1, RED, "^")):
        x, y = _by_x(pairs.x[row], pairs.y[row], pairs.valid[row] & (pairs.series[row] == series))
        axes.plot(x, y, color=colour, marker=marker, markersize=3, label=plain(series_names[series]))
    return finish(axes, x_name, y_name)


def examples_figure(pairs: Pairs) -> Figure:
    """The original's examples: 5 single sequences in one Axes, or 4 pairs, each in its own."""
    if not (pairs.series[pairs.valid] == 1).any():
        figure = new_figure()
        plot_sequences(figure.axes[0], pairs)
        return figure
    figure = new_figure(2, 2, size=(12, 8))
    for row, axes in enumerate(figure.axes):
        if row < pairs.num_pairs:
            plot_pair(axes, pairs, row).set_title(f"pair {row}")
        else:
            axes.set_axis_off()
    return figure


def plot_arrangement(axes: Axes, batch: Batch, row: int) -> Axes:
    """The order in which a model sees the points of a row: position from left to right, x upwards.

    Series 0 black dots, series 1 red triangles; full where observed, hollow where to be predicted.
    """
    position = np.arange(batch.num_points)
    for series, colour, marker in ((0, BLACK, "o"), (1, RED, "^")):
        for where, face, word in (
            (batch.is_context, colour, "observed"),
            (batch.is_target, "none", "target"),
        ):
            drawn = where[row] & (batch.series[row] == series)
            if drawn.any():
                axes.plot(
                    position[drawn], batch.x[row, drawn], marker, color=colour, markerfacecolor=face,
                    markersize=4, label=f"series {series}, {word}",
                )  # fmt: skip
    axes.axvline(int(batch.num_context[row]) - 0.5, color=GREY, linestyle=":")
    return finish(axes, "position, in the order seen", "x")


def plot_inference(axes: Axes, inference: Inference, row: int) -> Axes:
    """The plot of the original, for one pair: what was seen, what was written, and what is true.

    A black, B a red line with a dot at each observed point, the means golden (over all trajectories), the
    samples light blue; beside them the exact GP, a dashed mean with a band of 95 %, where one is known.
    """
    batch, target = inference.batch, inference.predicted_series(row)
    of_b = batch.valid[row] & (batch.series[row] == target)
    names = tuple(plain(name) for name in inference.series_names)
    x, y = _by_x(batch.x[row], batch.y[row], batch.valid[row] & ~of_b)
    if x.size:
        axes.plot(x, y, color=BLACK, linewidth=1.4, label=f"A: {names[1 - target]}")
    x, y = _by_x(batch.x[row], batch.y[row], of_b)
    axes.plot(x, y, color=RED, linewidth=1.2, alpha=0.6, label=f"B: {names[target]}")
    _plot_exact(axes, inference, row)
    _plot_trajectories(axes, inference, row)
    seen = of_b & batch.is_context[row]
    axes.plot(batch.x[row, seen], batch.y[row, seen], "o", color=RED, markersize=5, label="B, observed")
    return finish(axes, inference.x_name, inference.y_name, is_legend_beside=True)


def inference_figure(inference: Inference, row: int, title: str) -> Figure:
    """`plot_inference` on a figure of its own."""
    figure = new_figure(size=(10, 5.5))
    plot_inference(figure.axes[0], inference, row).set_title(plain(title))
    return figure


def _plot_trajectories(axes: Axes, inference: Inference, row: int) -> None:
    rollout = inference.rollout
    num_columns = rollout.samples.shape[2]
    written = inference.batch.is_target[row, :num_columns]
    x = inference.batch.x[row, :num_columns][written]
    samples, means = rollout.samples[:, row, written], rollout.mean[:, row, written]
    if not np.array_equal(samples, means):
        every_x = np.broadcast_to(x, samples.shape)
        axes.plot(
            every_x.ravel(), samples.ravel(), ".", color=LIGHT_BLUE, markersize=4, zorder=1.5, label="samples"
        )
    axes.plot(x, means.mean(axis=0), "D", color=GOLDEN, markersize=4.5, label="mean")


def _plot_exact(axes: Axes, inference: Inference, row: int) -> None:
    if inference.exact is None:
        return
    mean, scale = inference.exact.mean[row], inference.exact.scale[row]
    known = np.isfinite(mean)
    order = np.flatnonzero(known)[np.argsort(inference.batch.x[row, : mean.size][known])]
    x, mean, scale = inference.batch.x[row, order], mean[order], scale[order]
    axes.fill_between(x, mean - BAND * scale, mean + BAND * scale, color=PURPLE, alpha=0.15, linewidth=0)
    axes.plot(x, mean, "--", color=PURPLE, linewidth=1.2, label="exact GP, 95 % band")


def _by_x(x: Floats, y: Floats, where: Bools) -> tuple[Floats, Floats]:
    """The points to be drawn, sorted by x."""
    order = np.flatnonzero(where)[np.argsort(x[where], kind="stable")]
    return x[order], y[order]


def plain(text: str) -> str:
    """Text from outside as it stands: a dollar sign would start a formula."""
    return text.replace("$", r"\$")


def finish(axes: Axes, x_name: str, y_name: str, *, is_legend_beside: bool = False) -> Axes:
    """Names on the axes, a grid, and a legend of what is drawn: inside, or beside where it hides nothing."""
    axes.set_xlabel(plain(x_name))
    axes.set_ylabel(plain(y_name))
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    if not axes.get_legend_handles_labels()[0]:
        return axes
    if is_legend_beside:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small", frameon=False)
    else:
        axes.legend(fontsize="small", framealpha=0.85)
    return axes
