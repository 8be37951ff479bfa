"""A run is changed by one process at a time, and what a dead one left is taken over."""

import os
import subprocess
import sys
import threading

import pytest

from attn import locks
from attn.catalogue import RunError
from attn.flock import NoLocksError
from attn.locks import being_deleted, being_made, locked_run

HOLD = """
import sys
from pathlib import Path
from attn.locks import locked_run
with locked_run(Path(sys.argv[1]), "trained"):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that trains runs/x until its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "runs/x")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_process_is_told_who_the_first_is(holder, tmp_path):
    host = os.uname().nodename
    sentence = (
        r"^a run must be changed by one process at a time; .*runs/x is being trained by process"
        rf" {holder.pid} on host {host} since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC$"
    )
    with pytest.raises(RunError, match=sentence), locked_run(tmp_path / "runs/x", "deleted"):
        pass
    with locked_run(tmp_path / "runs/y", "trained"):  # another run is free
        pass


def test_the_lock_of_a_process_that_was_killed_is_taken_over(holder, tmp_path):
    holder.kill()
    holder.wait()
    assert f"process {holder.pid} " in (tmp_path / "runs/.x.lock").read_text()
    with locked_run(tmp_path / "runs/x", "deleted"):
        assert (tmp_path / "runs/.x.lock").read_text().startswith(f"deleted by process {os.getpid()} ")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_lock_file_from_another_host_is_no_lock(tmp_path):
    (tmp_path / ".x.lock").write_text("trained by process 1 on host elsewhere since 2001-01-01 00:00:00 UTC")
    with locked_run(tmp_path / "x", "trained"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_one_run_has_one_lock_by_whatever_path(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "x")
    with locked_run(tmp_path / "x", "trained"):
        for path in (tmp_path / "link", tmp_path / "x/../x"):
            with pytest.raises(RunError, match="one process at a time"), locked_run(path, "deleted"):
                pass


def test_a_lock_that_cannot_be_read_is_a_lock(tmp_path):
    with locked_run(tmp_path / "x", "trained"):
        (tmp_path / ".x.lock").write_bytes(b"\x1b[2J\xff")
        with pytest.raises(RunError, match=r"x is being changed by another process$"):
            locked_run(tmp_path / "x", "deleted").__enter__()


def test_what_is_raised_lets_go(tmp_path):
    with pytest.raises(KeyError), locked_run(tmp_path / "x", "trained"):
        raise KeyError
    with locked_run(tmp_path / "x", "trained"):
        pass


def test_what_was_half_made_or_half_deleted_goes(tmp_path):
    for leftover in (being_made(tmp_path / "x"), being_deleted(tmp_path / "x"), being_made(tmp_path / "y")):
        leftover.mkdir()
        (leftover / "spec.json").write_text("{")
    with locked_run(tmp_path / "x", "trained"):
        assert sorted(path.name for path in tmp_path.iterdir()) == [".x.lock", ".y.new"]


def test_a_place_where_nothing_can_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"\.x\.lock could not be locked: "):
        locked_run(tmp_path / "file/x", "trained").__enter__()


def test_where_the_file_system_has_no_locks_a_warning_is_given(tmp_path, monkeypatch, caplog):
    def refuse(descriptor):
        raise NoLocksError

    monkeypatch.setattr(locks, "try_lock", refuse)
    with locked_run(tmp_path / "x", "trained"), locked_run(tmp_path / "x", "trained"):
        pass
    assert "is not locked, as its file system has no locks" in caplog.text


def test_many_threads_never_hold_it_together(tmp_path):
    """Each removes the file that it locked: another must not go on with the one that was removed."""
    inside, most, entered = 0, 0, 0
    guard = threading.Lock()

    def work():
        nonlocal inside, most, entered
        for _ in range(200):
            try:
                with locked_run(tmp_path / "x", "trained"):
                    with guard:
                        inside, entered = inside + 1, entered + 1
                        most = max(most, inside)
                    with guard:
                        inside -= 1
            except RunError:
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, inside) == (1, 0)
    assert entered > 100
