"""Whether free running knows how wrong it may be: the place of the truth among sampled trajectories."""

import numpy as np

from attn.types import Batch, Floats
from diagnostics.ask import ask_free_run
from diagnostics.measures import by_target, rank_pit
from diagnostics.subject import Subject

NUM_PAIRS = 128
# Of 19 samples and the truth, each is the least with probability 1/20 and the largest with 1/20, if they are
# exchangeable: so 90 % of all truths lie between the least and the largest sample.
NUM_SAMPLES = 19
CHUNK = 64  # pairs in one call, each sampled NUM_SAMPLES times


def sampled_transform(subject: Subject, batch: Batch, rng: np.random.Generator) -> Floats:
    """The PIT of the first pairs of `batch` by target [N,T], from trajectories that feed back their samples.

    Raises SubjectError where the subject cannot answer.
    """
    batch = batch.rows(slice(0, NUM_PAIRS))
    parts = []
    for start in range(0, batch.num_pairs, CHUNK):
        chunk = batch.rows(slice(start, start + CHUNK))
        samples = ask_free_run(subject, chunk, rng, "sample", NUM_SAMPLES).samples  # [S,B,L]
        parts.append(rank_pit(samples, chunk.y, rng))
    return by_target(batch, np.concatenate(parts))
