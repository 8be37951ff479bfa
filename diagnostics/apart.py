"""Other people's code in a process of its own: asked one question at a time, watched, ended, and replaced.

    asker                                   process (serve.py)
    Apart(make, ...)      -- spawned -->    make(...)
    ask(Form, "method")   -- question -->   the method
    Form                  <-- JSON ------   what it returned

Whatever happens to the process, `ask` comes back: with an answer, or with the sentence that says what
happened.  A process that was lost is replaced at the next question, so a question must hold all that its
answer depends on.
"""

import os
import signal
import time
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import wait
from threading import Lock
from typing import Any, Self, TypeVar

import psutil
from pydantic import BaseModel

from attn.memory import left_by_container
from diagnostics.relay import Relay
from diagnostics.serve import REFUSAL, Make, serve

# Seconds beyond the time of a question, in which the alarm of the process itself may say more (`alarm.py`).
GRACE = 5.0
# Seconds to import and load what is asked; the weights of a large model are read in less.
LOADING = 600.0
# Processes that may be lost one after the other; one more than the checks in a row that ask for a rollout.
MOST_LOST = 7
# Of the memory that is free when the first process starts.
SHARE_OF_MEMORY = 0.8
# Seconds between two looks at the process: memory is filled at some GB a second.
TICK = 0.1

Form = TypeVar("Form", bound=BaseModel)


class UnansweredError(ValueError):
    """A question without an answer; one sentence: what the process said or, if it was lost, how."""

    def __init__(self, sentence: str, *, is_lost: bool) -> None:
        super().__init__(sentence)
        self.is_lost = is_lost


class ClosedError(RuntimeError):
    """A question to what was closed: the asker is about to end."""


class Apart:
    """What `make(*arguments)` makes, in a process of its own; `make` is a function or class of a module.

    memory   bytes that the process may use; None = SHARE_OF_MEMORY of what is free now
    """

    def __init__(self, make: Make, *arguments: object, memory: int | None = None) -> None:
        self._make, self._arguments = make, arguments
        self._memory = free_memory() if memory is None else memory
        self._process: _Process | None = None
        self._num_lost = 0
        self._is_closed = False
        self._asking = Lock()

    def ask(self, form: type[Form], method: str, *arguments: object, seconds: float) -> Form:
        """The answer of a method, which must be a `form`; it is due within `seconds`.

        Raises UnansweredError; ClosedError after `close`, which another thread may call.
        """
        with self._asking:
            try:
                reply = self._reply(method, arguments, seconds)
                self._num_lost = 0
            except _LostError as lost:
                self._end()
                self._num_lost += 1
                raise self._unanswered(str(lost), is_lost=lost.is_lost) from None
        if reply[:1] == REFUSAL:
            raise UnansweredError(reply[1:].decode(), is_lost=False)
        return form.model_validate_json(reply[1:])

    def _reply(self, method: str, arguments: tuple[Any, ...], seconds: float) -> bytes:
        if self._num_lost >= MOST_LOST:
            raise _LostError(f"not asked: the subject lost {MOST_LOST} processes in a row")
        if self._process is None:
            self._process = _Process(self._make, self._arguments)
            self._load(self._process)
        return self._process.ask(method, arguments, seconds, self._memory)

    def _load(self, process: "_Process") -> None:
        if self._is_closed:
            raise _LostError("closed")
        try:
            reply = process.ask("", (), LOADING, self._memory)
        except _LostError as lost:
            raise _LostError(f"{lost}, while it was loaded") from None
        if reply[:1] == REFUSAL:
            raise _LostError(reply[1:].decode(), is_lost=False)

    def _unanswered(self, sentence: str, *, is_lost: bool) -> UnansweredError | ClosedError:
        return ClosedError(sentence) if self._is_closed else UnansweredError(sentence, is_lost=is_lost)

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.close()
        self._process = None

    def close(self) -> None:
        """End the process for good; a question that is being answered is given up."""
        self._is_closed = True
        if (process := self._process) is not None:
            process.kill()
        with self._asking:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def free_memory() -> int:
    """Bytes that may be used: SHARE_OF_MEMORY of what is free on the machine and in its container.

    Without swap: a subject that lives there gives no answer in time.
    """
    limits = (psutil.virtual_memory().available, left_by_container())
    return int(SHARE_OF_MEMORY * min(limit for limit in limits if limit is not None))


class _LostError(Exception):
    """The process ended, or has to be ended; the sentence says why: it was lost, or it refused."""

    def __init__(self, sentence: str, *, is_lost: bool = True) -> None:
        super().__init__(sentence)
        self.is_lost = is_lost


class _Process:
    """One process, from its start to its end."""

    def __init__(self, make: Make, arguments: tuple[Any, ...]) -> None:
        # spawned, not forked: a fork of a process in which TensorFlow has threads may hang
        context = get_context("spawn")
        self._questions, theirs = context.Pipe()
        read, write = context.Pipe(duplex=False)
        self._output = Relay(read)
        self._process = context.Process(target=serve, args=(theirs, write, make, arguments))
        self._process.start()
        theirs.close()
        write.close()

    def ask(self, method: str, arguments: tuple[Any, ...], seconds: float, memory: int) -> bytes:
        """The reply; raises _LostError."""
        try:
            with suppress(OSError):  # it has ended already
                self._questions.send((method, arguments, seconds + GRACE / 2))
            self._watch(seconds, memory)
            return self._received()
        finally:
            self._output.end_question()

    def _received(self) -> bytes:
        # a copy that the subject forked may keep the connection open: it is not waited for
        with suppress(EOFError, OSError):
            if self._questions.poll():
                return self._questions.recv_bytes()
        raise _LostError(self._how_it_ended())

    def _watch(self, seconds: float, memory: int) -> None:
        """Return when there is a reply or the end of the process; raises _LostError if it must be ended."""
        deadline = time.monotonic() + seconds + GRACE
        looked_at: list[Any] = [self._questions, self._output]
        while self._process.is_alive():
            ready: list[Any] = wait(looked_at, TICK)
            if self._output in ready and not self._output.pass_on():
                looked_at.remove(self._output)
            if self._used_memory() > memory:
                raise _LostError(f"the subject used more than {memory / 2**30:.1f} GiB of memory")
            if self._questions in ready:
                return
            if time.monotonic() > deadline:
                raise _LostError(
                    f"the subject did not answer within {seconds:g} s, and did not let itself be interrupted"
                )

    def _used_memory(self) -> int:
        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def _how_it_ended(self) -> str:
        self._process.join(1.0)
        code = self._process.exitcode
        if code is None:
            return "the subject closed the connection to the process that examines it"
        if code >= 0:
            return f"the subject ended the process (exit code {code})"
        said = (signal.strsignal(-code) or "unknown").lower()
        hint = "; so does the system where memory runs out" if -code == signal.SIGKILL else ""
        return f"the subject ended the process (signal {-code}, {said}{hint})"

    def kill(self) -> None:
        """End the process with all that it started."""
        assert self._process.pid is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def close(self) -> None:
        """Let go what was held of it, once it was killed."""
        self._process.join()
        self._questions.close()
        self._output.close()
