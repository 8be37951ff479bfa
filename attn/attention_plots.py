"""Which points each prediction looked at: one plot a step, and an animation of them.

The keys that are shown are chosen as in the original: every head of every layer votes for the 5 keys to
which it gives most weight, and the 10 keys with most votes are drawn in orange.
"""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from attn.plots import BLACK, GOLDEN, GREEN, GREY, ORANGE, RED, Inference, finish, new_figure, plain
from attn.types import Attention, Floats, Ints

VOTES_PER_HEAD = 5
NUM_KEYS = 10


def most_voted(weights: Floats) -> Ints:
    """The keys with most votes, at most 10, most votes first; weights [heads,K] of one query.

    Each head votes for its 5 heaviest keys; a key of weight 0 (one that cannot be seen) gets no vote.
    Equal votes are ordered by the weight summed over the heads, then by position.
    """
    votes = np.zeros(weights.shape[1], int)
    for head in weights:
        heaviest = np.argsort(-head, kind="stable")[:VOTES_PER_HEAD]
        votes[heaviest[head[heaviest] > 0]] += 1
    order = np.lexsort((-weights.sum(axis=0), -votes))
    return order[votes[order] > 0][:NUM_KEYS]


def plot_attention(
    axes: Axes, inference: Inference, attention: Attention, row: int, position: int, trajectory: int = 0
) -> Axes:
    """The step that predicts `position` of a pair, along one trajectory.

    Black dots A, red dots the observed B, golden diamonds what the trajectory wrote before this step, grey
    dots B as it is and is not seen; orange rings the keys with most attention, larger with more weight;
    a green star the point that is predicted.

    Raises ValueError if `position` is no query of `attention`.
    """
    batch, written = inference.batch, inference.rollout.samples[trajectory, row]
    query = np.flatnonzero(attention.query_positions == position)
    if not query.size:
        raise ValueError(f"position must be one of the queries of the attention; got {position}")
    of_b = batch.valid[row] & (batch.series[row] == inference.predicted_series(row))
    is_context, x, y = batch.is_context[row], batch.x[row], batch.y[row]
    before = np.flatnonzero(batch.is_target[row])
    before = before[before < position]
    unseen = np.flatnonzero(batch.is_target[row])
    axes.plot(x[unseen], y[unseen], ".", color=GREY, markersize=4, label="B, not seen")
    for where, colour, marker, label in (
        (is_context & ~of_b, BLACK, "s", "A"),
        (is_context & of_b, RED, "o", "B, observed"),
    ):
        if where.any():
            axes.plot(x[where], y[where], marker, color=colour, markersize=3.5, label=label)
    if before.size:
        axes.plot(x[before], written[before], "D", color=GOLDEN, markersize=4, label="fed back")
    weights = attention.weights[:, row, :, query[0]].reshape(-1, attention.weights.shape[-1])  # [layers H,K]
    _plot_keys(axes, x, written, weights, attention.key_positions)
    star: dict[str, Any] = {"color": GREEN, "markersize": 15, "markeredgecolor": "white", "linestyle": "none"}
    axes.plot(x[position], written[position], marker="*", label="predicted", **star)
    return finish(axes, inference.x_name, inference.y_name, is_legend_beside=True)


def attention_figures(
    inference: Inference, attention: Attention, row: int, title: str, trajectory: int = 0
) -> Iterator[Figure]:
    """One figure a step, in the order of the steps, all over the same range of x and y."""
    num_columns = inference.rollout.samples.shape[2]
    positions = np.flatnonzero(inference.batch.is_target[row, :num_columns])
    low, high = _range_of_y(inference, row, trajectory)
    for step, position in enumerate(positions.tolist(), start=1):
        figure = new_figure(size=(10, 5.5))
        axes = plot_attention(figure.axes[0], inference, attention, row, position, trajectory)
        axes.set_ylim(low, high)
        axes.set_title(plain(f"{title}, step {step} of {len(positions)}"))
        yield figure


def write_animation(file: BinaryIO, figures: Iterable[Figure], frames_per_second: float = 3.0) -> None:
    """Write the figures as an animated GIF; each is drawn once and let go.

    Raises ValueError if there is no figure, OSError if the file cannot be written.
    """
    frames = [_image(figure) for figure in figures]
    if not frames:
        raise ValueError("an animation needs at least one figure; got none")
    milliseconds = round(1000 / frames_per_second)
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)


def _plot_keys(axes: Axes, x: Floats, y: Floats, weights: Floats, key_positions: Ints) -> None:
    keys = most_voted(weights)
    share = weights.mean(axis=0)[keys]
    places = key_positions[keys]
    size = 30 + 120 * share / max(float(share.max(initial=0.0)), 1e-12)
    ring: dict[str, Any] = {"facecolor": "none", "edgecolor": ORANGE, "linewidth": 2.2}
    axes.scatter(x[places], y[places], s=size, label="most attention", **ring)


def _range_of_y(inference: Inference, row: int, trajectory: int) -> tuple[float, float]:
    values = np.concatenate(
        [inference.batch.y[row, inference.batch.valid[row]], inference.rollout.samples[trajectory, row]]
    )
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _image(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.array(canvas.buffer_rgba())).convert("P", palette=Image.Palette.ADAPTIVE)
