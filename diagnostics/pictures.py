"""Which pictures a report shows, what stands under each, and what is read to those who do not see it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from diagnostics.plots.coverage import draw_coverage
from diagnostics.plots.drift import draw_drift
from diagnostics.plots.error import draw_error, error_limits
from diagnostics.plots.forecast import draw_forecast, example_limits
from diagnostics.plots.heat_map import draw_heat_map
from diagnostics.plots.mass import draw_mass
from diagnostics.plots.overview import draw_overview
from diagnostics.plots.pit import draw_pit
from diagnostics.plots.probes import draw_probes, probes_height
from diagnostics.plots.style import HEIGHT, Draw, label_of, render_png
from diagnostics.plots.waterfall import draw_waterfall, waterfall_height
from diagnostics.result import Attribution, AttributionRow, Example, Measure, Report, Symptom
from diagnostics.wording import (
    attention_in_words,
    calibration_in_words,
    count_statuses,
    figure,
    has_oracle,
    subject_names,
)

FORECAST_HEIGHT = 3.7
_NOTEBOOK_DOTS_PER_INCH = 120  # shown as wide as it is, and a notebook holds many


@dataclass(frozen=True)
class Picture:
    """A picture not yet drawn: how, on how many inches, and `alt`, the text in its place."""

    caption: str
    alt: str
    draw: Draw = field(repr=False)  # it holds all that is drawn
    height: float = HEIGHT

    def _repr_png_(self) -> bytes:
        """How a notebook shows it."""
        return render_png(self.draw, height=self.height, dots_per_inch=_NOTEBOOK_DOTS_PER_INCH)


@dataclass(frozen=True)
class DataPictures:
    """The pictures of one set of pairs; where each subject has its own, they stand in the order of subjects.

    examples   the pairs of best, median and worst error, each for all subjects; `worst` shows a drop best
    """

    examples: tuple[Picture, ...]
    worst: tuple[Picture, ...]
    drift: Picture
    attention: tuple[Picture, ...]
    calibration: tuple[Picture, ...]
    errors: tuple[Picture, ...]


def draw_data(symptoms: Sequence[Symptom], names: Sequence[str]) -> DataPictures:
    """The pictures of the symptoms of all subjects on one set of pairs."""
    limits = error_limits(symptoms)
    named = list(zip(symptoms, names, strict=True))
    examples = {rank: _forecasts(named, rank) for rank in ("best", "median", "worst")}
    return DataPictures(
        examples=tuple(picture for pictures in examples.values() for picture in pictures),
        worst=examples["worst"],
        drift=Picture(
            caption="Drift fraction of free running, with 95 % bootstrap intervals over pairs."
            f" It is measured against {_reference(symptoms)}.",
            alt=f"Drift fraction by target. {' '.join(_drift_in_words(s, name) for s, name in named)}",
            draw=partial(draw_drift, symptoms=symptoms, names=names),
        ),
        attention=tuple(picture for s, name in named for picture in _attention(s, name)),
        calibration=tuple(picture for s, name in named for picture in _calibration(s, name)),
        errors=tuple(
            Picture(
                caption=f"{name}: error by distance from the boundary, with 95 % intervals"
                f"{'; the axis is the same for all subjects' if len(named) > 1 else ''}.",
                alt=f"Root mean square error of {name} by target, {_error_in_words(symptom)}",
                draw=partial(draw_error, symptom=symptom, limits=limits),
            )
            for symptom, name in named
        ),
    )


def draw_attribution(attribution: Attribution, name: str) -> tuple[Picture, ...]:
    """The waterfall of one subject, and its probes where the drift fraction is defined."""
    parts = [*attribution.at("first", "part", "total"), *attribution.at("later", "part", "total")]
    probes = [row for row in attribution.at("first", "probe") if row.after is not None]
    waterfall = Picture(
        caption=f"{name}: where the squared error of free running comes from. Each bar begins where the one"
        f" above it ended; the line is its 95 % interval over {attribution.num_pairs} pairs.",
        alt=f"Waterfall of {name}. {_rows_in_words(parts, 'error')}",
        draw=partial(draw_waterfall, attribution=attribution),
        height=waterfall_height(attribution),
    )
    if not probes:
        return (waterfall,)
    return (
        waterfall,
        Picture(
            caption=f"{name}: the drift fraction at the first target when one thing about the history is"
            " changed. Hollow: no change beyond chance.",
            alt=f"Drift fraction of {name} under each probe. {_rows_in_words(probes, 'after')}",
            draw=partial(draw_probes, attribution=attribution),
            height=probes_height(attribution),
        ),
    )


def _rows_in_words(rows: Sequence[AttributionRow], field: str) -> str:
    return "; ".join(f"{row.title} {figure(getattr(row, field).value)}" for row in rows) + "."


def draw_checks(reports: Sequence[Report]) -> Picture:
    """The status of all checks."""
    names = subject_names(reports)
    counts = "; ".join(f"{name}: {count_statuses(r)}" for name, r in zip(names, reports, strict=True))
    return Picture(
        caption="Every check in the order of the list below, by family.",
        alt=f"Status of all checks. {counts}.",
        draw=partial(draw_overview, reports=reports, names=names),
        height=1.5 + 0.45 * len(reports),
    )


def _forecasts(named: Sequence[tuple[Symptom, str]], rank: str) -> tuple[Picture, ...]:
    """The pair of that rank for all subjects, on one range of y where it is the same pair."""
    found = [(e, symptom, name) for symptom, name in named for e in symptom.examples if e.rank == rank]
    is_same = len({example.pair for example, _, _ in found}) == 1
    limits = example_limits([example for example, _, _ in found]) if is_same else None
    return tuple(_forecast(example, symptom, name, limits) for example, symptom, name in found)


def _forecast(example: Example, symptom: Symptom, name: str, limits: tuple[float, float] | None) -> Picture:
    beside = ", with the exact GP beside it" if has_oracle(symptom) else "; no oracle exists for these data"
    titled = example.model_copy(update={"title": f"{label_of(name)}, {example.rank} pair"})
    return Picture(
        caption=f"{name}, {example.title}. Free running from the boundary on{beside}.",
        alt=f"Inference plot of {name}, {example.title}: A in black, B in red with {_observed_of_b(example)}"
        " observed points as dots, predicted means in gold and samples in light blue.",
        draw=partial(draw_forecast, example=titled, limits=limits),
        height=FORECAST_HEIGHT,
    )


def _observed_of_b(example: Example) -> int:
    observed = example.series[: example.num_context]
    return sum(label == example.series[-1] for label in observed)


def _attention(symptom: Symptom, name: str) -> tuple[Picture, ...]:
    attention = symptom.attention
    if attention is None:
        return ()
    found = attention_in_words(symptom, name)
    return (
        Picture(
            caption=f"{name}: where each head looks at the first target of one pair, layers averaged.",
            alt=f"Heat map of attention, a row a head, a column a visible point. {found}",
            draw=partial(draw_heat_map, attention=attention),
        ),
        Picture(
            caption=f"{name}: share of attention on each series, beside its share of the visible points.",
            alt=f"Share of attention by target. {found}",
            draw=partial(draw_mass, attention=attention),
        ),
    )


def _calibration(symptom: Symptom, name: str) -> tuple[Picture, ...]:
    if not symptom.histograms:
        return ()
    found = calibration_in_words(symptom, name)
    return (
        Picture(
            caption=f"{name}: where the truth falls in its prediction, all targets together (PIT histogram).",
            alt=f"PIT histogram. {found}",
            draw=partial(draw_pit, symptom=symptom),
        ),
        Picture(
            caption=f"{name}: how often the truth lies in the central 90 % of its prediction.",
            alt=f"Coverage by target. {found}",
            draw=partial(draw_coverage, symptom=symptom),
        ),
    )


def _reference(symptoms: Sequence[Symptom]) -> str:
    if all(has_oracle(symptom) for symptom in symptoms):
        return "the mean of the exact posterior"
    return "the true y, because no oracle exists"


def _measures(symptom: Symptom) -> dict[str, Measure]:
    return {measure.name: measure for measure in symptom.measures}


def _drift_in_words(symptom: Symptom, name: str) -> str:
    measures = _measures(symptom)
    if not {"drift_first", "drift_later"} <= measures.keys():
        return f"{name}: not measured."
    first, later = (figure(measures[which].value) for which in ("drift_first", "drift_later"))
    return f"{name}: {first} at the first target, {later} later."


def _error_in_words(symptom: Symptom) -> str:
    measures = _measures(symptom)
    said = [
        f"{name[5:].replace('_', ' ')} {figure(m.value)}"
        for name, m in measures.items()
        if name[:5] == "rmse_"
    ]
    return f"over all targets: {', '.join(said)}."
