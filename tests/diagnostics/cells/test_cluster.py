"""Two workers of dask in this process; tests/reliability/test_sweep.py ends whole workers with -9."""

import logging
import os
import time
from contextlib import contextmanager

import pytest

from diagnostics.cells.process import OtherCodeError
from diagnostics.cells.workers import Lost
from tests.diagnostics.cells import pieces

distributed = pytest.importorskip("distributed")
cluster_module = pytest.importorskip("diagnostics.cells.cluster")


@contextmanager
def local_cluster(num_workers):
    with distributed.LocalCluster(
        n_workers=num_workers,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def address():
    with local_cluster(2) as cluster:
        yield cluster.scheduler_address


def do(address, work, cells):
    return dict(cluster_module.ClusterWorkers(address).do(work, cells))


def test_every_cell_comes_back_under_its_key(address):
    numbers = {str(number): number for number in range(5)}
    assert do(address, pieces.square, numbers) == {key: number**2 for key, number in numbers.items()}


def test_a_worker_has_a_process_for_cells_that_ends_with_the_command(address):
    found = do(address, pieces.where, dict.fromkeys("abcdef"))
    pids = {pid for pid, _ in found.values()}
    assert len(pids) <= 2
    assert {parent for _, parent in found.values()} == {os.getpid()}
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_what_the_work_raises_is_raised_here(address):
    with pytest.raises(ValueError, match="a number was wanted; got x"):
        do(address, pieces.refuse, {"a": "x"})


def test_a_cell_whose_process_is_killed_is_done_by_another(address, tmp_path):
    assert do(address, pieces.kill_itself_once, {"a": str(tmp_path)}) == {"a": "done"}


def test_a_cell_that_always_ends_its_process_is_given_up_and_costs_no_other(address):
    found = do(address, pieces.kill_itself_if_named, {"a": "a", "b": "bad", "c": "c"})
    why = "its process was ended 3 times, the last time by exit code 3"
    assert found == {"a": "a", "c": "c", "b": Lost(why)}


def test_processes_end_where_the_results_are_no_longer_wanted(address):
    results = cluster_module.ClusterWorkers(address).do(pieces.waited, {"a": 0.0, "b": 60.0})
    assert next(results) == ("a", 0.0)
    started = time.monotonic()
    results.close()
    # the worker is free at once
    assert do(address, pieces.square, {"a": 2, "b": 3}) == {"a": 4, "b": 9}
    assert time.monotonic() - started < 20


def test_a_worker_of_other_code_is_refused(address, monkeypatch):
    monkeypatch.setattr(cluster_module, "fingerprint", lambda: "other")
    with pytest.raises(OtherCodeError, match="must be that of the command, other; got"):
        do(address, pieces.square, {"a": 1})


def test_an_address_that_is_none_is_refused_before_the_wait():
    for wrong in ("here", "", "127.0.0.1:8786", "http://127.0.0.1:8786"):
        with pytest.raises(ValueError, match=r"must be such as tcp://127\.0\.0\.1:8786; got"):
            cluster_module.ClusterWorkers(wrong)


def test_a_scheduler_that_does_not_answer_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(cluster_module, "SECONDS_TO_CONNECT", 0.2)
    with pytest.raises(ConnectionError, match=r"must answer at the address that is given; none did at tcp"):
        do("tcp://127.0.0.1:1", pieces.square, {"a": 1})
    assert do("tcp://127.0.0.1:1", pieces.square, {}) == {}


def test_a_scheduler_without_workers_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(cluster_module, "SECONDS_WITHOUT_WORKER", 0.1)
    with (
        local_cluster(0) as cluster,
        pytest.raises(ChildProcessError, match=r"must have workers; it had none for 0\.1 s"),
    ):
        do(cluster.scheduler_address, pieces.square, {"a": 1})


def test_a_scheduler_that_is_lost_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(cluster_module, "SECONDS_TO_CONNECT", 1)
    with local_cluster(1) as cluster:
        results = cluster_module.ClusterWorkers(cluster.scheduler_address).do(
            pieces.waited, {"a": 0.0, "b": 60.0}
        )
        assert next(results) == ("a", 0.0)
    with pytest.raises(ConnectionError, match="must answer until all is done; it did not"):
        next(results)
