"""What the report says in words and figures, for all of its forms."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from diagnostics.result import Measure, Report, Status, Symptom

STATUSES: tuple[Status, ...] = ("passed", "failed", "expected_failure", "skipped", "error")


@dataclass(frozen=True)
class TableRow:
    """One measure: what it means, a cell a subject (`value [low, high]`), and the number of pairs."""

    meaning: str
    cells: tuple[str, ...]
    num_pairs: str


def subject_names(reports: Sequence[Report]) -> tuple[str, ...]:
    """The names of the subjects; two that are called the same are numbered."""
    names = [report.subject for report in reports]
    if len(set(names)) == len(names):
        return tuple(names)
    return tuple(f"{name} ({place})" for place, name in enumerate(names, start=1))


def figure(value: float) -> str:
    """A number with three decimals, or three digits where it is large."""
    if math.isnan(value):
        return "not defined"
    shown = f"{value:.3f}" if abs(value) < 100 else f"{value:.3g}"
    return "0.000" if shown == "-0.000" else shown


def measure_table(symptoms: Sequence[Symptom | None]) -> tuple[TableRow, ...]:
    """All measures of some symptoms side by side, in the order in which they first stand."""
    by_name = [{m.name: m for m in symptom.measures} if symptom else {} for symptom in symptoms]
    meanings = {name: m.meaning for measures in by_name for name, m in measures.items()}
    return tuple(_table_row(meaning, [m.get(name) for m in by_name]) for name, meaning in meanings.items())


def _table_row(meaning: str, measures: Sequence[Measure | None]) -> TableRow:
    numbers = dict.fromkeys(str(measure.num_pairs) for measure in measures if measure)
    return TableRow(meaning, tuple(_cell(measure) for measure in measures), " / ".join(numbers))


def _cell(measure: Measure | None) -> str:
    if measure is None:
        return "not measured"
    if math.isnan(measure.value):
        return "not defined"
    return f"{figure(measure.value)} [{figure(measure.low)}, {figure(measure.high)}]"


def count_statuses(report: Report) -> str:
    """`20 of 25 checks passed, 5 failed`; says when the battery was not whole."""
    words = [f"{report.count('passed')} of {report.num_manifest} checks passed"]
    words += [
        f"{report.count(status)} {status.replace('_', ' ')}"
        for status in STATUSES[1:]
        if report.count(status)
    ]
    missing = report.num_manifest - len(report.results)
    return ", ".join([*words, f"{missing} not run"] if missing > 0 else words)


def has_oracle(symptom: Symptom) -> bool:
    """Whether the exact posterior stood beside the subject."""
    return any(curve.name.startswith("rmse_oracle") for curve in symptom.curves)


def five_lines(reports: Sequence[Report]) -> tuple[str, ...]:
    """The verdict for a terminal: first subject, what to change, second subject, errors, checks."""
    names = subject_names(reports)
    first = reports[0].diagnosis
    change = first.causes[0].mend if first.causes else "nothing that a check points at."
    other = (
        f"{names[1]}: {reports[1].diagnosis.verdict}"
        if len(reports) > 1
        else "No second subject was measured."
    )
    counts = "; ".join(f"{name}: {count_statuses(r)}" for name, r in zip(names, reports, strict=True))
    return (
        f"{names[0]}: {first.verdict}",
        f"To change: {change}",
        other,
        _errors_in_words(reports, names),
        f"{counts}.",
    )


def _errors_in_words(reports: Sequence[Report], names: Sequence[str]) -> str:
    words = []
    exact = None
    for report, name in zip(reports, names, strict=True):
        measures = {m.name: m for m in report.symptoms[0].measures} if report.symptoms else {}
        if "rmse_free_running" in measures:
            words.append(f"{name} {figure(measures['rmse_free_running'].value)}")
        exact = measures.get("rmse_oracle_free_running", exact)
    if not words:
        return "No error of free running was measured."
    words += [f"the exact GP {figure(exact.value)}"] if exact else []
    return f"Root mean square error, free running: {', '.join(words)}."


def attention_in_words(symptom: Symptom, name: str) -> str:
    """What the attention of the first target shows, and what it does not prove."""
    seen = symptom.attention
    if seen is None or not seen.mass_on_a:
        return f"{name} does not show its attention, so nothing is said of where it looks."
    on_a, on_b, points = seen.mass_on_a[0], seen.mass_on_b[0], seen.points_of_a[0]
    return (
        f"{name}: at the first target {_percent(on_a)} of the attention lies on A, which has"
        f" {_percent(points)} of the visible points, and {_percent(on_b)} on B, which has"
        f" {_percent(1 - points)}."
    )


def calibration_in_words(symptom: Symptom, name: str) -> str:
    """How often the truth lies where 90 % of it should, given the true past and in free running."""
    curves = {curve.name: curve for curve in symptom.curves}
    said = [
        f"{words} {_percent(curves[key].value[0])} do at the first target and"
        f" {_percent(curves[key].value[-1])} at the last"
        for key, words in _COVERAGES.items()
        if key in curves and curves[key].value
    ]
    if not said:
        return f"{name}: calibration was not measured."
    due = "90 % of the true values should lie in the central 90 % of their prediction"
    return f"{name}: {due}; {', '.join(said)}."


_COVERAGES = {
    "coverage_teacher_forced": "given the true past",
    "coverage_free_running": "in free running",
}


def _percent(share: float) -> str:
    return "an undefined share" if math.isnan(share) else f"{100 * share:.0f} %"
