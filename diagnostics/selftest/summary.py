"""What a self-test showed: detection, false alarms, and whether the cause was named; beside the targets."""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

from diagnostics.causes import FAULTS
from diagnostics.faults import CATALOGUE, find_injection
from diagnostics.selftest.run import CellResult

NUM_NAMED = 3


@dataclass(frozen=True)
class Share:
    """`count` of `total`, with its exact 95 % interval (Clopper and Pearson 1934), and the target."""

    name: str
    count: int
    total: int
    target: float

    @property
    def value(self) -> float:
        """The share itself; 1 of nothing is 1."""
        return self.count / self.total if self.total else 1.0

    @property
    def interval(self) -> tuple[float, float]:
        """Exact 95 % interval."""
        if not self.total:
            return 0.0, 1.0
        interval = binomtest(self.count, self.total).proportion_ci(method="exact")
        return float(interval.low), float(interval.high)

    @property
    def is_met(self) -> bool:
        """Whether the share is at least the target."""
        return self.value >= self.target


@dataclass(frozen=True)
class FaultRow:
    """A fault at one severity: which checks it made fail that its sound twin passes, and the causes named."""

    row: int
    fault: str
    severity: float
    is_full: bool
    killers: tuple[str, ...]
    causes: tuple[str, ...]
    families: tuple[str, ...]
    seconds: float

    @property
    def is_detected(self) -> bool:
        """Whether any check failed because of it."""
        return bool(self.killers)

    @property
    def family_is_first(self) -> bool:
        """Whether the first cause is of the family of the fault."""
        return self.families[:1] == (FAULTS[self.fault].family,)

    @property
    def is_named(self) -> bool:
        """Whether the fault is among the first causes."""
        return self.fault in self.causes[:NUM_NAMED]


@dataclass(frozen=True)
class Alarm:
    """A healthy variant that was flagged, and what was said of it."""

    number: int
    check: str
    detail: str


@dataclass(frozen=True)
class Summary:
    """All that a self-test showed."""

    faults: tuple[FaultRow, ...]
    alarms: tuple[Alarm, ...]
    num_healthy: int
    shares: tuple[Share, ...]
    seconds: float

    @property
    def is_met(self) -> bool:
        """Whether every figure reaches its target."""
        return all(share.is_met for share in self.shares)

    def kills(self, check: str) -> tuple[str, ...]:
        """The faults, at full severity, that a check detects."""
        return tuple(row.fault for row in self.faults if row.is_full and check in row.killers)

    def only_killer_of(self, check: str) -> tuple[str, ...]:
        """The faults at full severity that no other check detects."""
        return tuple(row.fault for row in self.faults if row.is_full and row.killers == (check,))


def summarise(results: Sequence[CellResult], seconds: float) -> Summary:
    """The figures of a self-test of `results` that took so many seconds."""
    twins = {result.cell.name: result.alarms for result in results if result.cell.kind == "twin"}
    faults = tuple(_fault_row(result, twins) for result in results if result.cell.kind == "fault")
    healthy = [result for result in results if result.cell.kind == "healthy"]
    alarms = tuple(
        Alarm(result.cell.number, check, result.details[check])
        for result in healthy
        for check in sorted(result.alarms)
    )
    return Summary(faults, alarms, len(healthy), _shares(faults, healthy), seconds)


def _fault_row(result: CellResult, twins: dict[str, set[str]]) -> FaultRow:
    known = find_injection(result.cell.name)
    return FaultRow(
        row=known.row,
        fault=known.fault,
        severity=result.cell.severity,
        is_full=result.cell.severity == known.severities[0],
        killers=tuple(
            check
            for check, status in result.status.items()
            if status == "failed" and check not in twins.get(known.twin, set())
        ),
        causes=tuple(result.causes),
        families=tuple(result.families),
        seconds=result.seconds,
    )


def _shares(faults: Sequence[FaultRow], healthy: Sequence[CellResult]) -> tuple[Share, ...]:
    full = [row for row in faults if row.is_full]
    unflagged = sum(not result.alarms for result in healthy)
    return (
        Share("faults of the catalogue injected", len({row.row for row in full}), len(CATALOGUE), 1.0),
        Share("detected at full severity", sum(row.is_detected for row in full), len(full), 1.0),
        Share("detected over all severities", sum(row.is_detected for row in faults), len(faults), 0.95),
        Share("right family named first", sum(row.family_is_first for row in full), len(full), 0.9),
        Share("right fault in the first three", sum(row.is_named for row in full), len(full), 1.0),
        Share("healthy variants left alone", unflagged, len(healthy), 1.0),
    )
