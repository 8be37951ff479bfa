"""`diagnose check`: the battery over a subject; what fails is stored, to be asked again by `replay`."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from attn.commands.complete import completer
from attn.commands.output import one_sentence
from attn.files import load_pairs
from diagnostics.checks import CHECKS, find_check
from diagnostics.commands.output import (
    FailuresOption,
    PairsOption,
    QuietOption,
    SeedOption,
    SubjectOption,
    check_names,
    console,
    plain_table,
    printable,
    printable_json,
    progress_bar,
    status_text,
)
from diagnostics.failures import DEFAULT_FOLDER, Failure, failures_of, store_failures
from diagnostics.plugin import read_expected_failures
from diagnostics.result import Report
from diagnostics.runner import NUM_CHECKS, NUM_PAIRS, TIME_LIMIT
from diagnostics.wording import count_statuses


def check(
    subject: SubjectOption,
    check: Annotated[
        list[str] | None,
        typer.Option(help="Run only this check; may be repeated.", autocompletion=completer(check_names)),
    ] = None,
    seed: SeedOption = 0,
    num_pairs: Annotated[int, typer.Option(help="Pairs that every check sees.", min=2)] = NUM_PAIRS,
    pairs: PairsOption = None,
    check_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="Give a check up that takes longer.")
    ] = TIME_LIMIT,
    expected_failures: Annotated[
        Path | None,
        typer.Option(
            help='JSON file {"check": "reason"} of checks known to fail; one that passes is a finding.'
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON instead of a table.")
    ] = False,
    quiet: QuietOption = False,
    failures: FailuresOption = DEFAULT_FOLDER,
    no_store: Annotated[bool, typer.Option("--no-store", help="Do not store what fails.")] = False,
) -> int:
    """Run the battery over a subject, and store what fails for diagnose replay.

    Exit code 0: all passed; 1: a finding; 2: a wrong command, file or subject; 3: incomplete.
    """
    checks = tuple(find_check(name) for name in dict.fromkeys(check)) if check else CHECKS
    expected = read_expected_failures(None if expected_failures is None else str(expected_failures))
    left_out = {known.name for known in CHECKS} - {chosen.name for chosen in checks}
    expected = {name: reason for name, reason in expected.items() if name not in left_out}
    source = None if pairs is None else load_pairs(pairs).pairs
    from diagnostics.examiner import Setup
    from diagnostics.isolated import run_checks_apart

    setup = Setup(
        source=source,
        checks=tuple(chosen.name for chosen in checks),
        seed=seed,
        num_pairs=num_pairs,
        options=() if pairs is None else ("--pairs", str(pairs)),
        expected_failures=expected,
        time_limit=check_timeout,
    )
    num_manifest = NUM_CHECKS if checks is CHECKS else len(checks)
    with progress_bar(len(checks), subject, quiet=quiet) as advance:
        report = run_checks_apart(
            subject, setup, num_manifest=num_manifest, on_result=lambda result: advance(result.check)
        )
    # what was expected to fail, and passes, has nothing to be asked again
    findings = [r for r in report.results if not (r.status == "failed" and r.check in expected)]
    found = failures_of(findings, spec=subject, num_pairs=num_pairs, pairs=pairs)
    stored = () if no_store else _store(failures, found)
    if json:
        print(printable_json(report.model_dump_json(indent=1)))
    elif not quiet:
        _print_results(report, _replays(stored, failures))
    return report.exit_code


def _store(folder: Path, failures: Sequence[Failure]) -> Sequence[Failure]:
    """What was stored; where the folder cannot be written to, that is said, and the findings stand."""
    try:
        store_failures(folder, failures)
    except OSError as error:
        said = f"diagnose: failures could not be stored in {folder}: {error.strerror or error}"
        print(one_sentence(said), file=sys.stderr)
        return ()
    return failures


def _replays(failures: Sequence[Failure], folder: Path) -> dict[str, str]:
    """By check, the command that asks again."""
    where = [] if folder == DEFAULT_FOLDER else ["--failures", str(folder)]
    return {failure.check: shlex.join(["diagnose", "replay", failure.id, *where]) for failure in failures}


def _print_results(report: Report, replays: dict[str, str]) -> None:
    table = plain_table("check", "status", "finding")
    for result in report.results:
        table.add_row(result.check, status_text(result.status), Text(printable(result.detail)))
    out = console()
    out.print(table)
    for result in report.results:
        if result.status in ("failed", "error"):
            out.print(Text(f"again: {printable(result.repro)}"), soft_wrap=True)
        if result.check in replays:
            out.print(Text(f"replay: {printable(replays[result.check])}"), soft_wrap=True)
    out.print(Text(printable(f"{report.subject}: {report.diagnosis.verdict}")))
    out.print(Text(f"{count_statuses(report)}."))
