"""Every command and option as tables in the README: `python -m tests.command_reference` renews them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- commands: make reference -->\n", "<!-- end of commands -->\n"


def commands() -> list[tuple[str, Any]]:
    """Every command of both programs, with the words that call it."""
    from attn.cli import app as attn
    from diagnostics.cli import app as diagnose

    programs = {"attn": attn, "diagnose": diagnose}
    return [found for name, app in programs.items() for found in _below(name, typer.main.get_command(app))]


def reference() -> str:
    """A folded table a command, from what the commands themselves declare."""
    return "\n".join(_section(name, command) for name, command in commands())


def in_readme() -> str:
    """The reference that the README holds."""
    return README.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def renew() -> None:
    """Put the reference of today into the README."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        sys.exit(f"{README.name} must hold the lines {BEGIN.strip()} and {END.strip()}")
    README.write_text(f"{before}{BEGIN}{reference()}{END}{after}", encoding="utf-8")


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """A command and all below it."""
    yield name, command
    for word, child in getattr(command, "commands", {}).items():
        yield from _below(f"{name} {word}", child)


def _section(name: str, command: Any) -> str:
    paragraphs = [" ".join(part.split()) for part in command.help.split("\n\n")]
    lines = ["<details>", f"<summary><code>{name}</code>: {paragraphs[0]}</summary>", ""]
    for paragraph in paragraphs[1:]:
        lines += [paragraph, ""]
    parameters = [parameter for parameter in command.params if not parameter.hidden]
    if parameters:
        lines += ["| name | default | what it does |", "|---|---|---|", *map(_row, parameters), ""]
    return "\n".join([*lines, "</details>", ""])


def _row(parameter: Any) -> str:
    cells = (_names(parameter), _default(parameter), parameter.help)
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def _names(parameter: Any) -> str:
    """`--on`, `--off`; an argument by its name in capitals."""
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if parameter.default is None or (parameter.default is False and not parameter.secondary_opts):
        return ""
    if isinstance(parameter.default, bool):
        return f"`{(parameter.opts if parameter.default else parameter.secondary_opts)[0]}`"
    return f"`{parameter.default}`"


if __name__ == "__main__":
    renew()
