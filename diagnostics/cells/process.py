"""A process of one thread that does one cell after the other.

It is started by its own command line, not by multiprocessing: a worker of dask is a daemon, and may have no
children of that kind.  Cells and results go through a pipe, pickled, between processes of one user.
"""

import os
import pickle
import platform
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from attn.quiet import silence_tensorflow
from diagnostics.cells.code import fingerprint
from diagnostics.cells.workers import Cell

# TensorFlow keeps what it traced, some 50 MB a cell: a process is renewed before that is more than 3 GB.
# To start one takes about as long as a cell.
CELLS_OF_A_PROCESS = 44

_MAIN = "from diagnostics.cells.process import serve; serve()"
# What TensorFlow and OpenBLAS read as they are loaded: the cores are used by cells.
_ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_SECONDS_TO_END = 10.0


class EndedError(ChildProcessError):
    """A process ended before it had answered; says what ended it, as `signal SIGKILL` or `exit code 3`."""


class OtherCodeError(ValueError):
    """A worker has other code than the command that asks it: its results would be others."""


class Process:
    """The parent's side; its first answer is None, once it is ready.

    code   the fingerprint that the code of the process must have
    """

    def __init__(self, code: str) -> None:
        self.connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _MAIN, str(theirs.fileno()), code],
                stdin=subprocess.PIPE,  # held open: its end tells the process that this one is gone
                stdout=2,  # what a subject prints must not mix with what a command prints
                pass_fds=(theirs.fileno(),),
                process_group=0,  # Ctrl-C is for the command, which ends its processes
                env=os.environ | _ONE_THREAD | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )
        self._num_begun = 0

    @property
    def is_new(self) -> bool:
        """Whether it has had no cell yet."""
        return self._num_begun == 0

    @property
    def is_spent(self) -> bool:
        """Whether it has ended, or has done as much as it should."""
        return self.connection.closed or self._num_begun >= CELLS_OF_A_PROCESS

    def begin(self, order: bytes) -> None:
        """Let it do what `pack` has packed; where it has ended meanwhile, `answer` says so."""
        self._num_begun += 1
        with suppress(ConnectionError):
            self.connection.send_bytes(order)

    def answer(self) -> bytes:
        """Wait for what it says next, to be unpacked; raises EndedError."""
        try:
            return self.connection.recv_bytes()
        except (EOFError, ConnectionError):
            raise EndedError(self._how_it_ended()) from None

    def kill(self) -> None:
        """End it, whatever it does; who waits in `answer` is told."""
        self._process.kill()

    def end(self) -> None:
        """End it, and let go of all that it held; nobody may wait for it."""
        self.kill()
        self._process.wait()
        self.connection.close()
        assert self._process.stdin is not None
        self._process.stdin.close()

    def _how_it_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_SECONDS_TO_END)  # the pipe is closed a little earlier
        self.end()
        code = self._process.returncode
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def pack(work: Callable[[Cell], Any], cell: Cell) -> bytes:
    """An order: whoever passes it on need not import what it is about."""
    return pickle.dumps((work, cell))


def unpack(answer: bytes) -> Any:
    """The result; raises what the work raised, or OtherCodeError."""
    result, error = pickle.loads(answer)
    if error is not None:
        raise error
    return result


def serve() -> None:
    """What the process does: it gets ready, then one cell after the other, until the pipe is closed."""
    connection, code = Connection(int(sys.argv[1])), sys.argv[2]
    _end_with_parent()
    silence_tensorflow()
    with suppress(EOFError, ConnectionError):
        connection.send_bytes(_answer(partial(_require_same_code, code)))
        while True:
            connection.send_bytes(_answer(partial(_do, connection.recv_bytes())))


def _do(order: bytes) -> Any:
    work, cell = pickle.loads(order)
    return work(cell)


def _require_same_code(code: str) -> None:
    if fingerprint() != code:
        raise OtherCodeError(
            f"the code of every worker must be that of the command, {code}; got {fingerprint()} on"
            f" {platform.node()}"
        )


def _answer(question: Callable[[], Any]) -> bytes:
    """A result, or what was raised; where that cannot be sent, what it said."""
    try:
        return pickle.dumps((question(), None))
    except Exception as error:
        error.add_note(f"In a process that did a cell:\n{traceback.format_exc()}")
        try:
            answer = pickle.dumps((None, error))
            pickle.loads(answer)
        except Exception:
            return pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}")))
        return answer


def _end_with_parent() -> None:
    """End as soon as the parent does, by whatever it ends: then its end of stdin is closed."""
    parent = os.dup(0)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)

    def wait() -> None:
        os.read(parent, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
