"""Reports whose JSON was damaged: what is read is a report, or one sentence says why it is none."""

import json
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject
from diagnostics.checks import CHECKS
from diagnostics.result import SCHEMA_VERSION, Report
from diagnostics.runner import run_checks
from diagnostics.symptom import measure_symptom

PROCESS = PairProcess(num_points=6)
many = settings(max_examples=300, derandomize=True, database=None)


def write_report():
    oracle = OracleSubject(PROCESS)
    symptom = measure_symptom(oracle, PROCESS, num_pairs=4, num_context=2, seed=0)
    return run_checks(oracle, num_pairs=4, checks=CHECKS[-12:], symptoms=[symptom]).model_dump_json()


TEXT = write_report()
CONTENT = json.loads(TEXT)
WHOLE = Report.from_json(TEXT)
ANYTHING = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(codec="utf-8"), max_size=6),
        st.sampled_from(["passed", "NaN", "Infinity", "masking", "", "\n\n", 10**400, -1]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=6), inner, max_size=3),
    ),
    max_leaves=6,
)


def paths(value, path=()):
    """Every place in a JSON value, itself first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


PATHS = list(paths(CONTENT))


def parent_of(content, path):
    for key in path[:-1]:
        content = content[key]
    return content


def read(text):
    """The report, or the sentence; whatever else is raised fails the test."""
    try:
        return Report.from_json(text)
    except ValueError as error:
        said = str(error)
        assert said == " ".join(said.split())
        assert 10 < len(said) < 400
        return said


def test_a_whole_report_comes_back_as_it_was():
    assert json.loads(WHOLE.model_dump_json()) == CONTENT
    assert len(PATHS) > 500


@many
@given(path=st.sampled_from(PATHS[1:]), value=ANYTHING)
def test_a_value_of_another_kind_is_read_or_refused(path, value):
    content = deepcopy(CONTENT)
    parent_of(content, path)[path[-1]] = value
    found = read(json.dumps(content))
    if isinstance(found, Report):
        assert found.exit_code in ((0, 1, 3) if found.results else (3,))
        assert Report.from_json(found.model_dump_json()).model_dump_json() == found.model_dump_json()


@many
@given(path=st.sampled_from([path for path in PATHS[1:] if isinstance(path[-1], str)]))
def test_a_field_that_is_missing_is_read_or_refused(path):
    content = deepcopy(CONTENT)
    del parent_of(content, path)[path[-1]]
    read(json.dumps(content))


@many
@given(path=st.sampled_from(PATHS), name=st.text(st.characters(codec="utf-8"), max_size=6), value=ANYTHING)
def test_a_field_that_does_not_belong_is_refused_and_only_evidence_may_grow(path, name, value):
    content = deepcopy(CONTENT)
    place = content
    for key in path:
        place = place[key]
    if not isinstance(place, dict) or name in place:
        return
    place[name] = value
    found = read(json.dumps(content))
    assert isinstance(found, str) or path[-1] in ("evidence", "packages")


@many
@given(cut=st.integers(0, len(TEXT) - 1))
def test_a_text_that_was_cut_is_refused(cut):
    assert isinstance(read(TEXT[:cut]), str)


@many
@given(at=st.integers(0, len(TEXT) - 1), letters=st.text(max_size=3), length=st.integers(0, 40))
def test_letters_that_were_exchanged_are_read_or_refused(at, letters, length):
    read(TEXT[:at] + letters + TEXT[at + length :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "0",
        '"report"',
        "{" * 3000,
        "[" * 100_000,
        "\ufeff" + TEXT,
        "\x00",
        "\udc80" + TEXT,
    ],
    ids=["empty", "null", "list", "object", "number", "text", "braces", "deep", "bom", "nul", "surrogate"],
)
def test_what_is_no_report_at_all_is_refused(text):
    assert isinstance(read(text), str)


def test_a_report_without_results_is_not_green():
    empty = Report.from_json(json.dumps(CONTENT | {"results": [], "num_manifest": 0}))
    assert empty.exit_code == 3


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1, -1])
def test_another_schema_is_named(version):
    with pytest.raises(ValueError, match=f"schema_version must be {SCHEMA_VERSION}; got {version}"):
        Report.from_json(json.dumps(CONTENT | {"schema_version": version}))
