from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.processes import PairProcess
from attn.types import Batch
from diagnostics.adapters import OracleSubject
from diagnostics.check import build_scenario
from diagnostics.checks import _perturb, _targets

PROCESS = PairProcess(num_points=6)


def ragged(seed):
    """Rows that observe 3 to 9 of their points and end in up to 2 columns of padding."""
    rng = np.random.default_rng(seed)
    batch = build_scenario(PROCESS, rng, num_pairs=5).forecast
    valid = np.arange(12) < rng.integers(10, 13, (5, 1))
    return replace(batch, valid=valid, num_context=rng.integers(3, 9, 5))


seeds = given(seed=st.integers(0, 10**6))
settings.register_profile("perturb", max_examples=30, deadline=None)
few = settings(settings.get_profile("perturb"))


@few
@seeds
def test_permuted_context_holds_the_same_points_and_the_same_targets(seed):
    batch = ragged(seed)
    permuted = _perturb.permute_context(batch, np.random.default_rng(seed))
    np.testing.assert_array_equal(permuted.is_target, batch.is_target)
    np.testing.assert_array_equal(permuted.y[batch.is_target], batch.y[batch.is_target])
    for row in range(5):
        points = [sorted(zip(b.x[row], b.series[row], b.y[row], strict=True)) for b in (batch, permuted)]
        assert points[0] == points[1]


@few
@seeds
def test_chosen_columns_are_what_their_names_say(seed):
    batch = ragged(seed)
    rows = np.arange(5)
    assert batch.is_target[rows, _perturb.random_targets(batch, np.random.default_rng(seed))].all()
    newest = _perturb.newest_context(batch)
    assert batch.is_context[rows, newest].all()
    np.testing.assert_array_equal(newest, batch.num_context - 1)
    for column in _perturb.some_columns(batch):
        assert batch.is_target[:, column].all()


@few
@seeds
def test_last_targets_keeps_that_many_and_no_other_point_changes(seed):
    batch = ragged(seed)
    last = _targets.last_targets(batch, 2)
    assert (last.is_target.sum(axis=1) == np.minimum(batch.is_target.sum(axis=1), 2)).all()
    assert (last.is_context | last.is_target == batch.valid).all()
    assert not (last.is_target & ~batch.is_target).any()


def test_written_targets_stand_at_their_z_scores():
    batch = _targets.last_targets(build_scenario(PROCESS, np.random.default_rng(0), num_pairs=5).forecast, 2)
    subject, z = OracleSubject(PROCESS), np.array([1.0, -1.0, 0.5, 2.0, 0.0])
    written, log_scale = _targets.write_both(subject, batch, z, -z)
    prediction = subject.teacher_force(written)
    found = ((written.y - prediction.mean) / prediction.scale)[written.is_target].reshape(5, 2)
    np.testing.assert_allclose(found, np.stack([z, -z], axis=1), atol=1e-6)
    np.testing.assert_allclose(log_scale, np.log(prediction.scale[written.is_target]).mean())


def test_some_columns_are_first_second_middle_and_last():
    x = np.arange(10.0)[None]
    batch = Batch(x, np.zeros((1, 10), int), x, np.ones((1, 10), bool), np.array([2]))
    assert _perturb.some_columns(batch) == [2, 3, 6, 9]


def test_regression_recovers_weights_and_what_is_left():
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(8, 2))
    weights, left = _targets.regress(parts, 3 * parts[:, 0] + 1.5 * parts[:, 1] + 7)
    np.testing.assert_allclose(weights, [3, 1.5])
    assert left < 1e-9
    assert _targets.regress(parts, rng.normal(size=8))[1] > 0.3
