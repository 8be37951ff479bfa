"""A training as it goes, for a notebook: the losses so far, and one held-out pair continued anew."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from attn.models import PairModel
from attn.plots import BLACK, GOLDEN, RED, finish, plot_inference
from attn.processes import PairProcess
from attn.snapshot import Snapshot
from attn.train import Progress, TrainConfig, held_out_pair
from attn.types import Pairs

_SERIES = ((0, BLACK, "o"), (1, RED, "^"))


@dataclass(eq=False)
class LivePlot:
    """Draws a training again and again; to be given to `attn.train.train` as `on_progress`.

    snapshot   the pair that is continued; None where none can be
    show       takes every new figure, such as the `update` of a display handle of IPython
    every      steps between two figures; the last step is always drawn

    Raises ValueError if `every` is less than 1.
    """

    snapshot: Snapshot | None
    show: Callable[[Figure], object]
    every: int = 100
    losses: list[tuple[int, float]] = field(default_factory=list, init=False)
    history: list[dict[str, float]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"every must be at least 1; got {self.every}")

    @classmethod
    def of(
        cls,
        config: TrainConfig,
        source: PairProcess | Pairs,
        show: Callable[[Figure], object],
        every: int = 100,
    ) -> Self:
        """For a training of `config` on `source`: the pair is the first of its test pairs."""
        return cls(held_out_pair(config, source), show, every)

    def __call__(self, progress: Progress) -> None:
        """Note the loss of this step; show a figure when it is time."""
        self.losses.append((progress.step, progress.loss))
        if progress.epoch is not None:
            self.history.append(progress.epoch)
        if progress.step % self.every == 0 or progress.step == progress.num_steps:
            self.show(self.figure(progress.model, f"step {progress.step} of {progress.num_steps}"))

    def figure(self, model: PairModel, title: str) -> Figure:
        """The losses and R^2 so far, above them the pair as `model` continues it."""
        figure = Figure(figsize=(11, 8), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplot_mosaic([["pair", "pair"], ["losses", "r2"]], height_ratios=(3, 2))
        if self.snapshot is None:
            axes["pair"].set_axis_off()
        else:
            plot_inference(axes["pair"], self.snapshot.inference(model), 0)
        axes["pair"].set_title(title)
        plot_losses(axes["losses"], self.losses, self.history)
        plot_r2(axes["r2"], self.history)
        return figure


def plot_losses(axes: Axes, losses: Sequence[tuple[int, float]], history: Sequence[dict[str, float]]) -> Axes:
    """The loss by step, on training batches and, at the end of every epoch, on the test pairs.

    losses    (step, loss) each
    history   the figures of the epochs, as a run keeps them
    """
    if losses:
        steps, values = zip(*losses, strict=True)
        axes.plot(steps, values, color=BLACK, linewidth=1.2, label="training")
    if history:
        at = [row["step"] for row in history]
        axes.plot(at, [row["test_loss"] for row in history], "D--", color=GOLDEN, label="test")
    return finish(axes, "step", "loss")


def plot_r2(axes: Axes, history: Sequence[dict[str, float]]) -> Axes:
    """R^2 of each series at the end of every epoch, full of test pairs, hollow of training pairs."""
    for series, colour, marker in _SERIES:
        for part, face, line in (("test", colour, "-"), ("train", "white", ":")):
            name = f"{part}_r2_series_{series}"
            known = [row for row in history if name in row]
            if known:
                at, values = [row["step"] for row in known], [row[name] for row in known]
                axes.plot(
                    at,
                    values,
                    marker + line,
                    color=colour,
                    markerfacecolor=face,
                    label=f"{part}, series {series}",
                )
    return finish(axes, "step", "R^2, teacher forced")
