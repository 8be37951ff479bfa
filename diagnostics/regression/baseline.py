"""A baseline: what was measured of a subject, pair by pair, kept to be compared after a change.

Kept are the sums that every measure is a function of (see `Statistic`), one row a pair, because a paired
comparison needs the pairs and not only their total.  How a measure follows from its sums is not kept: it is
that of the code that reads, so `SCHEMA_VERSION` rises whenever a measure changes its meaning or its sums.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from attn.files import write_whole
from attn.inputs import read_json
from attn.processes import PairProcess
from attn.types import Floats
from diagnostics.ask import SubjectError
from diagnostics.check import Check, Scenario, build_scenario, require_scenario
from diagnostics.checks import CHECKS
from diagnostics.measuring import NamedStatistic, measure
from diagnostics.result import CheckResult, Environment, Status
from diagnostics.runner import NUM_PAIRS, describe_environment, name_of, run_checks
from diagnostics.subject import Subject

SCHEMA_VERSION = 1
# Float32, in which most subjects compute, has no more; a comparison rounds both sides alike.
SIGNIFICANT_DIGITS = 7
# Of fewer, a bootstrap knows the tails too badly to compare a dozen measures at once.
MIN_PAIRS = 32


class BaselineError(ValueError):
    """A baseline that cannot be read or does not fit; one sentence."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class KeptMeasure(_Value):
    """A measure: its value, and its sums [N][K], one row a pair."""

    name: str
    value: float
    sums: list[list[float]]


class Plan(_Value):
    """What a subject is asked about: the same plan draws the same pairs.

    num_pairs         for the measures          num_context   observed points of B, for the measures
    num_check_pairs   for every check
    """

    seed: int
    num_pairs: int
    num_context: int
    num_check_pairs: int = NUM_PAIRS


class Baseline(_Value):
    """What is kept of a subject.

    process      the fields of the process that the pairs come from
    statuses     of the battery, by check
    mean_y       of every pair [N]: tells whether the same pairs are drawn again
    """

    subject: str
    environment: Environment
    process: dict[str, str | int | float]
    plan: Plan
    statuses: dict[str, Status]
    mean_y: list[float]
    measures: tuple[KeptMeasure, ...]


class _File(_Value):
    """What stands on disk; the checksum is that of the baseline's JSON."""

    schema_version: int
    checksum: str
    baseline: Baseline


@dataclass(frozen=True, eq=False)
class Examined:
    """A subject after one plan: the battery, the measures, and the pairs' mean y [N]."""

    subject: str
    process: PairProcess
    results: tuple[CheckResult, ...]
    statistics: tuple[NamedStatistic, ...]
    mean_y: Floats


def examine(
    subject: Subject,
    plan: Plan,
    *,
    checks: Sequence[Check] = CHECKS,
    on_step: Callable[[str], None] = lambda step: None,
) -> Examined:
    """Run the battery over a subject and measure it, on pairs of its own process.

    `on_step` is called after each check, and once after the measures.  Raises SubjectError where the
    subject has no process or cannot answer, ValueError where the plan does not fit the process.
    """
    report = run_checks(
        subject,
        source=process_for(subject, plan),
        seed=plan.seed,
        num_pairs=plan.num_check_pairs,
        checks=checks,
        on_result=lambda result: on_step(result.check),
    )
    examined = measure_for(subject, plan, report.results)
    on_step("the measures")
    return examined


def process_for(subject: Subject, plan: Plan) -> PairProcess:
    """The process of a subject; raises SubjectError if it has none, ValueError if a plan does not fit."""
    process = getattr(subject, "process", None)
    if not isinstance(process, PairProcess):
        raise SubjectError(
            f"a subject must have a process (a PairProcess) to draw pairs from; got {type(process).__name__}"
        )
    if not 1 <= plan.num_context < process.num_points:
        rule = f"num_context must be between 1 and {process.num_points - 1} (points a series - 1)"
        raise ValueError(f"{rule}; got {plan.num_context}")
    require_scenario(process, plan.num_pairs)
    return process


def measure_for(subject: Subject, plan: Plan, results: Sequence[CheckResult]) -> Examined:
    """The subject with its measures, and the results that its battery gave."""
    process = process_for(subject, plan)
    rng = np.random.default_rng([plan.seed, 1])  # the stream of the report: the same seed, the same pairs
    scenario = build_scenario(process, rng, num_pairs=plan.num_pairs, num_context=plan.num_context)
    measured = measure(subject, scenario, rng)
    statistics = (*measured.statistics, *measured.first)
    return Examined(name_of(subject), process, tuple(results), statistics, _mean_y(scenario))


def _mean_y(scenario: Scenario) -> Floats:
    pairs = scenario.pairs
    return np.where(pairs.valid, pairs.y, 0.0).sum(axis=1) / pairs.valid.sum(axis=1)


def to_baseline(examined: Examined, plan: Plan) -> Baseline:
    """What is to be kept of an examined subject."""
    return Baseline(
        subject=examined.subject,
        environment=describe_environment(),
        process=asdict(examined.process),
        plan=plan,
        statuses={result.check: result.status for result in examined.results},
        mean_y=rounded(examined.mean_y).tolist(),
        measures=tuple(
            KeptMeasure(
                name=named.name,
                value=float(named.statistic.value()[0]),
                sums=rounded(named.statistic.sums[:, 0]).tolist(),
            )
            for named in examined.statistics
        ),
    )


def rounded(values: Floats) -> Floats:
    """`values` to the digits that are kept."""
    digits = [float(f"{value:.{SIGNIFICANT_DIGITS}g}") for value in values.ravel()]
    return np.array(digits, dtype=np.float64).reshape(values.shape)


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline whole or not at all; raises OSError if the system refuses."""
    file = _File(schema_version=SCHEMA_VERSION, checksum=_checksum(baseline), baseline=baseline)
    with write_whole(path) as stream:
        stream.write(f"{file.model_dump_json()}\n".encode())


def read_baseline(path: Path) -> Baseline:
    """Read what `write_baseline` wrote.

    Raises BaselineError if it was written under another schema, was cut or changed, or is no baseline;
    OSError if it cannot be read at all.
    """
    content = _read_json(path)
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise BaselineError(
            f"the schema version of a baseline must be {SCHEMA_VERSION}; {path} has {str(version)[:40]}"
        )
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise BaselineError(f"{path} is damaged, or no baseline: {place} is not as it was written") from error
    if file.checksum != _checksum(file.baseline):
        raise BaselineError(f"{path} is damaged: it does not have the checksum that was saved with it")
    return file.baseline


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except ValueError as error:
        raise BaselineError(f"{path} is damaged, or no baseline: it could not be read as JSON") from error
    if not isinstance(content, dict):
        raise BaselineError(f"a baseline must be a JSON object; {path} holds a {type(content).__name__}")
    return content


def _checksum(baseline: Baseline) -> str:
    return hashlib.sha256(baseline.model_dump_json().encode()).hexdigest()
