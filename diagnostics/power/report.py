"""A power study on disk: CSV, Markdown and PNG."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from attn.files import write_whole
from diagnostics import markdown
from diagnostics.plots.power import NAMES, draw_power
from diagnostics.plots.style import render_png
from diagnostics.power.curve import Power, least_detected


@dataclass(frozen=True)
class WrittenPower:
    """The files of a power study."""

    table: Path
    markdown: Path
    picture: Path


def write_power(powers: Sequence[Power], directory: Path, *, healthy: str, command: str) -> WrittenPower:
    """Write power.csv, power.md and power.png; `healthy` names the subject that was moved.

    Raises OSError where the system refuses.
    """
    written = WrittenPower(*(directory / f"power.{kind}" for kind in ("csv", "md", "png")))
    contents = {
        written.picture: render_png(lambda ax: draw_power(ax, powers)),
        written.table: _table(powers).encode(),
        written.markdown: _markdown(powers, healthy, command).encode(),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        with write_whole(path) as file:
            file.write(content)
    return written


def as_json(powers: Sequence[Power]) -> dict[str, object]:
    """The study as plain values: one row an offset or control."""
    return {"powers": _rows(powers)}


def _rows(powers: Sequence[Power]) -> list[dict[str, object]]:
    return [
        {
            "subject": power.subject,
            "offset": power.size,
            "decay": power.decay,
            "runs": power.num_runs,
            "flagged": power.num_flagged,
            "share": power.share,
            "low": power.interval[0],
            "high": power.interval[1],
            **power.by_check,
        }
        for power in powers
    ]


def _table(powers: Sequence[Power]) -> str:
    buffer = io.StringIO()
    pd.DataFrame(_rows(powers)).to_csv(buffer, index=False, float_format="%.6g", lineterminator="\n")
    return buffer.getvalue()


def _markdown(powers: Sequence[Power], healthy: str, command: str) -> str:
    head = "| offset | decay | runs | flagged | share, exact 95 % interval | by |\n|---|---|---|---|---|---|"
    lines = [
        "# Minimum detectable drop",
        "",
        f"The healthy subject is {markdown.escape(healthy)}.  An offset towards the level of A is added to"
        " its predictions, in standard deviations of the exact posterior at the first target; with a decay,"
        " each target has that factor of the offset before it.  A run is flagged where a check of the"
        " boundary fails.",
        "",
        "![Share of runs flagged by the size of the offset](power.png)",
        "",
        *(f"- {markdown.escape(sentence)}" for sentence in power_in_words(powers)),
        "",
        head,
        *(_row(power) for power in powers),
        "",
        str(markdown.fenced(command)),
    ]
    return "\n".join(lines) + "\n"


def power_in_words(powers: Sequence[Power]) -> tuple[str, ...]:
    """What the study found, a sentence an item."""
    said = []
    for decay, name in NAMES.items():
        if any(p.decay == decay and p.size for p in powers):
            least = least_detected(powers, decay)
            found = "no size that was tried" if least is None else f"{least:g} standard deviations on"
            said.append(f"{name}: at least 95 % of the runs are flagged from {found}.")
    for power in powers:
        if not power.size:
            low, high = power.interval
            kind = "honestly uncertain" if power.size is None else "healthy"
            said.append(
                f"{kind}, not to be flagged: {power.subject}, {power.num_flagged} of"
                f" {power.num_runs} runs flagged (95 % interval {low:.3f} to {high:.3f})."
            )
    return tuple(said)


def _row(power: Power) -> str:
    low, high = power.interval
    what = markdown.escape(power.subject) if power.size is None else f"{power.size:g}"
    decay = "" if power.decay is None else f"{power.decay:g}"
    by = ", ".join(f"{name} {count}" for name, count in power.by_check.items() if count) or "none"
    share = f"{power.share:.2f} [{low:.2f}, {high:.2f}]"
    return f"| {what} | {decay} | {power.num_runs} | {power.num_flagged} | {share} | {markdown.escape(by)} |"
