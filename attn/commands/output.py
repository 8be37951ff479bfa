"""What the commands have in common: asking, writing files whole, and showing numbers."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import typer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Answer = TypeVar("Answer", str, int)


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
    from attn.files import write_whole

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_whole(path) as file:
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
