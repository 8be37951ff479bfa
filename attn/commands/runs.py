"""`attn runs`: list, delete, export and import runs; none of them needs TensorFlow."""

import json as json_format
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from attn.commands.complete import completer, run_names
from attn.commands.output import CommandError, JsonOption, QuietOption, is_interactive, printable, say, shown

_FIGURES = {
    "train_loss": "train",
    "test_loss": "test",
    "test_mse": "MSE",
    "test_r2_series_0": "R^2 0",
    "test_r2_series_1": "R^2 1",
}

FolderOption = Annotated[Path, typer.Option(help="Where attn train makes its runs.")]
RunArgument = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run as attn runs lists it.", autocompletion=completer(run_names)),
]

app = typer.Typer(invoke_without_command=True, help="List runs; delete, export or import them.")


@app.callback()
def runs(context: typer.Context, folder: FolderOption = Path("runs"), json: JsonOption = False) -> None:
    """List the shipped runs and those in a folder, with the figures of their last epoch."""
    if context.invoked_subcommand is None:
        list_runs(folder, json)


@app.command("list")
def list_runs(folder: FolderOption = Path("runs"), json: JsonOption = False) -> None:
    """List the shipped runs and those in a folder, with the figures of their last epoch."""
    from attn.catalogue import PRETRAINED, run_directories

    shipped = [_entry(directory.name, directory) for directory in run_directories(PRETRAINED)]
    entries = shipped + [_entry(str(directory), directory) for directory in run_directories(folder)]
    if json:
        typer.echo(json_format.dumps([entry.as_json() for entry in entries], indent=1))
    else:
        _print_table(entries, folder)


@app.command()
def delete(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...", help="Runs as attn runs lists them.", autocompletion=completer(run_names)
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Delete runs for good; asks first.

    A shipped run is refused, and so is a directory that holds anything else.
    """
    from attn.archive import check_deletable, delete_run, finish_deletion
    from attn.catalogue import find_run

    finished = [run for run in dict.fromkeys(runs) if finish_deletion(Path(run))]
    for run in finished:
        typer.echo(f"{run}: deleted")
    directories = [find_run(run) for run in dict.fromkeys(runs) if run not in finished]
    for directory in directories:
        check_deletable(directory)
    names = ", ".join(map(str, directories))
    if not yes and directories:
        if not is_interactive():
            raise CommandError(f"--yes must be given where no terminal can be asked; {names} is kept")
        typer.confirm(printable(f"Delete {names} for good?"), abort=True)
    deleted: list[str] = []
    try:
        for directory in directories:
            delete_run(directory)
            deleted.append(str(directory))
    finally:  # where one cannot be deleted, those before it are gone
        say({"deleted": deleted}, [f"{run}: deleted" for run in deleted], quiet=quiet, as_json=json)


@app.command()
def export(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option(help="File to write; missing: RUN.zip here.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Pack a finished run into one zip file: spec, history, config and weights, no code."""
    from attn.archive import export_run
    from attn.catalogue import find_run

    directory = find_run(run)
    target = out or Path(f"{directory.resolve().name}.zip")
    if target.exists() and not overwrite:
        raise CommandError(f"the archive must be a new file; {target} exists (--overwrite replaces it)")
    export_run(directory, target)
    size = target.stat().st_size
    say({"file": str(target), "bytes": size}, [f"{target}: {size} bytes"], quiet=quiet, as_json=json)


@app.command("import")
def import_(
    archive: Annotated[Path, typer.Argument(help="What attn runs export wrote.")],
    folder: Annotated[Path, typer.Option(help="Where the directory of the run is made.")] = Path("runs"),
    name: Annotated[
        str | None, typer.Option(help="Its name; missing: the one it had.", show_default=False)
    ] = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Unpack a run; an archive with anything that is no run, or with damaged weights, is refused."""
    from attn.archive import import_run

    directory = import_run(archive, folder, name)
    say({"run": str(directory)}, [f"{directory}: imported"], quiet=quiet, as_json=json)


@dataclass(frozen=True)
class _Entry:
    """A run in the list, named as `attn infer --run` takes it; one that cannot be read has no `about`."""

    name: str
    about: tuple[str, str, int] | None  # model, regime, epochs
    figures: dict[str, float]

    def as_json(self) -> dict[str, object]:
        if self.about is None:
            return {"run": self.name, "damaged": True}
        model, regime, epochs = self.about
        return {"run": self.name, "model": model, "regime": regime, "epochs": epochs, "figures": self.figures}


def _entry(name: str, directory: Path) -> _Entry:
    """A damaged run is listed as such and hides no other."""
    from attn.catalogue import RunError, read_summary

    try:
        summary = read_summary(directory)
        spec, last = summary.spec, (summary.history or [{}])[-1]
        about = (str(spec["model"]["kind"]), str(spec["training"]["regime"]), len(summary.history))
        return _Entry(name, about, {key: float(last[key]) for key in _FIGURES if key in last})
    except (RunError, KeyError, TypeError, AttributeError, ValueError):
        return _Entry(name, None, {})


def _print_table(entries: list[_Entry], folder: Path) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    for heading in ("run", "model", "regime", "epochs", *_FIGURES.values()):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("run", "model"))
    for entry in entries:
        about = ["damaged"] if entry.about is None else [str(part) for part in entry.about]
        figures = [shown(entry.figures.get(name)) for name in _FIGURES] if entry.about else []
        table.add_row(*(Text(printable(cell)) for cell in (entry.name, *about, *figures)))
    console = Console(highlight=False)
    console.print(table if entries else Text(printable(f"no runs are shipped, and {folder} holds none")))
