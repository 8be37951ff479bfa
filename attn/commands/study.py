"""`attn study`: continue held-out windows of a table with every contender, and write who did how well."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attn.commands import source as data
from attn.commands.complete import completer, run_names
from attn.commands.output import (
    CommandError,
    JsonOption,
    QuietOption,
    printable,
    progress_bar,
    save_figure,
    save_text,
    tell,
)

if TYPE_CHECKING:
    from attn.study import Study, StudyConfig

_PANEL = "Study"
_SERIES = {"A": 0, "B": 1}


def study(
    run: Annotated[
        str,
        typer.Option(
            help="The run to start from: a shipped run, or a directory.",
            autocompletion=completer(run_names),
        ),
    ] = "corrected",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write to; missing: reports/real-NAME.", show_default=False),
    ] = None,
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
    series: Annotated[
        str, typer.Option(help="Which series is continued: A or B.", rich_help_panel=_PANEL)
    ] = "B",
    observed: Annotated[
        int | None,
        typer.Option(
            help="Observed points of that series; missing: 13, and 6 for delays.",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ] = None,
    steps: Annotated[
        int, typer.Option(help="Steps of either training.", min=1, rich_help_panel=_PANEL)
    ] = 400,
    samples: Annotated[
        int, typer.Option(help="Trajectories of a window.", min=1, rich_help_panel=_PANEL)
    ] = 50,
    seed: Annotated[
        int, typer.Option(help="Seed of training, samples and intervals.", min=0, rich_help_panel=_PANEL)
    ] = 0,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Fine-tuned, zero-shot, from scratch, fitted exact GP and rules of thumb, on windows held out.

    Learns from the first four fifths of the windows, scores the last fifth; writes study.md, study.json and
    forecast.png.  Takes some minutes.
    """
    if csv is None and real_pair is None:
        raise CommandError("a study needs data: --csv or --real-pair; got neither")
    if series not in _SERIES:
        raise CommandError(f"series must be one of {', '.join(_SERIES)}; got {series!r}")
    request = data.Request(
        None, None, None, None, csv, real_pair, x_column, series_column, y_column, name_a, name_b,
        window, step, date_format,
    )  # fmt: skip
    from attn.real_pairs import named_real_pair
    from attn.runs import find_run, load_run
    from attn.study import StudyConfig
    from attn.study import study as compare
    from attn.study_report import Words, study_figure, study_json, study_markdown

    pair = None if real_pair is None else named_real_pair(real_pair)
    if observed is None:
        observed = 13 if pair is None else pair.num_context
    loaded = load_run(find_run(run))
    source = data.read_source(request, observed)
    assert source.table is not None
    config = StudyConfig(
        target_series=_SERIES[series],
        num_context=observed,
        num_steps=steps,
        num_samples=samples,
        seed=seed,
    )
    with progress_bar(config.num_reports, "fitting", quiet=quiet) as advance:
        found = compare(loaded, source.table, config, advance)
    name = real_pair if csv is None else csv.stem
    out = out or Path("reports") / f"real-{name}"
    words = Words(
        title=f"Held-out windows of {name}",
        about="" if pair is None else f"Data: {pair.about}.",
        caveat="" if pair is None else pair.caveat,
        account=source.account(),
        command=_command(run, out, request, config),
    )
    save_text(out / "study.md", study_markdown(found, words))
    save_text(out / "study.json", study_json(found, words))
    save_figure(out / "forecast.png", study_figure(found))
    if json:
        typer.echo((out / "study.json").read_text(encoding="utf-8"))
    elif not quiet:
        _print_standings(found)
        typer.echo(source.account())
        tell(f"{out}: written")


def _command(run: str, out: Path, request: data.Request, config: "StudyConfig") -> str:
    """The command line that makes the same study again."""
    words = ["attn", "study", "--run", run]
    if request.csv is not None:
        words += ["--csv", str(request.csv)]
        columns: dict[str, str | float | None] = {
            "--x-column": request.x_column,
            "--series-column": request.series_column,
            "--y-column": request.y_column,
            "--name-a": request.name_a,
            "--name-b": request.name_b,
            "--step": request.step,
            "--date-format": request.date_format,
        }
        words += [str(word) for option in columns.items() if option[1] is not None for word in option]
    else:
        words += ["--real-pair", str(request.real_pair)]
    if request.window is not None:
        words += ["--window", str(request.window)]
    words += ["--series", list(_SERIES)[config.target_series], "--observed", str(config.num_context)]
    words += ["--steps", str(config.num_steps)]
    words += ["--samples", str(config.num_samples), "--seed", str(config.seed), "--out", str(out)]
    return printable(shlex.join(words))  # a line of its own in study.md, whatever the file is called


def _print_standings(found: "Study") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from attn.study_report import shown

    headings = ("", "RMSE", "NLL a target", "RMSE above\nfine-tuned", "NLL above\nfine-tuned")
    table = Table(*headings, box=box.SIMPLE, padding=0, show_edge=False)
    for name, standing in found.standings.items():
        figures = (standing.rmse, standing.nll, standing.rmse_more, standing.nll_more)
        # an interval below its figure: five columns of both are wider than most terminals
        table.add_row(name, *(shown(figure).replace(" [", "\n\\[") for figure in figures))
    Console(highlight=False).print(table)
