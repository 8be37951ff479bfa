"""`diagnose list` and `diagnose explain`: what is asked, and what a failure means."""

import json as json_format
import shlex
from typing import Annotated

import typer
from rich.table import Table

from attn.commands.complete import completer
from diagnostics.causes import FAULTS
from diagnostics.check import Check
from diagnostics.checks import CHECKS, find_check
from diagnostics.commands.output import check_names, console


def list_checks(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> int:
    """List all checks: name, family, and the question that each asks."""
    if json:
        print(json_format.dumps([_as_json(known) for known in CHECKS], indent=1))
        return 0
    table = Table(box=None, pad_edge=False)
    for title in ("check", "family", "question"):
        table.add_column(title, no_wrap=title == "check")
    for known in CHECKS:
        table.add_row(known.name, known.family, known.question)
    console().print(table)
    return 0


def explain(
    name: Annotated[
        str,
        typer.Argument(metavar="CHECK", help="The name of a check.", autocompletion=completer(check_names)),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> int:
    """Say what a check asks, how, what a failure means, and what to change."""
    known = find_check(name)
    print(json_format.dumps(_as_json(known), indent=1) if json else _explanation(known))
    return 0


def _as_json(known: Check) -> dict[str, object]:
    return {
        "check": known.name,
        "family": known.family,
        "question": known.question,
        "method": known.method,
        "needs": known.needs,
        "suspects": {suspect: FAULTS[suspect].title for suspect in known.suspects},
    }


def _explanation(known: Check) -> str:
    lines = [f"{known.name} ({known.family})", "", known.question, "", known.method, ""]
    if known.needs:
        lines += [f"Skipped where the subject does not offer {' and '.join(known.needs)}.", ""]
    lines.append("A failure points at, most likely first:")
    for suspect in known.suspects:
        lines += [f"  {suspect}: {FAULTS[suspect].title}", f"    {FAULTS[suspect].mend}"]
    again = shlex.join(["diagnose", "check", "--subject", "corrected", "--check", known.name])
    return "\n".join([*lines, "", f"Run it: {again}"])
