"""`diagnose baseline`: what is measured of a subject, kept for `diagnose compare`."""

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from attn.files import new_folder
from diagnostics.checks import CHECKS
from diagnostics.commands.output import QuietOption, SeedOption, SubjectOption, printable, progress_bar
from diagnostics.regression.baseline import MIN_PAIRS, Baseline, Plan, write_baseline


def baseline(
    subject: SubjectOption,
    out: Annotated[Path, typer.Option(dir_okay=False, help="File to write; one that exists is replaced.")],
    num_pairs: Annotated[int, typer.Option(help="Pairs for the measures.", min=MIN_PAIRS)] = 256,
    num_context: Annotated[int, typer.Option(help="Observed points of B, for the measures.", min=1)] = 13,
    seed: SeedOption = 0,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of lines; the pairs stand in the file alone.")
    ] = False,
    quiet: QuietOption = False,
) -> int:
    """Measure a subject and run the battery, and keep all of it, pair by pair, for diagnose compare.

    Exit code 0 when the file was written, whatever was found.
    """
    plan = Plan(seed=seed, num_pairs=num_pairs, num_context=num_context)
    from diagnostics.remeasure import measure_baseline

    bar = progress_bar(len(CHECKS) + 1, subject, quiet=quiet)
    # a place that cannot be written to is said before the wait
    with new_folder(out.parent), bar as advance:
        kept = measure_baseline(subject, plan, on_step=advance)
        write_baseline(out, kept)
    if json:
        print(json_format.dumps({"file": str(out), **_summary(kept)}, indent=1))
    elif not quiet:
        print(printable(str(out)))
        print(_in_words(kept))
    return 0


def _summary(kept: Baseline) -> dict[str, object]:
    """What was measured, without the pairs."""
    measures = {measure.name: measure.value for measure in kept.measures}
    return {"subject": kept.subject, "measures": measures, "statuses": kept.statuses}


def _in_words(kept: Baseline) -> str:
    passed = sum(status == "passed" for status in kept.statuses.values())
    return printable(
        f"{kept.subject}: {len(kept.measures)} measures of {kept.plan.num_pairs} pairs;"
        f" {passed} of {len(kept.statuses)} checks passed."
    )
