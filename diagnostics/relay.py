"""What another process writes: passed on to stderr, of every question the beginning, and counted beyond."""

import os
import sys
from codecs import getincrementaldecoder
from multiprocessing.connection import Connection

# What is shown of one question: some hundred lines of a `print` that helps to debug an adapter.
SHOWN = 64 * 1024


class Relay:
    """The read end of the pipe that another process has for stdout and stderr.

    The pipe is emptied whatever is written, so that a subject which prints megabytes neither waits for a
    reader nor fills memory; what is beyond SHOWN bytes is counted only.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        os.set_blocking(pipe.fileno(), False)
        self._begin()

    def _begin(self) -> None:
        self._written = 0
        self._ends_line = True
        self._decoder = getincrementaldecoder("utf-8")("replace")

    def fileno(self) -> int:
        """What `multiprocessing.connection.wait` looks at."""
        return self._pipe.fileno()

    def pass_on(self) -> bool:
        """Read once, as much as a pipe holds; False when nobody can write any more."""
        try:
            data = os.read(self._pipe.fileno(), SHOWN)
        except BlockingIOError:
            return True
        self._show(self._decoder.decode(data[: max(0, SHOWN - self._written)]))
        self._written += len(data)
        return bool(data)

    def end_question(self) -> None:
        """Pass on what was written before the answer, and say how much was left out."""
        self.pass_on()
        beyond = self._written - SHOWN
        if beyond > 0:
            self._show(f"{'' if self._ends_line else chr(10)}... and {_size(beyond)} more\n")
        self._begin()

    def close(self) -> None:
        """Let the pipe go."""
        self._pipe.close()

    def _show(self, text: str) -> None:
        if text:
            self._ends_line = text.endswith("\n")
            sys.stderr.write(text)
            sys.stderr.flush()


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e5 else f"{num_bytes / 1e3:.1f} kB"
