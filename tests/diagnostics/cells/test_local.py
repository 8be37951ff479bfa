import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diagnostics.cells import process as process_module
from diagnostics.cells.local import LocalWorkers
from diagnostics.cells.process import OtherCodeError, Process, unpack
from diagnostics.cells.workers import Lost
from tests.diagnostics.cells import pieces


def do(work, cells, num_processes=1):
    return dict(LocalWorkers(num_processes).do(work, cells))


def test_every_cell_comes_back_under_its_key():
    numbers = {str(number): number for number in range(7)}
    assert do(pieces.square, numbers, 2) == {key: number**2 for key, number in numbers.items()}
    assert do(pieces.square, {}) == {}


def test_processes_are_no_more_than_asked_for_and_are_renewed(monkeypatch):
    found = do(pieces.where, dict.fromkeys("abcdef"), 2)
    assert len({pid for pid, _ in found.values()}) <= 2
    assert {parent for _, parent in found.values()} == {os.getpid()}
    monkeypatch.setattr(process_module, "CELLS_OF_A_PROCESS", 2)
    pids = [pid for pid, _ in do(pieces.where, dict.fromkeys("abcde")).values()]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


def test_what_the_work_raises_is_raised_here():
    with pytest.raises(ValueError, match="a number was wanted; got x") as raised:
        do(pieces.refuse, {"a": "x"})
    assert "in refuse" in raised.value.__notes__[0]
    with pytest.raises(RuntimeError, match="TalkativeError: one and two"):
        do(pieces.refuse_oddly, {"a": None})


def test_a_cell_whose_process_is_killed_is_done_by_another(tmp_path):
    cells = {"a": str(tmp_path)}
    assert do(pieces.kill_itself_once, cells) == {"a": "done"}


def test_a_cell_that_always_ends_its_process_is_given_up_and_costs_no_other():
    found = do(pieces.kill_itself_if_named, {"a": "a", "b": "bad", "c": "c"}, 2)
    assert found == {
        "a": "a",
        "c": "c",
        "b": Lost("its process was ended 3 times, the last time by exit code 3"),
    }
    (lost,) = do(pieces.kill_itself, {"a": None}).values()
    assert lost.why.endswith("by signal SIGKILL")


def test_processes_that_never_get_ready_are_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(process_module, "_MAIN", "raise SystemExit(5)")
    with pytest.raises(ChildProcessError, match="must live until it is ready; 3 ended by exit code 5"):
        do(pieces.square, {"a": 1})


def test_a_process_of_other_code_is_refused():
    process = Process("other")
    with pytest.raises(OtherCodeError, match="must be that of the command, other; got"):
        unpack(process.answer())
    process.end()


def test_a_process_has_one_thread_and_loads_nothing_by_itself():
    assert do(pieces.modules, {"a": None}) == {"a": []}


def is_alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_processes_end_with_the_caller(tmp_path):
    code = """
import sys
from diagnostics.cells.process import Process, pack
from tests.diagnostics.cells import pieces
import diagnostics.cells.code as code
process = Process(code.fingerprint())
process.answer()
process.begin(pack(pieces.waited, 60))
print(process._process.pid, flush=True)
sys.stdin.read()
"""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    )
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(pid)


def test_processes_end_where_the_results_are_no_longer_wanted():
    results = LocalWorkers(2).do(pieces.waited, {"a": 0.0, "b": 60.0})
    started = time.monotonic()
    assert next(results) == ("a", 0.0)
    results.close()
    assert time.monotonic() - started < 10
