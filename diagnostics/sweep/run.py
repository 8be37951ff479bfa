"""Runs a sweep: a cell is one subject under one seed, done by whatever worker is free."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from diagnostics.adapters import load_subject
from diagnostics.cells.run import finish_cells
from diagnostics.cells.workers import Workers
from diagnostics.checks import find_check
from diagnostics.faults import find_injection
from diagnostics.runner import describe_environment, run_checks
from diagnostics.subject import Subject
from diagnostics.sweep.plan import Asked, Cell
from diagnostics.sweep.result import CellResult, Sweep, SweepRow, SweptCell


def sweep(
    cells: Sequence[Cell],
    store: Path,
    *,
    workers: Workers,
    command: str,
    on_result: Callable[[CellResult], None] = lambda result: None,
) -> Sweep:
    """Let `workers` do all cells that `store` does not hold; there must be one.

    A cell that ends its process again and again has an error in the place of every check.

    Raises SubjectError where a subject cannot be had.
    """
    results = finish_cells(
        run_cell,
        {cell.key: cell for cell in cells},
        store,
        CellResult,
        workers=workers,
        on_result=on_result,
        if_lost=without_result,
    )
    return assemble(cells, results, command)


def run_cell(cell: Cell) -> CellResult:
    """The battery over one subject."""
    started = time.perf_counter()
    report = run_checks(
        _subject(cell.asked),
        seed=cell.seed,
        num_pairs=cell.num_pairs,
        checks=[find_check(name) for name in cell.checks],
        spec=cell.asked.name,
        time_limit=cell.time_limit,
    )
    rows = (
        SweepRow(
            subject=cell.asked.name,
            seed=cell.seed,
            check=found.check,
            family=found.family,
            status=found.status,
            statistic=found.statistic,
            tolerance=found.tolerance,
            detail=found.detail,
            seconds=found.seconds,
        )
        for found in report.results
    )
    causes = report.diagnosis.causes
    seconds = time.perf_counter() - started
    return CellResult(cell=_swept(cell, causes[0].fault if causes else None, seconds), rows=tuple(rows))


def _subject(asked: Asked) -> Subject:
    return find_injection(asked.fault).make(asked.severity) if asked.fault else load_subject(asked.spec)


def _swept(cell: Cell, cause: str | None, seconds: float, lost: str | None = None) -> SweptCell:
    return SweptCell(subject=cell.asked.name, seed=cell.seed, cause=cause, lost=lost, seconds=seconds)


def without_result(cell: Cell, why: str) -> CellResult:
    """What stands for a cell that was lost."""
    rows = (
        SweepRow(
            subject=cell.asked.name,
            seed=cell.seed,
            check=name,
            family=find_check(name).family,
            status="error",
            statistic=None,
            tolerance=None,
            detail=f"the battery did not come to its end: {why}",
            seconds=0.0,
        )
        for name in cell.checks
    )
    return CellResult(cell=_swept(cell, None, 0.0, why), rows=tuple(rows))


def assemble(cells: Sequence[Cell], results: Sequence[CellResult], command: str) -> Sweep:
    """The table of `results`, which are in the order of `cells`, by subject and then by seed."""
    subjects = tuple(dict.fromkeys(cell.asked.name for cell in cells))
    by_subject = sorted(results, key=lambda result: subjects.index(result.cell.subject))
    return Sweep(
        environment=describe_environment(),
        command=command,
        num_pairs=cells[0].num_pairs,
        subjects=subjects,
        seeds=tuple(dict.fromkeys(cell.seed for cell in cells)),
        checks=cells[0].checks,
        rows=tuple(row for result in by_subject for row in result.rows),
        cells=tuple(result.cell for result in by_subject),
    )
