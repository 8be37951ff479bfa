import numpy as np
import pytest

from attn.arrange import forecast
from attn.processes import PairProcess
from diagnostics.adapters import OracleSubject
from diagnostics.ask import ask_column, ask_first, ask_free_run, ask_teacher_force
from diagnostics.measures import by_target, level_gap, mean_of, z_score
from diagnostics.power.twins import HonestSubject, OffsetSubject

PROCESS = PairProcess(num_points=16)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    return forecast(PROCESS.sample(64, rng), 6, rng)


@pytest.mark.parametrize("decay", [0.0, 0.8])
def test_every_path_is_moved_towards_a_by_the_offset_in_oracle_deviations(batch, decay):
    oracle, twin = OracleSubject(PROCESS), OffsetSubject(OracleSubject(PROCESS), PROCESS, 0.5, decay)
    first_scale = by_target(batch, PROCESS.posterior(batch).scale)[:, :1]
    due = 0.5 * np.sign(level_gap(batch))[:, None] * first_scale * decay ** np.arange(10)

    def moved(path):
        return by_target(batch, path(twin) - path(oracle))

    rng = np.random.default_rng(1)
    np.testing.assert_allclose(moved(lambda s: ask_teacher_force(s, batch).mean), due, atol=1e-9)
    np.testing.assert_allclose(moved(lambda s: ask_free_run(s, batch, rng).mean[0]), due, atol=1e-9)
    step = ask_first(twin, batch).mean - ask_first(oracle, batch).mean
    np.testing.assert_allclose(step, due[:, :1], atol=1e-6)
    third = ask_column(twin, batch, 24).mean - ask_column(oracle, batch, 24).mean
    np.testing.assert_allclose(third, due[:, 2:3], atol=1e-6)
    assert np.array_equal(twin.teacher_force(batch).scale, oracle.teacher_force(batch).scale, equal_nan=True)


def test_the_offset_does_not_read_the_future(batch):
    twin = OffsetSubject(OracleSubject(PROCESS), PROCESS, 2.0, 0.8)
    unknown = type(batch)(
        batch.x, batch.series, np.where(batch.is_target, np.nan, batch.y), batch.valid, batch.num_context
    )
    rng = np.random.default_rng(1)
    known, blind = (ask_free_run(twin, b, rng).mean[0] for b in (batch, unknown))
    np.testing.assert_array_equal(known, blind)


def test_a_decay_outside_its_range_is_refused():
    with pytest.raises(ValueError, match=r"decay must be between 0 and 1; got 1\.5"):
        OffsetSubject(OracleSubject(PROCESS), PROCESS, 0.5, 1.5)


@pytest.mark.parametrize("changes", [{"every": 2}, {"every": 3}, {"hides_a": True}])
def test_an_honest_subject_is_less_certain_and_calibrated(changes):
    rng = np.random.default_rng(2)
    batch = forecast(PROCESS.sample(600, rng), 6, rng)
    honest, exact = HonestSubject(PROCESS, "honest", **changes), OracleSubject(PROCESS)
    wide, narrow = honest.teacher_force(batch), exact.teacher_force(batch)
    assert np.nanmedian((wide.scale / narrow.scale)[:, 22]) > 1.05
    assert (wide.scale >= narrow.scale - 1e-9)[batch.is_target].all()
    square = by_target(batch, z_score(wide.mean, wide.scale, batch.y))[:, :1] ** 2
    interval = mean_of(square).interval(rng)
    assert interval.low < 1 < interval.high


def test_the_paths_of_an_honest_subject_agree(batch):
    honest = HonestSubject(PROCESS, "honest", every=2)
    parallel = by_target(batch, honest.teacher_force(batch).mean)
    np.testing.assert_allclose(ask_first(honest, batch).mean, parallel[:, :1], atol=1e-9)
    np.testing.assert_allclose(ask_column(honest, batch, 25).mean, parallel[:, 3:4], atol=1e-9)
    run = by_target(batch, ask_free_run(honest, batch, np.random.default_rng(0)).mean[0])
    np.testing.assert_allclose(run[:, 0], parallel[:, 0], atol=1e-9)


def test_hidden_points_do_not_reach_an_honest_subject(batch):
    honest = HonestSubject(PROCESS, "honest", every=2)
    changed = batch.y.copy()
    changed[:, 21] += 100.0  # the newest observed point
    other = type(batch)(batch.x, batch.series, changed, batch.valid, batch.num_context)
    np.testing.assert_array_equal(
        honest.teacher_force(batch).mean[:, 22], honest.teacher_force(other).mean[:, 22]
    )
