"""The battery over one subject: it asks a check, and whatever the subject does, a result comes back."""

import shlex
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from diagnostics.alarm import TimeLimitError, time_limit
from diagnostics.ask import SubjectError
from diagnostics.check import Check, Finding, Scenario
from diagnostics.result import CheckResult
from diagnostics.sentences import one_line, said
from diagnostics.subject import Subject, offers


@dataclass(frozen=True, eq=False)
class Battery:
    """A subject, the scenario that all checks see, and the seed: `run` asks one check.

    spec         what stands after --subject in reproductions; `options` are further words of them
    time_limit   seconds that one check may take, as far as `alarm.time_limit` can act
    """

    subject: Subject
    name: str
    scenario: Scenario
    seed: int
    spec: str
    expected_failures: Mapping[str, str]
    time_limit: float
    options: tuple[str, ...]

    def run(self, check: Check) -> CheckResult:
        """Ask one check; whatever the subject does (KeyboardInterrupt excepted), a result comes back."""
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
                "detail": one_line(detail),
                "suspects": (finding.suspects or check.suspects)
                if status == "failed" and reason is None
                else (),
                "evidence": finding.evidence,
                "seed": self.seed,
                "repro": repro(check, self.spec, self.seed, self.options),
                "seconds": time.perf_counter() - started,
            }
        )

    def _ask(self, check: Check) -> tuple[str, Finding]:
        try:
            missing = [need for need in check.needs if not offers(self.subject, need)]
            if missing:
                return "skipped", Finding("skipped", f"the subject does not offer {' and '.join(missing)}")
            finding = self._answer(check)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return "error", Finding("skipped", self._why(error))
        return finding.status, finding

    def _answer(self, check: Check) -> Finding:
        """The finding.  The scenario is a copy: what a subject writes into its input ends with the check."""
        rng = np.random.default_rng([self.seed, zlib.crc32(check.name.encode())])
        scenario = deepcopy(self.scenario)
        # what a subject prints must not mix with a report that is written to stdout
        with redirect_stdout(sys.stderr), time_limit(self.time_limit):
            return check(self.subject, scenario, rng)

    def _why(self, error: BaseException) -> str:
        """Why a check has no answer: the sentence of a SubjectError, or what else was raised."""
        if isinstance(error, SubjectError):
            return str(error)
        if isinstance(error, TimeLimitError):
            return f"{self.name}: the subject did not answer within {self.time_limit:g} s"
        raised = f"{type(error).__name__}: {said(error)}"
        if isinstance(error, Exception):
            return f"the check itself broke: {raised}"
        # SystemExit, pytest.skip and the like would steer the very run that examines the subject
        return f"{self.name}: a subject must not end the run; got {raised}"


def repro(check: Check, spec: str, seed: int, options: Sequence[str]) -> str:
    """The command line that asks a check again."""
    words = ["diagnose", "check", "--subject", spec, "--check", check.name, "--seed", str(seed)]
    # a report, which any file can hold, repeats it
    return shlex.join([*words, *options]).encode("utf-8", "replace").decode()
