"""Batches that hypothesis chooses, along the axes on which such models were found to break.

They are forecasts with few or many observed points, as long as in training or longer, in other units of x and
y; in each of them rows of unequal length are padded on either side, every second row has ties in x, and some
points stand at exactly 0.  What a contract says must hold on all of them.
"""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from attn.arrange import forecast
from attn.types import Batch, Pairs
from diagnostics.check import Scenario

NUM_PAIRS = 12
# Rows lose fewer than so many points at the beginning, and at the end.
LARGEST_CUT = 3
LENGTHS = (1, 2)
UNITS_OF_X = (0.5, 1.0, 2.0)
UNITS_OF_Y = (0.1, 1.0, 10.0)
SHARE_OF_TIES = 0.3
SHARE_AT_ZERO = 0.1


@st.composite
def forecasts(draw: st.DrawFn, scenario: Scenario) -> Batch:
    """A forecast [NUM_PAIRS,L] of pairs like those of `scenario`; padding holds numbers like any other.

    The last `LARGEST_CUT` columns may be padding; all before them are targets once the context ends.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**31), label="seed"))
    pairs = _pairs(scenario, draw(st.sampled_from(LENGTHS), label="times as long"), rng)
    num_context = draw(st.sampled_from(sorted({1, 2, scenario.num_context})), label="num_context")
    batch = forecast(pairs, num_context, rng)
    middle = float(np.median(batch.x[batch.valid]))
    x = middle + draw(st.sampled_from(UNITS_OF_X), label="unit of x") * (batch.x - middle)
    y = draw(st.sampled_from(UNITS_OF_Y), label="unit of y") * batch.y
    is_tied = (rng.random(x.shape) < SHARE_OF_TIES) & (np.arange(NUM_PAIRS)[:, None] % 2 == 1)
    is_zero = rng.random(y.shape) < SHARE_AT_ZERO
    return _cut(replace(batch, x=np.where(is_tied, x[:, :1], x), y=np.where(is_zero, 0.0, y)), rng)


def _pairs(scenario: Scenario, times: int, rng: np.random.Generator) -> Pairs:
    """New pairs of the process, `times` as long; where there is none, some of those given."""
    if scenario.process is None:
        return scenario.pairs.rows(rng.integers(0, scenario.pairs.num_pairs, NUM_PAIRS))
    longer = replace(scenario.process, num_points=times * scenario.process.num_points)
    return longer.sample(NUM_PAIRS, rng)


def _cut(batch: Batch, rng: np.random.Generator) -> Batch:
    """Every row without its first and last few points: what stands there is padding now."""
    start, end = rng.integers(0, LARGEST_CUT, (2, batch.num_pairs, 1))
    start = np.minimum(start, batch.num_context[:, None] - 1)  # one observed point is left
    position = np.arange(batch.num_points)
    kept = (position >= start) & (position < batch.num_points - end)
    return replace(batch, valid=batch.valid & kept)
