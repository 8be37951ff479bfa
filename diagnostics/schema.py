"""What the commands write as JSON: report.json, and the published JSON Schema (2020-12) of every form.

A version rises when a field changes meaning.  The copies in `reports/schema/` are these, word for word.
"""

import json
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import FloatSchema

from diagnostics.regression import changes
from diagnostics.regression.changes import Comparison
from diagnostics.result import SCHEMA_VERSION, Report
from diagnostics.sweep.result import Sweep

FILE_VERSION = 1


class ReportFile(BaseModel):
    """What report.json holds: the reports of the subject and of the one beside it, and how they were made.

    `file_version` rises when a field changes meaning; every report has a `schema_version` of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    file_version: int = FILE_VERSION
    command: str
    reports: tuple[Report, ...]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a report.json; raises ValueError if it was written under another version."""
        found = cls.model_validate_json(text)
        if found.file_version != FILE_VERSION:
            raise ValueError(f"file_version must be {FILE_VERSION}; got {found.file_version}")
        return found


# report and sweep: report.json and sweep.json of these commands; check and compare: what `--json` prints
Kind = Literal["report", "check", "compare", "sweep"]

_FORMS: dict[Kind, tuple[type[BaseModel], str]] = {
    "report": (ReportFile, f"{FILE_VERSION}.{SCHEMA_VERSION}"),
    "check": (Report, f"{SCHEMA_VERSION}"),
    "compare": (Comparison, f"{changes.SCHEMA_VERSION}"),
    "sweep": (Sweep, "1"),
}


class _Generator(GenerateJsonSchema):
    def float_schema(self, schema: FloatSchema) -> JsonSchemaValue:
        """JSON has no NaN: what is not finite stands as a string, and is read back."""
        return {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}


def schema_of(kind: Kind) -> str:
    """The JSON Schema of one form, as text that ends with a line break."""
    form, version = _FORMS[kind]
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:attn-diagnostics:{kind}:{version}",
    }
    body = form.model_json_schema(mode="serialization", schema_generator=_Generator)
    return json.dumps(head | body, indent=1) + "\n"
