"""The symptom: what a subject does where the observed points end, in numbers, curves and examples."""

import numpy as np

from attn.processes import PairProcess
from attn.types import Floats, Pairs
from diagnostics.calibration import sampled_transform
from diagnostics.check import Scenario, build_scenario
from diagnostics.examples import choose_pairs, look_at_boundary, show_examples
from diagnostics.measures import Interval, Statistic, central, histogram
from diagnostics.measuring import NUM_BINS, NamedStatistic, measure
from diagnostics.result import Curve, Measure, Rank, Symptom
from diagnostics.sentences import one_line
from diagnostics.subject import Subject, offers


def measure_symptom(
    subject: Subject,
    source: PairProcess | Pairs,
    *,
    num_pairs: int = 512,
    num_context: int | None = None,
    num_samples: int = 16,
    seed: int = 0,
    data: str | None = None,
    beside: Symptom | None = None,
) -> Symptom:
    """Measure `subject` on `num_pairs` pairs drawn from a process, or on at most that many given ones.

    `num_context` points of B are observed (None = a quarter); in the shuffled arrangement, of all points.
    `data` names the pairs in the report.  Where the subject stands `beside` another that was measured on the
    same source with the same seed, the examples are the pairs that were chosen for the other.
    Raises SubjectError where the subject cannot answer.
    """
    rng = np.random.default_rng([seed, 1])
    scenario = build_scenario(source, rng, num_pairs=num_pairs, num_context=num_context)
    batch = scenario.forecast
    measured = measure(subject, scenario, rng)
    sampled = sampled_transform(subject, batch, rng)
    curves = measured.curves | {"coverage_free_running": central(sampled)}
    histograms = measured.histograms | {"pit_free_running": histogram(sampled, NUM_BINS)}
    shown = _pairs_of(beside) if beside else choose_pairs(batch, measured.rollout)
    chosen = f"of {batch.num_pairs} pairs" + (f" for {beside.subject}" if beside else "")
    return Symptom(
        subject=one_line(subject.name),
        data=data or _describe(scenario),
        measures=tuple(_measure(named, rng) for named in measured.statistics),
        curves=tuple(_curve(name, statistic, rng) for name, statistic in curves.items()),
        histograms=tuple(_histogram(name, statistic, rng) for name, statistic in histograms.items()),
        examples=show_examples(
            subject, batch, measured.rollout, scenario.process, shown, chosen, num_samples, rng
        ),
        attention=look_at_boundary(subject, batch),
        remarks=_remarks(subject, scenario),
    )


def _pairs_of(symptom: Symptom) -> dict[Rank, int]:
    return {example.rank: example.pair for example in symptom.examples}


def _describe(scenario: Scenario) -> str:
    process, count = scenario.process, scenario.pairs.num_pairs
    if process is None:
        return f"{count} given pairs, {scenario.num_context} points of B observed"
    return (
        f"{count} held-out pairs, {process.kernel} with {process.shift} shift, {process.num_points} points"
        f" a series, {scenario.num_context} points of B observed"
    )


def _measure(named: NamedStatistic, rng: np.random.Generator) -> Measure:
    interval = named.statistic.interval(rng)
    return Measure(
        name=named.name,
        value=float(interval.value[0]),
        low=float(interval.low[0]),
        high=float(interval.high[0]),
        num_pairs=named.statistic.num_pairs,
        meaning=named.meaning,
    )


def _curve(name: str, statistic: Statistic, rng: np.random.Generator) -> Curve:
    """By number of the target, counted from 1."""
    interval = statistic.interval(rng)
    return _drawn(name, np.arange(1.0, len(interval.value) + 1), interval)


def _histogram(name: str, statistic: Statistic, rng: np.random.Generator) -> Curve:
    """By the middle of each bin of (0, 1)."""
    interval = statistic.interval(rng)
    num_bins = len(interval.value)
    return _drawn(name, (np.arange(num_bins) + 0.5) / num_bins, interval)


def _drawn(name: str, at: Floats, interval: Interval) -> Curve:
    return Curve(
        name=name, at=_row(at), value=_row(interval.value), low=_row(interval.low), high=_row(interval.high)
    )


def _remarks(subject: Subject, scenario: Scenario) -> tuple[str, ...]:
    remarks = []
    if scenario.process is None:
        remarks.append(
            "No process is known, so there is no oracle: drift is measured against the true y, errors stand"
            " alone, and nothing is said about how well anyone could have done."
        )
    elif scenario.process.label == "rank":
        remarks.append(
            "Labels are ranks of the offsets: the oracle does not use the sign of the gap that they give"
            " away, so a model that does may look better than exact at the boundary."
        )
    if not scenario.has_two_series:
        remarks.append("Single sequences have no A: the drift fraction is not defined.")
    if not offers(subject, "attention"):
        remarks.append("The subject does not show its attention, so nothing is said of where it looks.")
    if not offers(subject, "rollout"):
        remarks.append("The subject has no rollout of its own: free running is made of single steps.")
    return tuple(remarks)


def _row(values: Floats) -> list[float]:
    return [float(value) for value in values]
