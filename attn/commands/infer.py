"""`attn infer`: continue one series of each pair from the other, and show how well."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attn.commands import source as data
from attn.commands.complete import completer, run_names
from attn.commands.fits import require_inference
from attn.commands.output import CommandError, JsonOption, QuietOption, new_file, progress_bar, save_figure

if TYPE_CHECKING:
    from attn.commands.answers import Answers
    from attn.runs import Run

_PANEL = "Inference"
_SERIES = {"A": 0, "B": 1, "either": None}


def infer(
    run: Annotated[
        str,
        typer.Option(
            help="Name of a shipped run, or the directory of a run. (original: run)",
            autocompletion=completer(run_names),
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; missing: inference/RUN.", show_default=False)
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results that are in the folder.")
    ] = False,
    kernel: data.Kernel = None,
    num_points: data.NumPoints = None,
    label: data.Label = None,
    pairs: data.PairsFile = None,
    csv: data.Csv = None,
    real_pair: data.RealPair = None,
    x_column: data.XColumn = "x",
    series_column: data.SeriesColumn = "series",
    y_column: data.YColumn = "y",
    name_a: data.SeriesA = None,
    name_b: data.SeriesB = None,
    window: data.Window = None,
    step: data.Step = None,
    date_format: data.DateFormat = None,
    number: Annotated[
        int,
        typer.Option(help="Pairs to infer: drawn, or the first of the data.", min=1, rich_help_panel=_PANEL),
    ] = 64,
    held_out: Annotated[
        bool,
        typer.Option(
            "--held-out",
            help="Only pairs that attn train on the same data holds out: the last fifth.",
            rich_help_panel=_PANEL,
        ),
    ] = False,
    series: Annotated[
        str, typer.Option(help="Which series is continued: A, B or either.", rich_help_panel=_PANEL)
    ] = "B",
    observed: Annotated[
        int,
        typer.Option(help="Observed points of that series. (original: context_p)", rich_help_panel=_PANEL),
    ] = 13,
    consecutive: Annotated[
        bool,
        typer.Option(
            "--consecutive/--scattered",
            help="The observed points are the first in x, or have gaps. (original: consec)",
            rich_help_panel=_PANEL,
        ),
    ] = True,
    is_sorted: Annotated[
        bool,
        typer.Option(
            "--sorted/--unsorted",
            help="Points are seen sorted by x. (original: order)",
            rich_help_panel=_PANEL,
        ),
    ] = True,
    steps: Annotated[
        str,
        typer.Option(
            help="Points to predict, or all. (original: num_steps, 999 = all)", rich_help_panel=_PANEL
        ),
    ] = "all",
    samples: Annotated[
        int, typer.Option(help="Trajectories of a pair. (original: samples)", min=1, rich_help_panel=_PANEL)
    ] = 20,
    feed: Annotated[
        str,
        typer.Option(
            help="What is fed back: sample, or mean (one trajectory). (original: mean)",
            rich_help_panel=_PANEL,
        ),
    ] = "sample",
    seed: Annotated[
        int, typer.Option(help="Seed of pairs, order and samples.", min=0, rich_help_panel=_PANEL)
    ] = 0,
    plots: Annotated[int, typer.Option(help="Pairs to plot.", min=0, rich_help_panel=_PANEL)] = 4,
    attention: Annotated[
        bool,
        typer.Option(
            "--attention",
            help="One plot a step of what the first pair's prediction looked at.",
            rich_help_panel=_PANEL,
        ),
    ] = False,
    animate: Annotated[
        bool,
        typer.Option("--animate", help="The attention plots as an animated GIF.", rich_help_panel=_PANEL),
    ] = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Continue one series of each pair; write plots, predictions.csv and metrics.json."""
    request = data.Request(
        kernel, num_points, label, pairs, csv, real_pair, x_column, series_column, y_column, name_a, name_b,
        window, step, date_format,
    )  # fmt: skip
    if series not in _SERIES:
        raise CommandError(f"series must be one of {', '.join(_SERIES)}; got {series!r}")
    num_steps = _number_of_steps(steps)
    from attn.runs import find_run, load_run

    directory = find_run(run)
    out = out or Path("inference") / directory.resolve().name
    if not overwrite and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CommandError(
            f"the folder of the results must be new or empty; {out} is not (--overwrite replaces)"
        )
    with progress_bar(4, f"loading {directory.name}", quiet=quiet) as advance:
        loaded = load_run(directory)
        from attn.commands.answers import Setting, answer

        process = data.requested_process(request, otherwise=loaded.process)
        setting = Setting(
            _SERIES[series],
            observed,
            consecutive,
            is_sorted,
            num_steps,
            1 if feed == "mean" else samples,
            feed,
        )
        if process is not None and held_out:
            raise CommandError("--held-out is for data that exist; got none (--csv, --real-pair or --pairs)")
        if process is not None:
            num_targets = max(0, process.num_points - observed)
            require_inference(
                process, number, min(num_targets, num_steps or num_targets), setting.num_samples
            )
        source = data.read_source(request, observed) if process is None else data.drawn(process, number, seed)
        asked = data.first(data.held_out(source) if held_out else source, number)
        advance("predicting")
        answers = answer(loaded.model, asked, setting, seed)
        advance("drawing")
        written = _write(out, loaded, answers, plots)
        advance("drawing attention")
        if attention or animate:
            written += _write_attention(out, loaded, answers, attention, animate)
        advance()
    _remove_stale(out, written)
    if json:
        typer.echo((out / "metrics.json").read_text(encoding="utf-8"))
    elif not quiet:
        _print_scores(out, answers, source.account())


def _number_of_steps(text: str) -> int | None:
    """None = all, which the original wrote as 999."""
    if text in ("all", "999"):
        return None
    if not text.isdecimal() or int(text) < 1:
        raise CommandError(f"steps must be a number of at least 1, or all; got {text!r}")
    return int(text)


def _write(out: Path, run: "Run", answers: "Answers", num_plots: int) -> list[Path]:
    """The plots of the first pairs, predictions.csv and metrics.json, each whole or not at all."""
    from attn.commands.answers import metrics_json, predictions_csv
    from attn.commands.output import save_text
    from attn.plots import inference_figure

    plots = [out / f"pair-{row:03d}.png" for row in range(min(num_plots, len(answers.titles)))]
    for row, path in enumerate(plots):
        title = f"{run.name}: {answers.titles[row]}"
        save_figure(path, inference_figure(answers.inference, row, title))
    save_text(out / "predictions.csv", predictions_csv(answers))
    save_text(out / "metrics.json", metrics_json(answers, run.name))
    return plots


def _write_attention(
    out: Path, run: "Run", answers: "Answers", one_a_step: bool, animate: bool
) -> list[Path]:
    """What the first trajectory of the first pair looked at, step by step."""
    from attn.attention_plots import attention_figures, write_animation
    from attn.commands.answers import attention_of_first

    title = f"{run.name}: {answers.titles[0]}"
    attention = attention_of_first(run.model, answers)
    figures = list(attention_figures(answers.inference.only(0), attention, 0, title))
    written = []
    if one_a_step:
        written = [out / "attention" / f"step-{step:03d}.png" for step in range(1, len(figures) + 1)]
        for path, figure in zip(written, figures, strict=True):
            save_figure(path, figure)
    if animate:
        written.append(out / "attention.gif")
        with new_file(written[-1]) as file:
            write_animation(file, figures)
    return written


def _remove_stale(out: Path, written: list[Path]) -> None:
    """Remove plots of an inference that was replaced: they would pass for plots of this one."""
    for pattern in ("pair-*.png", "attention/step-*.png", "attention.gif"):
        for path in set(out.glob(pattern)) - set(written):
            path.unlink()


def _print_scores(out: Path, answers: "Answers", account: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from attn.commands.output import printable, shown
    from attn.longform import quoted

    names = (escape(quoted([name])) for name in answers.inference.series_names)
    table = Table("", "MSE", "R^2", *(f"R^2 of {name}" for name in names), "NLL a target", box=box.SIMPLE)
    for name, scores in answers.scores.items():
        numbers = (scores.mse, scores.r2, *scores.r2_by_series, scores.nll)
        table.add_row(name, *(shown(number) for number in numbers))
    console = Console(highlight=False)
    console.print(table)
    if account:
        console.print(account, soft_wrap=True, markup=False)
    console.print(printable(f"{out}: written"), soft_wrap=True, markup=False)
