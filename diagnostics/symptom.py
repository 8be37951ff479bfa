"""The symptom: what a subject does where the observed points end, in numbers, curves and examples."""

from dataclasses import dataclass

import numpy as np

from attn.processes import PairProcess
from attn.types import Batch, Floats, Pairs, Prediction, Rollout
from diagnostics import measures
from diagnostics.ask import ask_free_run, ask_teacher_force
from diagnostics.check import Scenario, build_scenario
from diagnostics.examples import choose_examples, look_at_boundary
from diagnostics.measures import Statistic, by_target
from diagnostics.result import Curve, Measure, Symptom
from diagnostics.subject import Subject, offers

# Pairs that are asked about in one call: bounds memory (attention is [layers,B,H,L,L]).
CHUNK = 128
LATER_TARGET = 11


@dataclass(frozen=True, eq=False)
class _Answers:
    """All that the measures need, of the pairs in inference order; arrays [N,T] by target."""

    batch: Batch
    y: Floats
    forced: Prediction
    rollout: Rollout
    free: Floats
    gap: Floats
    oracle_forced: Floats | None
    oracle_free: Prediction | None
    oracle_log_density: Floats | None


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
    answers = _ask(subject, scenario, rng)
    named = [*_shuffled_measures(subject, scenario), *_boundary_measures(answers)]
    return Symptom(
        subject=subject.name,
        data=data or _describe(scenario),
        measures=tuple(_measure(name, statistic, meaning, rng) for name, statistic, meaning in named),
        curves=tuple(_curve(name, statistic, rng) for name, statistic in _curves(answers)),
        examples=choose_examples(
            subject, scenario.forecast, answers.rollout, scenario.process, num_samples, rng
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


def _chunks(batch: Batch) -> list[Batch]:
    return [batch.rows(slice(start, start + CHUNK)) for start in range(0, batch.num_pairs, CHUNK)]


def _predict(subject: Subject, batch: Batch) -> Prediction:
    parts = [ask_teacher_force(subject, chunk) for chunk in _chunks(batch)]
    return Prediction(np.concatenate([p.mean for p in parts]), np.concatenate([p.scale for p in parts]))


def _free_run(subject: Subject, batch: Batch, rng: np.random.Generator) -> Rollout:
    parts = [ask_free_run(subject, chunk, rng) for chunk in _chunks(batch)]
    samples, mean, scale = (
        np.concatenate([getattr(part, field) for part in parts], axis=1)
        for field in ("samples", "mean", "scale")
    )
    return Rollout(samples, mean, scale)


def _ask(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> _Answers:
    batch = scenario.forecast
    forced = _predict(subject, batch)
    rollout = _free_run(subject, batch, rng)
    oracle_forced = oracle_free = log_density = None
    if scenario.process is not None:
        process, chunks = scenario.process, _chunks(batch)
        oracle_forced = by_target(batch, np.concatenate([process.posterior(chunk).mean for chunk in chunks]))
        forecasts = [process.forecast(chunk) for chunk in chunks]
        oracle_free = Prediction(
            np.concatenate([p.mean for p in forecasts]), np.concatenate([p.scale for p in forecasts])
        )
        log_density = np.concatenate([process.log_density(chunk) for chunk in chunks])
    return _Answers(
        batch=batch,
        y=by_target(batch, batch.y),
        forced=Prediction(by_target(batch, forced.mean), by_target(batch, forced.scale)),
        rollout=rollout,
        free=by_target(batch, rollout.mean[0]),
        gap=measures.level_gap(batch),
        oracle_forced=oracle_forced,
        oracle_free=oracle_free,
        oracle_log_density=log_density,
    )


NamedStatistic = tuple[str, Statistic, str]


def _shuffled_measures(subject: Subject, scenario: Scenario) -> list[NamedStatistic]:
    batch = scenario.shuffled
    mean, y = by_target(batch, _predict(subject, batch).mean), by_target(batch, batch.y)
    series = by_target(batch, batch.series.astype(float))
    named = [("r2_shuffled", measures.r_squared(mean, y).pooled(), "R^2 on shuffled pairs, teacher forced")]
    for label in (0, 1) if scenario.has_two_series else ():
        only = np.where(series == label, mean, np.nan)
        meaning = f"R^2 on shuffled pairs, series {label}"
        named.append((f"r2_shuffled_series_{label}", measures.r_squared(only, y).pooled(), meaning))
    return named


def _drift(answers: _Answers) -> Statistic:
    """Drift fraction of free running by target, against the oracle's mean or else the true y."""
    if answers.oracle_free is None:
        return measures.drift_fraction(answers.free, answers.y, answers.gap)
    reference = by_target(answers.batch, answers.oracle_free.mean)
    return measures.drift_fraction(answers.free, reference, answers.gap)


def _boundary_measures(answers: _Answers) -> list[NamedStatistic]:
    drift, y, forced = _drift(answers), answers.y, answers.forced
    num_targets = y.shape[1]
    later = min(LATER_TARGET, num_targets)
    nll = measures.negative_log_likelihood(forced.mean, forced.scale, y)
    z = measures.z_score(forced.mean, forced.scale, y)
    named = [
        ("drift_first", drift.pooled(slice(0, 1)), "drift fraction at the first target, free running"),
        ("drift_later", drift.pooled(slice(later - 1, None)), f"drift fraction from target {later} on"),
        ("nll", measures.mean_of(nll).pooled(), "negative log likelihood per target, nats, teacher forced"),
    ]
    if answers.oracle_log_density is not None:
        excess = np.nansum(nll, axis=1, keepdims=True) + answers.oracle_log_density[:, None]
        count = (~np.isnan(y)).sum(axis=1, keepdims=True).astype(float)
        meaning = "nats per target above the exact GP (joint density)"
        named.append(("nll_gap", measures.ratio_of(excess, count), meaning))
    named += [
        ("rmse_teacher_forced", _rmse(forced.mean, y).pooled(), "root mean square error, teacher forced"),
        ("rmse_free_running", _rmse(answers.free, y).pooled(), "root mean square error, own means fed back"),
    ]
    if answers.oracle_free is not None and answers.oracle_forced is not None:
        exact = by_target(answers.batch, answers.oracle_free.mean)
        named += [
            (
                "rmse_oracle_teacher_forced",
                _rmse(answers.oracle_forced, y).pooled(),
                "the exact GP's, teacher forced",
            ),
            ("rmse_oracle_free_running", _rmse(exact, y).pooled(), "the exact GP's, from the context alone"),
        ]
    coverage = measures.coverage_90(forced.mean, forced.scale, y).pooled()
    jump = measures.jump_ratio(answers.batch, answers.rollout.mean[0])
    named += [
        ("coverage_90", coverage, "share of targets in the 90 % band, teacher forced"),
        ("z_square", measures.mean_of(z**2).pooled(), "mean of z^2, teacher forced; 1 is calibrated"),
        ("z_square_first", measures.mean_of(z**2).pooled(slice(0, 1)), "mean of z^2 at the first target"),
        ("jump_ratio", jump, "first predicted step beside the true one; at most 1 is healthy"),
    ]
    return named


def _rmse(mean: Floats, y: Floats) -> Statistic:
    return measures.root_mean_square(mean - y)


def _curves(answers: _Answers) -> list[tuple[str, Statistic]]:
    curves = [
        ("rmse_teacher_forced", _rmse(answers.forced.mean, answers.y)),
        ("rmse_free_running", _rmse(answers.free, answers.y)),
    ]
    if answers.oracle_free is not None and answers.oracle_forced is not None:
        exact = by_target(answers.batch, answers.oracle_free.mean)
        curves += [
            ("rmse_oracle_teacher_forced", _rmse(answers.oracle_forced, answers.y)),
            ("rmse_oracle_free_running", _rmse(exact, answers.y)),
        ]
    return [*curves, ("drift", _drift(answers))]


def _measure(name: str, statistic: Statistic, meaning: str, rng: np.random.Generator) -> Measure:
    interval = statistic.interval(rng)
    value, low, high = (float(part[0]) for part in (interval.value, interval.low, interval.high))
    return Measure(name=name, value=value, low=low, high=high, num_pairs=statistic.num_pairs, meaning=meaning)


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
