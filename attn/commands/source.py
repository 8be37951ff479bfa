"""Where the pairs of a command come from: a process, a file of pairs, a CSV file, or the real pair."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from attn.commands.complete import completer, kernel_names
from attn.commands.output import CommandError

if TYPE_CHECKING:
    from attn.processes import PairProcess
    from attn.tables import Table
    from attn.types import Pairs

_PANEL = "Data"
_WINDOW = 50
Kernel = Annotated[
    str | None,
    typer.Option(
        help="Draw fresh pairs from this process; see attn data. (original: kernel)",
        autocompletion=completer(kernel_names),
        rich_help_panel=_PANEL,
    ),
]
NumPoints = Annotated[
    int | None, typer.Option(help="Points a series of fresh pairs.", rich_help_panel=_PANEL)
]
Label = Annotated[
    str | None,
    typer.Option(help="Labels of fresh pairs: random, or rank as in the original.", rich_help_panel=_PANEL),
]
PairsFile = Annotated[
    Path | None, typer.Option("--pairs", help="A file that attn data wrote.", rich_help_panel=_PANEL)
]
ShardsFolder = Annotated[
    Path | None,
    typer.Option(
        "--shards",
        help="A folder of shards that attn data --shards wrote, for pairs that do not fit into memory.",
        rich_help_panel=_PANEL,
    ),
]
Csv = Annotated[
    Path | None, typer.Option(help="A CSV file in long form, one row a point.", rich_help_panel=_PANEL)
]
RealPair = Annotated[
    str | None,
    typer.Option(
        help="A pair that was measured: temperatures (Seattle, San Francisco), or delays (of flights from"
        " Newark, LaGuardia).",
        rich_help_panel=_PANEL,
    ),
]
XColumn = Annotated[str, typer.Option(help="Column of x, numbers or dates.", rich_help_panel=_PANEL)]
SeriesColumn = Annotated[
    str, typer.Option(help="Column that names the series of a row.", rich_help_panel=_PANEL)
]
YColumn = Annotated[str, typer.Option(help="Column of y.", rich_help_panel=_PANEL)]
SeriesA = Annotated[
    str | None, typer.Option("--name-a", help="Series of the CSV that is series A.", rich_help_panel=_PANEL)
]
SeriesB = Annotated[
    str | None, typer.Option("--name-b", help="Series of the CSV that is series B.", rich_help_panel=_PANEL)
]
Window = Annotated[
    int | None,
    typer.Option(
        help="Steps of x in a window of the table; missing: 50, and a day of delays.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Step = Annotated[
    float | None,
    typer.Option(help="Length of a step in x; missing: the median distance.", rich_help_panel=_PANEL),
]
DateFormat = Annotated[
    str | None, typer.Option(help="Format of dates, as for strptime.", rich_help_panel=_PANEL)
]


@dataclass(frozen=True)
class Request:
    """What the user said about the data; the names are those of the options."""

    kernel: str | None
    num_points: int | None
    label: str | None
    pairs: Path | None
    csv: Path | None
    real_pair: str | None
    x_column: str
    series_column: str
    y_column: str
    name_a: str | None
    name_b: str | None
    window: int | None
    step: float | None
    date_format: str | None
    shards: Path | None = None  # for a training alone

    def __post_init__(self) -> None:
        kinds = {
            "--kernel": self.kernel,
            "--pairs": self.pairs,
            "--shards": self.shards,
            "--csv": self.csv,
            "--real-pair": self.real_pair,
        }
        given = [name for name, value in kinds.items() if value]
        if len(given) > 1:
            raise CommandError(f"data must come from one source; got {' and '.join(given)}")
        if given and given != ["--kernel"] and (self.num_points is not None or self.label is not None):
            raise CommandError(f"--num-points and --label are for data that are drawn; got {given[0]}")


@dataclass(frozen=True, eq=False)
class Source:
    """Pairs that exist already, the table that they come from, and the process behind them, where known."""

    pairs: "Pairs"
    process: "PairProcess | None" = None
    table: "Table | None" = None

    def account(self) -> str:
        """What became of the rows of the table, in one line; empty where there is no table."""
        if self.table is None:
            return ""
        averaged, left_out = self.table.num_averaged, self.table.num_left_out
        return (
            f"{self.table.pairs.num_pairs} windows hold {self.table.pairs.valid.sum()} points;"
            f" averaged with others at the same x: {averaged} rows;"
            f" left out, in windows with too few of a series: {left_out} points"
        )


def requested_process(request: Request, otherwise: "PairProcess | None") -> "PairProcess | None":
    """The process to draw from; None where the user named existing data."""
    from attn.processes import named_process

    if request.pairs or request.shards or request.csv or request.real_pair:
        return None
    process = named_process(request.kernel) if request.kernel is not None else otherwise
    if process is None:
        raise CommandError(
            "this run knows no process to draw from: data must be given by --kernel, --pairs, --csv or"
            " --real-pair; got none"
        )
    changes: dict[str, Any] = {"num_points": request.num_points, "label": request.label}
    return replace(process, **{name: value for name, value in changes.items() if value is not None})


def read_source(request: Request, num_context: int) -> Source:
    """The existing data that the user named; y of a table is scaled by what is learnt from."""
    from attn.files import load_pairs
    from attn.real_pairs import named_real_pair
    from attn.tables import read_csv, real_pair

    if request.pairs is not None:
        saved = load_pairs(request.pairs)
        return Source(saved.pairs, _process_of(saved.spec))
    if request.real_pair:
        window = named_real_pair(request.real_pair).window if request.window is None else request.window
        table = real_pair(window, num_context, request.real_pair, is_split=True)
        return Source(table.pairs, table=table)
    assert request.csv is not None
    table = read_csv(
        request.csv,
        request.x_column,
        request.series_column,
        request.y_column,
        series_a=request.name_a,
        series_b=request.name_b,
        window=_WINDOW if request.window is None else request.window,
        num_context=num_context,
        step=request.step,
        date_format=request.date_format,
        is_split=True,
    )
    return Source(table.pairs, table=table)


def _process_of(spec: dict[str, Any]) -> "PairProcess | None":
    """The process that a file of pairs was drawn from, if its spec names one in full."""
    from attn.config import checked
    from attn.processes import PairProcess

    names = [field.name for field in fields(PairProcess)]
    if not set(names) <= spec.keys():
        return None
    return checked(PairProcess, {name: spec[name] for name in names}, "the spec of a file of pairs")


def drawn(process: "PairProcess", number: int, seed: int) -> Source:
    """`number` fresh pairs of the process."""
    return Source(process.sample(number, np.random.default_rng([seed, 0])), process)


def held_out(source: Source) -> Source:
    """The pairs that a training on the same data never sees, in the order of the data."""
    from attn.holdout import num_training

    return _rows(source, slice(num_training(source.pairs.num_pairs), None))


def first(source: Source, number: int) -> Source:
    """The first `number` pairs, or all if there are fewer."""
    return _rows(source, slice(number))


def _rows(source: Source, rows: slice) -> Source:
    table = None if source.table is None else source.table.rows(rows)
    return replace(source, pairs=source.pairs.rows(rows), table=table)
