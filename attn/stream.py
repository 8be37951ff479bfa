"""Training batches as a function of (seed, step): a run that resumes sees what it would have seen."""

from dataclasses import dataclass

import numpy as np

from attn.arrange import arrange
from attn.holdout import num_training
from attn.processes import PairProcess
from attn.types import Batch, Pairs

# One stream of random numbers each, so that none repeats another.
_TEST_PAIRS, _TEST_ORDER, _TRAINING = range(3)


@dataclass(frozen=True, eq=False)
class Stream:
    """Where batches come from: fresh draws of a process, or a set of pairs whose last fifth is held out."""

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
            training = num_training(self.source.num_pairs)
            pairs = self.source.rows(
                rng.choice(training, self.batch_size, replace=training < self.batch_size)
            )
        return arrange(pairs, self.regime, self.num_context, rng)

    def test(self, num_pairs: int) -> Batch:
        """Pairs that training never sees, in the order of the regime."""
        if isinstance(self.source, PairProcess):
            pairs = self.source.sample(num_pairs, np.random.default_rng([self.seed, _TEST_PAIRS]))
        else:
            first = num_training(self.source.num_pairs)
            pairs = self.source.rows(slice(first, first + num_pairs))
        return arrange(pairs, self.regime, self.num_context, np.random.default_rng([self.seed, _TEST_ORDER]))
