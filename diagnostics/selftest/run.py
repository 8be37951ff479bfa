"""The suite examined by itself: every fault against every check, and healthy variants for false alarms.

A cell is one subject under the whole battery: a fault at one severity, or a healthy variant.  Cells are
independent, so they run in as many processes as there are cores, or on a cluster, and each finished one is a
line on disk: an interrupted self-test goes on where it stopped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from diagnostics.cells.run import finish_cells
from diagnostics.cells.workers import Workers

SEED = 0


@dataclass(frozen=True)
class Cell:
    """A subject of the self-test: `fault` at `severity`, or the healthy variant `number`, or a sound twin."""

    kind: str
    name: str
    severity: float = 1.0
    number: int = 0

    @property
    def key(self) -> str:
        """What tells it from every other cell."""
        return f"{self.kind}/{self.name}/{self.severity:g}/{self.number}"


@dataclass(frozen=True)
class CellResult:
    """What the battery said of a cell: the status of every check, and the causes in their order."""

    cell: Cell
    status: dict[str, str]
    causes: list[str]
    families: list[str]
    details: dict[str, str]
    seconds: float

    @property
    def alarms(self) -> set[str]:
        """Checks that failed or broke."""
        return {check for check, status in self.status.items() if status in ("failed", "error")}


def plan(*, num_healthy: int, all_severities: bool) -> list[Cell]:
    """The cells of a self-test."""
    from diagnostics.faults import CATALOGUE  # imports TensorFlow

    faults = [
        Cell("fault", known.fault, severity, known.row)
        for known in CATALOGUE
        for severity in (known.severities if all_severities else known.severities[:1])
    ]
    twins = [Cell("twin", name) for name in ("sound", "sound_decoder")]
    return [*twins, *faults, *(Cell("healthy", "variant", number=i) for i in range(num_healthy))]


def run_cells(
    cells: Sequence[Cell], store: Path, *, workers: Workers, on_result: Callable[[CellResult], None]
) -> list[CellResult]:
    """Run all cells that `store` does not hold yet; all results in the order of `cells`."""
    by_key = {cell.key: cell for cell in cells}
    return finish_cells(run_cell, by_key, store, CellResult, workers=workers, on_result=on_result)


def run_cell(cell: Cell) -> CellResult:
    """The battery over one subject."""
    import time

    from diagnostics.faults import find_injection
    from diagnostics.faults.trained import shared_run
    from diagnostics.run_subject import TrainedSubject
    from diagnostics.runner import run_checks
    from diagnostics.selftest.healthy import healthy_variant

    started = time.perf_counter()
    if cell.kind == "fault":
        report = run_checks(find_injection(cell.name).make(cell.severity), seed=SEED)
    elif cell.kind == "twin":
        report = run_checks(TrainedSubject(shared_run(cell.name)), seed=SEED)
    else:
        variant = healthy_variant(cell.number)
        report = run_checks(
            variant.subject,
            source=variant.process,
            seed=variant.seed,
            num_pairs=variant.num_pairs,
            num_context=variant.num_context,
        )
    return CellResult(
        cell,
        {result.check: result.status for result in report.results},
        [cause.fault for cause in report.diagnosis.causes],
        [cause.family for cause in report.diagnosis.causes],
        {r.check: r.detail for r in report.results if r.status in ("failed", "error")},
        time.perf_counter() - started,
    )
