"""Sweeps while what does the work is killed: the table is whole, and that of one undisturbed process."""

import csv
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diagnostics.cells.local import LocalWorkers
from diagnostics.checks import CHECKS
from diagnostics.faults import CATALOGUE
from diagnostics.selftest.run import Cell, run_cells
from diagnostics.sweep.plan import find_faults, find_subjects, plan
from diagnostics.sweep.run import sweep
from tests.reliability.ledger import Promise

distributed, psutil = pytest.importorskip("distributed"), pytest.importorskip("psutil")

SECTION = "sweeps"
SOUND, CRASHING = "tests.reliability.swept:sound", "tests.reliability.swept:crashing"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cluster():
    """Two workers on this machine, each a process; nobody else can reach them."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def cells(request):
    """At full size four faults of the catalogue under three seeds and every check."""
    if request.config.getoption("reliability_report") is None:
        names = ["no_future_leak", "inference_is_deterministic"]
        return plan(find_subjects([SOUND]), range(8), names, num_pairs=8, time_limit=60.0)
    faults = find_faults(["future_leak", "coarse_bins:0.25", "label_blind_history", "stale_cache"])
    names = [check.name for check in CHECKS]
    return plan(faults, range(3), names, num_pairs=64, time_limit=300.0)


@pytest.fixture(scope="module")
def serial(cells, tmp_path_factory):
    """The rows of one process that nobody disturbs."""
    return rows(run(cells, LocalWorkers(1), tmp_path_factory.mktemp("serial")))


def run(cells, workers, folder, after_first=lambda: None):
    """A sweep; `after_first` is called as soon as one cell is done."""
    results = []

    def on_result(result):
        results.append(result)
        if len(results) == 1:
            after_first()

    return sweep(cells, folder / "cells", workers=workers, command="sweep", on_result=on_result)


def rows(found):
    """All of the table but how long it took."""
    return [row.model_dump_json(exclude={"seconds"}) for row in found.rows]


def num_equal(found, expected):
    return sum(ours == theirs for ours, theirs in zip(found, expected, strict=True))


def test_a_worker_of_dask_that_is_killed_costs_no_row(promise, cells, serial, cluster, tmp_path):
    from diagnostics.cells.cluster import ClusterWorkers

    killed = []
    with distributed.Client(cluster.scheduler_address) as client:
        pids = client.run(os.getpid)

        def kill_one_at_work():
            busy = [worker for worker, tasks in client.processing().items() if tasks]
            killed.append(pids[busy[0]])
            os.kill(killed[0], signal.SIGKILL)

        found = run(cells, ClusterWorkers(cluster.scheduler_address), tmp_path, kill_one_at_work)
        client.wait_for_workers(2, timeout=60)
        assert killed[0] not in client.run(os.getpid).values()
    kept = num_equal(rows(found), serial)
    note = f"{len(cells)} cells on two workers, one killed with -9 after the first cell"
    text = "A sweep on a cluster of which a worker is killed has every row of the serial one, digit by digit"
    promise(Promise(SECTION, text, kept, len(serial), note=note))


@pytest.fixture
def full_size(is_smallest):
    """The unit tests of the engine show in a second what this test shows in a minute."""
    if is_smallest:
        pytest.skip("at full size only")


@pytest.mark.usefixtures("full_size")
def test_a_process_that_is_killed_costs_no_row(promise, cells, serial, tmp_path):
    def kill_one():
        children = psutil.Process().children()
        next(child for child in children if "diagnostics.cells" in " ".join(child.cmdline())).kill()

    found = run(cells, LocalWorkers(2), tmp_path, kill_one)
    kept = num_equal(rows(found), serial)
    text = "A sweep on this machine of which a process is killed has every row of the serial one"
    promise(Promise(SECTION, text, kept, len(serial), note=f"{len(cells)} cells in two processes"))


@pytest.mark.usefixtures("full_size")
def test_a_subject_that_ends_its_process_is_an_error_in_its_rows_only(promise, cluster, tmp_path):
    from diagnostics.cells.cluster import ClusterWorkers

    kept, places = 0, (ClusterWorkers(cluster.scheduler_address), LocalWorkers(2))
    cells = plan(find_subjects([SOUND, CRASHING]), [0], ["no_future_leak"], num_pairs=8, time_limit=60.0)
    for number, workers in enumerate(places):
        (tmp_path / str(number)).mkdir()
        found = run(cells, workers, tmp_path / str(number))
        sound, crashed = found.rows
        is_told = "ended 3 times, the last time by signal SIGABRT" in crashed.detail
        kept += (sound.status, crashed.status, is_told, found.exit_code) == ("passed", "error", True, 3)
    text = "A subject that ends every process is given up after three, and costs no row of another"
    promise(Promise(SECTION, text, kept, len(places), note="on a cluster, and on this machine"))


NUM_SEEDS = 100  # cells of some milliseconds each: enough of them that the command is met at work


def command(folder, scheduler=None):
    words = [
        "sweep",
        "--subject",
        SOUND,
        "--seeds",
        f"0-{NUM_SEEDS - 1}",
        "--check",
        "no_future_leak",
        "--num-pairs",
        "8",
    ]
    words += ["--out", str(folder), "--quiet", *(["--scheduler", scheduler] if scheduler else [])]
    return subprocess.Popen(
        [sys.executable, "-m", "diagnostics", *words],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # a shell that runs these tests in the background has Ctrl-C ignored by all that it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def without_seconds(path):
    with path.open(newline="") as file:
        return [
            {key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)
        ]


@pytest.mark.usefixtures("full_size")
def test_a_sweep_that_is_killed_goes_on_where_it_stopped(promise, tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert command(whole).wait() == 0
    first, store = command(stopped), stopped / ".cells.jsonl"
    while first.poll() is None and not (store.exists() and store.read_text().count("result") >= 2):
        time.sleep(0.01)
    first.kill()
    first.wait()
    num_kept = store.read_text().count("result")
    again = command(stopped)
    _, said = again.communicate()
    assert (again.returncode, said) == (0, b"")
    kept = num_equal(without_seconds(stopped / "sweep.csv"), without_seconds(whole / "sweep.csv"))
    text = "A sweep of which the command is killed with -9 has the same rows when the same command has ended"
    assert num_kept < NUM_SEEDS
    promise(Promise(SECTION, text, kept, NUM_SEEDS, note=f"{num_kept} of {NUM_SEEDS} cells were kept"))


@pytest.mark.usefixtures("full_size")
def test_ctrl_c_ends_a_sweep_and_all_that_it_started(promise, cluster, tmp_path):
    kept, places = 0, [None, cluster.scheduler_address]
    for number, scheduler in enumerate(places):
        process = command(tmp_path / str(number), scheduler)
        store = tmp_path / str(number) / ".cells.jsonl"
        while process.poll() is None and not (store.exists() and store.read_text().count("result")):
            time.sleep(0.01)
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        _, alive = psutil.wait_procs(started, timeout=10)
        kept += (process.returncode, said, alive) == (130, b"diagnose: interrupted\n", [])
    text = "Ctrl-C ends a sweep with one sentence, code 130, and no process left behind"
    promise(Promise(SECTION, text, kept, len(places)))


@pytest.mark.usefixtures("full_size")
def test_the_selftest_on_a_cluster_is_the_one_here(promise, cluster, tmp_path):
    from diagnostics.cells.cluster import ClusterWorkers

    asked = [
        Cell("twin", "sound"),
        Cell("healthy", "variant", number=3),
        Cell("fault", CATALOGUE[0].fault, CATALOGUE[0].severities[0], CATALOGUE[0].row),
    ]
    here, there = (
        run_cells(asked, tmp_path / str(number), workers=workers, on_result=lambda result: None)
        for number, workers in enumerate((LocalWorkers(1), ClusterWorkers(cluster.scheduler_address)))
    )
    kept = sum(
        (ours.status, ours.causes, ours.details) == (theirs.status, theirs.causes, theirs.details)
        for ours, theirs in zip(here, there, strict=True)
    )
    text = "A cell of the self-test says on a cluster what it says here"
    promise(Promise(SECTION, text, kept, len(asked)))
