"""The command `diagnose`: check, report, list, explain."""

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as TextTable
from rich.text import Text
from typer.exceptions import TyperException

from attn.quiet import silence_tensorflow
from diagnostics.causes import FAULTS
from diagnostics.check import Check
from diagnostics.checks import CHECKS, find_check
from diagnostics.plugin import read_expected_failures
from diagnostics.result import CheckResult, Report, Status
from diagnostics.runner import NUM_PAIRS, run_checks
from diagnostics.wording import count_statuses, five_lines

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Find out why a model that looked good in training fails where its own predictions begin.",
    epilog="Exit codes of check: 0 all passed; 1 a finding; 2 a wrong command or subject; 3 incomplete.",
)

SUBJECT_HELP = "the name of a shipped run, the directory of a run, or package.module:factory"
COLORS: dict[Status, str] = {
    "passed": "green",
    "failed": "bold red",
    "skipped": "dim",
    "error": "yellow",
    "expected_failure": "magenta",
}

SubjectOption = Annotated[str, typer.Option("--subject", help=f"The model under diagnosis: {SUBJECT_HELP}.")]
SeedOption = Annotated[int, typer.Option(help="Seed of all that is drawn.", min=0)]


@app.command()
def check(
    subject: SubjectOption,
    check: Annotated[list[str] | None, typer.Option(help="Run only this check; may be repeated.")] = None,
    seed: SeedOption = 0,
    num_pairs: Annotated[int, typer.Option(help="Pairs that every check sees.", min=2)] = NUM_PAIRS,
    expected_failures: Annotated[
        Path | None,
        typer.Option(
            help='JSON file {"check": "reason"} of checks known to fail; one that passes is a finding.'
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON instead of a table.")
    ] = False,
) -> int:
    """Run the battery over a subject.

    Exit code 0: all passed; 1: a finding; 2: a wrong command, file or subject; 3: incomplete.
    """
    checks = tuple(find_check(name) for name in dict.fromkeys(check)) if check else CHECKS
    expected = read_expected_failures(None if expected_failures is None else str(expected_failures))
    left_out = {known.name for known in CHECKS} - {chosen.name for chosen in checks}
    expected = {name: reason for name, reason in expected.items() if name not in left_out}
    from diagnostics.adapters import load_subject  # imports TensorFlow

    with _progress(len(checks), subject) as advance:
        report = run_checks(
            load_subject(subject),
            seed=seed,
            num_pairs=num_pairs,
            checks=checks,
            spec=subject,
            expected_failures=expected,
            on_result=lambda result: advance(result.check),
        )
    if json:
        print(report.model_dump_json(indent=1))
    else:
        _print_results(report)
    return report.exit_code


@app.command()
def report(
    subject: SubjectOption,
    out: Annotated[Path, typer.Option(help="Directory to write to; made if it does not exist.")],
    against: Annotated[
        str | None, typer.Option(help=f"A second subject, measured on the same pairs: {SUBJECT_HELP}.")
    ] = None,
    seed: SeedOption = 0,
    num_pairs: Annotated[int, typer.Option(help="Held-out pairs for the measures.", min=2)] = 512,
    num_context: Annotated[int, typer.Option(help="Observed points of B, for the measures.", min=1)] = 13,
) -> int:
    """Measure a subject at the boundary, run the battery, and write HTML, Markdown, JSON and PNG.

    The pairs come from the subject's own process; those of Seattle and San Francisco are added where the
    package vega_datasets is installed.  Exit code 0 when the report was written, whatever it finds.
    """
    out.mkdir(parents=True, exist_ok=True)  # a place that cannot be written to is said before the wait
    specs = [subject] if against is None else [subject, against]
    from diagnostics.investigate import investigate, num_steps  # imports TensorFlow
    from diagnostics.report import write_report

    with _progress(num_steps(len(specs)), subject) as advance:
        reports = investigate(specs, seed=seed, num_pairs=num_pairs, num_context=num_context, on_step=advance)
        words = ["diagnose", "report", "--subject", subject]
        words += [] if against is None else ["--against", against]
        words += ["--out", str(out), "--seed", str(seed)]
        words += ["--num-pairs", str(num_pairs), "--num-context", str(num_context)]
        advance("drawing")
        written = write_report(reports, out, command=shlex.join(words))
    print(written.html)
    for line in five_lines(reports):
        print(_printable(line))
    return 0


@app.command("list")
def list_checks() -> int:
    """List all checks: name, family, and the question that each asks."""
    table = TextTable(box=None, pad_edge=False)
    for title in ("check", "family", "question"):
        table.add_column(title, no_wrap=title == "check")
    for known in CHECKS:
        table.add_row(known.name, known.family, known.question)
    _console().print(table)
    return 0


@app.command()
def explain(name: Annotated[str, typer.Argument(metavar="CHECK", help="The name of a check.")]) -> int:
    """Say what a check asks, how, what a failure means, and what to change."""
    print(_explanation(find_check(name)))
    return 0


def _explanation(known: Check) -> str:
    lines = [f"{known.name} ({known.family})", "", known.question, "", known.method, ""]
    if known.needs:
        lines += [f"Skipped where the subject does not offer {' and '.join(known.needs)}.", ""]
    lines.append("A failure points at, most likely first:")
    for suspect in known.suspects:
        lines += [f"  {suspect}: {FAULTS[suspect].title}", f"    {FAULTS[suspect].mend}"]
    again = shlex.join(["diagnose", "check", "--subject", "corrected", "--check", known.name])
    return "\n".join([*lines, "", f"Run it: {again}"])


def _print_results(report: Report) -> None:
    table = TextTable(box=None, pad_edge=False)
    for title in ("check", "status", "finding"):
        table.add_column(title)
    for result in report.results:
        table.add_row(result.check, _status(result), Text(_printable(result.detail)))
    console = _console()
    console.print(table)
    for result in report.results:
        if result.status in ("failed", "error"):
            console.print(Text(f"again: {_printable(result.repro)}"), soft_wrap=True)
    console.print(Text(_printable(f"{report.subject}: {report.diagnosis.verdict}")))
    console.print(Text(f"{count_statuses(report)}."))


def _status(result: CheckResult) -> Text:
    return Text(result.status.replace("_", " "), style=COLORS[result.status])


def _printable(text: str) -> str:
    """Text from outside without what could steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _console() -> Console:
    return Console(highlight=False)


@contextmanager
def _progress(total: int, subject: str) -> Iterator[Callable[[str], None]]:
    """A bar on stderr where that is a terminal; yields what is called as each step is done."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"loading {_printable(subject)}", total=total)
        yield lambda step: progress.update(task, advance=1, description=_printable(step))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code.  A user's mistake is one sentence on stderr, and code 2."""
    silence_tensorflow()
    try:
        code = app(
            args=None if arguments is None else list(arguments), prog_name="diagnose", standalone_mode=False
        )
    except TyperException as error:
        return _refuse(f"{error.format_message()} (diagnose --help lists what there is)")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{where}{error.strerror or error}")
    except ValueError as error:
        return _refuse(str(error))
    except (KeyboardInterrupt, typer.Abort):
        return _refuse("stopped", 130)
    return code if isinstance(code, int) else 0


def _refuse(sentence: str, code: int = 2) -> int:
    print(_printable(f"diagnose: {' '.join(sentence.split())}"), file=sys.stderr)
    return code
