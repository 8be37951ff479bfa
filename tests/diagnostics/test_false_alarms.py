"""How often a comparison cries wolf: two subjects that are equally good, by construction.

Every pair is answered by the oracle on one side and by a subject that drifts on the other; which is on which
side is decided by a coin for every pair.  So both sides are draws of one distribution, with all the
dependence between measures that real subjects have, and whatever is significant is a false alarm.  The
number of pairs is the least that a baseline may have, where the bootstrap is at its worst.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from attn.processes import PairProcess
from attn.types import Prediction, Rollout
from diagnostics.adapters import OracleSubject
from diagnostics.measures import level_gap
from diagnostics.regression.baseline import MIN_PAIRS, Plan, examine, to_baseline
from diagnostics.regression.comparison import LEVEL, compare

PROCESS = PairProcess(num_points=16)
NUM_TRIALS = 200


class Off(OracleSubject):
    """Every mean lies a tenth of the gap, and a third of a scale, towards A."""

    def move(self, batch, scale):
        gap = np.nan_to_num(level_gap(batch))[:, None]
        return np.where(batch.is_target, 0.1 * gap + 0.3 * scale * np.sign(gap), 0.0)

    def teacher_force(self, batch):
        exact = super().teacher_force(batch)
        return Prediction(exact.mean + self.move(batch, exact.scale), exact.scale)

    def rollout(self, batch, num_samples, rng, feed="sample"):
        exact = super().rollout(batch, num_samples, rng, feed)
        move = self.move(batch, exact.scale[0])
        return Rollout(exact.samples + move, exact.mean + move, exact.scale)


def mixed(one, other, takes_other):
    """What was examined of `one`, with the rows of the `other` where `takes_other` [N] says so."""
    statistics = tuple(
        replace(
            a,
            statistic=replace(
                a.statistic,
                sums=np.where(takes_other[:, None, None], b.statistic.sums, a.statistic.sums),
            ),
        )
        for a, b in zip(one.statistics, other.statistics, strict=True)
    )
    return replace(one, statistics=statistics)


@pytest.mark.slow
def test_equally_good_subjects_are_seldom_told_apart():
    significant, worse = 0, 0
    for trial in range(NUM_TRIALS):
        plan = Plan(seed=trial, num_pairs=MIN_PAIRS, num_context=4)
        exact, off = examine(OracleSubject(PROCESS), plan, checks=()), examine(Off(PROCESS), plan, checks=())
        coin = np.random.default_rng([trial, 9]).random(MIN_PAIRS) < 0.5
        comparison = compare(to_baseline(mixed(exact, off, coin), plan), mixed(exact, off, ~coin))
        p_values = [change.p_value for change in comparison.measures if change.p_value is not None]
        significant += min(p_values) <= LEVEL / len(p_values)
        worse += comparison.exit_code == 1
    # no more than chance allows where the rate over all measures together is LEVEL
    assert significant <= binom.ppf(0.99, NUM_TRIALS, LEVEL)
    assert worse <= binom.ppf(0.99, NUM_TRIALS, LEVEL / 2)
