"""`diagnose replay`: a stored failure, asked again."""

from pathlib import Path
from typing import Annotated

import typer

from attn.commands.output import say
from attn.files import load_pairs
from diagnostics.checks import find_check
from diagnostics.commands.output import FailuresOption, JsonOption, QuietOption, printable, progress_bar
from diagnostics.failures import DEFAULT_FOLDER, load_failure
from diagnostics.result import Status

# What is said of each status, and the exit code.
_ANSWERS: dict[Status, tuple[str, int]] = {
    "passed": ("FIXED", 0),
    "failed": ("STILL FAILING", 1),
    "skipped": ("NOT ANSWERED (skipped)", 3),
    "error": ("NOT ANSWERED (error)", 3),
}


def replay(
    failure_id: Annotated[str, typer.Argument(metavar="ID", help="As diagnose check printed it.")],
    failures: FailuresOption = DEFAULT_FOLDER,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Ask a stored failure again: the same subject, check, pairs and seed.

    Exit code 0: FIXED; 1: STILL FAILING; 2: no such ID, or no such subject; 3: the check was not answered.
    """
    failure = load_failure(failures, failure_id)
    check = find_check(failure.check)
    from diagnostics.examiner import Setup
    from diagnostics.isolated import run_checks_apart

    setup = Setup(
        source=None if failure.pairs is None else load_pairs(Path(failure.pairs)).pairs,
        checks=(check.name,),
        seed=failure.seed,
        num_pairs=failure.num_pairs,
    )
    with progress_bar(1, failure.spec, quiet=quiet) as advance:
        report = run_checks_apart(
            failure.spec, setup, num_manifest=1, on_result=lambda result: advance(result.check)
        )
    (result,) = report.results
    word, code = _ANSWERS[result.status]
    found = {"verdict": word, "subject": failure.spec, "result": result.model_dump(mode="json")}
    line = printable(f"{word}: {check.name} of {failure.spec}: {result.detail}")
    say(found, [line], quiet=quiet, as_json=json)
    return code
