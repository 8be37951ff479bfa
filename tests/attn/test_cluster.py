"""Who trains together: what TF_CONFIG and Slurm say, and which rows of a batch are whose."""

import json

import pytest

from attn.cluster import Cluster, ClusterError, find_cluster

TWO = ["a:1", "b:2"]


def tf_config(cluster, task):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}


def slurm(rank, hosts="n[1-2]", tasks="2(x2)", number="4", **more):
    return {
        "SLURM_PROCID": str(rank),
        "SLURM_STEP_NUM_TASKS": number,
        "SLURM_STEP_NODELIST": hosts,
        "SLURM_STEP_TASKS_PER_NODE": tasks,
        **more,
    }


def test_without_any_of_it_there_is_one_worker_and_it_is_the_chief():
    cluster = find_cluster({"HOME": "/"})
    assert (cluster.num_workers, cluster.is_chief, cluster.rows(5)) == (1, True, slice(0, 5))
    assert find_cluster({"TF_CONFIG": "{}"}).num_workers == 1


def test_tf_config_names_the_workers():
    cluster = find_cluster(tf_config({"worker": TWO}, {"type": "worker", "index": 1}))
    assert cluster == Cluster(("a:1", "b:2"), 1)
    assert not cluster.is_chief


def test_a_chief_of_its_own_stands_before_the_workers():
    jobs = {"worker": TWO, "chief": ["c:3"]}
    assert find_cluster(tf_config(jobs, {"type": "chief", "index": 0})) == Cluster(("c:3", "a:1", "b:2"), 0)
    assert find_cluster(tf_config(jobs, {"type": "worker", "index": 1})) == Cluster(("c:3", "a:1", "b:2"), 2)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not JSON", r"TF_CONFIG must be JSON such as .*; it is not"),
        ("[1]", r"TF_CONFIG must be an object such as .*; got \[1\]"),
        ('{"cluster": {"worker": "a:1"}}', r"lists chief and worker of addresses; got"),
        ('{"cluster": {"ps": ["a:1"], "worker": ["b:1"]}}', r"lists chief and worker of addresses; got"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}}', r"the task of TF_CONFIG must be one of its cluster"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', r"got .*\"index\": 1"),
        (
            '{"cluster": {"chief": ["a:1", "b:1"]}, "task": {"type": "chief", "index": 0}}',
            r"one chief; got 2",
        ),
        (
            '{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}',
            r"address of its own",
        ),
    ],
)
def test_a_tf_config_that_cannot_be_followed_is_one_sentence(text, sentence):
    with pytest.raises(ClusterError, match=sentence):
        find_cluster({"TF_CONFIG": text})


def test_rows_are_shared_without_gap_or_overlap():
    addresses = tuple(f"h:{i}" for i in range(3))
    shares = [list(range(8))[Cluster(addresses, i).rows(8)] for i in range(3)]
    assert shares == [[0, 1], [2, 3, 4], [5, 6, 7]]
    with pytest.raises(ClusterError, match=r"batch_size must be at least 3, a row for each worker; got 2"):
        Cluster(addresses, 0).rows(2)


def test_slurm_names_the_workers_by_the_resolver_of_tensorflow(monkeypatch):
    for rank in range(4):
        environment = slurm(rank, SLURMD_NODENAME=f"n{1 + rank // 2}")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert find_cluster(environment) == Cluster(("n1:8888", "n1:8889", "n2:8888", "n2:8889"), rank)


def test_one_task_of_slurm_trains_alone():
    assert find_cluster(slurm(0, "n1", "1", "1")).num_workers == 1
    assert find_cluster({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}).num_workers == 1  # outside of srun


def test_hosts_that_slurm_counts_in_another_order_than_the_resolver_are_refused(monkeypatch):
    environment = slurm(0, "n[9-10]", "1(x2)", "2", SLURMD_NODENAME="n9")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ClusterError, match=r"task 0 is on n9, and by name it would be on n10"):
        find_cluster(environment)


def test_a_step_of_slurm_that_is_not_described_is_one_sentence(monkeypatch):
    environment = slurm(0)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLURM_STEP_NODELIST")
    with pytest.raises(ClusterError, match="variables of Slurm must describe a step of several tasks"):
        find_cluster(environment)
