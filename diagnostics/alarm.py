"""An alarm for what does not answer: other people's code may hang, and a battery must end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN = 1.0  # seconds


class TimeLimitError(BaseException):
    """The time is up.  No Exception, so that a subject that catches those does not go on."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitError inside the block after `seconds` of wall time, and every second from then on.

    Once would not do: what is raised in a destructor or in a callback of C is printed and lost.
    It acts between two steps of the interpreter, in the main thread of a POSIX system, where no other alarm
    is running (that of pytest-timeout, say, is left to act).  Elsewhere nothing is limited; nor is a single
    call into compiled code, which is stopped when it returns.
    """
    if not _can_act():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeLimitError

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:  # where the alarm rang at the line before, it does not ring at these
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _can_act() -> bool:
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    )
