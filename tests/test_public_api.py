"""The names that others may build on: there, typed, documented, and free of cost before their use."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("attn", "diagnostics")


def run(code):
    """Python code in a process of its own; gives what it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def typed_names(package):
    """What type checkers see: the names that `if TYPE_CHECKING` imports, with the module of each."""
    tree = ast.parse((ROOT / package / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {alias.name: line.module for line in block.body for alias in line.names}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_there_sorted_and_the_one_that_type_checkers_see(package):
    module = importlib.import_module(package)
    homes = typed_names(package)
    assert sorted(module.__all__) == sorted(homes) == dir(module)
    for name, home in homes.items():
        assert getattr(module, name) is getattr(importlib.import_module(home), name), name


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_says_what_it_is(package):
    module = importlib.import_module(package)
    described = [name for name in module.__all__ if not name.isupper()]
    assert [name for name in described if not getattr(module, name).__doc__] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_public_module_offers_the_function_that_it_is_named_after(package):
    module = importlib.import_module(package)
    named = [name for name in module.__all__ if isinstance(getattr(module, name), ModuleType)]
    assert named
    assert all(callable(getattr(getattr(module, name), name)) for name in named)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "first",
    [
        pytest.param("import attn.rollout", marks=SLOW),
        pytest.param("from attn import teacher_force", marks=SLOW),
        "pass",
    ],
)
def test_a_module_and_its_function_are_not_confused_whatever_was_imported_before(first):
    asked = run(
        f"{first}\nimport attn\nfrom attn import rollout\nprint(type(rollout), attn.rollout is rollout)"
    )
    assert asked == "<class 'module'> True"


@pytest.mark.parametrize("package", PACKAGES)
def test_an_import_loads_nothing_heavy(package):
    heavy = "{'tensorflow', 'keras', 'numpy', 'pandas', 'matplotlib', 'scipy', 'pydantic', 'typer'}"
    assert run(f"import sys, {package}\nprint({heavy} & set(sys.modules))") == "set()"


@pytest.mark.parametrize("package", PACKAGES)
def test_another_name_is_an_attribute_error_that_names_it(package):
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        importlib.import_module(package).nothing  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_the_readme_lists_just_the_public_names(package):
    text = (ROOT / "README.md").read_text()
    section = text.partition("## The public interface")[2].partition("\n## ")[0]
    table = section.partition(f"| of `{package}` |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = [name.strip(" `") for row in rows for name in row.split(",")]
    assert sorted(listed) == sorted(importlib.import_module(package).__all__)
