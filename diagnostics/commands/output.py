"""What the commands have in common: options, a progress bar, and what is printed."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from attn.commands import output
from attn.commands.complete import completer, run_names
from attn.commands.output import JsonOption, QuietOption
from attn.commands.output import printable as printable
from diagnostics.cells.local import LocalWorkers
from diagnostics.cells.workers import Workers
from diagnostics.checks import CHECKS
from diagnostics.result import Status

__all__ = [
    "COLORS",
    "SUBJECT_HELP",
    "FailuresOption",
    "JsonOption",
    "PairsOption",
    "QuietOption",
    "SchedulerOption",
    "SeedOption",
    "SubjectOption",
    "WorkersOption",
    "check_names",
    "console",
    "plain_table",
    "printable",
    "progress_bar",
    "status_text",
    "workers_of",
]

SUBJECT_HELP = "the name of a shipped run, the directory of a run, or package.module:factory"
COLORS: dict[Status, str] = {
    "passed": "green",
    "failed": "bold red",
    "skipped": "dim",
    "error": "yellow",
    "expected_failure": "magenta",
}

SubjectOption = Annotated[
    str,
    typer.Option(
        "--subject",
        help=f"The model under diagnosis: {SUBJECT_HELP}.",
        autocompletion=completer(run_names),
    ),
]
SeedOption = Annotated[int, typer.Option(help="Seed of all that is drawn.", min=0)]
PairsOption = Annotated[
    Path | None,
    typer.Option(
        "--pairs",
        metavar="FILE",
        help="npz file of pairs (attn.files.save_pairs) to ask about; default: the subject's own process.",
    ),
]
WorkersOption = Annotated[
    int, typer.Option(help="Processes of one thread side by side, where no scheduler is given.", min=1)
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Scheduler of dask whose workers do it, such as tcp://127.0.0.1:8786; default: this machine.",
    ),
]
FailuresOption = Annotated[Path, typer.Option(help="Folder of the stored failures.")]


def workers_of(num_processes: int, scheduler: str | None) -> Workers:
    """What does the work: the workers of the scheduler at that address, or processes of this machine.

    Raises CommandError where the package that speaks to a scheduler is missing.
    """
    if scheduler is None:
        return LocalWorkers(num_processes)
    try:
        from diagnostics.cells.cluster import ClusterWorkers
    except ModuleNotFoundError as error:
        if error.name not in ("dask", "distributed"):
            raise
        raise output.CommandError(
            "--scheduler must find the package distributed; it is not installed"
            " (pip install 'attn-diagnostics[distributed]')"
        ) from error
    return ClusterWorkers(scheduler)


def check_names() -> list[str]:
    """The checks of the battery, for the shell to offer."""
    return [check.name for check in CHECKS]


def console() -> Console:
    """Where tables are printed; numbers keep their colour."""
    return Console(highlight=False)


def plain_table(*titles: str) -> Table:
    """A table without lines."""
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title)
    return table


def status_text(status: Status) -> Text:
    """A status in its colour."""
    return Text(status.replace("_", " "), style=COLORS[status])


def printable_json(text: str) -> str:
    """The same JSON, with what could steer a terminal escaped."""
    return "".join(_escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    if letter.isprintable() or letter == "\n":
        return letter
    return f"\\u{ord(letter):04x}" if letter <= "\uffff" else json.dumps(letter)[1:-1]


@contextmanager
def progress_bar(total: int, subject: str, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """The bar of `attn`, for texts from outside; yields what is called as each step is done."""
    with output.progress_bar(total, f"loading {printable(subject)}", quiet=quiet) as advance:
        yield lambda step: advance(printable(step))
