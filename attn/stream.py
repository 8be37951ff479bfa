"""Training batches as a function of (seed, step): a run that resumes sees what it would have seen."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np

from attn.arrange import arrange
from attn.holdout import num_training
from attn.processes import PairProcess
from attn.shard_reader import held_out_pairs, training_pairs
from attn.shards import Shards
from attn.types import Batch, Pairs

TrainingData = PairProcess | Pairs | Shards
# One stream of random numbers each, so that none repeats another; `attn.shard_reader` has two more.
_TEST_PAIRS, _TEST_ORDER, _TRAINING = range(3)


@dataclass(frozen=True, eq=False)
class Stream:
    """Where batches come from: fresh draws of a process, or pairs or shards whose last fifth is held out."""

    source: TrainingData
    regime: str
    num_context: int
    batch_size: int
    seed: int
    overfit: bool = False

    def batch(self, step: int) -> Batch:
        """The training batch of a step; in overfit mode always the first."""
        return next(self.batches(step, step + 1))

    def batches(self, start: int, stop: int, rows: slice = slice(None)) -> Iterator[Batch]:
        """The batches of these steps, in order: shards are opened once, and read ahead.

        rows   which rows of every batch are wanted: those of one worker, which need neither draw those of
               others nor read their shards (see `attn.shard_reader`); all by default
        """
        if self.overfit:
            first = replace(self, overfit=False).batch(0)
            yield from repeat(first.rows(rows), stop - start)
            return
        read = self._read(self.source, start, rows) if isinstance(self.source, Shards) else None
        for step in range(start, stop):
            rng = np.random.default_rng([self.seed, _TRAINING, step])
            pairs = self._draw(rng, rows) if read is None else next(read)
            yield arrange(pairs, self.regime, self.num_context, rng).rows(rows)

    def test(self, num_pairs: int) -> Batch:
        """Pairs that training never sees, in the order of the regime."""
        if isinstance(self.source, PairProcess):
            pairs = self.source.sample(num_pairs, np.random.default_rng([self.seed, _TEST_PAIRS]))
        elif isinstance(self.source, Shards):
            pairs = held_out_pairs(self.source, num_pairs)
        else:
            first = num_training(self.source.num_pairs)
            pairs = self.source.rows(slice(first, first + num_pairs))
        return arrange(pairs, self.regime, self.num_context, np.random.default_rng([self.seed, _TEST_ORDER]))

    def _draw(self, rng: np.random.Generator, rows: slice) -> Pairs:
        """The pairs of one batch, from a process or from pairs that are in memory."""
        if isinstance(self.source, PairProcess):
            if rows == slice(None):
                return self.source.sample(self.batch_size, rng)
            return self._among_stand_ins(self.source.sample_rows(self.batch_size, rng, rows), rows)
        assert isinstance(self.source, Pairs)
        training = num_training(self.source.num_pairs)
        return self.source.rows(rng.choice(training, self.batch_size, replace=training < self.batch_size))

    def _read(self, shards: Shards, start: int, rows: slice) -> Iterator[Pairs]:
        """The pairs of one batch after the other."""
        for pairs in training_pairs(shards, start, self.batch_size, self.seed, rows):
            yield self._among_stand_ins(pairs, rows)

    def _among_stand_ins(self, wanted: Pairs, rows: slice) -> Pairs:
        """A whole batch with the wanted rows in their places; all others hold copies of these.

        An arrangement draws the same for copies: all pairs of a process, or of shards, have as many points of
        each series.
        """
        first, end, _ = rows.indices(self.batch_size)
        return wanted.rows(np.clip(np.arange(self.batch_size) - first, 0, end - first - 1))
