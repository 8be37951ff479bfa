"""`diagnose selftest`: every fault against every check, and healthy variants for false alarms."""

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attn.commands.output import say
from diagnostics.commands.output import (
    JsonOption,
    QuietOption,
    SchedulerOption,
    WorkersOption,
    printable,
    progress_bar,
    workers_of,
)

if TYPE_CHECKING:
    from diagnostics.selftest.summary import Summary

NUM_HEALTHY, NUM_HEALTHY_QUICK = 300, 30


def selftest(
    out: Annotated[Path, typer.Option(help="Directory to write to; made if it does not exist.")] = Path(
        "reports/selftest"
    ),
    quick: Annotated[
        bool, typer.Option("--quick", help="Every fault at full severity only, and 30 healthy variants.")
    ] = False,
    num_healthy: Annotated[
        int | None, typer.Option(help="Healthy variants; 300, or 30 with --quick.", min=0)
    ] = None,
    workers: WorkersOption = 2,
    scheduler: SchedulerOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Inject every fault, run the battery over each, and over healthy variants; write the kill matrix.

    What was finished before an interruption is taken up.  Exit code 0 when every figure reaches its target,
    else 1.
    """
    by = workers_of(workers, scheduler)
    out.mkdir(parents=True, exist_ok=True)  # a place that cannot be written to is said before the wait
    from diagnostics.selftest.report import as_json, write_selftest
    from diagnostics.selftest.run import plan, run_cells  # imports TensorFlow
    from diagnostics.selftest.summary import summarise

    started = time.perf_counter()
    count = num_healthy if num_healthy is not None else NUM_HEALTHY_QUICK if quick else NUM_HEALTHY
    cells = plan(num_healthy=count, all_severities=not quick)
    with progress_bar(len(cells), "the catalogue", quiet=quiet) as advance:
        results = run_cells(
            cells,
            out / ".cells.jsonl",
            workers=by,
            on_result=lambda result: advance(result.cell.key),
        )
    summary = summarise(results, time.perf_counter() - started)
    words = ["diagnose", "selftest", *(["--quick"] if quick else []), "--out", str(out)]
    written = write_selftest(summary, results, out, command=shlex.join(words))
    say(as_json(summary), [str(written), *_in_words(summary)], quiet=quiet, as_json=json)
    return 0 if summary.is_met else 1


def _in_words(summary: "Summary") -> list[str]:
    """Every figure beside its target, then what went wrong."""
    from diagnostics.selftest.report import in_words

    lines = in_words(summary)
    for alarm in summary.alarms:
        lines.append(f"false alarm: variant {alarm.number}, {alarm.check}: {alarm.detail}")
    for row in summary.faults:
        if not row.is_detected or (row.is_full and not row.is_named):
            lines.append(f"{row.fault} at {row.severity:g}: {_said(row.is_detected, row.causes)}")
    return [printable(line) for line in lines]


def _said(is_detected: bool, causes: tuple[str, ...]) -> str:
    if not is_detected:
        return "not detected"
    return f"not among the first three causes ({', '.join(causes) or 'none'})"
