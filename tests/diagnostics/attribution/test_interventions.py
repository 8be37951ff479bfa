import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.arrange import forecast
from attn.processes import PairProcess
from attn.types import Batch
from diagnostics.attribution import interventions
from diagnostics.measures import by_target, level_gap

PROCESS = PairProcess(num_points=12)


def drawn(seed=0, num_pairs=5):
    rng = np.random.default_rng(seed)
    return forecast(PROCESS.sample(num_pairs, rng), 4, rng)


def points_of(batch, row, columns):
    """The valid points of some columns as a set: order does not count."""
    keep = columns & batch.valid[row]
    fields = (batch.x[row, keep], batch.series[row, keep], batch.y[row, keep])
    return sorted(zip(*(values.tolist() for values in fields), strict=True))


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), number=st.integers(1, 8))
def test_a_permuted_history_has_the_same_points_and_the_same_targets_from_there_on(seed, number):
    batch = drawn(seed)
    changed = interventions.permute_history(batch, number, np.random.default_rng(seed))
    column = 12 + 4 + number - 1
    assert (interventions.column_of_target(batch, number) == column).all()
    before = np.arange(24) < column
    for row in range(5):
        assert points_of(changed, row, before) == points_of(batch, row, before)
    np.testing.assert_array_equal(changed.x[:, column:], batch.x[:, column:])
    np.testing.assert_array_equal(changed.num_context, batch.num_context)
    assert (changed.x[:, :column] != batch.x[:, :column]).any()


def test_the_exact_posterior_does_not_mind_the_order_of_the_history():
    batch = drawn()
    changed = interventions.permute_history(batch, 3, np.random.default_rng(1))
    for_both = [interventions.values_at_target(b, PROCESS.posterior(b).mean, 3) for b in (batch, changed)]
    np.testing.assert_allclose(*for_both, atol=1e-6)
    np.testing.assert_array_equal(for_both[0], by_target(batch, PROCESS.posterior(batch).mean)[:, 2])


def test_a_row_with_too_few_targets_has_no_value_there():
    batch = drawn()
    short = batch.valid.copy()
    short[0, 18:] = False  # two targets left in row 0
    batch = Batch(batch.x, batch.series, batch.y, short, batch.num_context)
    found = interventions.values_at_target(batch, batch.y, 3)
    assert np.isnan(found).tolist() == [True, False, False, False, False]


def test_labels_are_flipped_and_hidden_in_the_history_alone():
    batch = drawn()
    flipped, hidden = interventions.flip_labels(batch), interventions.hide_labels(batch)
    np.testing.assert_array_equal(flipped.series[:, :16], 1 - batch.series[:, :16])
    b = batch.series[:, -1:]
    np.testing.assert_array_equal(hidden.series[:, :16], np.broadcast_to(b, (5, 16)))
    for changed in (flipped, hidden):
        np.testing.assert_array_equal(changed.series[:, 16:], batch.series[:, 16:])
        np.testing.assert_array_equal(changed.y, batch.y)


def test_a_closed_gap_is_closed_by_moving_a():
    batch = drawn()
    closed = interventions.close_gap(batch)
    np.testing.assert_allclose(level_gap(closed), 0, atol=1e-12)
    np.testing.assert_array_equal(closed.y[:, 12:], batch.y[:, 12:])
    np.testing.assert_allclose(np.ptp(batch.y[:, :12] - closed.y[:, :12], axis=1), 0, atol=1e-12)


@pytest.mark.parametrize(("share", "kept"), [(0.5, 6), (0.25, 3), (0.3, 4), (1.0, 12)])
def test_thinning_moves_points_of_a_into_the_padding(share, kept):
    batch = drawn()
    thinned = interventions.thin_a(batch, share, np.random.default_rng(2))
    assert thinned.x.shape == batch.x.shape
    assert (thinned.num_context == kept + 4).all()
    assert (thinned.valid.sum(axis=1) == kept + 12).all()
    assert thinned.valid[:, : kept + 12].all()  # padding stands at the end
    of_a = thinned.is_context & (thinned.series != batch.series[:, -1:])
    assert (of_a.sum(axis=1) == kept).all()
    np.testing.assert_array_equal(by_target(thinned, thinned.x), by_target(batch, batch.x))
    for row in range(5):
        everything = np.ones(24, bool)
        assert set(points_of(thinned, row, everything)) <= set(points_of(batch, row, everything))
