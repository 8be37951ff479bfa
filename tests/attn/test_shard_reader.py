"""Batches from shards: their order, their workers, what they hold out, and what they refuse."""

import re
import shutil
from itertools import islice, pairwise

import numpy as np
import pytest

from attn.files import CacheError
from attn.processes import PairProcess
from attn.shard_reader import MAX_LANES, held_out_pairs, training_pairs
from attn.shards import Shards, write_shards

SIZE = 6


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """20 shards of 6 pairs, 16 of them for training: two for every lane."""
    shards = Shards(tmp_path_factory.mktemp("shards"), PairProcess(num_points=2), 20 * SIZE, 20, seed=1)
    write_shards(shards)
    return shards


@pytest.fixture(scope="module")
def home(shards):
    """The shard and the row that a pair comes from, by its first y."""
    return {
        float(y): (number, row)
        for number in range(shards.num_shards)
        for row, y in enumerate(shards.load(number).y[:, 0])
    }


def first_y(batches, number):
    return np.array([pairs.y[:, 0] for pairs in islice(batches, number)])


def test_every_pair_of_the_first_four_fifths_is_seen_once_an_epoch(shards, home):
    epochs = first_y(training_pairs(shards, 0, 16, seed=0), 12).reshape(2, 96)
    wanted = {(number, row) for number in range(16) for row in range(SIZE)}
    seen = [[home[float(y)] for y in epoch] for epoch in epochs]
    for epoch in seen:
        assert len(epoch) == len(wanted)
        assert set(epoch) == wanted
    assert seen[0] != seen[1]


@pytest.mark.parametrize(("batch_size", "num_lanes"), [(16, 8), (14, 7), (10, 5), (11, 1), (3, 3)])
def test_a_batch_is_drawn_evenly_from_one_shard_a_lane(shards, home, batch_size, num_lanes):
    """The largest number of lanes up to 8 that divides it."""
    batch = first_y(training_pairs(shards, 0, batch_size, seed=0), 1)[0]
    share = batch_size // num_lanes
    numbers = [home[float(y)][0] for y in batch[: num_lanes * min(share, SIZE)]]
    assert numbers == [number for number in numbers[::share] for _ in range(min(share, SIZE))]
    assert len(set(numbers)) == num_lanes


def test_pairs_of_a_shard_are_permuted_and_so_are_the_shards(shards, home):
    batches = first_y(training_pairs(shards, 0, MAX_LANES, seed=0), SIZE)
    seen = [[home[float(y)] for y in batch] for batch in batches]
    numbers = [number for number, _ in seen[0]]
    assert numbers != sorted(numbers)
    orders = {tuple(batch[lane][1] for batch in seen) for lane in range(MAX_LANES)}
    assert all(sorted(order) == list(range(SIZE)) for order in orders)
    assert len(orders) > MAX_LANES // 2


def test_all_that_belongs_to_a_pair_stays_together(shards, home):
    for pairs in islice(training_pairs(shards, 3, 5, seed=2), 4):
        for row in range(5):
            number, place = home[float(pairs.y[row, 0])]
            original = shards.load(number)
            for name in ("x", "series", "y", "valid"):
                np.testing.assert_array_equal(getattr(pairs, name)[row], getattr(original, name)[place])
                assert getattr(pairs, name).dtype == getattr(original, name).dtype


def test_the_seed_decides(shards):
    one, again, other = (first_y(training_pairs(shards, 0, 8, seed), 3) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(("batch_size", "starts"), [(14, (1, 6, 7, 12)), (16, (3, 6, 11))])
def test_it_begins_at_any_step(shards, batch_size, starts):
    """Over two epochs of 96, at, before and behind the ends of shards (6 pairs of a lane) and of epochs."""
    num_steps = 2 * 96 // batch_size
    all_steps = first_y(training_pairs(shards, 0, batch_size, seed=3), num_steps)
    for start in starts:
        begun_there = first_y(training_pairs(shards, start, batch_size, seed=3), num_steps - start)
        np.testing.assert_array_equal(begun_there, all_steps[start:])


def test_beginning_late_reads_one_shard_a_lane_and_the_next(shards, monkeypatch):
    load, read = Shards.load, []
    monkeypatch.setattr(Shards, "load", lambda self, number: read.append(number) or load(self, number))
    next(training_pairs(shards, 1000, MAX_LANES, seed=0))
    assert MAX_LANES <= len(read) <= 3 * MAX_LANES


@pytest.mark.parametrize("ends", [(0, 12, 24), (0, 7, 8, 24)])
def test_workers_together_get_the_batch_of_one(shards, ends):
    """Whether their rows begin and end with a lane, every 3 rows, or within one."""
    whole = first_y(training_pairs(shards, 5, 24, seed=3), 12)
    for first, end in pairwise(ends):
        batches = training_pairs(shards, 5, 24, seed=3, rows=slice(first, end))
        np.testing.assert_array_equal(first_y(batches, 12), whole[:, first:end])


def test_workers_with_lanes_of_their_own_read_no_shard_in_common(shards, monkeypatch):
    load, read = Shards.load, []
    monkeypatch.setattr(Shards, "load", lambda self, number: read.append(number) or load(self, number))
    of_worker = []
    for worker in range(4):
        read.clear()
        next(training_pairs(shards, 0, MAX_LANES, seed=0, rows=slice(2 * worker, 2 * worker + 2)))
        of_worker.append(set(read))
    assert all(2 <= len(numbers) <= 4 for numbers in of_worker)
    assert sum(map(len, of_worker)) == len(set().union(*of_worker))


def test_fewer_shards_than_lanes(tmp_path):
    """Two shards to learn from: every lane takes one again and again."""
    few = Shards(tmp_path, PairProcess(num_points=2), 3 * SIZE, 3, seed=1)
    write_shards(few)
    seen = first_y(training_pairs(few, 0, MAX_LANES, seed=0), SIZE).ravel()
    _, counts = np.unique(seen, return_counts=True)
    assert counts.tolist() == [MAX_LANES // 2] * (2 * SIZE)


def test_the_last_fifth_of_the_shards_is_held_out_in_its_order(shards):
    y = np.concatenate([shards.load(number).y for number in range(16, 20)])
    for number in (1, SIZE, SIZE + 1, 4 * SIZE):
        np.testing.assert_array_equal(held_out_pairs(shards, number).y, y[:number])
    np.testing.assert_array_equal(held_out_pairs(shards, 1000).y, y)


def test_a_shard_that_is_damaged_meanwhile_is_named_when_its_turn_comes(shards, tmp_path):
    copy = Shards(tmp_path / "copy", shards.process, shards.num_pairs, shards.num_shards, shards.seed)
    shutil.copytree(shards.folder, copy.folder)
    path = copy.path(2)
    content = bytearray(path.read_bytes())
    content[700] ^= 1
    path.write_bytes(content)
    batches = training_pairs(copy, 0, MAX_LANES, seed=0)
    with pytest.raises(CacheError, match=f"^{re.escape(str(path))} is damaged"):
        list(islice(batches, 2 * SIZE))


def test_a_shard_that_is_removed_meanwhile_is_named(shards, tmp_path):
    copy = Shards(tmp_path / "copy", shards.process, shards.num_pairs, shards.num_shards, shards.seed)
    shutil.copytree(shards.folder, copy.folder)
    copy.path(2).unlink()
    said = re.escape(f"{copy.path(2)} could not be read: No such file or directory")
    with pytest.raises(CacheError, match=f"^{said}$"):
        list(islice(training_pairs(copy, 0, MAX_LANES, seed=0), 2 * SIZE))


def test_one_shard_is_too_few(tmp_path):
    one = Shards(tmp_path, PairProcess(num_points=2), 4, 1, seed=0)
    with pytest.raises(ValueError, match="training needs at least 2 shards, one to hold out; got 1"):
        next(training_pairs(one, 0, 2, 0))
