"""Trains a tiny model on shards, and prints as JSON how much memory that took and how fast it was.

    curve                     bytes of resident memory against pairs seen
    waiting                   share of the time of training that was spent waiting for data
    trained, read, arranged   pairs a second: in training, from disk alone, from disk and arranged

    python -m tests.reliability.shard_training SHARDS RUN STEPS_PER_EPOCH BATCH_SIZE

A process of its own, so that nothing else is measured; Linux only.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import attn.train
from attn.models import HistoricConfig
from attn.shard_reader import training_pairs
from attn.shards import open_shards
from attn.stream import Stream
from attn.trainer import TrainConfig
from attn.types import Batch

NUM_EPOCHS = 5
NUM_POINTS = 200


def resident() -> int:
    """Bytes of memory that the process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(folder: Path, run: Path, steps_per_epoch: int, batch_size: int) -> None:
    shards = open_shards(folder)
    config = TrainConfig(
        num_epochs=NUM_EPOCHS, steps_per_epoch=steps_per_epoch, batch_size=batch_size, num_context=13
    )
    curve = [(0, resident())]
    waited = [0.0]
    prefetched = attn.train._prefetched

    def timed(stream: Stream, start: int, stop: int, rows: slice) -> Iterator[tuple[int, Batch]]:
        batches = prefetched(stream, start, stop, rows)
        while True:
            began = time.perf_counter()
            batch = next(batches, None)
            waited.append(time.perf_counter() - began)
            if batch is None:
                return
            yield batch

    def watch(progress: attn.train.Progress) -> None:
        if progress.step % max(1, config.num_steps // NUM_POINTS) == 0:
            curve.append((progress.step * batch_size, resident()))

    attn.train._prefetched = timed
    model = HistoricConfig(width=4, num_heads=1, layer_dims=(4, 4, 4))
    trained = attn.train.train(run, model, config, shards, on_progress=watch)
    rows = trained.history[1:]  # the first epoch compiles
    seconds = sum(row["seconds"] for row in rows)
    num_read = min(200_000, shards.num_pairs)
    stream = Stream(shards, config.regime, config.num_context, batch_size, config.seed)
    found = {
        "curve": curve,
        "waiting": sum(waited[1 + steps_per_epoch :]) / seconds,
        "trained": len(rows) * steps_per_epoch * batch_size / seconds,
        "read": speed(training_pairs(shards, 0, batch_size, config.seed), num_read),
        "arranged": speed(stream.batches(0, sys.maxsize), num_read),
    }
    sys.stdout.write(json.dumps(found))


def speed(batches: Iterator, num_pairs: int) -> float:
    """Pairs a second, from the second batch on."""
    size = next(batches).num_pairs
    began = time.perf_counter()
    num_read = sum(batch.num_pairs for batch in islice(batches, num_pairs // size))
    return num_read / (time.perf_counter() - began)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
