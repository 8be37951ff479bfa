"""From the pattern of results to ranked causes, and the verdict in words.

A failed check has one vote, half a one if it is a statistic, and its suspects share it in the proportion
1 : 1/2 : 1/3 and so on: a check that suspects many says little of each.  A fault gains a whole vote more for
each check that it could not have passed and that points at it (one more where it could not have passed both
of two), and is struck off when one of them does not.  A
fault of the architecture is thus named before the drop that it produces, because its own check and those of
the drop speak together.
"""

from collections.abc import Sequence, Set

from diagnostics.causes import FAULTS
from diagnostics.result import Cause, CheckResult, Diagnosis, Measure, Symptom

NUM_CAUSES = 5
# Above this drift fraction (its whole interval) a drop is called present; as in the checks of the boundary.
DRIFT_OF_A_DROP = 0.05
BOUNDARY_CHECKS = ("no_drift_at_the_first_target", "no_drift_later")


def diagnose(results: Sequence[CheckResult], symptom: Symptom | None = None) -> Diagnosis:
    """Rank the causes of `results`, and word the verdict; `symptom` gives it figures."""
    passed = {result.check for result in results if result.status == "passed"}
    failed = [result for result in results if result.status == "failed"]
    causes = _rank(failed, passed)
    return Diagnosis(verdict=f"{_drop(results, symptom)} {_reason(results, causes)}", causes=causes)


def _rank(failed: Sequence[CheckResult], passed: Set[str]) -> tuple[Cause, ...]:
    suspected = dict.fromkeys(fault for result in failed for fault in result.suspects)
    score = {
        fault: _votes(fault, failed) + _certain_votes(fault, failed)
        for fault in suspected
        if not _is_refuted(fault, failed, passed)
    }
    names = {result.check for result in failed}

    def order(fault: str) -> tuple[bool, bool, float]:
        known = FAULTS[fault]
        return not known.disturbs_all, not names.isdisjoint(known.unless), -score[fault]

    return tuple(_cause(fault, failed) for fault in sorted(score, key=order)[:NUM_CAUSES])


def _votes(fault: str, failed: Sequence[CheckResult]) -> float:
    """The fault's share of the vote of every check that suspects it."""
    votes = 0.0
    for result in failed:
        if fault in result.suspects:
            whole = sum(1 / place for place in range(1, len(result.suspects) + 1))
            votes += _weight(result) / (result.suspects.index(fault) + 1) / whole
    return votes


def _certain_votes(fault: str, failed: Sequence[CheckResult]) -> float:
    """Whole votes of the checks that the fault could not have passed."""
    known = FAULTS[fault]
    weight = {result.check: _weight(result) for result in failed if fault in result.suspects}
    of_any = max((weight.get(check, 0.0) for check in known.any_of), default=0.0)
    return sum(weight.get(check, 0.0) for check in known.all_of) + of_any


def _weight(result: CheckResult) -> float:
    """A contract speaks for one thing; a statistic, judged by its interval, moves when anything is wrong."""
    return 0.5 if "low" in result.evidence else 1.0


def _is_refuted(fault: str, failed: Sequence[CheckResult], passed: Set[str]) -> bool:
    known = FAULTS[fault]
    points_elsewhere = {result.check for result in failed if fault not in result.suspects}
    if any(check in passed or check in points_elsewhere for check in known.all_of):
        return True
    return bool(known.any_of) and all(check in passed for check in known.any_of)


def _cause(fault: str, failed: Sequence[CheckResult]) -> Cause:
    # the checks that name it earliest are its best evidence
    naming = [result for result in failed if fault in result.suspects]
    naming.sort(key=lambda result: result.suspects.index(fault))
    known = FAULTS[fault]
    return Cause(
        fault=fault,
        family=known.family,
        title=known.title[0].upper() + known.title[1:],
        evidence=tuple(f"{result.check}: {result.detail}" for result in naming),
        mend=known.mend,
        confirm=tuple(result.check for result in naming),
    )


def _drop(results: Sequence[CheckResult], symptom: Symptom | None) -> str:
    """The first sentence: whether there is a drop at the boundary."""
    measures = {measure.name: measure for measure in symptom.measures} if symptom else {}
    if "drift_first" in measures and "drift_later" in measures:
        first, later = measures["drift_first"], measures["drift_later"]
        figures = f"(drift fraction {_figure(first)} at the first target, {_figure(later)} later)"
        if _is_drop(first) or _is_drop(later):
            return f"The forecast leaves the level of B at the boundary {figures}."
        return f"There is no drop at the boundary {figures}."
    status = {result.check: result.status for result in results}
    found = [status.get(name) for name in BOUNDARY_CHECKS]
    if "failed" in found or "expected_failure" in found:
        return "The forecast leaves the level of B at the boundary."
    if found == ["passed", "passed"]:
        return "There is no drop at the boundary."
    return "Whether there is a drop at the boundary was not measured."


def _is_drop(measure: Measure) -> bool:
    return measure.low > DRIFT_OF_A_DROP or measure.high < -DRIFT_OF_A_DROP


def _figure(measure: Measure) -> str:
    value, low, high = (f"{part:.2f}" for part in (measure.value, measure.low, measure.high))
    return f"{value} [{low}, {high}]".replace("-0.00", "0.00")


def _reason(results: Sequence[CheckResult], causes: Sequence[Cause]) -> str:
    """The second sentence: the first cause, or that nothing was found."""
    counts = {status: sum(result.status == status for result in results) for status in ("passed", "failed")}
    unanswered = len(results) - sum(counts.values())
    left = f"; {unanswered} gave no verdict" if unanswered else ""
    if causes:
        title = causes[0].title[0].lower() + causes[0].title[1:]
        failed = f"{counts['failed']} of {len(results)} checks failed{left}"
        return f"The most likely cause is that {title} ({failed})."
    if counts["failed"]:
        return f"{counts['failed']} of {len(results)} checks failed without a known cause{left}."
    return f"{counts['passed']} of {len(results)} checks passed{left}."
