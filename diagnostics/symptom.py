"""The symptom: what a subject does where the observed points end, in numbers, curves and examples."""

import numpy as np

from attn.processes import PairProcess
from attn.types import Floats, Pairs
from diagnostics.check import Scenario, build_scenario
from diagnostics.examples import choose_examples, look_at_boundary
from diagnostics.measures import Statistic
from diagnostics.measuring import NamedStatistic, measure
from diagnostics.result import Curve, Measure, Symptom
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
) -> Symptom:
    """Measure `subject` on `num_pairs` pairs drawn from a process, or on at most that many given ones.

    `num_context` points of B are observed (None = a quarter); in the shuffled arrangement, of all points.
    `data` names the pairs in the report.  Raises SubjectError where the subject cannot answer.
    """
    rng = np.random.default_rng([seed, 1])
    scenario = build_scenario(source, rng, num_pairs=num_pairs, num_context=num_context)
    measured = measure(subject, scenario, rng)
    return Symptom(
        subject=subject.name,
        data=data or _describe(scenario),
        measures=tuple(_measure(named, rng) for named in measured.statistics),
        curves=tuple(_curve(name, statistic, rng) for name, statistic in measured.curves.items()),
        examples=choose_examples(
            subject, scenario.forecast, measured.rollout, scenario.process, num_samples, rng
        ),
        attention=look_at_boundary(subject, scenario.forecast),
        remarks=_remarks(subject, scenario),
    )


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
    interval = statistic.interval(rng)
    at = np.arange(1, len(interval.value) + 1, dtype=float)
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
