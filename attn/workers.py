"""Several processes that train one model: joined by `tf.distribute.MultiWorkerMirroredStrategy`.

Of the strategy only its communication is used.  Every worker holds plain variables that begin alike and are
moved alike, by sums that have the same bits on all: so XLA compiles a step up to the sum, and after it.
"""

import hashlib
import json
from collections.abc import Sequence
from threading import Thread
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.eager import context

from attn.cluster import Cluster

# Schedulers start the tasks of a job at about the same time; machines that are being set up take minutes.
JOIN_SECONDS = 300.0
_RING = tf.distribute.experimental.CommunicationOptions(
    implementation=tf.distribute.experimental.CommunicationImplementation.RING
)


class WorkersError(ValueError):
    """Workers that could not be joined, or of which one was lost; one sentence."""


class Workers:
    """The workers of a cluster, this process among them; one alone computes no sums."""

    def __init__(self, cluster: Cluster | None = None, join_seconds: float = JOIN_SECONDS) -> None:
        """Join the others; to be called before TensorFlow computes anything.

        Raises WorkersError if not all have come after `join_seconds`, or if this one cannot listen at its
        address.
        """
        self.cluster = cluster or Cluster()
        self._strategy = None if self.is_alone else _join(self.cluster, join_seconds)

    @property
    def is_alone(self) -> bool:
        """One machine, the default."""
        return self.cluster.num_workers == 1

    @property
    def is_chief(self) -> bool:
        """The chief is the only one that writes."""
        return self.cluster.is_chief

    def sum(self, values: tf.Tensor) -> tf.Tensor:
        """The sum of a vector over all workers, the same bits on each; returns when all have called it.

        Raises WorkersError within a minute if a worker was lost.
        """
        if self.is_alone:
            return values
        try:
            return self._all_reduce(values)
        except tf.errors.OpError as error:
            raise WorkersError(
                "every worker must go on to the end; one has ended or cannot be reached any more (start all"
                " again with --resume, from the last whole checkpoint)"
            ) from error

    def from_chief(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Those of the chief, bit by bit, in place of `arrays`, which must have their shapes and dtypes.

        Items have 4 or 8 bytes.  Raises WorkersError if a worker was lost.
        """
        bits = np.concatenate([np.ravel(array).view(np.int32) for array in arrays])
        # of all workers but the chief nothing: a sum of integers loses no bit
        received = self.sum(tf.constant(bits if self.is_chief else np.zeros_like(bits))).numpy()
        ends = np.cumsum([array.nbytes // 4 for array in arrays])[:-1]
        return [
            part.view(array.dtype).reshape(array.shape)
            for part, array in zip(np.split(received, ends), arrays, strict=True)
        ]

    def check_alike(self, description: Any) -> None:
        """Raise WorkersError, on those that differ, if a `description`, JSON, is not that of the chief."""
        digest = hashlib.sha256(json.dumps(description).encode()).digest()
        mine = np.frombuffer(digest, np.int32)
        if not np.array_equal(self.from_chief([mine])[0], mine):
            raise WorkersError(
                f"every worker must be given the same model, training and data; those of worker"
                f" {self.cluster.index} are not those of the chief"
            )

    def wait(self) -> None:
        """Until all workers have come here; raises WorkersError if one was lost."""
        self.sum(tf.zeros([1]))

    @tf.function(autograph=False)
    def _all_reduce(self, values: tf.Tensor) -> tf.Tensor:
        def reduce(values: tf.Tensor) -> tf.Tensor:
            # the identity stands on a device, which the sum asks for and an argument does not have
            return tf.distribute.get_replica_context().all_reduce("sum", tf.identity(values), _RING)

        return self._strategy.run(reduce, (values,))  # type: ignore[union-attr]


def _join(cluster: Cluster, seconds: float) -> Any:
    """The strategy, once all workers are there.

    TensorFlow waits without end for workers that do not come, so it waits in a thread.
    """
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={},  # the vector to be summed lies in the memory of the host
        rpc_layer="grpc",
    )
    joined: list[Any] = []

    def join() -> None:
        try:
            joined.append(tf.distribute.MultiWorkerMirroredStrategy(resolver, _RING))
        except Exception as error:  # whatever stops it, the one who waits says so
            joined.append(error)

    # The coordination service would hold the lock of the interpreter while it waits, for an hour: neither the
    # limit nor Ctrl-C would be heeded.  Without it TensorFlow asks twice a minute whether every worker lives.
    context.context().configure_coordination_service(service_type="")
    waiting = Thread(target=join, daemon=True)
    waiting.start()
    waiting.join(seconds)
    if not joined:
        raise WorkersError(
            f"all {cluster.num_workers} workers must come within {seconds:.0f} s; worker {cluster.index} at"
            f" {cluster.addresses[cluster.index]} waited for others in vain"
        )
    if isinstance(joined[0], Exception):
        raise WorkersError(
            f"worker {cluster.index} could not listen at {cluster.addresses[cluster.index]}:"
            f" {str(joined[0]).splitlines()[0]}"
        ) from joined[0]
    return joined[0]
