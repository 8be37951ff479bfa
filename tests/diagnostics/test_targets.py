import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject
from diagnostics.check import build_scenario
from diagnostics.checks import _targets

PROCESS = PairProcess(num_points=6)


seeds = given(seed=st.integers(0, 10**6))
few = settings(max_examples=30)


@few
@seeds
def test_last_targets_keeps_that_many_and_no_other_point_changes(ragged, seed):
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


def test_regression_recovers_weights_and_what_is_left():
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(8, 2))
    weights, left = _targets.regress(parts, 3 * parts[:, 0] + 1.5 * parts[:, 1] + 7)
    np.testing.assert_allclose(weights, [3, 1.5])
    assert left < 1e-9
    assert _targets.regress(parts, rng.normal(size=8))[1] > 0.3


def test_only_the_first_target_is_written():
    batch = build_scenario(PROCESS, np.random.default_rng(0), num_pairs=3).forecast
    prediction = OracleSubject(PROCESS).teacher_force(batch)
    z = np.array([1.0, -2.0, 0.0])
    written = _targets.write_first(batch, prediction, z)
    column = batch.num_context[0]
    np.testing.assert_allclose(
        written.y[:, column], prediction.mean[:, column] + z * prediction.scale[:, column]
    )
    others = np.arange(batch.num_points) != column
    np.testing.assert_array_equal(written.y[:, others], batch.y[:, others])


def test_stretches_run_from_the_first_half_of_the_rows_to_the_second():
    order = np.array([30, 10, 20, 50, 60, 40, 70])
    stretches = [_targets.stretch(order, number, 3, np.random.default_rng(0)) for number in range(3)]
    assert [len(rows) for rows in stretches] == [7, 7, 7]
    many = [_targets.stretch(np.repeat(order, 20), n, 3, np.random.default_rng(0)) for n in range(3)]
    assert [set(rows) for rows in many] == [{30, 10, 20, 50}, {10, 20, 50, 60, 40}, {50, 60, 40, 70}]
    assert set(_targets.stretch(np.array([5]), 0, 3, np.random.default_rng(0))) == {5}


def test_what_does_not_vary_has_no_weight():
    rng = np.random.default_rng(0)
    parts = np.stack([rng.normal(size=8), 4 + 1e-9 * rng.normal(size=8)], axis=1)
    weights, left = _targets.regress(parts, 2 * parts[:, 0])
    np.testing.assert_allclose(weights, [2, 0], atol=1e-3)
    assert left < 1e-6
    assert _targets.regress(parts, np.full(8, 7.0)) == ([0.0, 0.0], 0.0)


def test_what_is_left_is_the_root_of_its_share():
    parts = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    # the second half is orthogonal to the part: 3^2 of 3^2 + 4^2 is left
    weights, left = _targets.regress(parts, 4 * parts[:, 0] + 3 * np.array([1.0, 1.0, -1.0, -1.0]))
    np.testing.assert_allclose(weights, [4])
    np.testing.assert_allclose(left, 3 / 5)
