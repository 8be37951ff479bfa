import errno
import os
import re
import resource
import subprocess
import sys
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace

import numpy as np
import pytest

from attn.files import CacheError, cached_pairs, load_pairs, save_pairs, write_whole
from attn.flock import NoLocksError
from attn.processes import PairProcess
from attn.types import Pairs

PROCESS = PairProcess(num_points=4)
SPEC = {"kernel": "rbf", "num_pairs": 3}
FIELDS = ("x", "series", "y", "valid")


def draw(seed=0):
    return PROCESS.sample(3, np.random.default_rng(seed))


def assert_equal(first, second):
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
        assert getattr(first, field).dtype == getattr(second, field).dtype


def rewrite(path, **changes):
    """The same npz with some of its members replaced, or removed where the change is None."""
    with np.load(path) as archive:
        members = {**archive, **changes}
    np.savez(path, **{name: member for name, member in members.items() if member is not None})


def raises(sentence):
    return pytest.raises(CacheError, match="^" + re.escape(sentence) + "$")


@contextmanager
def largest_file(num_bytes):
    """The system refuses to let a file grow beyond that: a true refusal in the middle of writing."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pairs.npz"


@pytest.fixture
def saved(path):
    save_pairs(path, draw(), SPEC)
    return path


class TestRoundTrip:
    def test_what_is_saved_is_loaded(self, saved):
        loaded = load_pairs(saved)
        assert_equal(loaded.pairs, draw())
        assert loaded.spec == SPEC

    def test_padding_and_dtypes_survive(self, path):
        pairs = draw()
        valid = pairs.valid.copy()
        valid[1, 2:] = False
        y = np.where(valid, pairs.y, np.nan).astype(np.float32)
        pairs = Pairs(pairs.x, pairs.series.astype(np.int8), y, valid)
        save_pairs(path, pairs, {})
        assert_equal(load_pairs(path).pairs, pairs)

    def test_arrays_in_any_memory_order(self, path):
        pairs = draw()
        save_pairs(path, replace(pairs, x=np.asfortranarray(pairs.x), y=pairs.y[:, ::-1]), SPEC)
        assert_equal(load_pairs(path).pairs, replace(pairs, y=pairs.y[:, ::-1]))

    def test_folders_are_made(self, tmp_path):
        save_pairs(tmp_path / "new" / "folder" / "p.npz", draw(), SPEC)
        assert load_pairs(tmp_path / "new" / "folder" / "p.npz").spec == SPEC

    def test_nothing_else_is_left_in_the_folder(self, saved):
        assert os.listdir(saved.parent) == ["pairs.npz"]


class TestDamage:
    def test_swapped_arrays(self, saved):
        rewrite(saved, x=draw().y, y=draw().x)
        with raises(f"{saved} is damaged: its arrays do not have the checksum that was saved with them"):
            load_pairs(saved)

    @pytest.mark.parametrize("field", FIELDS)
    def test_array_of_another_file(self, saved, field):
        other = draw(seed=1)
        changed = {"series": 1 - other.series, "valid": ~other.valid}.get(field, getattr(other, field))
        rewrite(saved, **{field: changed})
        with pytest.raises(CacheError, match="damaged"):
            load_pairs(saved)

    def test_one_bit_of_one_number(self, saved):
        y = draw().y
        y.view(np.uint8)[2, 5] ^= 1
        rewrite(saved, y=y)
        with pytest.raises(CacheError, match="damaged"):
            load_pairs(saved)

    def test_same_bytes_in_another_shape_or_dtype(self, saved):
        pairs = draw()
        for changed in (pairs.x.reshape(4, 6), pairs.x.view(np.int64)):
            rewrite(saved, x=changed)
            with pytest.raises(CacheError, match="damaged"):
                load_pairs(saved)

    def test_changed_spec(self, saved):
        rewrite(saved, spec=np.array('{"kernel": "periodic", "num_pairs": 3}'))
        with pytest.raises(CacheError, match="damaged"):
            load_pairs(saved)

    def test_every_truncation_is_refused(self, saved):
        content = saved.read_bytes()
        for length in range(0, len(content), 97):
            saved.write_bytes(content[:length])
            with pytest.raises(CacheError, match=re.escape(str(saved))):
                load_pairs(saved)

    def test_no_flipped_bit_goes_through(self, saved):
        content = saved.read_bytes()
        for place in range(0, len(content), 53):
            damaged = bytearray(content)
            damaged[place] ^= 0x10
            saved.write_bytes(damaged)
            with suppress(CacheError):
                loaded = load_pairs(saved)  # the byte means nothing, such as one of a date
                assert_equal(loaded.pairs, draw())
                assert loaded.spec == SPEC

    @pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"PK\x03\x04", b"\x93NUMPY", b"\x80\x04."])
    def test_no_npz_at_all(self, path, content):
        path.write_bytes(content)
        with raises(f"{path} is damaged, or no file of pairs: it could not be read as npz"):
            load_pairs(path)

    def test_npy_instead_of_npz(self, path):
        with path.open("wb") as file:
            np.save(file, np.ones(3))
        with pytest.raises(CacheError, match="a file of pairs must hold x, series"):
            load_pairs(path)

    def test_missing_array(self, saved):
        rewrite(saved, valid=None)
        with raises(f"a file of pairs must hold valid; {saved} does not"):
            load_pairs(saved)

    def test_pickles_are_not_opened(self, saved):
        rewrite(saved, spec=np.array({"a": 1}, dtype=object))
        with pytest.raises(CacheError, match="could not be read as npz"):
            load_pairs(saved)

    def test_other_schema_version(self, saved):
        rewrite(saved, schema_version=np.array(2))
        with raises(f"the schema version of {saved} must be 1; got 2"):
            load_pairs(saved)

    def test_no_such_file(self, path):
        with raises(f"{path} could not be read: No such file or directory"):
            load_pairs(path)

    def test_folder(self, tmp_path):
        with raises(f"{tmp_path} could not be read: Is a directory"):
            load_pairs(tmp_path)


@pytest.mark.filterwarnings("error")
class TestFullDisk:
    def test_nothing_is_left_behind(self, path):
        with largest_file(500), raises(f"pairs could not be written to {path}: File too large"):
            save_pairs(path, draw(), SPEC)
        assert os.listdir(path.parent) == []

    def test_old_file_stays_as_it_was(self, saved):
        before = saved.read_bytes()
        with largest_file(500), pytest.raises(CacheError):
            save_pairs(saved, draw(seed=1), SPEC)
        assert saved.read_bytes() == before
        assert os.listdir(saved.parent) == ["pairs.npz"]

    def test_disk_that_is_full_only_when_it_syncs(self, saved, monkeypatch):
        before = saved.read_bytes()

        def refuse(descriptor):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", refuse)
        with raises(f"pairs could not be written to {saved}: No space left on device"):
            save_pairs(saved, draw(seed=1), SPEC)
        assert saved.read_bytes() == before
        assert os.listdir(saved.parent) == ["pairs.npz"]

    def test_folder_that_is_a_file(self, saved):
        with pytest.raises(CacheError, match="could not be written"):
            save_pairs(saved / "pairs.npz", draw(), SPEC)


class TestWriteWhole:
    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_whatever_is_raised_nothing_changes(self, saved, error):
        before = saved.read_bytes()

        def fail_half_way():
            with write_whole(saved) as file:
                file.write(b"half of")
                raise error

        with pytest.raises(error):
            fail_half_way()
        assert saved.read_bytes() == before
        assert os.listdir(saved.parent) == ["pairs.npz"]

    def test_content_is_on_the_disk_before_the_name(self, path, monkeypatch):
        synced = []
        fsync = os.fsync

        def watch(descriptor):
            synced.append((os.fstat(descriptor).st_size, path.exists()))
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", watch)
        with write_whole(path) as file:
            file.write(b"all of it")
        assert synced == [(9, False)]
        assert path.read_bytes() == b"all of it"


class TestCachedPairs:
    def test_draws_once_and_reuses(self, tmp_path, monkeypatch):
        first = cached_pairs(tmp_path / "rbf", PROCESS, 3, seed=5)
        monkeypatch.setattr(PairProcess, "sample", None)
        assert_equal(cached_pairs(tmp_path / "rbf", PROCESS, 3, seed=5), first)
        assert os.listdir(tmp_path / "rbf") == ["pairs.npz"]

    def test_seed_decides(self, tmp_path):
        first, again, other = (
            cached_pairs(tmp_path / str(n), PROCESS, 3, seed) for n, seed in enumerate((5, 5, 6))
        )
        assert_equal(first, again)
        assert not np.isclose(first.y, other.y).any()

    def test_same_seed_elsewhere_gives_other_numbers(self, tmp_path):
        pairs = cached_pairs(tmp_path, PROCESS, 3, seed=5)
        uniform = np.random.default_rng(5).random(pairs.x.shape)
        assert not np.isclose(pairs.x, 5 + 10 * uniform).any()

    @pytest.mark.parametrize(
        ("process", "num_pairs", "seed", "said"),
        [
            (replace(PROCESS, kernel="matern"), 3, 5, "kernel matern; it was drawn with rbf"),
            (replace(PROCESS, num_points=9), 3, 5, "num_points 9; it was drawn with 4"),
            (PROCESS, 4, 5, "num_pairs 4; it was drawn with 3"),
            (PROCESS, 3, 6, "seed 6; it was drawn with 5"),
        ],
    )
    def test_other_pairs_are_refused_and_kept(self, tmp_path, process, num_pairs, seed, said):
        first = cached_pairs(tmp_path, PROCESS, 3, seed=5)
        path = tmp_path / "pairs.npz"
        with raises(f"{path} must hold pairs with {said} (overwrite replaces it)"):
            cached_pairs(tmp_path, process, num_pairs, seed)
        assert_equal(load_pairs(path).pairs, first)

    @pytest.mark.parametrize("spec", [{}, {"kernel": "rbf", "colour": "red"}])
    def test_pairs_that_do_not_say_what_they_are_drawn_from(self, tmp_path, spec):
        save_pairs(tmp_path / "pairs.npz", draw(), spec)
        with pytest.raises(CacheError, match=r"must hold pairs with .* \(overwrite replaces it\)$"):
            cached_pairs(tmp_path, PROCESS, 3, seed=5)

    def test_overwrite_replaces(self, tmp_path):
        cached_pairs(tmp_path, PROCESS, 3, seed=5)
        new = cached_pairs(tmp_path, PROCESS, 7, seed=6, overwrite=True)
        assert new.num_pairs == 7
        assert_equal(cached_pairs(tmp_path, PROCESS, 7, seed=6), new)

    def test_damaged_cache_is_refused_unless_overwritten(self, tmp_path):
        (tmp_path / "pairs.npz").write_bytes(b"damaged")
        with pytest.raises(CacheError, match="damaged"):
            cached_pairs(tmp_path, PROCESS, 3, seed=5)
        assert cached_pairs(tmp_path, PROCESS, 3, seed=5, overwrite=True).num_pairs == 3


class TestAbandonedFiles:
    """What write_whole leaves when its process is killed in it, and who removes that."""

    @staticmethod
    def begun(path):
        """The temporary file of a process that was killed while it wrote `path`."""
        code = "import os, sys\nfrom pathlib import Path\nfrom attn.files import write_whole\n"
        code += (
            "with write_whole(Path(sys.argv[1])) as file:\n file.write(b'half'), file.flush()\n os._exit(9)"
        )
        subprocess.run([sys.executable, "-c", code, str(path)], check=False)
        (temporary,) = path.parent.glob(f".{path.name}.*.tmp")
        return temporary

    def test_the_next_writing_of_the_same_file_removes_it(self, path):
        temporary = self.begun(path)
        with write_whole(path.with_name("other.npz")) as file:
            file.write(b"other")
        assert temporary.exists()
        save_pairs(path, draw(), SPEC)
        assert sorted(os.listdir(path.parent)) == ["other.npz", "pairs.npz"]

    def test_that_of_a_living_process_stays_and_both_are_whole(self, path):
        with write_whole(path) as first:
            first.write(b"first")
            with write_whole(path) as second:
                second.write(b"second")
            assert path.read_bytes() == b"second"
        assert path.read_bytes() == b"first"
        assert os.listdir(path.parent) == ["pairs.npz"]

    def test_nothing_else_is_removed(self, path):
        others = [".pairs.npz.tmp", ".pairs.npz.mine.tmp", f"pairs.npz.{'0' * 32}.tmp", f".x.{'0' * 32}.tmp"]
        for name in others:
            path.with_name(name).write_text("mine")
        save_pairs(path, draw(), SPEC)
        assert sorted(os.listdir(path.parent)) == sorted([*others, "pairs.npz"])

    def test_one_that_was_taken_for_abandoned_before_it_was_locked_is_made_anew(self, path, monkeypatch):
        taken = []

        def lose_once(descriptor):
            if not taken:
                (temporary,) = path.parent.glob(".pairs.npz.*.tmp")
                taken.append(temporary)
                temporary.unlink()
            return True

        monkeypatch.setattr("attn.files.try_lock", lose_once)
        with write_whole(path) as file:
            file.write(b"whole")
        assert path.read_bytes() == b"whole"
        assert taken
        assert os.listdir(path.parent) == ["pairs.npz"]

    def test_where_there_are_no_locks_it_is_written_all_the_same(self, path, monkeypatch):
        temporary = self.begun(path)

        def refuse(descriptor):
            raise NoLocksError

        monkeypatch.setattr("attn.files.try_lock", refuse)
        save_pairs(path, draw(), SPEC)
        assert sorted(os.listdir(path.parent)) == sorted([temporary.name, "pairs.npz"])


@pytest.mark.parametrize("where", ["open", "write", "replace"])
def test_an_error_of_the_system_names_the_file_that_was_to_be_written(tmp_path, where):
    path = tmp_path / {"open": "none/x", "write": "x", "replace": "folder"}[where]
    (tmp_path / "folder").mkdir()
    limit = largest_file(10) if where == "write" else nullcontext()
    with pytest.raises(OSError, match=re.escape(str(path))) as refused, limit, write_whole(path) as file:
        file.write(b"x" * 100)
    assert refused.value.filename == str(path)
    assert [found.name for found in tmp_path.iterdir()] == ["folder"]
