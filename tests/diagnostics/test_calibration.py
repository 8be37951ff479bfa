from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject
from diagnostics.calibration import NUM_PAIRS, NUM_SAMPLES, sampled_transform
from diagnostics.check import build_scenario
from diagnostics.measures import central, histogram

PROCESS = PairProcess(num_points=10)


class Sure(OracleSubject):
    """The oracle whose trajectories spread half as much about their mean as they should."""

    def rollout(self, batch, num_samples, rng, feed="sample"):
        run = super().rollout(batch, num_samples, rng, feed)
        centre = run.samples.mean(axis=0)
        return replace(
            run, samples=np.where(batch.is_target, centre + (run.samples - centre) / 2, run.samples)
        )


def batch_of(seed):
    """More pairs than are asked about."""
    rng = np.random.default_rng(seed)
    return build_scenario(PROCESS, rng, num_pairs=NUM_PAIRS + 8, num_context=4).forecast


@pytest.fixture(scope="module")
def batch():
    return batch_of(0)


def interval(statistic):
    return statistic.interval(np.random.default_rng(9))


def test_the_exact_posterior_is_calibrated_in_free_running():
    subject = OracleSubject(PROCESS)
    parts = [
        sampled_transform(subject, batch_of(seed), np.random.default_rng([seed, 1])) for seed in range(6)
    ]
    assert parts[0].shape == (NUM_PAIRS, 6)
    transform = np.concatenate(parts)
    # standard errors over these 768 pairs: 0.006 of the coverage, 0.04 of a bin; three of each
    assert central(transform).pooled().value() == pytest.approx([0.9], abs=0.018)
    assert histogram(transform, 5).value() == pytest.approx([1.0] * 5, abs=0.12)


def test_half_the_spread_is_seen_in_both(batch):
    transform = sampled_transform(Sure(PROCESS), batch, np.random.default_rng(1))
    # 19 samples at half the scale reach to +-0.82 standard deviations on average: 59 % of the truths
    assert interval(central(transform).pooled()).high[0] < 0.75
    density = interval(histogram(transform, 5))
    assert min(density.low[0], density.low[-1]) > 1.2
    assert density.high[2] < 1


def test_it_repeats_under_one_seed(batch):
    small = batch.rows(slice(0, 4))
    one, two = (sampled_transform(OracleSubject(PROCESS), small, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_between_the_extremes_of_that_many_samples_lie_nine_tenths():
    assert (NUM_SAMPLES - 1) / (NUM_SAMPLES + 1) == 0.9
