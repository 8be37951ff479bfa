"""A self-test on disk: the kill matrix as CSV and PNG, the figures as Markdown and JSON."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from attn.files import write_whole
from diagnostics.checks import CHECKS
from diagnostics.faults import CATALOGUE
from diagnostics.markdown import escape
from diagnostics.plots.kill_matrix import plot_kill_matrix
from diagnostics.plots.style import render_png
from diagnostics.selftest.run import CellResult
from diagnostics.selftest.summary import FaultRow, Share, Summary

NAMES = [check.name for check in CHECKS]


def write_selftest(summary: Summary, results: Sequence[CellResult], directory: Path, *, command: str) -> Path:
    """Write selftest.md, selftest.json, kill-matrix.csv and kill-matrix.png; returns the first.

    Raises OSError where the system refuses.
    """
    contents = {
        "kill-matrix.png": _picture(summary),
        "kill-matrix.csv": _table(results).encode(),
        "selftest.json": (json.dumps(as_json(summary), indent=1) + "\n").encode(),
        "selftest.md": _markdown(summary, command).encode(),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        with write_whole(directory / name) as file:
            file.write(content)
    return directory / "selftest.md"


def in_words(summary: Summary) -> list[str]:
    """One line a figure: what was measured, its interval, its target."""
    return [_sentence(share) for share in summary.shares]


def as_json(summary: Summary) -> dict[str, object]:
    """The figures as plain values: what selftest.json holds."""
    return {
        "shares": [asdict(share) | {"interval": share.interval} for share in summary.shares],
        "faults": [
            asdict(row) | {"detected": row.is_detected, "named": row.is_named} for row in summary.faults
        ],
        "alarms": [asdict(alarm) for alarm in summary.alarms],
        "num_healthy": summary.num_healthy,
        "seconds": round(summary.seconds),
    }


def _sentence(share: Share) -> str:
    low, high = share.interval
    verdict = "met" if share.is_met else "MISSED"
    return (
        f"{share.name}: {share.count} of {share.total} ({share.value:.1%}, 95 % interval {low:.1%} to"
        f" {high:.1%}; target {share.target:.0%}: {verdict})"
    )


def _picture(summary: Summary) -> bytes:
    full = [row for row in summary.faults if row.is_full]
    killed = [[name in row.killers for name in NAMES] for row in full]
    labels = [f"{row.row}  {row.fault}" for row in full]
    return render_png(lambda ax: plot_kill_matrix(ax, labels, NAMES, killed), width=10.5, height=11.0)


def _table(results: Sequence[CellResult]) -> str:
    """A row a cell, a column a check; the status of each."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["kind", "name", "severity", "number", *NAMES])
    for result in results:
        cell = result.cell
        statuses = [result.status.get(name, "") for name in NAMES]
        writer.writerow([cell.kind, cell.name, f"{cell.severity:g}", cell.number, *statuses])
    return buffer.getvalue()


def _markdown(summary: Summary, command: str) -> str:
    parts = [
        "# The suite examined by itself",
        f"Written by `{command}` in {summary.seconds / 60:.0f} minutes.  Every fault of the catalogue is"
        " injected into the project's own code path and put before the whole battery; healthy variants"
        " measure the false alarms.  A check detects a fault if it fails on it and passes on its sound twin.",
        *(f"- {line}" for line in in_words(summary)),
        "![Which check detects which fault](kill-matrix.png)",
        "## Faults",
        _fault_table(summary.faults),
        "## Checks",
        _check_table(summary),
        "## False alarms",
        _alarms(summary),
    ]
    return "\n\n".join(_joined(parts)) + "\n"


def _joined(parts: Sequence[str]) -> list[str]:
    """Lines of a list stand together."""
    blocks: list[str] = []
    for part in parts:
        if part.startswith("- ") and blocks and blocks[-1].startswith("- "):
            blocks[-1] += f"\n{part}"
        else:
            blocks.append(part)
    return blocks


def _fault_table(rows: Sequence[FaultRow]) -> str:
    summaries = {known.fault: known.summary for known in CATALOGUE}
    lines = [
        "| # | fault | severity | detected by | named | what was injected |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        place = row.causes.index(row.fault) + 1 if row.fault in row.causes else "not named"
        lines.append(
            f"| {row.row} | {row.fault} | {row.severity:g} | {len(row.killers)} checks"
            f" ({', '.join(row.killers[:3]) or 'none'}) | {place} | {escape(summaries[row.fault])} |"
        )
    return "\n".join(lines)


def _check_table(summary: Summary) -> str:
    lines = ["| check | detects | alone |", "|---|---|---|"]
    for check in CHECKS:
        alone = ", ".join(summary.only_killer_of(check.name))
        lines.append(f"| {check.name} | {len(summary.kills(check.name))} | {alone} |")
    return "\n".join(lines)


def _alarms(summary: Summary) -> str:
    if not summary.alarms:
        return f"None of {summary.num_healthy} healthy variants was flagged."
    return "\n".join(f"- variant {a.number}, {a.check}: {escape(a.detail)}" for a in summary.alarms)
