"""Two processes on one run, locks that were left behind, and runs that were copied in their training."""

import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

from attn.checksums import SUMS
from attn.runs import load_run
from tests.reliability import children
from tests.reliability.ledger import Promise
from tests.reliability.small_training import PREPARE, RUN, TRAIN, is_same_training, resumed

SECTION = "Two processes, copied runs"
LOCKED = r"attn: a run must be changed by one process at a time; .*runs/r is being \w+ by (another )?process"
EXISTS = r"attn: a new run needs .*runs/r "
LONG = [*TRAIN, "--epochs", "8"]


@pytest.fixture(scope="module")
def timed(tmp_path_factory):
    """The folder of a training that nothing disturbed, and the seconds that it took."""
    folder = tmp_path_factory.mktemp("undisturbed") / "whole"
    begun = time.monotonic()
    assert children.finish(LONG, folder, *PREPARE) == 0, children.printed(folder)
    return folder, time.monotonic() - begun


@pytest.fixture
def whole(timed):
    """The folder alone."""
    return timed[0]


def _wait_for(path, child):
    while not path.exists():
        assert child.is_alive()
        time.sleep(0.002)


def test_of_two_trainings_of_one_run_one_is_done_and_the_other_refused(whole, tmp_path, promise, is_smallest):
    num_pairs, num_kept, num_locked = 1 if is_smallest else 10, 0, 0
    for number in range(num_pairs):
        folder = tmp_path / f"two-{number}"
        both = [children.start(LONG, folder, *PREPARE) for _ in range(2)]
        for child in both:
            child.join()
        said = children.printed(folder)
        num_locked += bool(re.search(LOCKED, said))
        is_one = sorted(child.exitcode for child in both) == [0, 2] and re.search(f"{LOCKED}|{EXISTS}", said)
        num_kept += bool(is_one) and is_same_training(folder, whole)
    promise(
        Promise(
            SECTION,
            "of two trainings that make the same run at the same time one is done, the other refused",
            num_kept,
            num_pairs,
            note=f"{num_locked} as the run was locked, the others as it was there already",
        )
    )


def test_a_run_in_training_is_neither_resumed_nor_deleted_nor_imported_over(whole, tmp_path, promise):
    folder = tmp_path / "mine"
    child = children.start(LONG, folder, *PREPARE)
    _wait_for(folder / RUN / "history.json", child)
    os.kill(child.pid, signal.SIGSTOP)
    others = [
        [*LONG, "--resume"],
        ["attn", "runs", "delete", "--yes", "runs/r"],
        ["attn", "runs", "import", "r.zip"],
    ]
    assert children.finish(["attn", "runs", "export", "runs/r", "--out", str(folder / "r.zip")], whole) == 0
    num_kept = 0
    for number, arguments in enumerate(others):
        output = len(children.printed(folder))
        code = children.finish(arguments, folder, *PREPARE)
        said = children.printed(folder)[output:]
        num_kept += code == 2 and f"trained by process {child.pid} on host" in said and said.count("\n") == 1
        assert num_kept == number + 1, said
    os.kill(child.pid, signal.SIGCONT)
    child.join()
    assert child.exitcode == 0
    load_run(folder / RUN)
    text = (
        "a run in training is not resumed, deleted or imported over by another process, which is told by whom"
    )
    promise(Promise(SECTION, text, num_kept, len(others)))


def test_the_lock_of_a_killed_process_or_of_another_host_is_no_lock(whole, tmp_path, promise, is_smallest):
    num_kept, num_cases = 0, 1 if is_smallest else 10
    for number in range(num_cases):
        folder = tmp_path / f"left-{number}"
        child = children.start(LONG, folder, *PREPARE)
        _wait_for(folder / RUN / "history.json", child)
        child.kill()
        child.join()
        lock = folder / "runs/.r.lock"
        assert f"trained by process {child.pid} " in lock.read_text()
        if number % 2 == 0:  # a process of that number is alive here, and is not the one that is meant
            lock.write_text(
                f"trained by process {os.getpid()} on host elsewhere since 2001-01-01 00:00:00 UTC"
            )
        code = children.finish([*LONG, "--resume"], folder, *PREPARE)
        num_kept += code == 0 and is_same_training(folder, whole)
    text = (
        "a lock that a killed process left, or that came from another host, is taken over without a question"
    )
    promise(Promise(SECTION, text, num_kept, num_cases))


def test_a_run_copied_while_it_is_trained_loads_and_goes_on(timed, tmp_path, promise, is_smallest):
    """Stopped at a random moment, copied under the same name to another place, where it is gone on with."""
    num_kept, num_cases, rng = 0, 1 if is_smallest else 20, np.random.default_rng(0)
    whole, span = timed
    for number in range(num_cases):
        origin, copy = tmp_path / f"origin-{number}", tmp_path / f"copy-{number}"
        child = children.start(LONG, origin, *PREPARE)
        _wait_for(origin / RUN / "spec.json", child)
        child.join(rng.uniform(0, span / 2))
        if child.is_alive():
            os.kill(child.pid, signal.SIGSTOP)
        subprocess.run(["cp", "-r", origin, copy], check=True)
        code = children.finish(resumed(copy, LONG), copy, *PREPARE)  # while the other is in training still
        if child.is_alive():
            os.kill(child.pid, signal.SIGCONT)
        child.join()
        num_kept += code == 0 == child.exitcode and all(
            is_same_training(place, whole) for place in (copy, origin)
        )
    promise(
        Promise(
            SECTION,
            "the copy of a run in training goes on as the run does, and ends as it does",
            num_kept,
            num_cases,
            is_random=True,
        )
    )


def test_a_finished_run_that_is_copied_is_the_run_under_another_name_too(whole, tmp_path, promise):
    for name in ("s", "t"):
        shutil.copytree(whole / RUN, tmp_path / "elsewhere/runs" / name)
        copy = tmp_path / "elsewhere/runs" / name
        subprocess.run(["sha256sum", "--strict", "--check", "--quiet", SUMS], cwd=copy, check=True)
        found, run = load_run(copy), load_run(whole / RUN)
        assert (found.name, found.spec, found.history) == (name, run.spec, run.history)
        arguments = [name if word == "r" else word for word in LONG]
        before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
        assert children.finish([*arguments, "--resume"], tmp_path / "elsewhere", *PREPARE) == 0
        assert before == {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    text = (
        "the copy of a finished run, under another name, loads, agrees with its SHA256SUMS, and is finished"
    )
    promise(Promise(SECTION, text, 2, 2))
