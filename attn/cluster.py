"""Which processes train one model together: read from TF_CONFIG or from Slurm, else this one alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_EXAMPLE = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'


class ClusterError(ValueError):
    """A description of workers that cannot be followed; one sentence."""


@dataclass(frozen=True)
class Cluster:
    """The workers, the chief first, as `host:port`; `index` is the number of this process among them.

    One alone needs no address.  Raises ClusterError where the index is of no worker or two share an address.
    """

    addresses: tuple[str, ...] = ("",)
    index: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.index < len(self.addresses):
            raise ClusterError(
                f"the index of a worker must be between 0 and {len(self.addresses) - 1}; got {self.index}"
            )
        if len(set(self.addresses)) < len(self.addresses):
            raise ClusterError(
                f"every worker needs an address of its own; got {', '.join(sorted(self.addresses))}"
            )

    @property
    def num_workers(self) -> int:
        """How many train together."""
        return len(self.addresses)

    @property
    def is_chief(self) -> bool:
        """The chief is the only one that writes."""
        return self.index == 0

    def rows(self, batch_size: int) -> slice:
        """The rows of every batch that are this worker's; those of any two differ by one at most in number.

        Raises ClusterError where there are fewer rows than workers.
        """
        if batch_size < self.num_workers:
            raise ClusterError(
                f"batch_size must be at least {self.num_workers}, a row for each worker; got {batch_size}"
            )
        start, stop = (batch_size * i // self.num_workers for i in (self.index, self.index + 1))
        return slice(start, stop)


def find_cluster(environment: Mapping[str, str]) -> Cluster:
    """The cluster that `environment` describes.

    TF_CONFIG goes first: jobs `chief` (one) and `worker`.  In a step of Slurm of several tasks (`srun`),
    TensorFlow's own resolver tells the hosts.  Raises ClusterError where either cannot be followed.
    """
    if environment.get("TF_CONFIG"):
        return _of_tf_config(environment["TF_CONFIG"])
    if "SLURM_PROCID" in environment and environment.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        return _of_slurm(environment)
    return Cluster()


def _of_tf_config(text: str) -> Cluster:
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ClusterError(f"TF_CONFIG must be JSON such as {_EXAMPLE}; it is not: {error}") from error
    jobs = _part(config, "cluster")
    if not jobs:
        return Cluster()
    task = _part(config, "task")
    lists = [jobs.get(job, []) for job in ("chief", "worker")]
    if set(jobs) - {"chief", "worker"} or not all(_is_list_of_texts(addresses) for addresses in lists):
        raise ClusterError(
            "the cluster of TF_CONFIG may hold the lists chief and worker of addresses;"
            f" got {json.dumps(jobs)[:200]}"
        )
    chiefs, others = lists
    if len(chiefs) > 1:
        raise ClusterError(f"a cluster has one chief; got {len(chiefs)} in TF_CONFIG")
    kind, index = task.get("type"), task.get("index")
    if kind not in jobs or not isinstance(index, int) or not 0 <= index < len(jobs[kind]):
        raise ClusterError(
            f"the task of TF_CONFIG must be one of its cluster, {_EXAMPLE}; got {json.dumps(task)}"
        )
    return Cluster((*chiefs, *others), index if kind == "chief" else len(chiefs) + index)


def _part(config: Any, name: str) -> dict[str, Any]:
    part = config.get(name, {}) if isinstance(config, dict) else None
    if not isinstance(part, dict):
        raise ClusterError(f"TF_CONFIG must be an object such as {_EXAMPLE}; got {json.dumps(config)[:200]}")
    return part


def _is_list_of_texts(addresses: Any) -> bool:
    return isinstance(addresses, list) and all(isinstance(address, str) for address in addresses)


def _of_slurm(environment: Mapping[str, str]) -> Cluster:
    import tensorflow as tf  # heavy, and needed here only

    try:
        # What is said of GPUs here only keeps the resolver from asking for them: without any it would fail.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=2**16, gpus_per_task=1, auto_set_gpu=False
        )
        addresses = resolver.cluster_spec().as_dict()["worker"]
    except (KeyError, RuntimeError, ValueError) as error:
        raise ClusterError(
            f"the variables of Slurm must describe a step of several tasks: {error}"
        ) from error
    cluster = Cluster(tuple(addresses), int(environment["SLURM_PROCID"]))
    # The resolver numbers hosts by name, Slurm by its list: of n[9-10] the first is n10 here, and n9 there.
    host, here = addresses[cluster.index].rpartition(":")[0], environment.get("SLURMD_NODENAME")
    if here not in (None, host):
        raise ClusterError(
            f"Slurm must number its hosts in the order of their names; task {cluster.index} is on {here}, and"
            f" by name it would be on {host} (set TF_CONFIG instead)"
        )
    return cluster
