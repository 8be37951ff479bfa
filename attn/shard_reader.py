"""Batches from shards, with tf.data, in an order that depends on seed, step and size of the batch alone.

The order.  The training shards follow each other without end, every epoch in an order drawn for it.  Of L
lanes lane j takes the shards at the places j, j + L, ... of that sequence, and the pairs of each in an order
drawn for its place.  A batch is as many pairs of every lane, one lane after the other: L is the largest
number up to MAX_LANES that divides the batch.  So a training that goes on at any step opens one shard a lane
and reads nothing before them, and a worker that takes some rows of every batch reads the shards of their
lanes only.

How far that is from uniform.  Every pair is seen once an epoch, but a batch is drawn evenly from L shards,
where a permutation of everything would draw from all.  As pairs are drawn independently, no batch of the
first epoch differs in distribution from one of that permutation; in later epochs pairs of one shard meet
again more often than by chance.  Where L does not divide the number of training shards, the end of an epoch
and the beginning of the next are mixed: there a pair may be seen twice within L shards.

Memory.  A lane holds the shard in use and the next one: it does not grow with the number of pairs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from attn.holdout import num_training
from attn.shards import Shards
from attn.types import Pairs

MAX_LANES = 8
# Batches that wait to be taken.
_READY = 2
# Streams of random numbers beside those of `attn.stream`, which are called 0 to 2.
_ORDER_OF_SHARDS, _ORDER_OF_PAIRS = 3, 4
_FIELDS = {"x": tf.float32, "series": tf.int8, "y": tf.float32, "valid": tf.bool}


def training_pairs(
    shards: Shards, start: int, batch_size: int, seed: int, rows: slice = slice(None)
) -> Iterator[Pairs]:
    """The pairs of every step from `start` on, without end; the last fifth of the shards is left out.

    rows   which rows of every batch are wanted: those of one worker; all by default

    Raises ValueError for a single shard, and CacheError, which names the file, once a shard is read that is
    missing, damaged or not of this set.
    """
    num_lanes = next(number for number in range(MAX_LANES, 0, -1) if batch_size % number == 0)
    share = batch_size // num_lanes  # of every lane in a batch
    first_row, stop_row, _ = rows.indices(batch_size)
    lanes = range(first_row // share, -(-stop_row // share))
    wanted = slice(first_row - lanes.start * share, stop_row - lanes.start * share)
    sequence = _Sequence(shards, num_training(shards.num_shards, "shards"), seed)
    batches = (
        tf.data.Dataset.range(lanes.start, lanes.stop)
        .interleave(
            lambda lane: _pairs_of_lane(sequence, lane, num_lanes, start * share),
            cycle_length=len(lanes),
            block_length=share,
        )
        .batch(len(lanes) * share)
        .prefetch(_READY)
    )
    for arrays in batches.as_numpy_iterator():
        if sequence.failures:  # its lane has ended, or will: what follows is no longer in order
            break
        yield Pairs(**arrays).rows(wanted)
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
    failures: list[ValueError] = field(default_factory=list)

    def arrays(self, place: np.int64, first: np.int64) -> tuple[NDArray[Any], ...]:
        """x, series, y, valid of the pairs of the shard at a place, permuted, from `first` on.

        No pairs where the shard cannot be read.
        """
        epoch, position = divmod(int(place), self.num_training)
        order = np.random.default_rng([self.seed, _ORDER_OF_SHARDS, epoch]).permutation(self.num_training)
        try:
            pairs = self.shards.load(int(order[position]))
        except ValueError as error:
            self.failures.append(error)
            return tuple(
                np.empty((0, self.shards.num_points), kind.as_numpy_dtype) for kind in _FIELDS.values()
            )
        rows = np.random.default_rng([self.seed, _ORDER_OF_PAIRS, int(place)]).permutation(pairs.num_pairs)
        chosen = pairs.rows(rows[first:])
        return tuple(getattr(chosen, name) for name in _FIELDS)


def _pairs_of_lane(sequence: _Sequence, lane: tf.Tensor, num_lanes: int, first_pair: int) -> tf.data.Dataset:
    """The pairs of a lane one by one, from its pair of that number on; a shard that fails ends it."""
    shards = sequence.shards
    num_passed, first_of_shard = divmod(first_pair, shards.size(0))
    first_place = num_passed * num_lanes + lane

    def read(place: tf.Tensor) -> dict[str, tf.Tensor]:
        first = tf.where(place == first_place, np.int64(first_of_shard), 0)
        arrays = tf.numpy_function(sequence.arrays, (place, first), list(_FIELDS.values()))
        return {
            name: tf.ensure_shape(array, (None, shards.num_points))
            for name, array in zip(_FIELDS, arrays, strict=True)
        }

    places = tf.data.Dataset.range(first_place, tf.int64.max, num_lanes)
    whole = places.map(read).take_while(lambda arrays: tf.shape(arrays["x"])[0] > 0)
    return whole.prefetch(1).flat_map(tf.data.Dataset.from_tensor_slices)
