"""Training batches as a function of (seed, step): a run that resumes sees what it would have seen."""

from dataclasses import dataclass

import numpy as np

from attn.arrange import arrange
from attn.processes import PairProcess
from attn.types import Batch, Pairs

# One stream of random numbers each, so that none repeats another.
_TEST_PAIRS, _TEST_ORDER, _TRAINING, _SPLIT = range(4)


@dataclass(frozen=True, eq=False)
class Stream:
    """Where batches come from: fresh draws of a process, or a set of pairs, 80/20 for training and test."""

    source: PairProcess | Pairs
    regime: str
    num_context: int
    batch_size: int
    seed: int
    overfit: bool = False

    def batch(self, step: int) -> Batch:
        """The training batch of a step; in overfit mode always the first."""
        rng = np.random.default_rng([self.seed, _TRAINING, 0 if self.overfit else step])
        if isinstance(self.source, PairProcess):
            pairs = self.source.sample(self.batch_size, rng)
        else:
            training, _ = self._split()
            pairs = self.source.rows(
                rng.choice(training, self.batch_size, replace=len(training) < self.batch_size)
            )
        return arrange(pairs, self.regime, self.num_context, rng)

    def test(self, num_pairs: int) -> Batch:
        """Pairs that training never sees, in the order of the regime."""
        if isinstance(self.source, PairProcess):
            pairs = self.source.sample(num_pairs, np.random.default_rng([self.seed, _TEST_PAIRS]))
        else:
            _, held_out = self._split()
            pairs = self.source.rows(held_out[:num_pairs])
        return arrange(pairs, self.regime, self.num_context, np.random.default_rng([self.seed, _TEST_ORDER]))

    def _split(self) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers for training and for test."""
        assert isinstance(self.source, Pairs)
        if self.source.num_pairs < 2:
            raise ValueError(f"training needs at least 2 pairs, one to hold out; got {self.source.num_pairs}")
        order = np.random.default_rng([self.seed, _SPLIT]).permutation(self.source.num_pairs)
        num_test = max(1, self.source.num_pairs // 5)
        return order[num_test:], order[:num_test]
