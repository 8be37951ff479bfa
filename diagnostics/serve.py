"""The other side of `apart`: makes what is asked, and answers one question after the other.

What happens here to stdout, to the interpreter or to this process is the subject's doing, and ends here.
"""

import faulthandler
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from typing import Any

from diagnostics.sentences import said

ANSWER, REFUSAL = b"a", b"r"
Make = Callable[..., Any]


def serve(questions: Connection, output: Connection, make: Make, arguments: tuple[Any, ...]) -> None:
    """Answer the questions (method, arguments, seconds) of `make(*arguments)` until nobody asks any more.

    Every answer is one message: ANSWER and the JSON of what the method returned, or REFUSAL and a sentence.
    The first question, whose method is empty, makes what is asked.  Where one is not answered within
    `seconds`, the place where the interpreter stands is written to `output`.
    """
    os.setpgid(0, 0)  # what the subject starts is ended with it, and Ctrl-C reaches the other side alone
    threading.Thread(target=_end_with_the_other_side, daemon=True).start()
    faulthandler.enable(output.fileno())
    process, asked = os.getpid(), None
    while True:
        try:
            method, of_question, seconds = questions.recv()
        except EOFError:
            return
        _open_output(output)
        faulthandler.dump_traceback_later(min(seconds, threading.TIMEOUT_MAX), file=output.fileno())
        try:
            if method:
                reply = ANSWER + getattr(asked, method)(*of_question).model_dump_json().encode()
            else:
                asked, reply = make(*arguments), ANSWER
        except BaseException as error:
            reply = REFUSAL + _sentence(error).encode("utf-8", "replace")
        faulthandler.cancel_dump_traceback_later()
        if os.getpid() != process:  # the subject forked, and the copy has come back: only one may answer
            os._exit(0)
        questions.send_bytes(reply)


def _end_with_the_other_side() -> None:
    other = parent_process()
    assert other is not None
    other.join()
    os.killpg(0, signal.SIGKILL)


def _open_output(output: Connection) -> None:
    """Stdout and stderr, by number and by name, anew for every question: the subject may have closed them."""
    for number in (1, 2):
        os.dup2(output.fileno(), number)
    sys.stdout = sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115


def _sentence(error: BaseException) -> str:
    if isinstance(error, ValueError):
        return str(error)
    raised = f"{type(error).__name__}: {said(error)}"
    if isinstance(error, Exception):
        traceback.print_exc()
        return f"the question itself broke: {raised}"
    # SystemExit and the like would steer the very run that examines the subject
    return f"a subject must not end the run; got {raised}"
