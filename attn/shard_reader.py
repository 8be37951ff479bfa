"""Batches from shards, with tf.data, in an order that depends on seed and position alone.

The order.  The training shards follow each other without end, every epoch in an order drawn for it.  Lane j
of LANES takes the shards at the places j, j + LANES, ... of that sequence, and the pairs of each in an
order drawn for its place.  The lanes take turns, pair by pair: pair p of the training is pair p // LANES of
lane p % LANES. So a training that goes on at any step opens one shard a lane and reads nothing before them,
and where the number of workers divides LANES each reads the shards of its own lanes only.

How far that is from uniform.  Every pair is seen once an epoch, but a batch is drawn evenly from LANES
shards, where a permutation of everything would draw from all.  As pairs are drawn independently, no batch
of the first epoch differs in distribution from one of that permutation; in later epochs pairs of one shard
meet again more often than by chance.  Where LANES does not divide the number of training shards, the end of
an epoch and the beginning of the next are mixed: there a pair may be seen twice within LANES shards.

Memory.  A lane holds the shard in use and the next one: it does not grow with the number of pairs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from attn.files import CacheError
from attn.holdout import num_training
from attn.shards import Shards
from attn.types import Pairs

LANES = 8
# Batches that wait to be taken.
_READY = 2
# Streams of random numbers beside those of `attn.stream`, which are called 0 to 2.
_ORDER_OF_SHARDS, _ORDER_OF_PAIRS = 3, 4
_FIELDS = {"x": tf.float32, "series": tf.int8, "y": tf.float32, "valid": tf.bool}


def training_pairs(
    shards: Shards, start: int, batch_size: int, seed: int, *, worker: int = 0, num_workers: int = 1
) -> Iterator[Pairs]:
    """The pairs of every step from `start` on, without end; the last fifth of the shards is left out.

    worker   gets the rows worker, worker + num_workers, ... of every batch; all workers together get the
             batch that one alone would get

    Raises ValueError for a single shard or a batch that cannot be shared out evenly, and CacheError, which
    names the file, once a shard is read that is missing, damaged or not of this set.
    """
    if not 0 <= worker < num_workers:
        raise ValueError(f"worker must be between 0 and {num_workers - 1} (num_workers - 1); got {worker}")
    if batch_size % num_workers:
        raise ValueError(f"batch_size must be a multiple of num_workers, {num_workers}; got {batch_size}")
    sequence = _Sequence(shards, num_training(shards.num_shards, "shards"), seed)
    first = start * batch_size
    turns = tf.data.Dataset.range(first, first + LANES)
    if LANES % num_workers == 0:
        rows = _interleaved(turns.shard(num_workers, worker), sequence)
    else:
        rows = _interleaved(turns, sequence).shard(num_workers, worker)
    batches = rows.batch(batch_size // num_workers).prefetch(_READY)
    for arrays in batches.as_numpy_iterator():
        if sequence.failures:
            break
        yield Pairs(**arrays)
    raise sequence.failures[0]


def held_out_pairs(shards: Shards, num_pairs: int) -> Pairs:
    """The first pairs of the last fifth of the shards, as they stand; all of them if there are fewer."""
    parts, wanted = [], num_pairs
    for number in range(num_training(shards.num_shards, "shards"), shards.num_shards):
        parts.append(shards.load(number).rows(slice(wanted)))
        wanted -= parts[-1].num_pairs
        if not wanted:
            break
    return Pairs(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS})


@dataclass(frozen=True)
class _Sequence:
    """The training shards one after the other, every epoch in an order of its own; a place counts from 0.

    failures   why shards could not be read: what Python raises TensorFlow would only report in its own words
    """

    shards: Shards
    num_training: int
    seed: int
    failures: list[CacheError] = field(default_factory=list)

    def arrays(self, place: np.int64, first: np.int64) -> tuple[NDArray[Any], ...]:
        """x, series, y, valid of the pairs of the shard at a place, permuted, from `first` on.

        No pairs where the shard cannot be read.
        """
        epoch, position = divmod(int(place), self.num_training)
        order = np.random.default_rng([self.seed, _ORDER_OF_SHARDS, epoch]).permutation(self.num_training)
        try:
            pairs = self.shards.load(int(order[position]))
        except CacheError as error:
            self.failures.append(error)
            return tuple(
                np.empty((0, self.shards.num_points), kind.as_numpy_dtype) for kind in _FIELDS.values()
            )
        rows = np.random.default_rng([self.seed, _ORDER_OF_PAIRS, int(place)]).permutation(pairs.num_pairs)
        chosen = pairs.rows(rows[first:])
        return tuple(getattr(chosen, name) for name in _FIELDS)


def _interleaved(turns: tf.data.Dataset, sequence: _Sequence) -> tf.data.Dataset:
    """The pairs of the lanes that have those turns, one of each in turn."""
    return turns.interleave(lambda turn: _lane(turn, sequence), cycle_length=LANES, block_length=1)


def _lane(turn: tf.Tensor, sequence: _Sequence) -> tf.data.Dataset:
    """All pairs, one by one, of the lane whose turn it is at a position; a shard that fails ends it."""
    size = sequence.shards.size(0)
    pair, lane = turn // LANES, turn % LANES
    first_place = pair // size * LANES + lane

    def read(place: tf.Tensor) -> dict[str, tf.Tensor]:
        first_pair = tf.where(place == first_place, pair % size, 0)
        arrays = tf.numpy_function(sequence.arrays, (place, first_pair), list(_FIELDS.values()))
        num_points = sequence.shards.num_points
        return {
            name: tf.ensure_shape(array, (None, num_points))
            for name, array in zip(_FIELDS, arrays, strict=True)
        }

    places = tf.data.Dataset.range(first_place, tf.int64.max, LANES)
    whole = places.map(read).take_while(lambda arrays: tf.shape(arrays["x"])[0] > 0)
    return whole.prefetch(1).flat_map(tf.data.Dataset.from_tensor_slices)
