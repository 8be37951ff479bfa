"""Pairs in many files, for data larger than memory: what a folder of shards holds, and how it is written.

    shards.json                      how many shards there should be, and what their pairs are drawn from
    shard-00000-of-00245.npz, ...    files of pairs like any other (`attn.files`), x and y as float32

Why npz: it holds no code, the same pairs give the same bytes, and it needs no TensorFlow to be written.  Its
checksum covers a whole shard, so that no pair is used before all of its shard are known to be right; TFRecord
checks record by record and does not notice a file that was cut between two.  10 bytes a point.

Shard i is a function of (process, seed, i) and appears only once it is whole.  Whatever ended the drawing, it
goes on with the shards that are not there, and the finished set is the one that was never interrupted.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from attn.files import CacheError, load_pairs, remove_abandoned, save_pairs, write_whole
from attn.processes import PairProcess
from attn.types import Pairs

MANIFEST = "shards.json"
SCHEMA_VERSION = 1
_BYTES_PER_POINT = 10  # x and y as float32, series as int8, valid
_BYTES_BESIDE = 4096  # at most: the spec, the checksum and the headers of a shard
# Keeps the draws of shards apart from those of `cached_pairs` under the same seed.
_SPAWN_KEY = 1


@dataclass(frozen=True)
class Shards:
    """A set of shards: where it lies, and what its pairs are drawn from.

    Every shard holds num_pairs // num_shards pairs, and the last the rest too.  The folder need not hold
    them yet: `write_shards` draws them, `open_shards` finds a folder that holds all.
    Raises ValueError for less than one shard or more shards than pairs.
    """

    folder: Path
    process: PairProcess
    num_pairs: int
    num_shards: int
    seed: int

    def __post_init__(self) -> None:
        if self.num_pairs < 1:
            raise ValueError(f"num_pairs must be at least 1; got {self.num_pairs}")
        if not 1 <= self.num_shards <= self.num_pairs:
            raise ValueError(
                f"num_shards must be between 1 and {self.num_pairs} (num_pairs); got {self.num_shards}"
            )

    @property
    def spec(self) -> dict[str, Any]:
        """What the manifest and every shard say of where the pairs come from."""
        of_set = {"num_pairs": self.num_pairs, "num_shards": self.num_shards, "seed": self.seed}
        return {**asdict(self.process), **of_set}

    @property
    def num_points(self) -> int:
        """Points of a pair."""
        return self.process.num_series * self.process.num_points

    def path(self, number: int) -> Path:
        """The file of a shard; `number` counts from 0."""
        return self.folder / f"shard-{number:05d}-of-{self.num_shards:05d}.npz"

    def size(self, number: int) -> int:
        """How many pairs a shard holds."""
        each, rest = divmod(self.num_pairs, self.num_shards)
        return each + rest if number == self.num_shards - 1 else each

    def num_bytes(self, number: int) -> int:
        """What a shard takes on the disk, or up to 4 KiB more."""
        return self.size(number) * self.num_points * _BYTES_PER_POINT + _BYTES_BESIDE

    def missing(self) -> list[int]:
        """The numbers of the shards that are not there."""
        return [number for number in range(self.num_shards) if not self.path(number).exists()]

    def load(self, number: int) -> Pairs:
        """The pairs of a shard.

        Raises CacheError, which names the file, if it is missing, damaged, of another schema version, or
        not that shard of this set.
        """
        saved = load_pairs(self.path(number))
        expected = {**self.spec, "shard": number}
        for field in sorted(expected.keys() | saved.spec.keys()):
            if saved.spec.get(field) != expected.get(field):
                raise CacheError(
                    f"{self.path(number)} must have the {field} {expected.get(field)}, as its place among the"
                    f" shards of {MANIFEST} says; it has {saved.spec.get(field)}"
                )
        pairs = saved.pairs
        if pairs.x.shape != (self.size(number), self.num_points):
            raise CacheError(
                f"{self.path(number)} must hold {self.size(number)} pairs of {self.num_points} points;"
                f" it holds {pairs.num_pairs} of {pairs.num_points}"
            )
        return pairs


def open_shards(folder: Path) -> Shards:
    """The set of shards in a folder, every one of them there; what they hold is checked when it is read.

    Raises CacheError if the folder holds no such set, if its manifest is damaged or of another schema
    version, or if a shard is missing.
    """
    shards = _read_manifest(Path(folder))
    missing = shards.missing()
    if missing:
        raise CacheError(
            f"{folder} must hold {shards.num_shards} shards; missing: {len(missing)}, the first of them"
            f" {shards.path(missing[0]).name} (the attn data that began them goes on where it stopped)"
        )
    return shards


def is_begun(shards: Shards) -> bool:
    """Whether the folder holds this very set, or some of its shards."""
    try:
        return _read_manifest(shards.folder) == shards
    except CacheError:
        return False


def waiting(shards: Shards, overwrite: bool) -> list[int]:
    """The numbers of the shards that `write_shards` would draw.

    Raises CacheError if the folder holds another set and `overwrite` is off.
    """
    return list(range(shards.num_shards)) if _to_be_replaced(shards, overwrite) else shards.missing()


def write_shards(
    shards: Shards, *, overwrite: bool = False, on_pair: Callable[[], None] = lambda: None
) -> int:
    """Draw and save the shards that are not there yet; the number of them.

    overwrite   draw all anew, unless the folder holds some shards of this very set: then it is gone on with
    on_pair     called after each pair that is drawn

    Raises CacheError if the folder holds another set and `overwrite` is off, if the disk has too little
    space (nothing is changed then), or if it refuses.
    """
    numbers, old = waiting(shards, overwrite), _to_be_replaced(shards, overwrite)
    _check_space(shards, numbers, old)
    _prepare_folder(shards, old)
    for number in numbers:
        save_pairs(shards.path(number), _draw(shards, number, on_pair), {**shards.spec, "shard": number})
    return len(numbers)


def _to_be_replaced(shards: Shards, overwrite: bool) -> list[Path]:
    """All shards of a set that is another, or finished; none where there is none or it is gone on with."""
    if not (shards.folder / MANIFEST).exists() or (is_begun(shards) and shards.missing()):
        return []
    if overwrite:
        return sorted(shards.folder.glob("shard-*-of-*.npz"))
    _check_same_set(shards, _read_manifest(shards.folder))
    return []


def _prepare_folder(shards: Shards, old: list[Path]) -> None:
    """Remove the old set, and what a kill left half-written; then say what the folder is to hold."""
    try:
        shards.folder.mkdir(parents=True, exist_ok=True)
        for path in old:
            path.unlink()
        remove_abandoned(shards.folder, "shard*")
        _write_manifest(shards)
    except OSError as error:
        raise CacheError(
            f"shards could not be written to {shards.folder}: {error.strerror or error}"
        ) from error


def _draw(shards: Shards, number: int, on_pair: Callable[[], None]) -> Pairs:
    stream = np.random.SeedSequence(shards.seed, spawn_key=(_SPAWN_KEY, number))
    pairs = shards.process.sample_watched(shards.size(number), np.random.default_rng(stream), on_pair)
    return replace(
        pairs,
        x=pairs.x.astype(np.float32),
        series=pairs.series.astype(np.int8),
        y=pairs.y.astype(np.float32),
    )


def _check_same_set(shards: Shards, found: Shards) -> None:
    for field, wanted in shards.spec.items():
        if found.spec[field] != wanted:
            raise CacheError(
                f"{shards.folder} must hold shards with {field} {wanted}; they were drawn with"
                f" {found.spec[field]} (overwrite replaces them)"
            )


def _check_space(shards: Shards, numbers: list[int], old: list[Path]) -> None:
    """Refuse before anything is drawn or removed what the disk cannot hold."""
    exists = next(folder for folder in (shards.folder, *shards.folder.absolute().parents) if folder.exists())
    free = shutil.disk_usage(exists).free + sum(path.stat().st_size for path in old)
    needed = sum(map(shards.num_bytes, numbers))
    if needed > free:
        raise CacheError(
            f"{len(numbers)} shards need {needed / 1e9:.3g} GB of disk space; {shards.folder} has"
            f" {free / 1e9:.3g} GB"
        )


def _write_manifest(shards: Shards) -> None:
    content = {
        "schema_version": SCHEMA_VERSION,
        "spec": shards.spec,
        "checksum": _checksum(shards.spec),
    }
    with write_whole(shards.folder / MANIFEST) as file:
        file.write(f"{json.dumps(content, indent=1)}\n".encode())


def _read_manifest(folder: Path) -> Shards:
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_bytes())
        version, spec, checksum = (content[name] for name in ("schema_version", "spec", "checksum"))
    except FileNotFoundError as error:
        raise CacheError(f"a folder of shards must hold {MANIFEST}; {folder} does not") from error
    except OSError as error:
        raise CacheError(f"{path} could not be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CacheError(f"{path} is damaged, or no manifest of shards") from error
    if version != SCHEMA_VERSION:
        raise CacheError(f"the schema version of {path} must be {SCHEMA_VERSION}; got {version}")
    if checksum != _checksum(spec):
        raise CacheError(f"{path} is damaged: its spec does not have the checksum that was saved with it")
    try:
        process = PairProcess(**{field.name: spec[field.name] for field in fields(PairProcess)})
        return Shards(folder, process, spec["num_pairs"], spec["num_shards"], spec["seed"])
    except (KeyError, TypeError, ValueError) as error:
        raise CacheError(f"{path} must describe a process, pairs and shards: {error}") from error


def _checksum(spec: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
