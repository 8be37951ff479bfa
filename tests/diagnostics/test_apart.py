"""Children that need nothing but this module: each method misbehaves in one way."""

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from itertools import repeat
from pathlib import Path

import psutil
import pytest
from pydantic import BaseModel

from diagnostics import apart
from diagnostics.apart import Apart, ClosedError, UnansweredError, free_memory
from diagnostics.relay import SHOWN

ROOT = Path(__file__).parents[2]


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
        all(repeat(True))  # never returns to the interpreter: no alarm is heard

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

    def sleeps(self):
        time.sleep(60)

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
    """Soon: a process that was killed takes a moment to end."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


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


@pytest.mark.slow
def test_what_fills_memory_is_ended_long_before_the_machine_is_full():
    with Apart(Asked, memory=psutil.Process().memory_info().rss + 2**29) as asked:
        process = ask(asked, "process").number
        assert re.fullmatch(r"the subject used more than \d\.\d GiB of memory", why(asked, "fills_memory"))
        assert is_gone(process)
        assert ask(asked, "add", 1).number == 1


def test_output_is_shown_from_its_beginning_and_counted(asked, capsys):
    ask(asked, "prints", "x" * 999_999 + "\n", 3)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "by name\n" + "x" * (SHOWN - 8) + "\n... and 2.9 MB more\n"
    ask(asked, "prints", "short")
    assert capsys.readouterr().err == "by name\nshortto stderr\n"


def test_a_closed_stdout_is_open_again_at_the_next_question(asked, capsys):
    ask(asked, "closes_stdout")
    ask(asked, "prints", "still here ")
    assert capsys.readouterr().err == "by name\nstill here to stderr\n"


def test_of_a_fork_only_one_answers(asked):
    assert ask(asked, "forks").number > 0  # 0 is what the copy would say
    assert [ask(asked, "add", 1).number - ask(asked, "add", 0).number for _ in range(3)] == [0, 0, 0]


def test_what_a_subject_leaves_behind_keeps_nobody_waiting_and_is_ended(asked, tmp_path):
    started = time.monotonic()
    sentence = "the subject ended the process (exit code 1)"
    assert why(asked, "leaves_a_process_behind", str(tmp_path / "left")) == sentence
    assert time.monotonic() - started < 30
    assert is_gone(int((tmp_path / "left").read_text()))


def test_a_thread_that_does_not_end_keeps_nobody_waiting():
    started = time.monotonic()
    with Apart(Asked) as asked:
        ask(asked, "leaves_a_thread")
    assert time.monotonic() - started < 30


def test_after_many_losses_in_a_row_no_process_is_started(monkeypatch):
    monkeypatch.setattr(apart, "MOST_LOST", 2)
    with Apart(Asked) as asked:
        assert ["ended" in why(asked, "leaves"), "ended" in why(asked, "leaves")] == [True, True]
        assert why(asked, "process") == "not asked: the subject lost 2 processes in a row"


def test_an_answer_in_between_begins_the_count_anew(monkeypatch):
    monkeypatch.setattr(apart, "MOST_LOST", 2)
    with Apart(Asked) as asked:
        for _ in range(3):
            assert "ended" in why(asked, "leaves")
            assert ask(asked, "add", 1).number == 1


@pytest.mark.parametrize(
    ("trouble", "sentence", "is_lost"),
    [
        ("refuses", "the rule; got another thing", False),
        ("dies", "the subject ended the process (exit code 7), while it was loaded", True),
        (
            "sleeps",
            "the subject did not answer within 0 s, and did not let itself be interrupted,"
            " while it was loaded",
            True,
        ),
    ],
)
def test_what_goes_wrong_while_it_is_made(trouble, sentence, is_lost, monkeypatch):
    if trouble == "sleeps":
        monkeypatch.setattr(apart, "LOADING", 0.0)
        monkeypatch.setattr(apart, "GRACE", 0.1)
    with Apart(Asked, trouble) as asked, pytest.raises(UnansweredError) as caught:
        ask(asked, "process")
    assert (str(caught.value), caught.value.is_lost) == (sentence, is_lost)


def test_closing_from_another_thread_ends_a_question():
    asked = Apart(Asked)
    process = ask(asked, "process").number
    threading.Timer(0.3, asked.close).start()
    started = time.monotonic()
    with pytest.raises(ClosedError):
        ask(asked, "hangs")
    assert time.monotonic() - started < 30
    assert is_gone(process)
    with pytest.raises(ClosedError):
        ask(asked, "process")


def test_where_the_asker_is_killed_the_process_ends_too(tmp_path):
    code = (
        "from tests.diagnostics.test_apart import *\n"
        "asked = Apart(Asked)\n"
        "print(ask(asked, 'process').number, flush=True)\n"
        "ask(asked, 'sleeps')\n"
    )
    asker = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    process = int(asker.stdout.readline())
    asker.kill()
    asker.wait()
    deadline = time.monotonic() + 30
    while not is_gone(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_gone(process)


def test_the_limit_of_memory_is_a_share_of_what_is_free():
    free = psutil.virtual_memory().available
    assert free_memory() == pytest.approx(0.8 * free, rel=0.2)


def test_the_limit_of_memory_counts_that_of_a_container(monkeypatch):
    monkeypatch.setattr(apart, "left_by_container", lambda: 1000)
    assert free_memory() == 800
