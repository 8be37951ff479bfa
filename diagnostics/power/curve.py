"""How small a drop the battery sees: a healthy subject, a known offset, many seeds, the share flagged.

A run is the checks of the boundary on fresh pairs; it is flagged where any of them fails.  Offsets are in
standard deviations of the exact posterior at the first target, towards the level of A.  The negative
control is a subject that knows less than it was shown and says so: it must not be flagged.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

from attn.processes import PairProcess
from diagnostics.ask import SubjectError
from diagnostics.check import Check
from diagnostics.checks import CHECKS
from diagnostics.power.twins import HonestSubject, OffsetSubject
from diagnostics.runner import NUM_PAIRS, prepare
from diagnostics.subject import Subject

SIZES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
# The offset at the first target alone, and one that a target later has lost a fifth.
DECAYS = (0.0, 0.8)
# Every which observed point an honest subject sees.
HONEST = (2, 3)
# The exact posterior of this process is the healthy subject where no other is given.
PROCESS = PairProcess(num_points=16)
NUM_CONTEXT = 6
BOUNDARY_CHECKS = tuple(
    check
    for check in CHECKS
    if not check.needs and (check.family == "boundary" or check.name.startswith("first_target"))
)


@dataclass(frozen=True)
class Power:
    """How many of some runs were flagged, and by which check; `size` and `decay` None for a control."""

    subject: str
    size: float | None
    decay: float | None
    num_runs: int
    num_flagged: int
    by_check: dict[str, int]

    @property
    def share(self) -> float:
        """The share of runs that were flagged."""
        return self.num_flagged / self.num_runs

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95 % interval of the share (Clopper and Pearson 1934)."""
        found = binomtest(self.num_flagged, self.num_runs).proportion_ci(0.95, "exact")
        return float(found.low), float(found.high)


OnStep = Callable[[str], None]


def num_steps(sizes: Sequence[float] = SIZES) -> int:
    """How often `on_step` is called by `measure_power`."""
    return len(sizes) * len(DECAYS) + len(HONEST)


def measure_power(
    subject: Subject,
    process: PairProcess,
    *,
    num_context: int | None,
    sizes: Sequence[float] = SIZES,
    num_runs: int = 100,
    num_pairs: int = NUM_PAIRS,
    checks: Sequence[Check] = BOUNDARY_CHECKS,
    seed: int = 0,
    on_step: OnStep = lambda step: None,
) -> tuple[Power, ...]:
    """Every offset of a healthy `subject`, then the honest subjects of the same process.

    Every subject sees the same `num_runs` sets of pairs.  Raises SubjectError where a check breaks off.
    """
    found = []
    for twin, size, decay in _twins(subject, process, sizes):
        runs = [
            _failed_checks(twin, process, checks, seed + run, num_pairs, num_context)
            for run in range(num_runs)
        ]
        counts = Counter(name for failed in runs for name in failed)
        by_check = {check.name: counts[check.name] for check in checks}
        found.append(Power(twin.name, size, decay, num_runs, sum(map(bool, runs)), by_check))
        on_step(twin.name)
    return tuple(found)


def _twins(
    subject: Subject, process: PairProcess, sizes: Sequence[float]
) -> Iterator[tuple[Subject, float | None, float | None]]:
    for decay in DECAYS:
        for size in sizes:
            yield OffsetSubject(subject, process, size, decay), size, decay
    for every in HONEST:
        yield HonestSubject(process, f"exact posterior of every {every}. point", every=every), None, None


def _failed_checks(
    subject: Subject,
    process: PairProcess,
    checks: Sequence[Check],
    seed: int,
    num_pairs: int,
    num_context: int | None,
) -> list[str]:
    battery = prepare(subject, source=process, seed=seed, num_pairs=num_pairs, num_context=num_context)
    results = [battery.run(check) for check in checks]
    for result in results:
        if result.status == "error":
            raise SubjectError(f"{result.check}: {result.detail}")
    return [result.check for result in results if result.status == "failed"]


def least_detected(powers: Sequence[Power], decay: float, share: float = 0.95) -> float | None:
    """The smallest offset from which on at least `share` of the runs are flagged; None for none."""
    found = None
    shares = {p.size: p.share for p in powers if p.size and p.decay == decay}
    for size in sorted(shares, reverse=True):
        if shares[size] < share:
            break
        found = size
    return found
