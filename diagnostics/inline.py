"""What was found, as Markdown for a cell of a notebook; texts that come from a subject are escaped."""

from collections.abc import Iterable, Sequence

from diagnostics import markdown
from diagnostics.attribution.words import amount
from diagnostics.plots.overview import LOOKS
from diagnostics.result import Attribution, CheckResult, Diagnosis, Symptom
from diagnostics.wording import measure_table


def results_as_table(results: Iterable[CheckResult]) -> str:
    """One row a check: its name, its status with the sign of the pictures, and its sentence."""
    return _table(
        ("check", "status", "finding"),
        ((r.check, f"{LOOKS[r.status][1]} {r.status.replace('_', ' ')}", r.detail) for r in results),
    )


def measures_as_table(symptoms: Sequence[Symptom]) -> str:
    """One row a measure, one column a subject: `value [low, high]`."""
    rows = measure_table(symptoms)
    return _table(("measure", *(s.subject for s in symptoms)), ((row.meaning, *row.cells) for row in rows))


def causes_as_list(diagnosis: Diagnosis) -> str:
    """The verdict, then the causes, most likely first: each with its best evidence and what to change."""
    lines = [f"**{markdown.escape(diagnosis.verdict)}**", ""]
    for place, cause in enumerate(diagnosis.causes, start=1):
        title, evidence, mend = map(markdown.escape, (cause.title, cause.evidence[0], cause.mend))
        lines += [f"{place}. **{title}**", f"   - Seen by {evidence}", f"   - To change: {mend}"]
    return "\n".join(lines)


def probes_as_table(attribution: Attribution) -> str:
    """What becomes of the drift fraction at the first target under each intervention."""
    rows = attribution.at("first", "probe")
    return _table(
        ("intervention", "drift fraction under it", "in words"),
        ((row.title, amount(row.after), row.sentence) for row in rows if row.after is not None),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([markdown.escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
