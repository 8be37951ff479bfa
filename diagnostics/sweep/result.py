"""What a sweep says: a row for every subject, seed and check, and how often each check fails."""

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from diagnostics.result import Environment, Family, Status


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class SweepRow(_Value):
    """What one check said of one subject under one seed; the fields are those of a `CheckResult`."""

    subject: str
    seed: int
    check: str
    family: Family
    status: Status
    statistic: float | None
    tolerance: float | None
    detail: str
    seconds: float


class SweptCell(_Value):
    """A subject under a seed.

    cause    the fault that was named first; None where none was
    lost     why there is no result: its process was ended again and again; None where there is one
    seconds  of the battery, loading included
    """

    subject: str
    seed: int
    cause: str | None
    lost: str | None = None
    seconds: float


class CellResult(_Value):
    """What a worker found: the cell, and its rows in the order of its checks."""

    cell: SweptCell
    rows: tuple[SweepRow, ...]


@dataclass(frozen=True)
class Count:
    """Of the seeds of a subject and check: how many there are, give an answer, and let the check fail."""

    num_seeds: int
    num_answered: int
    num_failed: int

    @property
    def share(self) -> float:
        """Failed of answered; NaN where nothing was."""
        return self.num_failed / self.num_answered if self.num_answered else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share, by Wilson (1927); nothing is known of no answer."""
        if not self.num_answered:
            return 0.0, 1.0
        from scipy.stats import binomtest  # slow to import, and not needed where only the form is

        found = binomtest(self.num_failed, self.num_answered).proportion_ci(method="wilson")
        return float(found.low), float(found.high)


class Sweep(_Value):
    """All rows, by subject, then seed, then check, each in the order in which it was asked for.

    environment   where the command ran; workers elsewhere have the same code of this package
    cells         every subject under every seed, in the same order
    """

    schema_version: Literal[1] = 1
    environment: Environment
    command: str
    num_pairs: int
    subjects: tuple[str, ...]
    seeds: tuple[int, ...]
    checks: tuple[str, ...]
    rows: tuple[SweepRow, ...]
    cells: tuple[SweptCell, ...]

    def counts(self) -> dict[tuple[str, str], Count]:
        """How often each check fails, by subject and check."""
        statuses: dict[tuple[str, str], list[Status]] = {}
        for row in self.rows:
            statuses.setdefault((row.subject, row.check), []).append(row.status)
        return {key: _count(found) for key, found in statuses.items()}

    @property
    def exit_code(self) -> int:
        """0 all passed; 1 a finding; 3 a check without an answer, or fewer rows than were asked for."""
        statuses = [row.status for row in self.rows]
        if "failed" in statuses:
            return 1
        num_asked = len(self.subjects) * len(self.seeds) * len(self.checks)
        return 0 if statuses and statuses.count("passed") == num_asked else 3


def _count(statuses: list[Status]) -> Count:
    num_failed = statuses.count("failed")
    return Count(len(statuses), num_failed + statuses.count("passed"), num_failed)
