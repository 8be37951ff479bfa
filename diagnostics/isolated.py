"""A subject in a process of its own: whatever it does to that process, every check has a result."""

import pickle
import time
from collections.abc import Callable, Sequence
from typing import Self, TypeVar

from pydantic import BaseModel

from attn.types import Pairs
from diagnostics.apart import LOADING, Apart, UnansweredError, free_memory
from diagnostics.ask import SubjectError
from diagnostics.battery import repro
from diagnostics.check import Check
from diagnostics.checks import find_check
from diagnostics.examiner import Examiner, Introduction, Setup
from diagnostics.result import CheckResult, Report
from diagnostics.runner import repro_options, to_report
from diagnostics.sentences import one_line

Form = TypeVar("Form", bound=BaseModel)
OnResult = Callable[[CheckResult], None]

# What is measured sees several times the pairs of a check, and asks for more: it may take so much longer.
CHECKS_OF_A_MEASURE = 12


class Isolated:
    """The subject that `spec` (as for `load_subject`) names, loaded when it is first asked.

    num_beside   subjects that are examined at the same time, and share the memory that is free
    """

    def __init__(self, spec: str, num_beside: int = 1) -> None:
        self.spec = spec
        self.name = spec
        self._apart = Apart(Examiner, spec, memory=free_memory() // num_beside)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._apart.close()

    def introduce(self, method: str = "introduce", *arguments: object) -> Introduction:
        """The first question; raises SubjectError where the subject cannot be loaded or asked at all."""
        try:
            found = self._apart.ask(Introduction, method, *arguments, seconds=LOADING)
        except UnansweredError as error:
            raise SubjectError(f"{self.spec}: {error}" if error.is_lost else str(error)) from error
        self.name = found.name
        return found

    def measure(self, form: type[Form], method: str, *arguments: object, time_limit: float) -> Form:
        """The answer of a method of `Examiner` that measures; raises UnansweredError."""
        return self._apart.ask(form, method, *arguments, seconds=CHECKS_OF_A_MEASURE * time_limit)

    def run_checks(self, setup: Setup, on_result: OnResult = lambda result: None) -> list[CheckResult]:
        """The battery; raises SubjectError or ValueError where it cannot be prepared."""
        pickled = pickle.dumps(setup)
        self.introduce("prepare", pickled)
        results = []
        for name in setup.checks:
            results.append(self._run(find_check(name), setup, pickled))
            on_result(results[-1])
        return results

    def _run(self, check: Check, setup: Setup, pickled: bytes) -> CheckResult:
        started = time.perf_counter()
        try:
            return self._apart.ask(CheckResult, "check", pickled, check.name, seconds=setup.time_limit)
        except UnansweredError as error:
            return CheckResult(
                check=check.name,
                family=check.family,
                status="error",
                detail=one_line(f"{self.name}: {error}"),
                seed=setup.seed,
                repro=repro(check, self.spec, setup.seed, repro_options(setup.options, _num_pairs(setup))),
                seconds=time.perf_counter() - started,
            )


def _num_pairs(setup: Setup) -> int:
    given = setup.source
    return min(setup.num_pairs, given.num_pairs) if isinstance(given, Pairs) else setup.num_pairs


def run_checks_apart(
    spec: str, setup: Setup, *, num_manifest: int, on_result: OnResult = lambda result: None
) -> Report:
    """`run_checks` for the subject that `spec` names, in a process of its own; `num_manifest` as in `Report`.

    Raises SubjectError or ValueError where it cannot be loaded or its battery cannot be prepared.
    """
    with Isolated(spec) as subject:
        results: Sequence[CheckResult] = subject.run_checks(setup, on_result)
        return to_report(subject.name, results, seed=setup.seed, num_manifest=num_manifest)
