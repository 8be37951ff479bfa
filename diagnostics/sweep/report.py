"""A sweep on disk: CSV, Markdown, JSON and PNG."""

import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from attn.files import write_whole
from diagnostics import markdown
from diagnostics.plots.style import render_png
from diagnostics.plots.sweep import draw_sweep, sweep_size
from diagnostics.sweep.result import Count, Sweep

COLUMNS = ("subject", "seed", "check", "status", "statistic", "tolerance", "seconds", "detail")
NUM_CAUSES = 3


@dataclass(frozen=True)
class WrittenSweep:
    """The files of a sweep."""

    table: Path
    markdown: Path
    json: Path
    picture: Path


def write_sweep(sweep: Sweep, directory: Path) -> WrittenSweep:
    """Write sweep.csv, .md, .json and .png.

    Raises OSError where the system refuses.
    """
    written = WrittenSweep(*(directory / f"sweep.{kind}" for kind in ("csv", "md", "json", "png")))
    contents = {
        written.picture: render_png(lambda ax: draw_sweep(ax, sweep), *sweep_size(sweep)),
        written.table: table(sweep).encode(),
        written.markdown: _markdown(sweep).encode(),
        written.json: f"{sweep.model_dump_json(indent=1)}\n".encode(),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        with write_whole(path) as file:
            file.write(content)
    return written


def table(sweep: Sweep) -> str:
    """The rows as CSV; numbers to the last digit, so that two tables are the same where the rows are."""
    buffer = io.StringIO()
    rows = pd.DataFrame([row.model_dump() for row in sweep.rows], columns=COLUMNS)
    rows.to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue()


def sweep_in_words(sweep: Sweep) -> list[str]:
    """A sentence a subject: how many checks fail, under how many seeds, and what is named first."""
    counts = sweep.counts()
    return [
        _sentence(sweep, name, [counts[name, check] for check in sweep.checks]) for name in sweep.subjects
    ]


def _sentence(sweep: Sweep, name: str, counts: list[Count]) -> str:
    num_always = sum(count.num_failed == len(sweep.seeds) for count in counts)
    num_ever = sum(count.num_failed > 0 for count in counts)
    num_open = sum(count.num_answered < count.num_seeds for count in counts)
    seeds = f"all {len(sweep.seeds)} seeds" if len(sweep.seeds) > 1 else f"seed {sweep.seeds[0]}"
    if not num_ever + num_open:
        return f"{name}: {len(counts)} of {len(counts)} checks pass under {seeds}."
    said = [f"{num_always} of {len(counts)} checks fail under {seeds}"]
    if num_ever > num_always:
        said.append(f"{num_ever - num_always} under some")
    if num_open:
        said.append(f"{num_open} lack an answer")
    causes = first_causes(sweep, name)
    if causes:
        said.append(f"named first: {_causes(causes)}")
    return f"{name}: {'; '.join(said)}."


def first_causes(sweep: Sweep, name: str) -> dict[str, int]:
    """The causes that were named first of a subject, with the number of seeds, most often first."""
    found = Counter(cell.cause for cell in sweep.cells if cell.subject == name and cell.cause)
    return dict(found.most_common(NUM_CAUSES))


def _causes(causes: Mapping[str, int]) -> str:
    return ", ".join(f"{cause} ({number})" for cause, number in causes.items())


def _markdown(sweep: Sweep) -> str:
    lines = [
        "# Sweep",
        "",
        f"{len(sweep.subjects)} subjects, {len(sweep.seeds)} seeds, {len(sweep.checks)} checks."
        f"  A seed draws the {sweep.num_pairs} pairs that the checks ask about and all that they draw; the"
        " subject stays what it is.",
        "",
        "![How often each check fails](sweep.png)",
        "",
        *(f"- {markdown.escape(sentence)}" for sentence in sweep_in_words(sweep)),
        "",
        "## What fails",
        "",
        *_failures(sweep),
        "",
        *_lost(sweep),
        str(markdown.fenced(sweep.command)),
    ]
    return "\n".join(lines) + "\n"


def _failures(sweep: Sweep) -> list[str]:
    """A line for every subject and check that failed or lacks an answer under some seed."""
    shown = {
        key: count
        for key, count in sweep.counts().items()
        if count.num_failed or count.num_answered < count.num_seeds
    }
    if not shown:
        return ["Every check passed under every seed."]
    head = [
        "| subject | check | failed | share, 95 % interval (Wilson) | without an answer |",
        "|---|---|---|---|---|",
    ]
    return head + [
        f"| {markdown.escape(name)} | {markdown.escape(check)} | {count.num_failed} of {count.num_answered}"
        f" | {_share(count)} | {count.num_seeds - count.num_answered or ''} |"
        for (name, check), count in shown.items()
    ]


def _share(count: Count) -> str:
    if not count.num_answered:
        return "unknown"
    low, high = count.interval
    return f"{100 * count.share:.0f} % [{100 * low:.0f} %, {100 * high:.0f} %]"


def _lost(sweep: Sweep) -> list[str]:
    lost = [cell for cell in sweep.cells if cell.lost]
    if not lost:
        return []
    cells = (f"- {markdown.escape(f'{cell.subject}, seed {cell.seed}: {cell.lost}')}" for cell in lost)
    return ["## Without a result", "", *cells, ""]
