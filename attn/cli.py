"""The command `attn`: data, train, infer, study, project, runs.

A user's mistake is one sentence on stderr and exit code 2.  What is heavy to import is imported by the
command that needs it, so that `attn --help` answers at once.
"""

import os
import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from attn.commands.data import data
from attn.commands.infer import infer
from attn.commands.output import complain
from attn.commands.project import project
from attn.commands.runs import app as runs
from attn.commands.study import study
from attn.commands.train import train
from attn.quiet import silence_tensorflow

INTERRUPTED = 130

app = typer.Typer(
    name="attn",
    help="Draw pairs of sequences, train a model on them, continue one from the other.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for command in (data, train, infer, study, project):
    app.command()(command)
app.add_typer(runs, name="runs")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 0, with 2 after a mistake, or with 130 when interrupted."""
    silence_tensorflow()
    try:
        code = app(
            args=None if arguments is None else list(arguments), prog_name="attn", standalone_mode=False
        )
        if code == INTERRUPTED:  # what typer makes of Ctrl-C, without a word
            raise KeyboardInterrupt
    except TyperException as error:
        _refuse(
            error.format_message() or "a command must be given: data, train, infer, study, project or runs"
        )
    except BrokenPipeError:
        # The reader of a pipe has left; what is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _refuse(f"{error.filename or 'a file'} could not be read or written: {error.strerror or error}")
    except MemoryError as error:
        _refuse(f"the sizes must fit into memory: {str(error) or 'they do not'}")
    except (ValueError, OverflowError) as error:
        _refuse(str(error))
    except (typer.Abort, KeyboardInterrupt):
        complain("attn", "interrupted")
        sys.exit(INTERRUPTED)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _refuse(message: str) -> None:
    """One line on stderr, exit code 2."""
    complain("attn", message)
    sys.exit(2)
