"""The command `diagnose`: check, replay, report, sweep, power, selftest, ablate, baseline, compare, list,
explain, schema.

A user's mistake is one sentence on stderr and exit code 2.  What is heavy to import is imported by the
command that needs it, so that `diagnose --help` answers at once.
"""

from collections.abc import Callable, Sequence

import typer
from typer.exceptions import TyperException

from attn.commands.output import complain
from attn.quiet import silence_tensorflow
from diagnostics.commands.ablate import ablate
from diagnostics.commands.baseline import baseline
from diagnostics.commands.check import check
from diagnostics.commands.compare import compare
from diagnostics.commands.explain import explain, list_checks
from diagnostics.commands.power import power
from diagnostics.commands.replay import replay
from diagnostics.commands.report import report
from diagnostics.commands.schema import schema
from diagnostics.commands.selftest import selftest
from diagnostics.commands.sweep import sweep

INTERRUPTED = 130

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Find out why a model that looked good in training fails where its own predictions begin.",
    epilog="Exit codes: 0 nothing was found; 1 a finding; 2 a wrong command, file or subject; 3 incomplete.",
)
COMMANDS: dict[str, Callable[..., int]] = {
    "check": check,
    "replay": replay,
    "report": report,
    "sweep": sweep,
    "power": power,
    "selftest": selftest,
    "ablate": ablate,
    "baseline": baseline,
    "compare": compare,
    "list": list_checks,
    "explain": explain,
    "schema": schema,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code.  A user's mistake is one sentence on stderr, and code 2."""
    silence_tensorflow()
    try:
        code = app(
            args=None if arguments is None else list(arguments), prog_name="diagnose", standalone_mode=False
        )
        if code == INTERRUPTED:  # what typer makes of Ctrl-C, without a word
            raise KeyboardInterrupt
    except TyperException as error:
        return _refuse(f"{error.format_message()} (diagnose --help lists what there is)")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{where}{error.strerror or error}")
    except MemoryError as error:
        return _refuse(f"the sizes must fit into memory: {str(error) or 'they do not'}")
    except (ValueError, OverflowError) as error:
        return _refuse(str(error))
    except (KeyboardInterrupt, typer.Abort):
        return _refuse("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _refuse(sentence: str, code: int = 2) -> int:
    complain("diagnose", sentence)
    return code
