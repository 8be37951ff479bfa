"""An ablation on disk: Markdown, CSV, JSON and PNG."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from attn.files import write_whole
from diagnostics import markdown
from diagnostics.ablation.result import MEASURES, Ablation, AblationRow
from diagnostics.ablation.words import ablation_in_words, amount
from diagnostics.attribution.words import PLAIN_DRIFT
from diagnostics.plots.ablation import ablation_height, draw_ablation
from diagnostics.plots.style import render_png
from diagnostics.result import Estimate


@dataclass(frozen=True)
class WrittenAblation:
    """The files of an ablation."""

    markdown: Path
    table: Path
    json: Path
    picture: Path


def write_ablation(ablation: Ablation, directory: Path, *, command: str) -> WrittenAblation:
    """Write ablation.md, .csv, .json and .png; `command` makes them again.

    Raises OSError where the system refuses.
    """
    written = WrittenAblation(*(directory / f"ablation.{kind}" for kind in ("md", "csv", "json", "png")))
    height = ablation_height(ablation)
    contents = {
        written.markdown: _markdown(ablation, command).encode(),
        written.table: _table(ablation).encode(),
        written.json: f"{ablation.model_dump_json(indent=1)}\n".encode(),
        written.picture: render_png(lambda ax: draw_ablation(ax, ablation), height=height),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for path, content in contents.items():
        with write_whole(path) as file:
            file.write(content)
    return written


def _table(ablation: Ablation) -> str:
    """A line for every row and measure."""
    lines = [
        {
            "row": row.title,
            "labels_in_qk": row.labels_in_qk,
            "regime": row.regime,
            "heads_trained": row.heads_trained,
            "heads_restored": row.heads_restored,
            "trait_off": row.trait_off,
            "measure": name,
            **_ends("", row.measures[name]),
            **_ends("difference_", row.differences.get(name)),
        }
        for row in ablation.rows
        for name in MEASURES
    ]
    buffer = io.StringIO()
    pd.DataFrame(lines).to_csv(buffer, index=False, float_format="%.6g", lineterminator="\n")
    return buffer.getvalue()


def _ends(prefix: str, found: Estimate | None) -> dict[str, float | None]:
    return {f"{prefix}{end}": getattr(found, end, None) for end in ("value", "low", "high")}


def _markdown(ablation: Ablation, command: str) -> str:
    settings = ("labels in q/k", "trained on", "heads")
    lines = [
        "# What the drop needs",
        "",
        f"The historic decoder, trained anew for every row in {ablation.num_steps} steps on pairs of"
        f" {ablation.num_points} points a series (rbf, constant shift, labels by rank as in the original)."
        f"  Every row is asked about the same {ablation.num_pairs} held-out pairs, of which"
        f" {ablation.num_context} points of B are observed.  Brackets are 95 % bootstrap intervals over those"
        " pairs; what another seed of the training would change is not in them.",
        "",
        "Drift fraction: regression of (prediction - exact GP) on (level of A - level of B) in free running:"
        " 0 = on the level of B, 1 = wholly on the level of A."
        f"  Later: from target {ablation.later} on.  NLL gap: nats per target above the exact GP, teacher"
        f" forced.  RMSE of the exact GP from the context alone: {amount(ablation.rmse_exact)}.",
        "",
        "![Drift fraction of every row with its interval](ablation.png)",
        "",
        "## What follows",
        "",
        "A symptom is *there* where the whole interval of the drift fraction lies above"
        f" {PLAIN_DRIFT}, *gone* where it lies within {PLAIN_DRIFT} of 0, else *not settled*; a change is"
        f" *plain* where its interval lies beyond {PLAIN_DRIFT}.",
        "",
        *(f"- {markdown.escape(sentence)}" for sentence in ablation_in_words(ablation)),
        "",
        "## Labels, order of training, heads when restored",
        "",
        *_head(settings),
        *(_line(_settings(row), row.measures) for row in ablation.cube),
        "",
        "## One trait off",
        "",
        *_head(("",)),
        *(
            _line([markdown.escape(_name(row))], row.measures)
            for row in (ablation.historic, *ablation.switches)
        ),
        "",
        "The same, less the historic decoder on the same pairs:",
        "",
        *_head(("",)),
        *(_line([markdown.escape(_name(row))], row.differences) for row in ablation.switches),
        "",
        str(markdown.fenced(command)),
    ]
    return "\n".join(lines) + "\n"


def _head(settings: Sequence[str]) -> list[str]:
    titles = (*settings, *MEASURES.values())
    return [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]


def _line(settings: Sequence[str], measures: Mapping[str, Estimate]) -> str:
    cells = [*settings, *(amount(measures[name]) for name in MEASURES)]
    return f"| {' | '.join(cells)} |"


def _settings(row: AblationRow) -> list[str]:
    labels = "yes" if row.labels_in_qk else "no"
    return [labels, markdown.escape(row.regime), markdown.escape(row.heads)]


def _name(row: AblationRow) -> str:
    return "historic" if row.is_historic else row.title
