"""Cells on the workers of a dask scheduler.

A worker lets a process of `process.py` do a cell, one for each of its threads: faults replace functions of a
whole process, an alarm acts in its main thread only, and what TensorFlow keeps goes with it.  A cell that
ends its process leaves the worker alive.
"""

import logging
import re
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic

from distributed import Client, Future, KilledWorker, Worker, WorkerPlugin, get_worker, wait
from distributed.client import FIRST_COMPLETED

from diagnostics.cells.code import fingerprint
from diagnostics.cells.process import EndedError, OtherCodeError, Process, pack, unpack
from diagnostics.cells.workers import Attempts, Cell, Lost, Result

SECONDS_TO_CONNECT = 10
# After so long without any worker nobody is about to start one.
SECONDS_WITHOUT_WORKER = 30.0
_ADDRESS = re.compile(r"(tcp|tls)://\S+:\d+")


@dataclass(frozen=True)
class ClusterWorkers:
    """The workers of the scheduler at `address`; the cells of a worker that is lost go to another."""

    address: str

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.address):
            raise ValueError(
                f"the address of a scheduler must be such as tcp://127.0.0.1:8786; got {self.address[:200]!r}"
            )

    def do(
        self, work: Callable[[Cell], Result], cells: Mapping[str, Cell]
    ) -> Generator[tuple[str, Result | Lost], None, None]:
        """See `Workers`.

        Raises ConnectionError where no scheduler answers, OtherCodeError where a worker has other code.
        """
        if not cells:
            return
        with _connected(self.address) as client:
            processes = CellProcesses(f"cells-{uuid.uuid4().hex}", fingerprint())
            try:
                client.register_plugin(processes, name=processes.name)
            except OSError:
                raise
            except Exception as error:  # what a worker raises comes back as whatever the scheduler can read
                raise _without_package(error) from error
            try:
                yield from _Tasks(client, processes.name, work, cells).results()
            finally:
                if client.status == "running":  # else nobody is there who could be told
                    client.unregister_worker_plugin(processes.name)


class CellProcesses(WorkerPlugin):
    """On every worker, the processes of one command; they end with it."""

    def __init__(self, name: str, code: str) -> None:
        self.name = name
        self.code = code

    def setup(self, worker: Worker) -> None:
        """The worker has joined, or the command has begun."""
        self._idle: list[Process] = []
        self._busy: set[Process] = set()
        self._is_over = False

    def teardown(self, worker: Worker) -> None:
        """The command is over, or the worker is."""
        self._is_over = True
        for process in list(self._busy):
            process.kill()
        while self._idle:
            self._idle.pop().end()

    def do(self, order: bytes) -> bytes:
        """The answer to what `pack` has packed; raises EndedError, or OtherCodeError."""
        process = self._idle.pop() if self._idle else Process(self.code)
        self._busy.add(process)
        try:
            if process.is_new:
                unpack(process.answer())
            process.begin(order)
            return process.answer()
        finally:
            self._busy.remove(process)
            if process.is_spent or self._is_over:
                process.end()
            else:
                self._idle.append(process)


def _do(name: str, order: bytes) -> bytes:
    """What dask runs, in a thread of the worker."""
    processes = get_worker().plugins[name]
    assert isinstance(processes, CellProcesses)
    return processes.do(order)


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    """A client of the scheduler, with what it logs of lost connections left to the errors raised here."""
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=SECONDS_TO_CONNECT)
    except OSError as error:
        raise ConnectionError(
            f"a scheduler of dask must answer at the address that is given; none did at {address}"
        ) from error
    with client:
        yield client


class _Tasks(Generic[Cell, Result]):
    """The cells as tasks of the scheduler."""

    def __init__(
        self, client: Client, name: str, work: Callable[[Cell], Result], cells: Mapping[str, Cell]
    ) -> None:
        self._client = client
        self._name = name
        self._work = work
        self._cells = cells
        self._attempts = Attempts()
        self._keys: dict[Future[Any], str] = {}  # by task the key of its cell

    def results(self) -> Iterator[tuple[str, Result | Lost]]:
        """Every cell as its task is done; tasks that are left when this is closed are cancelled."""
        for key in self._cells:
            self._submit(key)
        try:
            while self._keys:
                for task in self._finished():
                    key = self._keys.pop(task)
                    outcome = self._outcome(task, key)
                    if outcome is not None:
                        yield key, outcome
        finally:
            self._client.cancel(list(self._keys))

    def _submit(self, key: str) -> None:
        task = self._client.submit(
            _do, self._name, pack(self._work, self._cells[key]), key=f"{self._name}-{uuid.uuid4().hex}"
        )
        self._keys[task] = key

    def _finished(self) -> "set[Future[Any]]":
        """Wait for the next tasks to be done."""
        while True:
            try:
                found = wait(list(self._keys), timeout=SECONDS_WITHOUT_WORKER, return_when=FIRST_COMPLETED)
            except TimeoutError:
                self._require_worker()
            except CancelledError as error:
                raise _connection_lost() from error
            else:
                return set(found.done)

    def _require_worker(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=SECONDS_WITHOUT_WORKER)
        except TimeoutError as error:
            raise ChildProcessError(
                f"a scheduler must have workers; it had none for {SECONDS_WITHOUT_WORKER:g} s"
                " (the same command goes on from here)"
            ) from error

    def _outcome(self, task: "Future[Any]", key: str) -> Result | Lost | None:
        """What came of a task; None where it is tried again."""
        try:
            answer = task.result()
        except KilledWorker as error:  # dask has tried it on so many workers
            return Lost(f"{error.allowed_failures + 1} workers ended while they did it")
        except EndedError as error:
            lost = self._attempts.count(key, str(error))
            if lost is None:
                self._submit(key)
            return lost
        except CancelledError as error:
            raise _connection_lost() from error
        except RuntimeError as error:  # what dask makes of a task that the scheduler cannot read
            if not isinstance(error.__cause__, ImportError):
                raise
            raise _without_package(error.__cause__) from error
        result: Result = unpack(answer)
        return result


def _without_package(error: BaseException) -> OtherCodeError:
    return OtherCodeError(
        f"a scheduler and its workers must have the package of the command; one has not: {error}"
    )


def _connection_lost() -> ConnectionError:
    return ConnectionError(
        "a scheduler must answer until all is done; it did not (the same command goes on from here)"
    )
