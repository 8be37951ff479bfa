"""After a change: every measure against its baseline, by a paired bootstrap, and every check.

Both sides are measured on the same pairs, and every resample takes the same rows of both, so that what
pairs have in common cancels.  A measure with a direction (see `directions`) has moved where two things hold:

1. its badness changed by more than the smallest change that matters;
2. the change is significant at 5 % over all directed measures together, by Holm's step-down procedure
   (Holm 1979, "A simple sequentially rejective multiple test procedure").  The p-value is twice the share of
   resamples in which the change has not the observed sign, for the badness and for the measure itself; the
   larger of the two counts.  The second is needed where badness folds: |drift| of pure noise is never
   below the 0 of a perfect baseline, and would look significant by itself.

A measure that was finite and no longer is has got worse, whatever the others do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from attn.processes import PairProcess
from attn.types import Floats
from diagnostics.measuring import NamedStatistic
from diagnostics.regression.baseline import Baseline, BaselineError, Examined, KeptMeasure, rounded
from diagnostics.regression.changes import CheckChange, CheckVerdict, Comparison, MeasureChange, Verdict
from diagnostics.regression.directions import DIRECTIONS, Direction
from diagnostics.result import CheckResult, Status

NUM_RESAMPLES = 4000
LEVEL = 0.05


def require_same_process(baseline: Baseline, process: PairProcess) -> None:
    """Raise BaselineError unless the process of a subject is that of the baseline."""
    new = asdict(process)
    for field in sorted(baseline.process.keys() | new.keys()):
        if baseline.process.get(field) != new.get(field):
            raise BaselineError(
                f"a subject must have the process of the baseline, {field} {baseline.process.get(field)};"
                f" got {new.get(field)}"
            )


def compare(baseline: Baseline, examined: Examined) -> Comparison:
    """Compare an examined subject with a baseline; both by the baseline's plan.

    Raises BaselineError where the process, the pairs or the measures are not those of the baseline.
    """
    require_same_process(baseline, examined.process)
    _require_same_pairs(baseline, examined.mean_y)
    plan = baseline.plan
    rng = np.random.default_rng([plan.seed, 2])
    counts = rng.multinomial(plan.num_pairs, np.full(plan.num_pairs, 1 / plan.num_pairs), NUM_RESAMPLES)
    pairs = _match(baseline.measures, examined.statistics)
    return Comparison(
        old_subject=baseline.subject,
        new_subject=examined.subject,
        seed=plan.seed,
        num_pairs=plan.num_pairs,
        num_context=plan.num_context,
        measures=_judge([_move(old, new, counts.astype(np.float64)) for old, new in pairs]),
        checks=_check_changes(baseline.statuses, examined.results),
    )


def compare_checks(baseline: Baseline, subject: str, results: Sequence[CheckResult], why: str) -> Comparison:
    """Compare the battery alone, of a subject that could not be measured; `why` is a sentence."""
    plan = baseline.plan
    return Comparison(
        old_subject=baseline.subject,
        new_subject=subject,
        seed=plan.seed,
        num_pairs=plan.num_pairs,
        num_context=plan.num_context,
        measures=(),
        checks=_check_changes(baseline.statuses, results),
        unmeasured=why,
    )


def _require_same_pairs(baseline: Baseline, mean_y: Floats) -> None:
    """Another version of a library may draw other pairs from the same seed; rounding is allowed for."""
    if len(mean_y) != len(baseline.mean_y) or not np.allclose(mean_y, baseline.mean_y, rtol=0, atol=1e-4):
        versions = ", ".join(f"{name} {version}" for name, version in baseline.environment.packages.items())
        raise BaselineError(
            "the pairs of the baseline must be drawn again from its seed; got other pairs"
            f" (the baseline was made with {versions})"
        )


def _match(
    kept: Sequence[KeptMeasure], statistics: Sequence[NamedStatistic]
) -> list[tuple[KeptMeasure, NamedStatistic]]:
    old, new = [measure.name for measure in kept], [named.name for named in statistics]
    if old != new:
        differing = sorted(set(old) ^ set(new)) or old
        raise BaselineError(
            f"a baseline must hold the measures of today; {', '.join(differing)} differ (make a new baseline)"
        )
    return list(zip(kept, statistics, strict=True))


@dataclass(frozen=True, eq=False)
class _Move:
    """One measure before and after, and both over resamples [R] of the pairs."""

    name: str
    meaning: str
    old: float
    new: float
    old_resampled: Floats
    new_resampled: Floats


def _move(kept: KeptMeasure, named: NamedStatistic, counts: Floats) -> _Move:
    """`counts` [R,N] says how often a resample holds a pair; it is the same for both sides."""
    old_sums, new_sums = np.array(kept.sums), rounded(named.statistic.sums[:, 0])  # [N,K]
    of_totals = named.statistic.of_totals
    with np.errstate(all="ignore"):
        old, new = (float(of_totals(sums.sum(axis=0))) for sums in (old_sums, new_sums))
        old_resampled, new_resampled = of_totals(counts @ old_sums), of_totals(counts @ new_sums)
    return _Move(named.name, named.meaning, old, new, old_resampled, new_resampled)


def _judge(moves: Sequence[_Move]) -> tuple[MeasureChange, ...]:
    p_values = {move.name: _p_value(move, DIRECTIONS[move.name]) for move in moves if move.name in DIRECTIONS}
    significant = _holm(p_values)
    return tuple(_change(move, p_values.get(move.name), move.name in significant) for move in moves)


def _change(move: _Move, p_value: float | None, is_significant: bool) -> MeasureChange:
    with np.errstate(all="ignore"):
        differences = move.new_resampled - move.old_resampled
        finite = differences[np.isfinite(differences)]
    low, high = np.percentile(finite, [2.5, 97.5]) if len(finite) else (np.nan, np.nan)
    return MeasureChange(
        name=move.name,
        meaning=move.meaning,
        old=move.old,
        new=move.new,
        difference=move.new - move.old,
        low=float(low),
        high=float(high),
        p_value=p_value,
        verdict=_verdict(move, is_significant),
    )


def _verdict(move: _Move, is_significant: bool) -> Verdict:
    if move.name not in DIRECTIONS:
        return "undirected"
    if np.isfinite(move.old) != np.isfinite(move.new):
        return "worse" if np.isfinite(move.old) else "better"
    direction = DIRECTIONS[move.name]
    change = _worsening(move, direction)
    if not is_significant or not abs(change) > direction.smallest:
        return "unchanged"
    return "worse" if change > 0 else "better"


def _worsening(move: _Move, direction: Direction) -> float:
    with np.errstate(all="ignore"):
        return float(direction.badness(np.array(move.new)) - direction.badness(np.array(move.old)))


def _p_value(move: _Move, direction: Direction) -> float:
    """Of no change; 1 where a measure is not defined."""
    with np.errstate(all="ignore"):
        badness = direction.badness(move.new_resampled) - direction.badness(move.old_resampled)
        itself = move.new_resampled - move.old_resampled
    return max(
        _two_sided(badness, _worsening(move, direction)),
        _two_sided(itself, move.new - move.old),
    )


def _two_sided(resampled: Floats, observed: float) -> float:
    """Twice the share of resamples [R] whose change has not the sign of the observed one, at most 1."""
    against = ~(resampled * np.sign(observed) > 0)  # a change of nan or 0 has no sign
    return float(min(1.0, 2 * (1 + against.sum()) / (1 + len(resampled))))


def _holm(p_values: Mapping[str, float]) -> set[str]:
    """The names whose p-value is significant at LEVEL over all of them."""
    significant: set[str] = set()
    for place, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        if p_values[name] > LEVEL / (len(p_values) - place):
            break
        significant.add(name)
    return significant


def _check_changes(old: Mapping[str, Status], results: Sequence[CheckResult]) -> tuple[CheckChange, ...]:
    new = {result.check: result for result in results}
    return tuple(_check_change(name, old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new]))


def _check_change(name: str, old: Status | None, result: CheckResult | None) -> CheckChange:
    if result is None:
        detail = "the battery no longer holds this check"
        return CheckChange(check=name, old=old, new=None, detail=detail, verdict="unanswered")
    verdict = _check_verdict(old, result.status)
    return CheckChange(check=name, old=old, new=result.status, detail=result.detail, verdict=verdict)


def _check_verdict(old: Status | None, new: Status) -> CheckVerdict:
    if new == "error":
        return "unanswered"
    if old is None:
        return "new check"
    if old == new:
        return "unchanged"
    if new == "failed":
        return "newly failed"
    if new == "skipped":
        return "unanswered" if old in ("passed", "failed") else "changed"
    return "no longer fails" if old == "failed" else "changed"
