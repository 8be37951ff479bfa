from dataclasses import asdict, replace

import numpy as np

from attn.processes import PairProcess
from diagnostics.checks.data import (
    labels_belong_to_their_series,
    noise_is_independent,
    pairs_are_independent,
    pairs_follow_their_process,
    training_batches_follow_the_process,
)


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
