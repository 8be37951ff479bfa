"""`attn runs`: the shipped runs and those in a folder, with their last figures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attn.commands.output import shown

if TYPE_CHECKING:
    from rich.table import Table

_FIGURES = {
    "train_loss": "train",
    "test_loss": "test",
    "test_mse": "MSE",
    "test_r2_series_0": "R^2 0",
    "test_r2_series_1": "R^2 1",
}


def runs(
    folder: Annotated[Path, typer.Option(help="Where attn train makes its runs.")] = Path("runs"),
) -> None:
    """List the shipped runs and those in a folder, with the figures of their last epoch."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from attn.runs import PRETRAINED

    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    for heading in ("run", "model", "regime", "epochs", *_FIGURES.values()):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("run", "model"))
    for root in (PRETRAINED, folder):
        for spec in sorted(root.glob("*/spec.json")):
            directory = spec.parent
            _add_row(table, directory.name if root == PRETRAINED else str(directory), directory)
    console = Console(highlight=False)
    console.print(table if table.row_count else f"no runs are shipped, and {folder} holds none")


def _add_row(table: "Table", name: str, directory: Path) -> None:
    """One run, named as `attn infer --run` takes it; a damaged one is listed as such and hides no other."""
    from rich.text import Text

    from attn.runs import RunError, read_summary

    try:
        summary = read_summary(directory)
        spec, last = summary.spec, (summary.history or [{}])[-1]
        about = [str(spec["model"]["kind"]), str(spec["training"]["regime"]), str(len(summary.history))]
        figures = [shown(last.get(name)) for name in _FIGURES]
    except (RunError, KeyError, TypeError, AttributeError, ValueError):
        about, figures = ["damaged"], []
    table.add_row(*(Text(cell) for cell in (name, *about, *figures)))
