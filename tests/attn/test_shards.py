"""Folders of shards: what is written, that it goes on where it stopped, and what is refused."""

import hashlib
import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from attn.files import CacheError, cached_pairs, load_pairs, save_pairs
from attn.processes import PairProcess
from attn.shards import MANIFEST, Shards, is_begun, open_shards, waiting, write_shards
from tests.attn.test_files import largest_file

PROCESS = PairProcess(num_points=3)


@pytest.fixture
def shards(tmp_path):
    """14 pairs in 4 shards: 3, 3, 3 and 5."""
    return Shards(tmp_path / "shards", PROCESS, num_pairs=14, num_shards=4, seed=5)


@pytest.fixture
def written(shards):
    write_shards(shards)
    return shards


def raises(sentence):
    return pytest.raises(CacheError, match="^" + re.escape(sentence) + "$")


def content(shards):
    return {path.name: path.read_bytes() for path in shards.folder.iterdir()}


class Killed(BaseException):
    """What ends a writing in the middle."""


def kill_after(num_pairs):
    """Called after each pair that is drawn: ends the drawing when there are so many."""
    countdown = iter(range(num_pairs - 1))

    def on_pair():
        if next(countdown, None) is None:
            raise Killed

    return on_pair


class TestWriting:
    def test_the_last_shard_holds_the_rest(self, written):
        names = [f"shard-{number:05d}-of-00004.npz" for number in range(4)]
        assert sorted(os.listdir(written.folder)) == [*names, MANIFEST]
        assert [load_pairs(written.folder / name).pairs.num_pairs for name in names] == [3, 3, 3, 5]

    def test_pairs_are_those_of_the_process_in_single_precision(self, written):
        pairs = written.load(1)
        assert (pairs.x.dtype, pairs.series.dtype, pairs.y.dtype) == (np.float32, np.int8, np.float32)
        np.testing.assert_array_equal(pairs.series, np.tile([0, 0, 0, 1, 1, 1], (3, 1)))
        stream = np.random.SeedSequence(5, spawn_key=(1, 1))
        drawn = PROCESS.sample(3, np.random.default_rng(stream))
        np.testing.assert_allclose(pairs.x, drawn.x, rtol=1e-7)
        np.testing.assert_allclose(pairs.y, drawn.y, rtol=1e-7)

    def test_no_two_shards_nor_the_single_file_hold_the_same_draws(self, written, tmp_path):
        y = np.concatenate([written.load(number).y for number in range(4)])
        single = cached_pairs(tmp_path, PROCESS, 3, seed=5).y.astype(np.float32)
        assert len(np.unique(np.concatenate([y, single]))) == (14 + 3) * 6

    def test_the_estimate_of_the_disk_space_is_right_to_4_kib_a_shard(self, written):
        for number in range(4):
            assert 0 <= written.num_bytes(number) - written.path(number).stat().st_size <= 4096
        assert written.num_bytes(3) == 5 * 6 * 10 + 4096  # pairs, points, bytes

    @pytest.mark.parametrize(
        ("num_pairs", "num_shards", "said"),
        [(0, 1, "num_pairs must be at least 1; got 0"), (3, 4, "between 1 and 3"), (3, 0, "between 1 and 3")],
    )
    def test_impossible_numbers(self, tmp_path, num_pairs, num_shards, said):
        with pytest.raises(ValueError, match=said):
            Shards(tmp_path, PROCESS, num_pairs, num_shards, 0)


class TestGoingOn:
    @pytest.mark.parametrize(("num_drawn", "num_done"), [(1, 0), (3, 0), (4, 1), (7, 2), (13, 3)])
    def test_an_interrupted_set_goes_on_and_is_the_same(self, shards, tmp_path, num_drawn, num_done):
        whole = replace(shards, folder=tmp_path / "whole")
        write_shards(whole)
        with pytest.raises(Killed):
            write_shards(shards, on_pair=kill_after(num_drawn))
        assert is_begun(shards)
        assert len(waiting(shards, overwrite=True)) == 4 - num_done
        assert len(content(shards)) == 1 + num_done
        counted = []
        assert write_shards(shards, on_pair=lambda: counted.append(1)) == 4 - num_done
        assert len(counted) == 14 - 3 * num_done
        assert content(shards) == content(whole)

    def test_what_a_kill_left_half_written_is_removed(self, written):
        written.path(2).rename(written.folder / f".{written.path(2).name}.{32 * '0'}.tmp")
        write_shards(written)
        assert sorted(os.listdir(written.folder)) == sorted(
            [MANIFEST, *(written.path(n).name for n in range(4))]
        )

    def test_a_whole_set_is_left_alone(self, written):
        before = [path.stat().st_mtime_ns for path in written.folder.glob("*.npz")]
        assert write_shards(written) == 0
        assert is_begun(written)
        assert waiting(written, overwrite=False) == []
        assert [path.stat().st_mtime_ns for path in written.folder.glob("*.npz")] == before

    def test_an_unfinished_set_is_gone_on_with_even_if_it_may_be_overwritten(self, written):
        written.path(1).unlink()
        assert write_shards(written, overwrite=True) == 1

    def test_overwriting_draws_all_anew(self, written):
        before = content(written)
        assert waiting(written, overwrite=True) == [0, 1, 2, 3]
        written.path(1).write_bytes(b"damaged")
        assert write_shards(written, overwrite=True) == 4
        assert content(written) == before

    def test_overwriting_by_another_set_leaves_nothing_of_the_old(self, written):
        other = replace(written, num_shards=2, seed=6)
        assert write_shards(other, overwrite=True) == 2
        assert sorted(os.listdir(other.folder)) == [other.path(0).name, other.path(1).name, MANIFEST]
        assert open_shards(other.folder) == other

    def test_a_damaged_manifest_can_be_overwritten(self, written):
        (written.folder / MANIFEST).write_bytes(b"{")
        with pytest.raises(CacheError, match="damaged"):
            write_shards(written)
        assert write_shards(written, overwrite=True) == 4

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"seed": 6}, "seed 6; they were drawn with 5"),
            ({"num_pairs": 15}, "num_pairs 15; they were drawn with 14"),
            ({"num_shards": 5}, "num_shards 5; they were drawn with 4"),
            ({"process": replace(PROCESS, kernel="matern")}, "kernel matern; they were drawn with rbf"),
        ],
    )
    def test_another_set_is_refused_and_kept(self, written, changes, said):
        before = content(written)
        with raises(f"{written.folder} must hold shards with {said} (overwrite replaces them)"):
            write_shards(replace(written, **changes))
        assert not is_begun(replace(written, **changes))
        assert content(written) == before


class TestFullDisk:
    def free(self, monkeypatch, num_bytes):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=num_bytes))

    def test_what_does_not_fit_is_not_begun(self, shards, monkeypatch):
        needed = sum(map(shards.num_bytes, range(4)))
        self.free(monkeypatch, needed - 1)
        with raises(f"4 shards need 1.72e-05 GB of disk space; {shards.folder} has 1.72e-05 GB"):
            write_shards(shards)
        assert not shards.folder.exists()
        self.free(monkeypatch, needed)
        assert write_shards(shards) == 4

    def test_what_is_there_needs_no_more_space(self, written, monkeypatch):
        written.path(1).unlink()
        self.free(monkeypatch, written.num_bytes(1))
        assert write_shards(written) == 1

    def test_what_is_replaced_makes_room(self, written, monkeypatch):
        self.free(monkeypatch, 4 * 4096)
        assert write_shards(written, overwrite=True) == 4

    def test_a_disk_that_is_full_all_the_same(self, shards):
        with largest_file(1500), raises(f"pairs could not be written to {shards.path(0)}: File too large"):
            write_shards(shards)
        assert os.listdir(shards.folder) == [MANIFEST]
        assert write_shards(shards) == 4

    def test_a_folder_that_is_a_file(self, shards):
        shards.folder.write_text("no folder")
        with raises(f"shards could not be written to {shards.folder}: File exists"):
            write_shards(shards)


class TestOpening:
    def test_what_is_written_is_opened(self, written):
        assert open_shards(written.folder) == written

    def test_missing_shards_are_noticed(self, written):
        written.path(1).unlink()
        written.path(3).unlink()
        with raises(
            f"{written.folder} must hold 4 shards; missing: 2, the first of them shard-00001-of-00004.npz"
            " (the attn data that began them goes on where it stopped)"
        ):
            open_shards(written.folder)

    def test_no_set_at_all(self, tmp_path):
        with raises(f"a folder of shards must hold {MANIFEST}; {tmp_path} does not"):
            open_shards(tmp_path)

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"spec": {}}', "\x00"])
    def test_a_damaged_manifest(self, written, text):
        (written.folder / MANIFEST).write_text(text)
        with raises(f"{written.folder / MANIFEST} is damaged, or no manifest of shards"):
            open_shards(written.folder)

    def test_no_flipped_bit_of_the_manifest_goes_through(self, written):
        path = written.folder / MANIFEST
        whole = path.read_bytes()
        for place in range(len(whole)):
            damaged = bytearray(whole)
            damaged[place] ^= 0x01
            path.write_bytes(damaged)
            with suppress(CacheError):
                assert open_shards(written.folder) == written  # white space

    def test_another_version(self, written):
        path = written.folder / MANIFEST
        path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 2}))
        with raises(f"the schema version of {path} must be 1; got 2"):
            open_shards(written.folder)

    def test_a_manifest_that_was_written_by_another(self, written):
        path = written.folder / MANIFEST
        spec = {**written.spec, "num_shards": "many"}
        checksum = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
        path.write_text(json.dumps({"schema_version": 1, "spec": spec, "checksum": checksum}))
        with pytest.raises(
            CacheError, match=f"^{re.escape(str(path))} must describe a process, pairs and shards"
        ):
            open_shards(written.folder)


class TestLoading:
    def test_no_truncation_goes_through(self, written):
        whole = written.path(2).read_bytes()
        for length in range(0, len(whole), 97):
            written.path(2).write_bytes(whole[:length])
            with pytest.raises(CacheError, match=re.escape(str(written.path(2)))):
                written.load(2)

    def test_a_shard_in_the_place_of_another(self, written):
        shutil.copy(written.path(0), written.path(1))
        with raises(
            f"{written.path(1)} must have the shard 1, as its place among the shards of {MANIFEST} says;"
            " it has 0"
        ):
            written.load(1)

    def test_a_shard_of_another_set(self, written, tmp_path):
        other = replace(written, folder=tmp_path / "other", seed=6)
        write_shards(other)
        shutil.copy(other.path(1), written.path(1))
        with pytest.raises(CacheError, match=r"must have the seed 5, .* it has 6"):
            written.load(1)

    def test_a_shard_of_another_schema(self, written):
        path = written.path(1)
        with np.load(path) as archive:
            members = {**archive, "schema_version": np.array(2)}
        np.savez(path, **members)
        with raises(f"the schema version of {path} must be 1; got 2"):
            written.load(1)

    def test_a_shard_with_fewer_pairs_than_its_spec_says(self, written):
        saved = load_pairs(written.path(1))
        save_pairs(written.path(1), saved.pairs.rows(slice(2)), saved.spec)
        with raises(f"{written.path(1)} must hold 3 pairs of 6 points; it holds 2 of 6"):
            written.load(1)
