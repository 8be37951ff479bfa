"""Cells in processes of this machine."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Generic

from diagnostics.cells.code import fingerprint
from diagnostics.cells.process import EndedError, Process, pack, unpack
from diagnostics.cells.workers import ATTEMPTS, Attempts, Cell, Lost, Result


@dataclass(frozen=True)
class LocalWorkers:
    """So many processes side by side; a cell whose process is ended is tried again in a new one."""

    num_processes: int

    def do(
        self, work: Callable[[Cell], Result], cells: Mapping[str, Cell]
    ) -> Generator[tuple[str, Result | Lost], None, None]:
        """See `Workers`; raises ChildProcessError where processes end before they are ready."""
        crew = _Crew(work, cells, self.num_processes)
        try:
            while crew.has_work:
                crew.fill_up()
                for process in crew.speaking():
                    yield from crew.hear(process)
        finally:
            crew.end()


class _Crew(Generic[Cell, Result]):
    """The processes, and what is left to do."""

    def __init__(self, work: Callable[[Cell], Result], cells: Mapping[str, Cell], num_processes: int) -> None:
        self._work = work
        self._cells = cells
        self._num_processes = num_processes
        self._waiting = deque(cells)
        self._doing: dict[Process, str | None] = {}  # the key of its cell; None while it gets ready
        self._attempts = Attempts()
        self._num_failed_starts = 0

    @property
    def has_work(self) -> bool:
        return bool(self._waiting or self._doing)

    def fill_up(self) -> None:
        """Start what is missing, but no more than there are cells for."""
        num_starting = sum(key is None for key in self._doing.values())
        num_missing = min(self._num_processes - len(self._doing), len(self._waiting) - num_starting)
        for _ in range(num_missing):
            self._doing[Process(fingerprint())] = None

    def speaking(self) -> list[Process]:
        """Wait until some have something to say, or have ended."""
        ready = wait([process.connection for process in self._doing])
        return [process for process in self._doing if process.connection in ready]

    def hear(self, process: Process) -> Iterator[tuple[str, Result | Lost]]:
        """What the process has to say, if it is the end of a cell; then it gets the next one."""
        key = self._doing[process]
        try:
            result = unpack(process.answer())
        except EndedError as error:
            del self._doing[process]
            lost = self._count_end(key, str(error))
            if key is not None and lost is not None:
                yield key, lost
            return
        self._num_failed_starts = 0
        self._give_next(process)
        if key is not None:
            yield key, result

    def _give_next(self, process: Process) -> None:
        if self._waiting and not process.is_spent:
            key = self._doing[process] = self._waiting.popleft()
            process.begin(pack(self._work, self._cells[key]))
        else:
            del self._doing[process]
            process.end()

    def _count_end(self, key: str | None, why: str) -> Lost | None:
        if key is None:
            self._num_failed_starts += 1
            if self._num_failed_starts >= ATTEMPTS:
                raise ChildProcessError(f"a process must live until it is ready; {ATTEMPTS} ended by {why}")
            return None
        lost = self._attempts.count(key, why)
        if lost is None:
            self._waiting.append(key)
        return lost

    def end(self) -> None:
        """End what still lives."""
        for process in self._doing:
            process.end()
