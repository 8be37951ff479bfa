"""Asks a subject about a scenario, and makes named statistics of its answers, not yet summarised."""

from dataclasses import dataclass

import numpy as np

from attn.types import Batch, Floats, Prediction, Rollout
from diagnostics import measures
from diagnostics.ask import ask_free_run, ask_teacher_force
from diagnostics.check import Scenario
from diagnostics.measures import Statistic, by_target
from diagnostics.subject import Subject

# Pairs that are asked about in one call: bounds memory (attention is [layers,B,H,L,L]).
CHUNK = 128
LATER_TARGET = 11
# Of a PIT histogram: at 100 pairs a bin of the first target still holds ten.
NUM_BINS = 10


@dataclass(frozen=True, eq=False)
class NamedStatistic:
    """A statistic with its name, and what it means in one phrase."""

    name: str
    statistic: Statistic
    meaning: str


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of a subject.

    statistics   pooled over targets [N,1,K]
    first        at the first target alone [N,1,K], where one subject is held against another
    curves       by distance from the boundary [N,T,K], by name
    histograms   of the PIT, by bin in the place of targets [N,bins,K], by name
    rollout      of the pairs in inference order, own means fed back [1,B,L]
    """

    statistics: tuple[NamedStatistic, ...]
    first: tuple[NamedStatistic, ...]
    curves: dict[str, Statistic]
    histograms: dict[str, Statistic]
    rollout: Rollout


def measure(subject: Subject, scenario: Scenario, rng: np.random.Generator) -> Measured:
    """Every measure of `subject` on the pairs of a scenario.

    Which measures there are depends on the scenario alone: those beside the oracle need a process.
    Raises SubjectError where the subject cannot answer.
    """
    answers = _ask(subject, scenario, rng)
    transform = measures.pit(answers.forced.mean, answers.forced.scale, answers.y)
    return Measured(
        statistics=(*_shuffled_measures(subject, scenario), *_boundary_measures(answers)),
        first=(_nll_first(answers),),
        curves={
            **_error_curves(answers),
            "drift": _drift(answers),
            "coverage_teacher_forced": measures.central(transform),
        },
        histograms={"pit_teacher_forced": measures.histogram(transform, NUM_BINS)},
        rollout=answers.rollout,
    )


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


def _shuffled_measures(subject: Subject, scenario: Scenario) -> list[NamedStatistic]:
    batch = scenario.shuffled
    mean, y = by_target(batch, _predict(subject, batch).mean), by_target(batch, batch.y)
    series = by_target(batch, batch.series.astype(float))
    r_squared = measures.r_squared(mean, y).pooled()
    named = [NamedStatistic("r2_shuffled", r_squared, "R^2 on shuffled pairs, teacher forced")]
    for label in (0, 1) if scenario.has_two_series else ():
        only = np.where(series == label, mean, np.nan)
        meaning = f"R^2 on shuffled pairs, series {label}"
        r_squared = measures.r_squared(only, y).pooled()
        named.append(NamedStatistic(f"r2_shuffled_series_{label}", r_squared, meaning))
    return named


def _drift(answers: _Answers) -> Statistic:
    """Drift fraction of free running by target, against the oracle's mean or else the true y."""
    if answers.oracle_free is None:
        return measures.drift_fraction(answers.free, answers.y, answers.gap)
    reference = by_target(answers.batch, answers.oracle_free.mean)
    return measures.drift_fraction(answers.free, reference, answers.gap)


def _boundary_measures(answers: _Answers) -> list[NamedStatistic]:
    drift, y, forced = _drift(answers), answers.y, answers.forced
    later = min(LATER_TARGET, y.shape[1])
    nll = _nll(answers)
    z_square = measures.mean_of(measures.z_score(forced.mean, forced.scale, y) ** 2)
    coverage = measures.coverage_90(forced.mean, forced.scale, y).pooled()
    jump = measures.jump_ratio(answers.batch, answers.rollout.mean[0])
    named = NamedStatistic
    return [
        named("drift_first", drift.pooled(slice(0, 1)), "drift fraction at the first target, free running"),
        named("drift_later", drift.pooled(slice(later - 1, None)), f"drift fraction from target {later} on"),
        named(
            "nll", measures.mean_of(nll).pooled(), "negative log likelihood per target, nats, teacher forced"
        ),
        *_nll_gap(answers, nll),
        *_errors(answers),
        named("coverage_90", coverage, "share of targets in the 90 % band, teacher forced"),
        named("z_square", z_square.pooled(), "mean of z^2, teacher forced; 1 is calibrated"),
        named("z_square_first", z_square.pooled(slice(0, 1)), "mean of z^2 at the first target"),
        named("jump_ratio", jump, "first predicted step beside the true one; at most 1 is healthy"),
    ]


def _nll(answers: _Answers) -> Floats:
    return measures.negative_log_likelihood(answers.forced.mean, answers.forced.scale, answers.y)


def _nll_first(answers: _Answers) -> NamedStatistic:
    first = measures.mean_of(_nll(answers)).pooled(slice(0, 1))
    return NamedStatistic("nll_first", first, "negative log likelihood of the first target, nats")


def _nll_gap(answers: _Answers, nll: Floats) -> list[NamedStatistic]:
    """The excess over the oracle's joint density, where there is an oracle; nll [N,T]."""
    if answers.oracle_log_density is None:
        return []
    excess = np.nansum(nll, axis=1, keepdims=True) + answers.oracle_log_density[:, None]
    count = (~np.isnan(answers.y)).sum(axis=1, keepdims=True).astype(float)
    meaning = "nats per target above the exact GP (joint density)"
    return [NamedStatistic("nll_gap", measures.ratio_of(excess, count), meaning)]


_ERRORS = {
    "rmse_teacher_forced": "root mean square error, teacher forced",
    "rmse_free_running": "root mean square error, own means fed back",
    "rmse_oracle_teacher_forced": "the exact GP's, teacher forced",
    "rmse_oracle_free_running": "the exact GP's, from the context alone",
}


def _errors(answers: _Answers) -> list[NamedStatistic]:
    curves = _error_curves(answers)
    return [NamedStatistic(name, curve.pooled(), _ERRORS[name]) for name, curve in curves.items()]


def _error_curves(answers: _Answers) -> dict[str, Statistic]:
    """Root mean square errors by target: the subject's and, where there is one, the oracle's."""
    means = [answers.forced.mean, answers.free]
    if answers.oracle_free is not None and answers.oracle_forced is not None:
        means += [answers.oracle_forced, by_target(answers.batch, answers.oracle_free.mean)]
    # without an oracle the names of its errors are left over
    return {
        name: measures.root_mean_square(mean - answers.y) for name, mean in zip(_ERRORS, means, strict=False)
    }
