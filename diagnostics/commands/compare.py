"""`diagnose compare`: a subject after a change, against its baseline."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from diagnostics.checks import CHECKS
from diagnostics.commands.output import (
    QuietOption,
    SubjectOption,
    console,
    plain_table,
    printable,
    printable_json,
    progress_bar,
    status_text,
)
from diagnostics.regression.baseline import read_baseline
from diagnostics.regression.changes import CheckChange, CheckVerdict, Comparison, MeasureChange, Verdict
from diagnostics.result import Status
from diagnostics.wording import figure

_COLORS: dict[Verdict | CheckVerdict, str] = {
    "worse": "bold red",
    "newly failed": "bold red",
    "unanswered": "yellow",
    "better": "green",
    "no longer fails": "green",
}


def compare(
    file: Annotated[Path, typer.Argument(help="What diagnose baseline wrote.")],
    subject: SubjectOption,
    json: Annotated[
        bool, typer.Option("--json", help="Print the comparison as JSON instead of tables.")
    ] = False,
    quiet: QuietOption = False,
) -> int:
    """Measure a subject on the pairs of a baseline, and say what moved.

    Exit code 0: nothing got worse; 1: a measure got significantly worse, or a check newly fails; 2: a wrong
    command, file or subject; 3: a check is unanswered.
    """
    baseline = read_baseline(file)
    from diagnostics.remeasure import compare_with_baseline

    with progress_bar(len(CHECKS) + 1, subject, quiet=quiet) as advance:
        comparison = compare_with_baseline(baseline, subject, on_step=advance)
    if json:
        print(printable_json(comparison.model_dump_json(indent=1)))
    elif not quiet:
        _print_comparison(comparison)
    return comparison.exit_code


def _print_comparison(comparison: Comparison) -> None:
    out = console()
    out.print(_measures_table(comparison.measures))
    moved = [change for change in comparison.checks if change.verdict != "unchanged"]
    if moved:
        out.print()
        out.print(_checks_table(moved))
    out.print()
    for line in _in_words(comparison):
        out.print(Text(printable(line)))


def _measures_table(changes: tuple[MeasureChange, ...]) -> Table:
    table = plain_table("measure", "old", "new", "difference [95 % interval]", "verdict")
    for change in changes:
        table.add_row(
            change.name,
            figure(change.old),
            figure(change.new),
            f"{figure(change.difference)} \\[{figure(change.low)}, {figure(change.high)}]",
            _verdict(change.verdict),
        )
    return table


def _checks_table(changes: list[CheckChange]) -> Table:
    table = plain_table("check", "old", "new", "verdict", "finding")
    for change in changes:
        table.add_row(
            change.check,
            _status(change.old),
            _status(change.new),
            _verdict(change.verdict),
            Text(printable(change.detail)),
        )
    return table


def _verdict(verdict: Verdict | CheckVerdict) -> Text:
    return Text("" if verdict in ("unchanged", "undirected") else verdict, style=_COLORS.get(verdict, ""))


def _status(status: Status | None) -> Text:
    return Text("not there") if status is None else status_text(status)


def _in_words(comparison: Comparison) -> tuple[str, ...]:
    """What was compared with what, and the outcome."""
    of_measures = [change.verdict for change in comparison.measures]
    of_checks = [change.verdict for change in comparison.checks]
    directed = len(of_measures) - of_measures.count("undirected")
    outcome = [
        f"{of_measures.count('worse')} of {directed} measures worse, {of_measures.count('better')} better",
        f"{of_checks.count('newly failed')} of {len(of_checks)} checks newly failed",
        f"{of_checks.count('no longer fails')} no longer fail",
    ]
    outcome += [f"{of_checks.count('unanswered')} unanswered"] if "unanswered" in of_checks else []
    return (
        f"{comparison.old_subject} before, {comparison.new_subject} after: {comparison.num_pairs} pairs,"
        f" {comparison.num_context} points of B observed, seed {comparison.seed}.",
        *([comparison.unmeasured] if comparison.unmeasured else []),
        f"{'; '.join(outcome)}.",
    )
