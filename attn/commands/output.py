"""What the commands have in common: asking, writing files whole, and showing numbers."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeVar

import typer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Answer = TypeVar("Answer", str, int)

# Letters of a sentence on stderr; only names and paths of thousands of letters make one that is longer.
_LONGEST = 1000

QuietOption = Annotated[bool, typer.Option("--quiet", help="Print nothing but what went wrong.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print what was done as JSON, and nothing else on stdout.")
]


class CommandError(ValueError):
    """A command line that cannot be followed; one sentence: the rule, then what was received."""


def ask(question: str, option: str, kind: type[Answer]) -> Answer:
    """The answer of the user at the terminal; raises CommandError where nobody can answer."""
    if not is_interactive():
        raise CommandError(f"{option} must be given where no terminal can be asked; got none")
    return typer.prompt(question, type=kind)


def is_interactive() -> bool:
    """Whether a user sits at the terminal."""
    return sys.stdin.isatty()


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears only once it is whole; raises CommandError if the system refuses."""
    from attn.files import new_folder, write_whole

    try:
        with new_folder(path.parent), write_whole(path) as file:
            yield file
    except OSError as error:
        raise CommandError(f"{path} could not be written: {error.strerror or error}") from error


def save_figure(path: Path, figure: "Figure") -> None:
    """Write a figure as PNG."""
    with new_file(path) as file:
        figure.savefig(file, format="png", dpi=110)


def save_text(path: Path, text: str) -> None:
    """Write text as UTF-8."""
    with new_file(path) as file:
        file.write(text.encode())


def shown(value: float | None) -> str:
    """A number for a table on the screen; a dash where there is none."""
    return "-" if value is None else f"{value:.3g}"


def printable(text: str) -> str:
    """Text from outside without what could steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def one_sentence(text: str) -> str:
    """What is said of a mistake: one line that cannot steer a terminal, its middle left out if long."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 4 :]}"


def complain(program: str, sentence: str) -> None:
    """One line on stderr.  What a full disk refuses is given up, so that only the exit code says it."""
    for stream, text in ((sys.stderr, f"{program}: {one_sentence(sentence)}\n"), (sys.stdout, "")):
        try:
            stream.write(text)
            stream.flush()
        except OSError:  # what is still buffered must not raise again at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def tell(line: str) -> None:
    """Print a line that may hold text from outside."""
    typer.echo(printable(line))


def say(found: dict[str, Any], lines: list[str], *, quiet: bool, as_json: bool) -> None:
    """What a command has done: as JSON, or a line each, or not at all."""
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    elif not quiet:
        for line in lines:
            tell(line)


@contextmanager
def progress_bar(total: int, doing: str, *, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """A bar with the time left, on stderr where that is a terminal; gone when all is done.

    Yields what is called as each step is done, if it likes with what is done next.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    stderr = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    is_hidden = quiet or not stderr.is_terminal
    with Progress(*columns, console=stderr, transient=True, disable=is_hidden) as progress:
        task = progress.add_task(doing, total=total)
        yield lambda then=None: progress.update(task, advance=1, description=then)
