"""A subject in a process of its own, measured for a baseline or beside one."""

from collections.abc import Callable

from diagnostics.apart import UnansweredError
from diagnostics.ask import SubjectError
from diagnostics.examiner import Setup
from diagnostics.isolated import Isolated
from diagnostics.regression.baseline import Baseline, Plan
from diagnostics.regression.changes import Comparison
from diagnostics.regression.comparison import compare_checks
from diagnostics.result import CheckResult
from diagnostics.runner import TIME_LIMIT

OnStep = Callable[[str], None]


def measure_baseline(spec: str, plan: Plan, *, on_step: OnStep = lambda step: None) -> Baseline:
    """What is to be kept of the subject that `spec` names (as for `load_subject`).

    `on_step` is called after each check, and once after the measures.  Raises SubjectError or ValueError
    where the subject cannot be loaded or measured, or has no process that the plan fits.
    """
    with Isolated(spec) as subject:
        subject.introduce("fit", plan, None)
        results = _run_checks(subject, plan, on_step)
        try:
            kept = subject.measure(Baseline, "baseline", plan, results, time_limit=TIME_LIMIT)
        except UnansweredError as error:
            raise SubjectError(
                f"a baseline must hold measures; got none of {subject.name}: {error}"
            ) from error
        on_step("the measures")
        return kept


def compare_with_baseline(
    baseline: Baseline, spec: str, *, on_step: OnStep = lambda step: None
) -> Comparison:
    """The subject that `spec` names beside a baseline, by the plan of that; without measures where they fail.

    Raises what `measure_baseline` does of loading and process, and ValueError where the process, the pairs or
    the measures are not those of the baseline.
    """
    with Isolated(spec) as subject:
        subject.introduce("fit", baseline.plan, baseline)
        results = _run_checks(subject, baseline.plan, on_step)
        try:
            found = subject.measure(Comparison, "comparison", baseline, results, time_limit=TIME_LIMIT)
        except UnansweredError as error:
            if not error.is_lost:
                raise
            found = compare_checks(baseline, subject.name, results, f"Nothing was measured: {error}.")
        on_step("the measures")
        return found


def _run_checks(subject: Isolated, plan: Plan, on_step: OnStep) -> list[CheckResult]:
    setup = Setup(seed=plan.seed, num_pairs=plan.num_check_pairs)
    return subject.run_checks(setup, lambda result: on_step(result.check))
