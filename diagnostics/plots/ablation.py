"""The drift fraction of every row of an ablation, at the first target and at the later ones."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from diagnostics.ablation.result import Ablation, AblationRow
from diagnostics.attribution.words import PLAIN_DRIFT
from diagnostics.plots.style import BLACK, BLUE, GREY, VERMILLION, Line

FIRST, LATER = Line(VERMILLION, "o", "-"), Line(BLUE, "s", "-")
_STEP_ASIDE = 0.17  # the two of a row, above and below its middle
_HEADING, _GAP = 1.0, 0.5  # rows


def ablation_height(ablation: Ablation) -> float:
    """Inches that the picture needs."""
    return 1.2 + 0.33 * sum(len(rows) + _HEADING + _GAP for _, rows in _groups(ablation))


def draw_ablation(ax: Axes, ablation: Ablation) -> Axes:
    """Draw two dots a row with their 95 % intervals; within the grey band the symptom is gone."""
    ax.axvspan(-PLAIN_DRIFT, PLAIN_DRIFT, color="#E9E9E9", lw=0, zorder=0)
    for level in (0, 1):
        ax.axvline(level, color=GREY, lw=0.8, ls=":" if level else "-", zorder=1)
    labels: dict[float, str] = {}
    place = 0.0
    for heading, rows in _groups(ablation):
        ax.annotate(
            heading, (0, place), xycoords=("axes fraction", "data"), xytext=(4, 0),
            textcoords="offset points", weight="bold", fontsize=9.5, va="center",
            bbox={"fc": "white", "ec": "none", "pad": 1},
        )  # fmt: skip
        for number, row in enumerate(rows):
            labels[place + _HEADING + number] = _label(row)
            _draw_row(ax, row, place + _HEADING + number)
        place += len(rows) + _HEADING + _GAP
    ax.set_yticks(list(labels), list(labels.values()))
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    low, high = ax.get_xlim()
    ax.set(xlim=(min(low, -0.1), max(high, 1.05)), ylim=(place - _GAP - 0.3, -0.7))
    ax.set(xlabel="drift fraction (0 = level of B, 1 = level of A)")
    names = ("first target", f"target {ablation.later} and later")
    handles = [
        Line2D([], [], color=line.color, marker=line.marker, ms=5, label=name)
        for line, name in zip((FIRST, LATER), names, strict=True)
    ]
    ax.figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return ax


def _groups(ablation: Ablation) -> list[tuple[str, Sequence[AblationRow]]]:
    groups = [
        ("no labels in queries and keys", [row for row in ablation.cube if not row.labels_in_qk]),
        ("labels in queries and keys", [row for row in ablation.cube if row.labels_in_qk]),
        ("historic, one trait off", ablation.switches),
    ]
    return [(heading, rows) for heading, rows in groups if rows]


def _label(row: AblationRow) -> str:
    if row.trait_off is not None:
        return row.trait_off
    name = f"{row.regime}, heads {row.heads.replace('->', '→')}"
    return f"{name} (historic)" if row.is_historic else name


def _draw_row(ax: Axes, row: AblationRow, place: float) -> None:
    for name, line, aside in (("drift_first", FIRST, -_STEP_ASIDE), ("drift_later", LATER, _STEP_ASIDE)):
        drift = row.measures[name]
        ax.plot([drift.low, drift.high], [place + aside] * 2, color=line.color, lw=1.6)
        ax.plot(drift.value, place + aside, line.marker, color=line.color, ms=4.5, mec=BLACK, mew=0.4)
