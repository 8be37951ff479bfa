"""Children that need nothing but this module: each method misbehaves in one way."""

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from pydantic import BaseModel

from diagnostics import apart
from diagnostics.apart import Apart, UnansweredError


class Said(BaseModel):
    number: int = 0
    text: str = ""


class Asked:
    """What stands in the other process; `trouble` says what goes wrong as it is made."""

    def __init__(self, trouble=""):
        if trouble == "refuses":
            raise ValueError("the rule; got another thing")
        if trouble == "dies":
            os._exit(7)
        if trouble == "sleeps":
            time.sleep(60)
        self.count = 0

    def process(self):
        return Said(number=os.getpid())

    def add(self, more):
        self.count += more
        return Said(number=self.count)

    def refuses(self):
        raise ValueError("the rule; got 3")

    def breaks(self):
        return {}["key"]

    def exits(self):
        sys.exit(3)

    def interrupts(self):
        raise KeyboardInterrupt

    def leaves(self):
        os._exit(0)

    def crashes(self):
        ctypes.string_at(0)

    def is_killed(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def hangs(self):
        ctypes.PyDLL(None).sleep(60)  # in C, holding the interpreter: no alarm is heard

    def fills_memory(self):
        held = []
        while True:
            held.append(b"x" * 2**24)

    def closes_all(self):
        os.closerange(3, 256)
        return Said()

    def closes_stdout(self):
        sys.stdout.close()
        os.close(1)
        os.close(2)
        return Said()

    def forks(self):
        return Said(number=os.fork())

    def leaves_a_process_behind(self, file):
        if os.fork() == 0:
            Path(file).write_text(str(os.getpid()))
            time.sleep(60)
        os._exit(1)

    def leaves_a_thread(self):
        threading.Thread(target=time.sleep, args=(60,), daemon=False).start()
        return Said(number=1)

    def prints(self, text, times=1):
        sys.stdout.write("by name\n")
        for _ in range(times):
            os.write(1, text.encode())
        os.write(2, b"to stderr\n")
        return Said()


@pytest.fixture(scope="module")
def asked():
    with Apart(Asked) as whole:
        yield whole


def ask(asked, method, *arguments, seconds=60.0):
    return asked.ask(Said, method, *arguments, seconds=seconds)


def why(asked, method, *arguments, seconds=60.0):
    with pytest.raises(UnansweredError) as caught:
        ask(asked, method, *arguments, seconds=seconds)
    return str(caught.value)


def is_gone(process):
    return not psutil.pid_exists(process) or psutil.Process(process).status() == psutil.STATUS_ZOMBIE


def test_one_process_answers_all_questions_and_is_not_this_one(asked):
    process = ask(asked, "process").number
    assert process != os.getpid()
    assert [ask(asked, "add", 2).number for _ in range(3)] == [2, 4, 6]
    assert ask(asked, "process").number == process


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("refuses", "the rule; got 3"),
        ("breaks", "the question itself broke: KeyError: 'key'"),
        ("exits", "a subject must not end the run; got SystemExit: 3"),
        ("interrupts", "a subject must not end the run; got KeyboardInterrupt: no message"),
    ],
)
def test_what_is_raised_is_a_sentence_and_the_process_lives(asked, method, sentence):
    process = ask(asked, "process").number
    assert why(asked, method) == sentence
    assert ask(asked, "process").number == process


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("leaves", "the subject ended the process (exit code 0)"),
        ("crashes", "the subject ended the process (signal 11, segmentation fault)"),
        (
            "is_killed",
            "the subject ended the process (signal 9, killed; so does the system where memory runs out)",
        ),
        ("closes_all", "the subject ended the process (exit code 1)"),
    ],
)
def test_a_process_that_ends_is_said_and_replaced(asked, method, sentence):
    process = ask(asked, "process").number
    assert why(asked, method) == sentence
    assert ask(asked, "process").number != process
    assert is_gone(process)


def test_a_hang_in_c_is_ended(asked, monkeypatch, capfd):
    monkeypatch.setattr(apart, "GRACE", 0.4)
    process = ask(asked, "process").number
    started = time.monotonic()
    sentence = "the subject did not answer within 0.1 s, and did not let itself be interrupted"
    assert why(asked, "hangs", seconds=0.1) == sentence
    assert time.monotonic() - started < 5
    assert is_gone(process)
    assert "in hangs" in capfd.readouterr().err  # where the interpreter stood
