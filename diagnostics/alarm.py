"""An alarm for what does not answer: other people's code may hang, and a battery must end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeLimitError(BaseException):
    """The time is up.  No Exception, so that a subject that catches those does not go on."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitError inside the block after `seconds` of wall time.

    It acts between two steps of the interpreter, in the main thread of a POSIX system, where no other alarm
    is running (that of pytest-timeout, say, is left to act).  Elsewhere nothing is limited; nor is a single
    call into compiled code, which is stopped when it returns, nor a destructor, from which nothing is raised.
    """
    if not _can_act():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeLimitError

    previous = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)  # which may ring at once
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _can_act() -> bool:
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    )
