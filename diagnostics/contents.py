"""What stands in a report: the reports of some subjects, put in order side by side, for all of its forms."""

from collections.abc import Sequence
from dataclasses import dataclass

from diagnostics import wording
from diagnostics.attribution import words as attributed
from diagnostics.pictures import DataPictures, Picture, draw_attribution, draw_checks, draw_data
from diagnostics.result import Attribution, CheckResult, Environment, Report, Symptom
from diagnostics.wording import TableRow

MOST_FILES = 3  # pictures beside the page: what a reviewer looks at


@dataclass(frozen=True)
class DataSection:
    """All that is shown of one set of pairs."""

    data: str
    names: tuple[str, ...]
    table: tuple[TableRow, ...]
    pictures: DataPictures
    attention: tuple[str, ...]
    calibration: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class AttributionSection:
    """Where the error of one subject comes from."""

    name: str
    attribution: Attribution
    by_target: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class CheckRow:
    """One check: its result for every subject, None where it was not run."""

    name: str
    family: str
    results: tuple[CheckResult | None, ...]

    @property
    def has_passed(self) -> bool:
        """Whether nobody need look at it."""
        return all(result is not None and result.status == "passed" for result in self.results)


@dataclass(frozen=True)
class Contents:
    """A report in the order in which it is read; what belongs to a subject stands in the order of `names`."""

    command: str
    names: tuple[str, ...]
    reports: tuple[Report, ...]
    counts: tuple[str, ...]
    sections: tuple[DataSection, ...]
    attributions: tuple[AttributionSection, ...]
    checks: tuple[CheckRow, ...]
    overview: Picture

    @property
    def environment(self) -> Environment:
        """Where it was made."""
        return self.reports[0].environment

    @property
    def again(self) -> str:
        """A line for each result that is not passed: what asks it again."""
        results = (result for report in self.reports for result in report.results)
        return "\n".join(result.repro for result in results if result.status != "passed")

    @property
    def files(self) -> dict[str, Picture]:
        """The pictures that become files of their own, by name: the worst pair, drift, waterfall."""
        found: dict[str, Picture] = {}
        for section in self.sections[:1]:
            if section.pictures.worst:
                found["forecast.png"] = section.pictures.worst[0]
            found["drift.png"] = section.pictures.drift
        for attributed_error in self.attributions[:1]:
            found["waterfall.png"] = attributed_error.pictures[0]
        found["checks.png"] = self.overview
        return dict(list(found.items())[:MOST_FILES])


def put_in_order(reports: Sequence[Report], command: str) -> Contents:
    """The contents of a report of these subjects, made by `command`; their symptoms in one order of data."""
    names = wording.subject_names(reports)
    num_data = max(len(report.symptoms) for report in reports)
    return Contents(
        command=command,
        names=names,
        reports=tuple(reports),
        counts=tuple(wording.count_statuses(report) for report in reports),
        sections=tuple(_section(reports, names, place) for place in range(num_data)),
        attributions=tuple(
            _attribution(report.attribution, name)
            for name, report in zip(names, reports, strict=True)
            if report.attribution is not None
        ),
        checks=_check_rows(reports),
        overview=draw_checks(reports),
    )


def _section(reports: Sequence[Report], names: Sequence[str], place: int) -> DataSection:
    found = [
        (name, r.symptoms[place]) for name, r in zip(names, reports, strict=True) if place < len(r.symptoms)
    ]
    shown, symptoms = tuple(name for name, _ in found), tuple(symptom for _, symptom in found)
    return DataSection(
        data=symptoms[0].data,
        names=shown,
        table=wording.measure_table(symptoms),
        pictures=draw_data(symptoms, shown),
        attention=tuple(wording.attention_in_words(symptom, name) for name, symptom in found),
        calibration=tuple(wording.calibration_in_words(symptom, name) for name, symptom in found),
        remarks=_remarks(found),
    )


def _remarks(found: Sequence[tuple[str, Symptom]]) -> tuple[str, ...]:
    """First what holds for all subjects, then what holds for one, with its name."""
    common = [
        remark for remark in found[0][1].remarks if all(remark in symptom.remarks for _, symptom in found)
    ]
    own = [f"{name}: {r}" for name, symptom in found for r in symptom.remarks if r not in common]
    return (*common, *own)


def _attribution(found: Attribution, name: str) -> AttributionSection:
    return AttributionSection(
        name=name,
        attribution=found,
        by_target=attributed.by_target(found.free_running),
        pictures=draw_attribution(found, name),
    )


def _check_rows(reports: Sequence[Report]) -> tuple[CheckRow, ...]:
    families = {result.check: result.family for report in reports for result in report.results}
    by_name = [{result.check: result for result in report.results} for report in reports]
    return tuple(
        CheckRow(name, family, tuple(results.get(name) for results in by_name))
        for name, family in families.items()
    )
