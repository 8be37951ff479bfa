import numpy as np
import pytest

from attn.processes import PairProcess
from attn.shards import Shards, write_shards
from attn.stream import Stream

PROCESS = PairProcess(num_points=6)


def stream(source=PROCESS, **changes):
    values = {"regime": "mixed", "num_context": 2, "batch_size": 4, "seed": 5} | changes
    return Stream(source, **values)


def same(one, other):
    return np.array_equal(one.y, other.y) and np.array_equal(one.num_context, other.num_context)


def test_a_batch_depends_on_seed_and_step_alone():
    assert same(stream().batch(7), stream().batch(7))
    assert not same(stream().batch(7), stream().batch(8))
    assert not same(stream().batch(7), stream(seed=6).batch(7))
    assert not same(stream().batch(7), stream().test(4))


def test_overfit_repeats_the_first_batch():
    assert same(stream(overfit=True).batch(9), stream().batch(0))


def test_pairs_are_split_four_to_one_and_never_mix():
    pairs = PROCESS.sample(20, np.random.default_rng(0))
    data = stream(pairs, batch_size=8)
    held_out = {round(v, 9) for v in data.test(100).y.ravel()}
    assert data.test(100).num_pairs == 4
    seen = {round(v, 9) for step in range(30) for v in data.batch(step).y.ravel()}
    assert not seen & held_out
    assert len(seen) == 16 * 12


def test_the_last_fifth_is_held_out_in_its_order():
    """The windows of a table stand in the order of time."""
    pairs = PROCESS.sample(11, np.random.default_rng(0))
    data = stream(pairs, regime="half_half")
    for number in (100, 1):
        kept = np.sort(data.test(number).y, axis=1)
        np.testing.assert_array_equal(kept, np.sort(pairs.y[9:][:number], axis=1))


def test_one_pair_is_too_few():
    pairs = PROCESS.sample(1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 2 pairs, one to hold out; got 1"):
        stream(pairs).batch(0)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    shards = Shards(tmp_path_factory.mktemp("shards"), PROCESS, num_pairs=60, num_shards=6, seed=1)
    write_shards(shards)
    return shards


@pytest.mark.parametrize("overfit", [False, True])
@pytest.mark.parametrize("kind", ["process", "pairs", "shards"])
def test_batches_are_the_batch_of_every_step(shards, kind, overfit):
    source = {"process": PROCESS, "pairs": PROCESS.sample(20, np.random.default_rng(0)), "shards": shards}[
        kind
    ]
    data = stream(source, overfit=overfit)
    batches = list(data.batches(2, 5))
    assert len(batches) == 3
    for step, batch in zip((2, 3, 4), batches, strict=True):
        assert same(batch, data.batch(step))


def test_the_last_shards_are_held_out(shards):
    data = stream(shards)
    held_out = shards.load(5).y
    np.testing.assert_array_equal(np.sort(data.test(100).y, axis=1), np.sort(held_out, axis=1))
    seen = {float(y) for batch in data.batches(0, 40) for y in batch.y.ravel()}
    assert not seen & {float(y) for y in held_out.ravel()}
    assert len(seen) == 50 * 12


@pytest.mark.parametrize("regime", ["mixed", "shuffle", "half_half", "full_infer", "forecast"])
@pytest.mark.parametrize("kind", ["drawn", "read"])
def test_workers_arrange_their_rows_as_one_alone_would(shards, kind, regime):
    source = {"drawn": PairProcess(num_points=6, label="rank"), "read": shards}[kind]
    data = stream(source, regime=regime, batch_size=7)
    whole = next(data.batches(3, 4))
    for rows in (slice(0, 3), slice(3, 7)):
        own, expected = next(data.batches(3, 4, rows)), whole.rows(rows)
        for name in ("x", "series", "y", "valid", "num_context"):
            np.testing.assert_array_equal(getattr(own, name), getattr(expected, name))


@pytest.mark.parametrize("overfit", [False, True])
def test_workers_share_a_batch_that_is_drawn(overfit):
    data = stream(overfit=overfit)
    for rows in (slice(0, 2), slice(2, 4)):
        assert same(next(data.batches(3, 4, rows)), data.batch(3).rows(rows))
