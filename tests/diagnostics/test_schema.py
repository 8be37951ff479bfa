import json
from pathlib import Path
from typing import get_args

import jsonschema
import pytest

from diagnostics.cli import main
from diagnostics.regression.changes import CheckChange, Comparison, MeasureChange
from diagnostics.schema import Kind, ReportFile, schema_of
from tests.diagnostics.sample_reports import report
from tests.diagnostics.sweep.made import made

PUBLISHED = Path(__file__).parents[2] / "reports" / "schema"
NAN = float("nan")


def comparison():
    measure = MeasureChange(
        name="nll_gap", meaning="m", old=NAN, new=1.0, difference=NAN, low=NAN, high=float("inf"),
        p_value=None, verdict="better",
    )  # fmt: skip
    check = CheckChange(check="c", old=None, new="passed", detail="d", verdict="new check")
    return Comparison(
        old_subject="a", new_subject="b", seed=0, num_pairs=4, num_context=1,
        measures=(measure,), checks=(check,),
    )  # fmt: skip


WRITTEN = {
    "report": ReportFile(command="diagnose report", reports=(report(), report("other", status="passed"))),
    "check": report(num_data=0),
    "compare": comparison(),
    "sweep": made(["a failed error", "b passed passed"], statistic=NAN, lost="it was ended"),
}


@pytest.mark.parametrize("kind", get_args(Kind))
def test_what_is_written_is_of_the_schema_for_an_independent_reader(kind):
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_of(kind)))
    jsonschema.validate(json.loads(WRITTEN[kind].model_dump_json()), json.loads(schema_of(kind)))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_what_is_not_of_the_schema_is_refused_by_it(kind):
    content = json.loads(WRITTEN[kind].model_dump_json())
    for wrong in (
        content | {"extra": 1},
        {k: v for k, v in content.items() if "subject" not in k and k != "reports"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, json.loads(schema_of(kind)))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_the_published_copy_is_current_and_the_command_prints_it(kind, capsys):
    assert main(["schema", kind]) == 0
    assert capsys.readouterr().out == schema_of(kind)
    assert (PUBLISHED / f"{kind}.json").read_text() == schema_of(kind), (
        f"diagnose schema {kind} > {kind}.json"
    )


def test_the_schema_is_versioned():
    versions = {kind: json.loads(schema_of(kind))["$id"] for kind in get_args(Kind)}
    assert versions == {
        "report": "urn:attn-diagnostics:report:1.2",
        "check": "urn:attn-diagnostics:check:2",
        "compare": "urn:attn-diagnostics:compare:1",
        "sweep": "urn:attn-diagnostics:sweep:1",
    }


def test_another_form_is_refused_in_one_sentence(capsys):
    assert main(["schema", "verdict"]) == 2
    assert "'report', 'check', 'compare', 'sweep'" in capsys.readouterr().err
