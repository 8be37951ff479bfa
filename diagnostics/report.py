"""A report on disk: one HTML file that needs no network, Markdown, JSON, and the pictures as PNG.

All texts that come from a subject (its name, what its checks say) are untrusted: they are escaped in HTML
and in Markdown, and never become the name of a file.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict

from attn.files import write_whole
from diagnostics import markdown, wording
from diagnostics.attribution import words as attributed
from diagnostics.pictures import DataPictures, Picture, draw_attribution, draw_checks, draw_data
from diagnostics.result import Attribution, CheckResult, Estimate, Report, Symptom
from diagnostics.wording import TableRow

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


@dataclass(frozen=True)
class Written:
    """The files of a report."""

    html: Path
    markdown: Path
    json: Path
    pictures: tuple[Path, ...]


@dataclass(frozen=True)
class _DataSection:
    """All that is shown of one set of pairs."""

    data: str
    names: tuple[str, ...]
    symptoms: tuple[Symptom, ...]
    table: tuple[TableRow, ...]
    pictures: DataPictures
    attention: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class _AttributionSection:
    """Where the error of one subject comes from."""

    name: str
    attribution: Attribution
    by_target: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class _CheckRow:
    """One check: its result for every subject, None where it was not run."""

    name: str
    family: str
    results: tuple[CheckResult | None, ...]


def write_report(reports: Sequence[Report], directory: Path, *, command: str) -> Written:
    """Write report.html, report.md, report.json and the pictures of one subject, or of two, to `directory`.

    reports     of the subject, and of the one to compare with; the symptoms of both in the same order of data
    command     the line that made the report, quoted for a shell

    Everything is drawn and rendered before the first file is touched, and no file takes its name before all
    are on the disk.  Raises ValueError for no report, OSError where the system refuses.
    """
    if not reports:
        raise ValueError("a report needs at least one subject; got none")
    content = _content(reports, command)
    pictures = _all_pictures(content)
    texts = {
        "report.html": _render_html(content),
        "report.md": _render_markdown(content),
        "report.json": ReportFile(command=command, reports=tuple(reports)).model_dump_json(indent=1),
    }
    files = {name: text.encode() for name, text in texts.items()}
    _write_together(directory, files | {picture.file: picture.png for picture in pictures})
    return Written(
        html=directory / "report.html",
        markdown=directory / "report.md",
        json=directory / "report.json",
        pictures=tuple(directory / picture.file for picture in pictures),
    )


def _write_together(directory: Path, files: dict[str, bytes]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as open_files:
        for name, content in files.items():
            file = open_files.enter_context(write_whole(directory / name))
            file.write(content)
            file.flush()  # a full disk shows here, before any file has taken its name


def _content(reports: Sequence[Report], command: str) -> dict[str, Any]:
    names = wording.subject_names(reports)
    num_data = max(len(report.symptoms) for report in reports)
    return {
        "subjects": list(zip(names, reports, strict=True)),
        "names": names,
        "sections": [_section(reports, names, place) for place in range(num_data)],
        "attributions": _attribution_sections(reports, names),
        "checks": _check_rows(reports),
        "overview": draw_checks(reports),
        "counts": [wording.count_statuses(report) for report in reports],
        "environment": reports[0].environment,
        "seed": reports[0].seed,
        "command": command,
    }


def _section(reports: Sequence[Report], names: Sequence[str], place: int) -> _DataSection:
    found = [
        (name, r.symptoms[place]) for name, r in zip(names, reports, strict=True) if place < len(r.symptoms)
    ]
    shown, symptoms = tuple(name for name, _ in found), tuple(symptom for _, symptom in found)
    said = [f"{name}: {remark}" for name, symptom in found for remark in symptom.remarks]
    common = [r for r in symptoms[0].remarks if all(r in symptom.remarks for symptom in symptoms)]
    own = [text for text in said if text.partition(": ")[2] not in common]
    return _DataSection(
        data=symptoms[0].data,
        names=shown,
        symptoms=symptoms,
        table=wording.measure_table(symptoms),
        pictures=draw_data(symptoms, shown, f"data-{place + 1}"),
        attention=tuple(wording.attention_in_words(symptom, name) for name, symptom in found),
        remarks=(*common, *own),
    )


def _attribution_sections(reports: Sequence[Report], names: Sequence[str]) -> list[_AttributionSection]:
    return [
        _AttributionSection(
            name=name,
            attribution=found,
            by_target=attributed.by_target(found.free_running),
            pictures=draw_attribution(found, name, place),
        )
        for place, (name, found) in enumerate(
            zip(names, (r.attribution for r in reports), strict=True), start=1
        )
        if found is not None
    ]


def _check_rows(reports: Sequence[Report]) -> list[_CheckRow]:
    families = {result.check: result.family for report in reports for result in report.results}
    by_name = [{result.check: result for result in report.results} for report in reports]
    return [
        _CheckRow(name, family, tuple(results.get(name) for results in by_name))
        for name, family in families.items()
    ]


def _all_pictures(content: dict[str, Any]) -> list[Picture]:
    pictures: list[Picture] = []
    for section in content["sections"]:
        drawn = section.pictures
        pictures += [*drawn.forecasts, drawn.drift, *drawn.attention, *drawn.errors]
    for section in content["attributions"]:
        pictures += section.pictures
    return [*pictures, content["overview"]]


def _data_uri(picture: Picture) -> Markup:
    return Markup(f"data:image/png;base64,{base64.b64encode(picture.png).decode()}")


def _amount(found: Estimate | None) -> str:
    return "not defined" if found is None else attributed.amount(found)


def _environment(*, autoescape: bool, finalize: Callable[[object], object] | None = None) -> Environment:
    environment = Environment(
        loader=PackageLoader("diagnostics"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=autoescape,
        finalize=finalize,
        keep_trailing_newline=True,
    )
    environment.filters["amount"] = _amount
    return environment


def _render_html(content: dict[str, Any]) -> str:
    environment = _environment(autoescape=True)
    environment.filters["data_uri"] = _data_uri
    css = environment.loader.get_source(environment, "report.css")[0]  # type: ignore[union-attr]
    # the page may use this style sheet and pictures that it carries itself; nothing else, no script at all
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return environment.get_template("report.html.j2").render(content, css=Markup(css), policy=policy)


def _render_markdown(content: dict[str, Any]) -> str:
    environment = _environment(autoescape=False, finalize=markdown.escape)
    environment.filters["fenced"] = markdown.fenced
    return environment.get_template("report.md.j2").render(content)
