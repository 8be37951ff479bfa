"""Runs the battery over a subject: the same seed gives the same verdicts."""

import platform
import shlex
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Pairs
from diagnostics.ask import SubjectError
from diagnostics.check import Check, Finding, Scenario, build_scenario
from diagnostics.checks import CHECKS
from diagnostics.diagnose import diagnose
from diagnostics.result import CheckResult, Environment, Report, Symptom
from diagnostics.subject import Subject, offers

NUM_PAIRS = 64
PACKAGES = ("attn-diagnostics", "numpy", "scipy", "tensorflow", "keras", "torch")


@dataclass(frozen=True, eq=False)
class Battery:
    """A subject, the scenario that all checks see, and the seed: `run` asks one check."""

    subject: Subject
    scenario: Scenario
    seed: int
    spec: str
    expected_failures: Mapping[str, str]

    def run(self, check: Check) -> CheckResult:
        """Ask one check; whatever the subject does, a result comes back."""
        started = time.perf_counter()
        status, finding = self._ask(check)
        reason = self.expected_failures.get(check.name)
        detail = finding.detail
        if reason is not None and status == "failed":
            status, detail = "expected_failure", f"{detail} (expected: {reason})"
        elif reason is not None and status == "passed":
            status, detail = "failed", f"expected to fail ({reason}), but it passes: {detail}"
        return CheckResult.model_validate(
            {
                "check": check.name,
                "family": check.family,
                "status": status,
                "statistic": finding.statistic,
                "tolerance": finding.tolerance,
                "detail": detail,
                "suspects": check.suspects if status == "failed" and reason is None else (),
                "evidence": finding.evidence,
                "seed": self.seed,
                "repro": self._repro(check),
                "seconds": time.perf_counter() - started,
            }
        )

    def _ask(self, check: Check) -> tuple[str, Finding]:
        missing = [need for need in check.needs if not offers(self.subject, need)]
        if missing:
            return "skipped", Finding("skipped", f"the subject does not offer {' and '.join(missing)}")
        rng = np.random.default_rng([self.seed, zlib.crc32(check.name.encode())])
        try:
            finding = check(self.subject, self.scenario, rng)
        except SubjectError as error:
            return "error", Finding("skipped", str(error))
        except Exception as error:
            said = (str(error).strip().splitlines() or ["no message"])[0]
            return "error", Finding("skipped", f"the check itself broke: {type(error).__name__}: {said}")
        return finding.status, finding

    def _repro(self, check: Check) -> str:
        words = ["diagnose", "check", "--subject", self.spec, "--check", check.name, "--seed", str(self.seed)]
        if self.scenario.pairs.num_pairs != NUM_PAIRS:
            words += ["--num-pairs", str(self.scenario.pairs.num_pairs)]
        return shlex.join(words)


def prepare(
    subject: Subject,
    *,
    source: PairProcess | Pairs | None = None,
    seed: int = 0,
    num_pairs: int = NUM_PAIRS,
    num_context: int | None = None,
    spec: str | None = None,
    expected_failures: Mapping[str, str] | None = None,
    checks: Sequence[Check] = CHECKS,
) -> Battery:
    """The battery for a subject; `source` None = the subject's own process.

    `spec` is what stands after --subject in reproductions (None = the subject's name).
    Raises SubjectError where there is nothing to draw pairs from, ValueError for an expected failure that
    names no check.
    """
    if source is None:
        if not offers(subject, "process"):
            raise SubjectError(f"{subject.name} must have a process, or pairs must be given; got neither")
        source = subject.process  # type: ignore[attr-defined]
    expected = dict(expected_failures or {})
    unknown = sorted(set(expected) - {check.name for check in checks})
    if unknown:
        raise ValueError(f"expected failures must name checks of the battery; got {', '.join(unknown)}")
    rng = np.random.default_rng([seed, 0])
    scenario = build_scenario(source, rng, num_pairs=num_pairs, num_context=num_context)
    return Battery(subject, scenario, seed, spec or subject.name, expected)


def run_checks(
    subject: Subject,
    *,
    source: PairProcess | Pairs | None = None,
    seed: int = 0,
    num_pairs: int = NUM_PAIRS,
    num_context: int | None = None,
    checks: Sequence[Check] = CHECKS,
    spec: str | None = None,
    expected_failures: Mapping[str, str] | None = None,
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
        expected_failures=expected_failures,
        checks=checks,
    )
    results = []
    for check in checks:
        results.append(battery.run(check))
        if on_result is not None:
            on_result(results[-1])
    return Report(
        subject=subject.name,
        environment=describe_environment(),
        seed=seed,
        num_manifest=len(checks),
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
