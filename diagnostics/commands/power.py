"""`diagnose power`: how small a drop the checks see, and whether honest doubt is left alone."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from attn.commands.output import say
from attn.files import new_folder
from diagnostics.commands.output import (
    SUBJECT_HELP,
    JsonOption,
    QuietOption,
    SeedOption,
    progress_bar,
)
from diagnostics.runner import NUM_PAIRS


def power(
    out: Annotated[Path, typer.Option(help="Directory to write to; made if it does not exist.")],
    subject: Annotated[
        str | None,
        typer.Option(help=f"The healthy subject: {SUBJECT_HELP}; else the exact posterior of 16 points."),
    ] = None,
    num_runs: Annotated[int, typer.Option(help="Sets of pairs for every offset.", min=1)] = 100,
    num_pairs: Annotated[int, typer.Option(help="Pairs of a set, as in check.", min=2)] = NUM_PAIRS,
    seed: SeedOption = 0,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Move a healthy subject by 0.1 to 2 standard deviations at the boundary, and count what is flagged.

    Writes power.csv, power.md and power.png.  Exit code 0 when they were written, whatever was found.
    """
    from diagnostics.adapters import OracleSubject, load_subject  # imports TensorFlow
    from diagnostics.ask import SubjectError
    from diagnostics.power.curve import NUM_CONTEXT, PROCESS, measure_power, num_steps
    from diagnostics.power.report import as_json, power_in_words, write_power
    from diagnostics.subject import offers

    healthy = OracleSubject(PROCESS) if subject is None else load_subject(subject)
    if not offers(healthy, "process"):
        raise SubjectError(f"a subject must have a process to draw pairs from; {healthy.name} has none")
    process = healthy.process  # type: ignore[attr-defined]
    # a place that cannot be written to is said before the wait
    with new_folder(out), progress_bar(num_steps(), healthy.name, quiet=quiet) as advance:
        found = measure_power(
            healthy,
            process,
            num_context=NUM_CONTEXT if subject is None else None,
            num_runs=num_runs,
            num_pairs=num_pairs,
            seed=seed,
            on_step=advance,
        )
    words = ["diagnose", "power", "--out", str(out)]
    words += [] if subject is None else ["--subject", subject]
    words += ["--num-runs", str(num_runs), "--num-pairs", str(num_pairs), "--seed", str(seed)]
    name = "the exact posterior" if subject is None else healthy.name
    written = write_power(found, out, healthy=name, command=shlex.join(words))
    lines = [str(written.markdown), *power_in_words(found)]
    say(as_json(found), lines, quiet=quiet, as_json=json)
    return 0
