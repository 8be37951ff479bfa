"""Ctrl-C where Python could not act on it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back within the block, and act on it at the end.

    For what takes a moment and runs destructors or callbacks of C, as a compiler does: a KeyboardInterrupt
    that is raised in one of these is printed and lost, and the user waits in vain.
    """
    before = signal.getsignal(signal.SIGINT)
    # a handler that C installed cannot be put back; other threads are never interrupted
    if before is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []

    def hold(number: int, frame: FrameType | None) -> None:
        came.append(number)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)
