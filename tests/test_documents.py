"""What the documents point at exists, and every command that they show is one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = (ROOT, ROOT / "reports", ROOT / "notebooks")
DOCUMENTS = [document for folder in FOLDERS for document in sorted(folder.glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_leads_to_a_file(document):
    targets = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    missing = [link for link in targets if "://" not in link and not (document.parent / link).exists()]
    assert missing == []


def test_every_command_of_the_readme_is_one():
    from attn.cli import app as attn
    from diagnostics.cli import COMMANDS

    known = {
        "attn": {command.name or command.callback.__name__ for command in attn.registered_commands},
        "diagnose": set(COMMANDS),
    }
    shown = re.findall(r"^(attn|diagnose) (\w+)", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    assert shown
    assert [(program, name) for program, name in shown if name not in known[program]] == []
