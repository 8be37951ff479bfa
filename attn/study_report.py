"""A study as Markdown, JSON and a picture of one held-out window."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attn.plots import BAND, BLACK, GREEN, GREY, ORANGE, PURPLE, RED, finish, new_figure, plain
from attn.study import CONTENDERS, FINE_TUNED, FITTED, LAST, SCRATCH, SHIFTED, ZERO_SHOT, Interval, Study

_STYLES = {
    FINE_TUNED: (GREEN, "-"),
    ZERO_SHOT: (ORANGE, "--"),
    SCRATCH: (PURPLE, "-."),
    FITTED: (PURPLE, "-"),
    SHIFTED: (ORANGE, "--"),
    LAST: (GREY, ":"),
}
_READING = (
    "RMSE: of the mean in free running, given the context alone.  NLL: nats a target, each given the true",
    "points before it, so that they add up to the joint density of a window.  Both are in the units of the",
    "data.  Brackets are 95 % bootstrap intervals over the held-out windows, the same resamples for all, so",
    "that differences are paired.  Not in them: that neighbouring windows resemble one another, and what",
    "another seed of the trainings would change.",
)
_PANELS = {"networks": (FINE_TUNED, ZERO_SHOT, SCRATCH), "no network": (FITTED, SHIFTED, LAST)}


@dataclass(frozen=True)
class Words:
    """What a report says beside the figures: what the data are and what to know of them, and the command."""

    title: str
    about: str
    caveat: str
    account: str
    command: str


def study_markdown(study: Study, words: Words) -> str:
    """The table of all contenders, what follows from it, and how it was made."""
    table, config = study.held_out, study.config
    num_windows = table.pairs.num_pairs
    predicted, other = (safe(table.series_names[index]) for index in _order(study))
    rows = [
        f"| {name} | {shown(standing.rmse)} | {shown(standing.nll)}"
        f" | {shown(standing.rmse_more)} | {shown(standing.nll_more)} |"
        for name, standing in study.standings.items()
    ]
    lines = [
        f"# {safe(words.title)}",
        "",
        *((f"{words.about}  {words.caveat}", "") if words.about else ()),
        f"Of every window all of {other} is given, and the first {config.num_context} points of {predicted};"
        f" the rest of it is to be predicted.  Learnt from: the first {study.num_trained_on} windows."
        f"  Scored on: the last {num_windows}, which start {table.window_labels[0]} to"
        f" {table.window_labels[-1]}, with {int(study.batch.is_target.sum())} targets.",
        "",
        f"| contender | RMSE ({safe(table.y_name)}) | NLL | RMSE above {FINE_TUNED} | NLL above it |",
        "|---|---|---|---|---|",
        *rows,
        "",
        *_READING,
        "",
        "## What follows",
        "",
        *(f"- {sentence}" for sentence in _comparisons(study)),
        "",
        "![A held-out window, continued](forecast.png)",
        "",
        f"The window of the picture is the one whose error by the {FINE_TUNED} run is the median.",
        "",
        "## How it was made",
        "",
        f"    {words.command}",
        "",
        *(f"- {sentence}" for sentence in (*_methods(study), words.account + ".")),
        "",
    ]
    return "\n".join(lines)


def study_json(study: Study, words: Words) -> str:
    """All figures, with what they were measured on."""
    table = study.held_out
    content = {
        "run": study.run,
        "command": words.command,
        "series": table.series_names,
        "x": table.x_name,
        "y": table.y_name,
        "windows_learnt_from": study.num_trained_on,
        "windows_held_out": table.window_labels,
        "num_targets": int(study.batch.is_target.sum()),
        "config": asdict(study.config),
        "fitted": asdict(study.fit),
        "standings": {name: asdict(standing) for name, standing in study.standings.items()},
        "mean_squared_errors": {
            name: [float(f"{error:.6g}") for error in study.squared_errors(name)] for name in CONTENDERS
        },
    }
    return json.dumps(content, indent=1)


def study_figure(study: Study) -> Figure:
    """One window, twice on the same scale: the networks, and what is none."""
    errors = study.squared_errors(FINE_TUNED)
    row = int(np.argsort(errors)[len(errors) // 2])
    figure = new_figure(1, 2, size=(14, 5))
    for axes, (title, names) in zip(figure.axes, _PANELS.items(), strict=True):
        _plot_window(axes, study, row, names).set_title(title)
    figure.axes[1].sharey(figure.axes[0])
    figure.suptitle(plain(f"held-out window from {study.held_out.window_labels[row]}"))
    return figure


def _plot_window(axes: Axes, study: Study, row: int, names: Sequence[str]) -> Axes:
    """A black, B red with its observed points as dots, and a mean a contender; a band for the first."""
    batch = study.batch
    series_b, series_a = _order(study)
    x, y, valid, series = (values[row] for values in (batch.x, batch.y, batch.valid, batch.series))
    for index, colour, letter in ((series_a, BLACK, "A"), (series_b, RED, "B")):
        where = np.flatnonzero(valid & (series == index))
        where = where[np.argsort(x[where])]
        label = f"{letter}: {plain(study.held_out.series_names[index])}"
        axes.plot(x[where], y[where], color=colour, linewidth=1.3, alpha=0.7, label=label)
    seen = batch.is_context[row] & (series == series_b)
    axes.plot(x[seen], y[seen], "o", color=RED, markersize=5, label="B, observed")
    asked = np.flatnonzero(batch.is_target[row])
    asked = asked[np.argsort(x[asked])]
    for name in names:
        answer = study.forecasts[name].free
        mean, scale = answer.mean[row, asked], answer.scale[row, asked]
        colour, line = _STYLES[name]
        axes.plot(x[asked], mean, line, color=colour, linewidth=1.8, label=name)
        if name == names[0]:
            low, high = mean - BAND * scale, mean + BAND * scale
            axes.fill_between(x[asked], low, high, color=colour, alpha=0.13, linewidth=0, label="95 % band")
    return finish(axes, study.held_out.x_name, study.held_out.y_name, is_legend_beside=True)


def _order(study: Study) -> tuple[int, int]:
    """The series that is predicted, and the other."""
    return study.config.target_series, 1 - study.config.target_series


def _comparisons(study: Study) -> list[str]:
    """The fine-tuned run beside each of the others; an interval that holds 0 settles nothing."""
    sentences = []
    for name in CONTENDERS[1:]:
        standing = study.standings[name]
        words = []
        for measure, more in (("RMSE", standing.rmse_more), ("NLL", standing.nll_more)):
            assert more is not None
            is_settled = more.low > 0 or more.high < 0
            verdict = ("lower" if more.value > 0 else "higher") if is_settled else "not told apart"
            words.append(f"{measure} {verdict}")
        sentences.append(f"{FINE_TUNED} against {name}: {', '.join(words)}.")
    return sentences


def _methods(study: Study) -> list[str]:
    return [
        f"{ZERO_SHOT}: the run {safe(study.run)} as it is.  {FINE_TUNED}: {study.config.num_steps} steps from"
        f" its weights.  {SCRATCH}: as many steps of the same model by the same recipe, from drawn weights.",
        f"{FITTED}: the largest marginal likelihood of the windows learnt from, over rbf and matern, each"
        " with an offset of either series, a smooth difference between them, or both."
        f"  {_fitted(study)}",
        f"{SHIFTED}: A between its points, plus the mean distance of B from it where B was observed.  {LAST}:"
        " the last observed point, carried on.  The scale of either is its RMSE on the windows learnt from.",
        "The scale of y that is given to the networks comes from the windows learnt from.",
    ]


def _fitted(study: Study) -> str:
    """The hyper-parameters in units of the data."""
    process, x_scale = study.fit.process, study.held_out.x_scale
    y_scale = study.fit.amplitude * study.held_out.y_scale
    shift = f"offsets of scale {process.shift_scale * y_scale:.3g}"
    if process.shift != "const":
        length = process.shift_length_scale * x_scale
        shift = f"a difference of scale {process.shift_scale * y_scale:.3g} and length-scale {length:.3g}"
    if process.shift == "const_rbf":
        shift += f", offsets of scale {process.offset_scale * y_scale:.3g}"
    return (
        f"Found: {process.kernel} of scale {y_scale:.3g} and length-scale"
        f" {process.length_scale * x_scale:.3g}, {shift}, noise {process.noise_scale * y_scale:.3g}."
    )


def shown(interval: Interval | None) -> str:
    """A figure with its interval; a dash where there is none."""
    if interval is None:
        return "-"
    return f"{interval.value:.3g} [{interval.low:.3g}, {interval.high:.3g}]"


def safe(text: str) -> str:
    """Text from outside for Markdown: one line, and nothing in it is markup."""
    line = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    return re.sub(r"([\\`*_{}\[\]<>|#!~&$])", r"\\\1", line)
