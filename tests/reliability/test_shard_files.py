"""Shards on the disk: kills while they are written, and damage to what was written."""

import json
import shlex
import time

import numpy as np
import pytest

from attn.files import CacheError
from attn.processes import PairProcess
from attn.shards import MANIFEST, Shards, open_shards, write_shards
from tests.reliability import children
from tests.reliability.ledger import Promise

SECTION = "Data larger than memory"
NUM_SHARDS = 40


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """40 shards of 50 pairs of 100 points."""
    shards = Shards(tmp_path_factory.mktemp("shards"), PairProcess(), 50 * NUM_SHARDS, NUM_SHARDS, seed=0)
    write_shards(shards)
    return shards


class TestKills:
    COMMAND = shlex.split(
        f"attn data --kernel rbf_const_2D --number 8000 --shards {NUM_SHARDS} --quiet --folder ."
    )

    def test_a_shard_is_whole_or_not_there_and_the_set_becomes_the_same(self, tmp_path, promise, is_smallest):
        wanted = 3 if is_smallest else 100
        self.uninterrupted(tmp_path / "first")  # which starts the server that children are forked from
        reference, seconds = self.uninterrupted(tmp_path / "whole")
        rng = np.random.default_rng(0)
        num_kills = num_whole = num_sets = num_same = 0
        while num_kills < wanted:
            folder = tmp_path / f"set-{num_sets}"
            exit_code = None
            while exit_code != 0:
                child = self.start(folder)
                # once enough were killed, the last set is left to finish
                child.join(rng.uniform(0, seconds) if num_kills < wanted else None)
                child.kill()
                child.join()
                exit_code = child.exitcode
                assert exit_code in (0, -9)
                if exit_code == -9:
                    num_kills += 1
                    num_whole += self.contents(folder).items() <= reference.items()
            num_sets += 1
            num_same += self.contents(folder, "*") == reference
        text = "after kill -9 while shards are written, each is whole or not there"
        promise(Promise(SECTION, text, num_whole, num_kills, is_random=True))
        text = "the same command goes on, and the finished set equals an uninterrupted one byte for byte"
        promise(Promise(SECTION, text, num_same, num_sets, note=f"{num_kills / num_sets:.1f} kills a set"))

    def uninterrupted(self, folder):
        """What the files of the set hold, and the seconds that it takes to write them."""
        began = time.perf_counter()
        child = self.start(folder)
        child.join()
        assert child.exitcode == 0
        return self.contents(folder, "*"), time.perf_counter() - began

    def start(self, folder):
        return children.start(self.COMMAND, folder)

    def contents(self, folder, pattern="shard-*.npz"):
        """By name; every file of the folder with `*`, hidden ones included."""
        return {path.name: path.read_bytes() for path in folder.glob(f"rbf_const_2D/shards/{pattern}")}


class TestDamage:
    def test_cut_or_changed_shards_are_refused_by_name(self, shards, promise, is_smallest):
        num_cases = 50 if is_smallest else 2000
        rng = np.random.default_rng(0)
        cuts = [self.outcome(shards, rng, self.cut) for _ in range(num_cases)]
        flips = [self.outcome(shards, rng, self.flip) for _ in range(num_cases)]
        text = "a shard that was cut short is refused by a sentence that names it"
        promise(Promise(SECTION, text, cuts.count("refused"), num_cases, is_random=True))
        num_harmless = flips.count("the same")
        text = "a shard with a flipped bit is refused by a sentence that names it, or gives the same pairs"
        note = f"the same pairs, as the bit means nothing: {num_harmless}"
        kept = flips.count("refused") + num_harmless
        promise(Promise(SECTION, text, kept, num_cases, is_random=True, note=note))

    def cut(self, content, rng):
        return content[: rng.integers(len(content))]

    def flip(self, content, rng):
        changed = bytearray(content)
        changed[rng.integers(len(content))] ^= 1 << rng.integers(8)
        return bytes(changed)

    def outcome(self, shards, rng, damage):
        number = int(rng.integers(NUM_SHARDS))
        path = shards.path(number)
        content, pairs = path.read_bytes(), shards.load(number)
        path.write_bytes(damage(content, rng))
        try:
            found = shards.load(number)
            names = ("x", "series", "y", "valid")
            is_same = all(np.array_equal(getattr(found, name), getattr(pairs, name)) for name in names)
            return "the same" if is_same else "other pairs"
        except CacheError as error:
            return "refused" if str(path) in str(error) else "not named"
        finally:
            path.write_bytes(content)

    def test_missing_shards_are_noticed(self, shards, promise):
        num_kept = 0
        for number in range(NUM_SHARDS):
            path = shards.path(number)
            path.rename(shards.folder / "elsewhere")
            with pytest.raises(CacheError) as refusal:
                open_shards(shards.folder)
            num_kept += path.name in str(refusal.value) and "must hold 40 shards; missing: 1" in str(
                refusal.value
            )
            (shards.folder / "elsewhere").rename(path)
        promise(Promise(SECTION, "a missing shard is noticed and named", num_kept, NUM_SHARDS))

    def test_other_schemas_are_refused(self, shards, promise):
        manifest, shard = shards.folder / MANIFEST, shards.path(7)
        num_kept = 0
        for version in (0, 2, "1.1"):
            before = manifest.read_bytes()
            manifest.write_text(json.dumps({**json.loads(before), "schema_version": version}))
            num_kept += self.is_refused(lambda: open_shards(shards.folder), manifest, version)
            manifest.write_bytes(before)
            before = shard.read_bytes()
            with np.load(shard) as archive:
                members = {**archive, "schema_version": np.array(version)}
            np.savez(shard, **members)
            num_kept += self.is_refused(lambda: shards.load(7), shard, version)
            shard.write_bytes(before)
        text = "shards and manifests of another schema version are refused by a sentence that names the file"
        promise(Promise(SECTION, text, num_kept, 6))

    def is_refused(self, read, path, version):
        with pytest.raises(CacheError) as refusal:
            read()
        return str(refusal.value) == f"the schema version of {path} must be 1; got {version}"
