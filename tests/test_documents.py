"""What the documents point at exists, and every command that they show is one."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests import command_reference

ROOT = Path(__file__).parent.parent
FOLDERS = (ROOT, ROOT / "reports", ROOT / "notebooks")
DOCUMENTS = [document for folder in FOLDERS for document in sorted(folder.glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_leads_to_a_file(document):
    targets = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    missing = [link for link in targets if "://" not in link and not (document.parent / link).exists()]
    assert missing == []


def test_every_command_of_the_readme_is_one():
    known = {name for name, _ in command_reference.commands()}
    shown = re.findall(r"^(?:attn|diagnose) \w+", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    assert shown
    assert [name for name in shown if name not in known] == []


def test_the_readme_documents_every_command_and_option():
    """`make reference` renews what the README says of them."""
    assert command_reference.in_readme() == command_reference.reference()


def test_the_reference_holds_what_help_lists():
    """Compared with the help at the terminal, which is made another way."""
    reference = command_reference.reference()
    for name, _ in command_reference.commands():
        section = reference.partition(f"<code>{name}</code>")[2].partition("</details>")[0]
        listed = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", _help(name))) - {"--help"}
        assert {option for option in listed if option not in section} == set(), name


def test_every_command_and_option_says_what_it_does():
    for name, command in command_reference.commands():
        assert command.help, name
        assert [parameter.name for parameter in command.params if not parameter.help] == [], name


def _help(name):
    """What NAME --help prints, wide enough that nothing is cut."""
    from attn.cli import app as attn
    from diagnostics.cli import app as diagnose

    program, *words = name.split()
    app = {"attn": attn, "diagnose": diagnose}[program]
    return CliRunner(env={"COLUMNS": "250", "TERM": "dumb"}).invoke(app, [*words, "--help"]).stdout
