"""The notebooks hold no definitions, and show what they gave when they were run from top to bottom."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

FOLDER = Path(__file__).parent.parent / "notebooks"
NAMES = ("01_train_and_infer.ipynb", "02_find_the_drop.ipynb", "03_your_own_model.ipynb")
LARGEST = 1_500_000  # bytes
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
# what stands in the paths of machines: homes, temporary folders, environments
OF_A_MACHINE = re.compile(r"/(?:home|root|tmp|Users|work|usr|var|opt|private)/|[A-Z]:\\|\.venv|site-packages")


@pytest.fixture(params=NAMES)
def path(request):
    return FOLDER / request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def definitions(source):
    """The definitions in the code of a cell; magics are read as the calls that they are."""
    tree = ast.parse(TransformerManager().transform_cell(source))
    return [type(node).__name__ for node in ast.walk(tree) if isinstance(node, DEFINITIONS)]


def texts(output):
    """What an output shows as text; pictures are left out."""
    shown = [output.get("text", "")]
    shown += [value for kind, value in output.get("data", {}).items() if not kind.startswith("image/")]
    return [str(value) for value in shown]


def test_these_are_all_notebooks():
    assert sorted(found.name for found in FOLDER.glob("*.ipynb")) == list(NAMES)


def test_it_is_a_valid_notebook_of_the_kernel_of_the_environment(notebook):
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f():\n    pass", ["FunctionDef"]),
        ("x = 1\nclass A:\n    y = lambda: 2", ["ClassDef", "Lambda"]),
        ("%matplotlib inline\nfor x in range(3):\n    print([y for y in (x,)])", []),
    ],
)
def test_definitions_are_recognised(source, found):
    assert sorted(definitions(source)) == found


def test_nothing_is_defined(notebook):
    found = {cell.id: definitions(cell.source) for cell in code_cells(notebook)}
    assert {cell: kinds for cell, kinds in found.items() if kinds} == {}


def test_one_cell_holds_the_parameters(notebook):
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert [cell is code_cells(notebook)[0] for cell in tagged] == [True]
    assert "ATTN_NOTEBOOK_SHORT" in tagged[0].source


def test_it_was_run_from_top_to_bottom_without_error(notebook):
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert "error" not in kinds
    assert {"display_data", "execute_result"} & kinds


def test_nothing_was_written_to_the_terminal(notebook):
    """Neither warnings nor log lines stand among the outputs."""
    streams = [o.text for cell in code_cells(notebook) for o in cell.outputs if o.output_type == "stream"]
    assert streams == []


def test_no_output_names_a_place_on_a_machine(notebook):
    shown = [text for cell in code_cells(notebook) for output in cell.outputs for text in texts(output)]
    assert [text[:200] for text in shown if OF_A_MACHINE.search(text)] == []


def test_no_source_names_a_place_on_a_machine(notebook):
    assert [cell.source[:200] for cell in notebook.cells if OF_A_MACHINE.search(cell.source)] == []


def test_it_is_small_enough_to_be_read_on_a_page(path):
    assert path.stat().st_size < LARGEST


def test_what_it_links_to_exists(notebook):
    said = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", said) if "://" not in link]
    assert [link for link in links if not (FOLDER / link).exists()] == []
