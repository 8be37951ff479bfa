"""Runs the battery over a subject: the same seed gives the same verdicts."""

import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Pairs
from diagnostics.ask import SubjectError, one_line
from diagnostics.battery import Battery
from diagnostics.check import Check, build_scenario
from diagnostics.checks import CHECKS
from diagnostics.diagnose import diagnose
from diagnostics.result import CheckResult, Environment, Report, Symptom
from diagnostics.subject import Subject, offers

NUM_PAIRS = 64
# The length of CHECKS, written out: the count is part of the verdict, and a battery that shrank is not green.
NUM_CHECKS = 42
# Seconds that a check may take: a hundred times what the slowest takes with a model of ordinary size.
TIME_LIMIT = 300.0
PACKAGES = ("attn-diagnostics", "numpy", "scipy", "tensorflow", "keras", "torch")


def prepare(
    subject: Subject,
    *,
    source: PairProcess | Pairs | None = None,
    seed: int = 0,
    num_pairs: int = NUM_PAIRS,
    num_context: int | None = None,
    spec: str | None = None,
    options: Sequence[str] = (),
    expected_failures: Mapping[str, str] | None = None,
    checks: Sequence[Check] = CHECKS,
    time_limit: float = TIME_LIMIT,
) -> Battery:
    """The battery for a subject; `source` None = the subject's own process.

    `spec` is what stands after --subject in reproductions (None = the subject's name), `options` are further
    words of them.
    Raises SubjectError where there is nothing to draw pairs from, ValueError for an expected failure that
    names no check or a time limit that is not positive.
    """
    if not time_limit > 0:
        raise ValueError(f"time_limit must be above 0 s; got {time_limit}")
    name = _name_of(subject)
    if source is None:
        source = _process_of(subject, name)
    expected = dict(expected_failures or {})
    unknown = sorted(set(expected) - {check.name for check in checks})
    if unknown:
        raise ValueError(f"expected failures must name checks of the battery; got {', '.join(unknown)}")
    rng = np.random.default_rng([seed, 0])
    scenario = build_scenario(source, rng, num_pairs=num_pairs, num_context=num_context)
    if scenario.pairs.num_pairs != NUM_PAIRS:
        options = (*options, "--num-pairs", str(scenario.pairs.num_pairs))
    return Battery(subject, name, scenario, seed, spec or name, expected, time_limit, tuple(options))


def _name_of(subject: Subject) -> str:
    name = getattr(subject, "name", None)
    if not isinstance(name, str) or not name.strip():
        raise SubjectError(f"name of a subject must be text; got {type(name).__name__} {str(name)[:60]!r}")
    return one_line(name)


def _process_of(subject: Subject, name: str) -> PairProcess:
    if not offers(subject, "process"):
        raise SubjectError(f"{name} must have a process, or pairs must be given (--pairs FILE); got neither")
    process: object = subject.process  # type: ignore[attr-defined]
    if not isinstance(process, PairProcess):
        raise SubjectError(f"{name}: process must be a PairProcess; got {type(process).__name__}")
    return process


def run_checks(
    subject: Subject,
    *,
    source: PairProcess | Pairs | None = None,
    seed: int = 0,
    num_pairs: int = NUM_PAIRS,
    num_context: int | None = None,
    checks: Sequence[Check] = CHECKS,
    spec: str | None = None,
    options: Sequence[str] = (),
    expected_failures: Mapping[str, str] | None = None,
    time_limit: float = TIME_LIMIT,
    symptoms: Sequence[Symptom] = (),
    on_result: Callable[[CheckResult], None] | None = None,
) -> Report:
    """Run `checks` over a subject; see `prepare` for the other arguments.

    `symptoms` go into the report, the first into the verdict; `on_result` is called after each check.
    """
    battery = prepare(
        subject,
        source=source,
        seed=seed,
        num_pairs=num_pairs,
        num_context=num_context,
        spec=spec,
        options=options,
        expected_failures=expected_failures,
        checks=checks,
        time_limit=time_limit,
    )
    results = []
    for check in checks:
        results.append(battery.run(check))
        if on_result is not None:
            on_result(results[-1])
    return Report(
        subject=battery.name,
        environment=describe_environment(),
        seed=seed,
        num_manifest=NUM_CHECKS if checks is CHECKS else len(checks),
        results=tuple(results),
        diagnosis=diagnose(results, symptoms[0] if symptoms else None),
        symptoms=tuple(symptoms),
    )


def describe_environment() -> Environment:
    """Python, platform and the versions of the packages that matter, as far as they are installed."""
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return Environment(python=platform.python_version(), platform=platform.platform(), packages=packages)


def parametrize_with_checks(checks: Sequence[Check] = CHECKS) -> pytest.MarkDecorator:
    """A pytest decorator: the test gets one argument `check`, one item a check, named after it."""
    return pytest.mark.parametrize("check", checks, ids=[check.name for check in checks])


def assert_passes(result: CheckResult) -> None:
    """Turn a result into the outcome of a pytest test: its sentence, without a traceback."""
    if result.status == "skipped":
        pytest.skip(result.detail)
    if result.status == "expected_failure":
        pytest.xfail(result.detail)
    if result.status != "passed":
        pytest.fail(f"{result.check}: {result.detail}\n  again: {result.repro}", pytrace=False)
