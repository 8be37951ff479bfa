"""`diagnose schema`: the published form of what the commands write as JSON."""

from typing import Annotated

import typer

from diagnostics.schema import Kind, schema_of


def schema(
    kind: Annotated[
        Kind, typer.Argument(help="report.json or sweep.json, or what that command prints with --json.")
    ] = "report",
) -> int:
    """Print the JSON Schema of a form; its $id ends with the version, which rises when a meaning changes."""
    print(schema_of(kind), end="")
    return 0
