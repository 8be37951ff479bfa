"""`diagnose report`: the symptom and the battery as HTML, Markdown, JSON and PNG."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from attn.commands.complete import completer, run_names
from attn.files import new_folder
from diagnostics.commands.output import (
    SUBJECT_HELP,
    QuietOption,
    SeedOption,
    SubjectOption,
    printable,
    printable_json,
    progress_bar,
)
from diagnostics.runner import TIME_LIMIT
from diagnostics.wording import five_lines


def report(
    subject: SubjectOption,
    out: Annotated[Path, typer.Option(help="Directory to write to; made if it does not exist.")],
    against: Annotated[
        str | None,
        typer.Option(
            help=f"A second subject, measured on the same pairs: {SUBJECT_HELP}.",
            autocompletion=completer(run_names),
        ),
    ] = None,
    seed: SeedOption = 0,
    num_pairs: Annotated[int, typer.Option(help="Held-out pairs for the measures.", min=2)] = 512,
    num_context: Annotated[int, typer.Option(help="Observed points of B, for the measures.", min=1)] = 13,
    check_timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", help="Give a check up that takes longer, a measure after 12 times as long."
        ),
    ] = TIME_LIMIT,
    json: Annotated[bool, typer.Option("--json", help="Print report.json, and nothing else.")] = False,
    quiet: QuietOption = False,
) -> int:
    """Measure a subject at the boundary, run the battery, and write HTML, Markdown, JSON and PNG.

    The pairs come from the subject's own process; those of Seattle and San Francisco are added where the
    package vega_datasets is installed.  Exit code 0 when the report was written, whatever it finds; 3 when it
    was written, but a check gave no answer or something could not be measured.
    """
    specs = [subject] if against is None else [subject, against]
    from diagnostics.investigate import investigate, num_steps
    from diagnostics.report import write_report

    bar = progress_bar(num_steps(len(specs)), subject, quiet=quiet)
    # a place that cannot be written to is said before the wait
    with new_folder(out), bar as advance:
        reports = investigate(
            specs,
            seed=seed,
            num_pairs=num_pairs,
            num_context=num_context,
            time_limit=check_timeout,
            on_step=advance,
        )
        words = ["diagnose", "report", "--subject", subject]
        words += [] if against is None else ["--against", against]
        words += ["--out", str(out), "--seed", str(seed)]
        words += ["--num-pairs", str(num_pairs), "--num-context", str(num_context)]
        words += [] if check_timeout == TIME_LIMIT else ["--check-timeout", f"{check_timeout:g}"]
        advance("drawing")
        written = write_report(reports, out, command=shlex.join(words))
    if json:
        print(printable_json(written.json.read_text(encoding="utf-8")))
    elif not quiet:
        print(printable(str(written.html)))
        for line in five_lines(reports):
            print(printable(line))
    for found in reports:
        for sentence in found.unmeasured:
            print(printable(f"diagnose: {found.subject}: {sentence}"), file=sys.stderr)
    return 3 if any(found.is_broken for found in reports) else 0
