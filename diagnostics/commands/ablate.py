"""`diagnose ablate`: train the historic decoder with and without each suspected cause of the drop."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from diagnostics.ablation.result import MEASURES, Ablation
from diagnostics.ablation.words import ablation_in_words, figure
from diagnostics.commands.output import (
    JsonOption,
    QuietOption,
    SchedulerOption,
    SeedOption,
    WorkersOption,
    console,
    plain_table,
    printable,
    progress_bar,
    workers_of,
)
from diagnostics.result import Estimate


def ablate(
    out: Annotated[Path, typer.Option(help="Directory to write to; made if it does not exist.")] = Path(
        "reports/ablation"
    ),
    steps: Annotated[int, typer.Option(help="Steps of every training.", min=1)] = 3000,
    num_pairs: Annotated[
        int, typer.Option(help="Held-out pairs that every row is asked about.", min=2)
    ] = 256,
    seed: SeedOption = 0,
    workers: WorkersOption = 2,
    scheduler: SchedulerOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Train ten variants of the historic decoder, and measure each at the boundary: 14 rows.

    Labels in queries and keys x order of training x heads when restored, and six other traits off one at a
    time.  Writes ablation.md, .csv, .json and .png.  Finished trainings are kept in the folder .runs there:
    the same command goes on where it was stopped.  Workers of a scheduler keep theirs there if they see the
    folder, else none.  Exit code 0 when all was written, whatever was found.
    """
    by = workers_of(workers, scheduler)
    folder = out / ".runs"
    folder.mkdir(parents=True, exist_ok=True)  # a place that cannot be written to is said before the wait
    from diagnostics.ablation import ablate  # imports TensorFlow
    from diagnostics.ablation.report import write_ablation

    plan = ablate.Plan(num_steps=steps, num_pairs=num_pairs, seed=seed)
    with progress_bar(len(ablate.trainings()), "what is kept", quiet=quiet) as advance:
        found = ablate.ablate(
            plan, folder, workers=by, on_result=lambda result: advance(f"{result.name} done")
        )
    words = ["diagnose", "ablate", "--out", str(out), "--steps", str(steps)]
    words += ["--num-pairs", str(num_pairs), "--seed", str(seed)]
    written = write_ablation(found, out, command=shlex.join(words))
    if json:
        print(written.json.read_text(encoding="utf-8"), end="")
    elif not quiet:
        _print_ablation(found)
        print(printable(str(written.markdown)))
    return 0


def _print_ablation(ablation: Ablation) -> None:
    console().print(_table(ablation))
    print()
    for line in ablation_in_words(ablation):
        print(printable(line))


def _table(ablation: Ablation) -> Table:
    """Every row with its measures and their 95 % intervals."""
    table = plain_table("", *MEASURES.values())
    table.columns[0].overflow = "fold"
    for row in ablation.rows:
        title = f"{row.title} (historic)" if row.is_historic else row.title
        table.add_row(title, *(_cell(row.measures[name]) for name in MEASURES))
    return table


def _cell(found: Estimate) -> Text:
    """The value, and below it the interval, as narrow as can be."""
    return Text(f"{figure(found.value)}\n{figure(found.low)}..{figure(found.high)}")
