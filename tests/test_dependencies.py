"""Dependencies are bounded: a major version that nobody has tried is not installed by itself."""

import ast
import re
from pathlib import Path

SETUP = Path(__file__).parents[1] / "setup.py"
# Stubs follow what they describe, which is bounded.
UNBOUNDED = {"pandas-stubs", "scipy-stubs", "types-seaborn"}


def requirements() -> list[str]:
    texts = [node.value for node in ast.walk(ast.parse(SETUP.read_text())) if isinstance(node, ast.Constant)]
    named = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*(\[[a-z,]+\])?(>=.*)")
    return [text for text in texts if isinstance(text, str) and named.fullmatch(text)]


def test_every_dependency_has_a_lower_and_an_upper_bound():
    found = requirements()
    assert len(found) > 30
    assert [text for text in found if not re.search(r">=[0-9.]+,<[0-9.]+$", text)] == []


def test_what_is_unbounded_is_a_stub():
    text = SETUP.read_text()
    assert all(f'"{name}"' in text for name in UNBOUNDED)
