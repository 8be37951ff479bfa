"""`diagnose sweep`: many subjects, faults and seeds before the battery."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from attn.commands.complete import completer, run_names
from attn.commands.output import CommandError
from diagnostics.causes import FAULTS
from diagnostics.checks import find_check
from diagnostics.commands.output import (
    SUBJECT_HELP,
    QuietOption,
    SchedulerOption,
    WorkersOption,
    check_names,
    printable,
    progress_bar,
    workers_of,
)
from diagnostics.runner import NUM_PAIRS, TIME_LIMIT


def sweep(
    subject: Annotated[
        list[str] | None,
        typer.Option(
            help=f"A model under diagnosis: {SUBJECT_HELP}, or a pattern of directories of runs, such as"
            " 'runs/*', in quotes; may be repeated.",
            autocompletion=completer(run_names),
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:SEVERITY]",
            help="A fault of the catalogue, injected into the project's own code; may be repeated.",
            autocompletion=completer(lambda: list(FAULTS)),
        ),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds and ranges of seeds, such as 0-4,7.")] = "0-9",
    check: Annotated[
        list[str] | None,
        typer.Option(help="Run only this check; may be repeated.", autocompletion=completer(check_names)),
    ] = None,
    num_pairs: Annotated[int, typer.Option(help="Pairs that every check sees.", min=2)] = NUM_PAIRS,
    check_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="Give a check up that takes longer.")
    ] = TIME_LIMIT,
    out: Annotated[Path, typer.Option(help="Directory to write to; made if it does not exist.")] = Path(
        "reports/sweep"
    ),
    workers: WorkersOption = 2,
    scheduler: SchedulerOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print sweep.json, and nothing else.")] = False,
    quiet: QuietOption = False,
) -> int:
    """Run the battery over every subject and fault under every seed, and count what fails.

    Writes sweep.csv, .md, .json and .png.  A sweep that was interrupted is taken up by the same command; one
    that came to its end begins anew.  Workers of a scheduler must have the same code of this package, and
    find every subject where this command does.

    Exit code 0: all passed; 1: a finding; 2: a wrong command or subject; 3: incomplete.
    """
    if not (subject or fault):
        raise CommandError("at least one --subject or --fault must be given; got none")
    by = workers_of(workers, scheduler)
    checks = [find_check(name).name for name in dict.fromkeys(check)] if check else check_names()
    from diagnostics.sweep import plan, run  # imports TensorFlow
    from diagnostics.sweep.report import sweep_in_words, write_sweep

    asked = [*plan.find_subjects(subject or ()), *plan.find_faults(fault or ())]
    numbers = plan.parse_seeds(seeds)
    cells = plan.plan(asked, numbers, checks, num_pairs=num_pairs, time_limit=check_timeout)
    out.mkdir(parents=True, exist_ok=True)  # a place that cannot be written to is said before the wait
    words = ["diagnose", "sweep"]
    words += [word for given in subject or () for word in ("--subject", given)]
    words += [word for given in fault or () for word in ("--fault", given)]
    words += ["--seeds", seeds, "--out", str(out)]
    words += [word for given in check or () for word in ("--check", given)]
    words += [] if num_pairs == NUM_PAIRS else ["--num-pairs", str(num_pairs)]
    store = out / ".cells.jsonl"
    with progress_bar(len(cells), f"{len(asked)} subjects", quiet=quiet) as advance:
        found = run.sweep(
            cells,
            store,
            workers=by,
            command=shlex.join(words),
            on_result=lambda result: advance(f"{result.cell.subject}, seed {result.cell.seed} done"),
        )
    written = write_sweep(found, out)
    if not any(cell.lost for cell in found.cells):
        # nobody knows whether a subject by a factory is still the same when it is asked next
        store.unlink()
    if json:
        print(found.model_dump_json(indent=1))
    elif not quiet:
        for sentence in sweep_in_words(found):
            print(printable(sentence))
        print(written.markdown)
    return found.exit_code
