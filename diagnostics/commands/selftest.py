"""`diagnose selftest`: every fault against every check, and healthy variants for false alarms."""

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from diagnostics.commands.output import printable, progress_bar

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
    workers: Annotated[int, typer.Option(help="Processes side by side.", min=1)] = 2,
) -> int:
    """Inject every fault, run the battery over each, and over healthy variants; write the kill matrix.

    What was finished before an interruption is taken up.  Exit code 0 when every figure reaches its target,
    else 1.
    """
    out.mkdir(parents=True, exist_ok=True)  # a place that cannot be written to is said before the wait
    from diagnostics.selftest.report import in_words, write_selftest
    from diagnostics.selftest.run import plan, run_cells  # imports TensorFlow
    from diagnostics.selftest.summary import summarise

    started = time.perf_counter()
    count = num_healthy if num_healthy is not None else NUM_HEALTHY_QUICK if quick else NUM_HEALTHY
    cells = plan(num_healthy=count, all_severities=not quick)
    with progress_bar(len(cells), "the catalogue") as advance:
        results = run_cells(
            cells,
            out / ".cells.jsonl",
            num_workers=workers,
            on_result=lambda result: advance(result.cell.key),
        )
    summary = summarise(results, time.perf_counter() - started)
    words = ["diagnose", "selftest", *(["--quick"] if quick else []), "--out", str(out)]
    print(printable(str(write_selftest(summary, results, out, command=shlex.join(words)))))
    for line in in_words(summary):
        print(printable(line))
    for alarm in summary.alarms:
        print(printable(f"false alarm: variant {alarm.number}, {alarm.check}: {alarm.detail}"))
    for row in summary.faults:
        if not row.is_detected or (row.is_full and not row.is_named):
            print(printable(f"{row.fault} at {row.severity:g}: {_said(row.is_detected, row.causes)}"))
    return 0 if summary.is_met else 1


def _said(is_detected: bool, causes: tuple[str, ...]) -> str:
    if not is_detected:
        return "not detected"
    return f"not among the first three causes ({', '.join(causes) or 'none'})"
