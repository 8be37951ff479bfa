"""Which pictures a report shows, what stands under each, and what is read to those who do not see it."""

from collections.abc import Sequence
from dataclasses import dataclass

from diagnostics.plots.drift import draw_drift
from diagnostics.plots.error import draw_error, error_limits
from diagnostics.plots.forecast import draw_forecast
from diagnostics.plots.heat_map import draw_heat_map
from diagnostics.plots.mass import draw_mass
from diagnostics.plots.overview import draw_overview
from diagnostics.plots.probes import draw_probes, probes_height
from diagnostics.plots.style import label_of, render_png
from diagnostics.plots.waterfall import draw_waterfall, waterfall_height
from diagnostics.result import Attribution, AttributionRow, Example, Measure, Report, Symptom
from diagnostics.wording import attention_in_words, count_statuses, figure, has_oracle, subject_names


@dataclass(frozen=True)
class Picture:
    """A drawn picture: `file` is its name on disk, `alt` the text in its place."""

    file: str
    caption: str
    alt: str
    png: bytes


@dataclass(frozen=True)
class DataPictures:
    """The pictures of one set of pairs, for all subjects."""

    forecasts: tuple[Picture, ...]
    drift: Picture
    attention: tuple[Picture, ...]
    errors: tuple[Picture, ...]


def draw_data(symptoms: Sequence[Symptom], names: Sequence[str], key: str) -> DataPictures:
    """Draw the symptoms of all subjects on one set of pairs; `key` begins the names of the files."""
    limits = error_limits(symptoms)
    named = [(place, s, name) for place, (s, name) in enumerate(zip(symptoms, names, strict=True), start=1)]
    return DataPictures(
        forecasts=tuple(
            _forecast(example, symptom, name, f"{key}-forecast-{place}-{number}.png")
            for place, symptom, name in named
            for number, example in enumerate(_shown(symptom), start=1)
        ),
        drift=Picture(
            file=f"{key}-drift.png",
            caption="Drift fraction of free running, with 95 % bootstrap intervals over pairs."
            f" It is measured against {_reference(symptoms)}.",
            alt=f"Drift fraction by target. {' '.join(_drift_in_words(s, name) for _, s, name in named)}",
            png=render_png(lambda ax: draw_drift(ax, symptoms, names)),
        ),
        attention=tuple(
            picture for place, s, name in named for picture in _attention(s, name, f"{key}-{place}")
        ),
        errors=tuple(
            Picture(
                file=f"{key}-error-{place}.png",
                caption=f"{name}: error by distance from the boundary, with 95 % intervals; the axis is the"
                " same for all subjects.",
                alt=f"Root mean square error of {name} by target, {_error_in_words(symptom)}",
                png=render_png(lambda ax, shown=symptom: draw_error(ax, shown, limits)),  # type: ignore[misc]
            )
            for place, symptom, name in named
        ),
    )


def draw_attribution(attribution: Attribution, name: str, place: int) -> tuple[Picture, ...]:
    """Draw the waterfall of one subject, and its probes where the drift fraction is defined."""
    parts = [*attribution.at("first", "part", "total"), *attribution.at("later", "part", "total")]
    probes = [row for row in attribution.at("first", "probe") if row.after is not None]
    waterfall = Picture(
        file=f"attribution-{place}.png",
        caption=f"{name}: where the squared error of free running comes from. Each bar begins where the one"
        f" above it ended; the line is its 95 % interval over {attribution.num_pairs} pairs.",
        alt=f"Waterfall of {name}. {_rows_in_words(parts, 'error')}",
        png=render_png(lambda ax: draw_waterfall(ax, attribution), height=waterfall_height(attribution)),
    )
    if not probes:
        return (waterfall,)
    return (
        waterfall,
        Picture(
            file=f"attribution-{place}-probes.png",
            caption=f"{name}: the drift fraction at the first target when one thing about the history is"
            " changed. Hollow: no change beyond chance.",
            alt=f"Drift fraction of {name} under each probe. {_rows_in_words(probes, 'after')}",
            png=render_png(lambda ax: draw_probes(ax, attribution), height=probes_height(attribution)),
        ),
    )


def _rows_in_words(rows: Sequence[AttributionRow], field: str) -> str:
    return "; ".join(f"{row.title} {figure(getattr(row, field).value)}" for row in rows) + "."


def draw_checks(reports: Sequence[Report]) -> Picture:
    """Draw the status of all checks."""
    names = subject_names(reports)
    counts = "; ".join(f"{name}: {count_statuses(r)}" for name, r in zip(names, reports, strict=True))
    return Picture(
        file="checks.png",
        caption="Every check in the order of the list below, by family.",
        alt=f"Status of all checks. {counts}.",
        png=render_png(lambda ax: draw_overview(ax, reports, names), height=1.5 + 0.45 * len(reports)),
    )


def _shown(symptom: Symptom) -> tuple[Example, ...]:
    """The median pair first: it is the typical one; then the worst."""
    examples = symptom.examples
    chosen = [e for word in ("median", "worst") for e in examples if e.title.startswith(word)]
    return tuple(chosen) or examples[:1]


def _forecast(example: Example, symptom: Symptom, name: str, file: str) -> Picture:
    beside = ", with the exact GP beside it" if has_oracle(symptom) else "; no oracle exists for these data"
    titled = example.model_copy(update={"title": f"{label_of(name)}, {example.title}"})
    return Picture(
        file=file,
        caption=f"{name}, {example.title}. Free running from the boundary on{beside}.",
        alt=f"Inference plot of {name}, {example.title}: A in black, B in red with {_observed_of_b(example)}"
        " observed points as dots, predicted means in gold and samples in light blue.",
        png=render_png(lambda ax: draw_forecast(ax, titled), height=4.1),
    )


def _observed_of_b(example: Example) -> int:
    observed = example.series[: example.num_context]
    return sum(label == example.series[-1] for label in observed)


def _attention(symptom: Symptom, name: str, key: str) -> tuple[Picture, ...]:
    attention = symptom.attention
    if attention is None:
        return ()
    found = attention_in_words(symptom, name)
    return (
        Picture(
            file=f"{key}-attention.png",
            caption=f"{name}: where each head looks at the first target of one pair, layers averaged.",
            alt=f"Heat map of attention, a row a head, a column a visible point. {found}",
            png=render_png(lambda ax: draw_heat_map(ax, attention)),
        ),
        Picture(
            file=f"{key}-attention-mass.png",
            caption=f"{name}: share of attention on each series, beside its share of the visible points.",
            alt=f"Share of attention by target. {found}",
            png=render_png(lambda ax: draw_mass(ax, attention)),
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
