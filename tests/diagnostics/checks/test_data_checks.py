from dataclasses import asdict, replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Batch, Pairs
from diagnostics.check import build_scenario
from diagnostics.checks.data import (
    labels_belong_to_their_series,
    noise_is_independent,
    pairs_are_independent,
    pairs_follow_their_process,
    training_batches_follow_the_process,
)
from diagnostics.reference import gp_conditional


class Faulty(PairProcess):
    """A process whose draws are not what its posterior takes them for."""

    def drawn(self, num_pairs, rng, **changes):
        return PairProcess(**{**asdict(self), **changes}).sample(num_pairs, rng)


class Swapped(Faulty):
    def sample(self, num_pairs, rng):
        pairs = self.drawn(num_pairs, rng)
        return replace(pairs, x=pairs.y, y=pairs.x)


class OfTheNextRow(Faulty):
    def sample(self, num_pairs, rng):
        pairs = self.drawn(num_pairs, rng)
        return replace(pairs, y=np.roll(pairs.y, 1, axis=0))


class OtherNoise(Faulty):
    def sample(self, num_pairs, rng):
        return self.drawn(num_pairs, rng, noise_scale=0.15)


class SharedDraws(Faulty):
    """Every row is made from the same normal numbers."""

    def sample(self, num_pairs, rng):
        pairs = self.drawn(num_pairs, rng)
        factor = np.linalg.cholesky(self.covariance(pairs.x, pairs.series))
        return replace(pairs, y=factor @ rng.standard_normal(pairs.num_points))


class SharedNoise(Faulty):
    """The noise was drawn once."""

    def sample(self, num_pairs, rng):
        pairs = self.drawn(num_pairs, rng, noise_scale=0.0)
        return replace(pairs, y=pairs.y + self.noise_scale * rng.standard_normal(pairs.num_points))


def left_behind(*fields):
    """Training batches in which these fields stayed in another order than the rest."""

    def training_batches(s, num_batches, rng):
        batches = s.training_batches(num_batches, rng)
        return [
            replace(batch, **{field: np.roll(getattr(batch, field), 5, axis=1) for field in fields})
            for batch in batches
        ]

    return training_batches


TWINS = {
    pairs_follow_their_process: {
        "swapped": {"process": Swapped(num_points=24)},
        "of the next row": {"process": OfTheNextRow(num_points=24)},
        "other noise": {"process": OtherNoise(num_points=24)},
    },
    pairs_are_independent: {"shared draws": {"process": SharedDraws(num_points=24)}},
    noise_is_independent: {
        "shared noise": {"process": SharedNoise(num_points=24)},
        "shared draws": {"process": SharedDraws(num_points=24)},
    },
    training_batches_follow_the_process: {
        "x": {"training_batches": left_behind("x")},
        "y": {"training_batches": left_behind("y")},
        "labels": {"training_batches": left_behind("series")},
    },
    labels_belong_to_their_series: {"labels": {"training_batches": left_behind("series")}},
}


def test_the_check_fails_on_its_broken_twin(check, parts, assert_fails):
    assert_fails(check, **parts)


def test_rows_that_share_only_their_noise_have_courses_of_their_own(ask, twin):
    assert ask(pairs_are_independent, twin(process=SharedNoise(num_points=24))).status == "passed"


def test_x_that_was_left_behind_is_no_fault_of_the_labels(ask, twin):
    assert ask(labels_belong_to_their_series, twin(training_batches=left_behind("x"))).status == "passed"


def test_the_range_of_x_alone_gives_swapped_arrays_away(assert_fails):
    finding = assert_fails(pairs_follow_their_process, process=Swapped(num_points=24))
    assert "where the process draws it from 5 to 15: these are not its x" in finding.detail


def surprises(process, points):
    """By one plain solve for every point but the first [B,T]."""
    after_the_first = Batch(points.x, points.series, points.y, points.valid, np.ones(points.num_pairs, int))
    exact = gp_conditional(process, after_the_first)
    return ((points.y - exact.mean) / exact.scale)[:, 1:]


def resemblance(surprise):
    products = sum(surprise[row] @ surprise[row - 1] for row in range(len(surprise)))
    return products / (surprise**2).sum()


def test_the_statistics_of_pairs_are_those_of_their_surprises(ask, whole_subject):
    process = PairProcess(num_points=8)
    pairs = build_scenario(process, np.random.default_rng([0, 0]), num_pairs=64).pairs  # as `ask` draws them
    z = surprises(process, pairs)

    def statistic(check):
        return ask(check, whole_subject(process)).statistic

    assert statistic(pairs_follow_their_process) == pytest.approx((z**2).mean())
    assert statistic(pairs_are_independent) == pytest.approx(resemblance(z[:, :4]))
    assert statistic(noise_is_independent) == pytest.approx(resemblance(z[:, 15 // 2 :]))


@pytest.mark.parametrize(
    ("low", "high", "status"), [(0.0, 1.0, "passed"), (-1e-9, 1.0, "failed"), (0.0, 1 + 1e-9, "failed")]
)
def test_x_may_reach_both_ends_of_its_range_and_no_further(low, high, status, ask, whole_subject):
    class Stretched(Faulty):
        def sample(self, num_pairs, rng):
            pairs = self.drawn(num_pairs, rng)
            x = np.interp(pairs.x, (pairs.x.min(), pairs.x.max()), (5 + 10 * low, 5 + 10 * high))
            return self.with_y(replace(pairs, x=x), rng)

        def with_y(self, pairs, rng):
            root = np.linalg.cholesky(self.covariance(pairs.x, pairs.series))
            noise = rng.standard_normal((*pairs.x.shape, 1))
            return replace(pairs, y=(root @ noise)[..., 0])

    finding = ask(pairs_follow_their_process, whole_subject(Stretched(num_points=24)))
    assert finding.status == status
    if status == "failed":
        assert finding.statistic == pytest.approx(15)
        assert finding.tolerance == 15


def given_batches(*batches):
    """Training batches, as often as they are asked for."""
    return lambda s, num_batches, rng: [batches[index % len(batches)] for index in range(num_batches)]


def test_training_batches_are_judged_by_the_mean_square_of_each_row(ask, twin):
    process = PairProcess(num_points=6)
    long = build_scenario(process, np.random.default_rng(0), num_pairs=6).shuffled
    short = long.rows(slice(0, 4)).first(7)
    rows = [(surprises(process, batch) ** 2).mean(axis=1) for batch in (long, short)]
    subject = twin(process=process, training_batches=given_batches(long, short))
    finding = ask(training_batches_follow_the_process, subject)
    assert finding.statistic == pytest.approx(np.concatenate(rows).mean())


def test_eight_training_batches_are_asked_for(ask, twin):
    asked = []

    def training_batches(s, num_batches, rng):
        asked.append(num_batches)
        return s.training_batches(num_batches, rng)

    for check in (training_batches_follow_the_process, labels_belong_to_their_series):
        ask(check, twin(training_batches=training_batches))
    assert asked == [8, 8]


class TwoLevels(Faulty):
    """Pairs whose two points of a label lie 2 apart: a variance of 2 within each."""

    def sample(self, num_pairs, rng):
        y = np.tile([0.0, 2.0, 7.0, 9.0], (num_pairs, 1))
        return Pairs(y + 5, np.tile([0, 0, 1, 1], (num_pairs, 1)), y, np.ones(y.shape, bool))


def test_the_variance_within_labels_is_a_multiple_of_that_of_the_process(ask, twin):
    # label 0: 0 and 3 (square 4.5); label 1: one point; then three points of label 1: 1, 2, 6 (square 14)
    x = np.zeros((2, 4))
    batch = Batch(
        x, np.array([[0, 0, 1, 1], [0, 1, 1, 1]]), np.array([[0.0, 3, 5, 99], [8, 1, 2, 6]]),
        np.array([[True, True, True, False], [True] * 4]), np.array([1, 1]),
    )  # fmt: skip
    subject = twin(process=TwoLevels(num_points=2), training_batches=given_batches(batch))
    pairs = PairProcess(num_points=24).sample(8, np.random.default_rng(0))
    finding = ask(labels_belong_to_their_series, subject, source=pairs)
    assert finding.statistic == pytest.approx((4.5 / 1 + 14 / 2) / (2 + 2))


def test_a_label_of_one_point_has_no_variance(ask, twin):
    batch = Batch(
        np.zeros((1, 2)), np.array([[0, 1]]), np.array([[1.0, 5]]), np.ones((1, 2), bool), np.array([1])
    )
    subject = twin(process=TwoLevels(num_points=2), training_batches=given_batches(batch))
    pairs = PairProcess(num_points=24).sample(8, np.random.default_rng(0))
    assert ask(labels_belong_to_their_series, subject, source=pairs).statistic == 0.0


@pytest.mark.parametrize(
    ("ratio", "status"), [(0.69, "failed"), (0.71, "passed"), (1.29, "passed"), (1.31, "failed")]
)
def test_the_variance_within_labels_may_differ_by_three_tenths(ratio, status, ask, twin):
    step = 2 * np.sqrt(ratio)  # of two points: a variance of 2 ratio within each label
    y = np.tile([0.0, step, 7.0, 7.0 + step], (4, 1))
    batch = Batch(y + 5, np.tile([0, 0, 1, 1], (4, 1)), y, np.ones(y.shape, bool), np.full(4, 1))
    subject = twin(process=TwoLevels(num_points=2), training_batches=given_batches(batch))
    pairs = PairProcess(num_points=24).sample(8, np.random.default_rng(0))
    finding = ask(labels_belong_to_their_series, subject, source=pairs)
    assert (finding.status, finding.statistic) == (status, pytest.approx(ratio))
