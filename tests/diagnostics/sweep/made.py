"""Sweeps made by hand: a line a cell, such as `subject failed passed`; seeds count by subject."""

from collections import Counter

from diagnostics.result import Environment
from diagnostics.sweep.result import Sweep, SweepRow, SweptCell

CHECKS = ("zero", "one")
CAUSE = "future_leak"


def made(lines, statistic=0.5, lost=None):
    """A cell that fails something has a cause; the last one was lost for the reason `lost`."""
    seeds, rows, cells = Counter(), [], []
    for line in lines:
        subject, *statuses = line.split()
        seed, seeds[subject] = seeds[subject], seeds[subject] + 1
        for check, status in zip(CHECKS, statuses, strict=True):
            rows.append(
                SweepRow(
                    subject=subject,
                    seed=seed,
                    check=check,
                    family="masking",
                    status=status,
                    statistic=None if status == "error" else statistic,
                    tolerance=None,
                    detail=f"{status}, it says",
                    seconds=0.25,
                )
            )
        cause = CAUSE if "failed" in statuses else None
        cells.append(SweptCell(subject=subject, seed=seed, cause=cause, seconds=1.0))
    if lost:
        cells[-1] = cells[-1].model_copy(update={"lost": lost})
    return Sweep(
        environment=Environment(python="3", platform="p", packages={}),
        command="diagnose sweep",
        num_pairs=64,
        subjects=tuple(seeds),
        seeds=tuple(range(max(seeds.values(), default=1))),
        checks=CHECKS,
        rows=tuple(rows),
        cells=tuple(cells),
    )
