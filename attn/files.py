"""Pairs to and from disk: an npz file that is written whole or not at all, and refused if it is damaged."""

import glob
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from attn.flock import NoLocksError, try_lock
from attn.inputs import open_regular, parse_json
from attn.memory import MemoryLimitError, require_memory
from attn.processes import PairProcess
from attn.types import Pairs

SCHEMA_VERSION = 1
_ARRAYS = ("x", "series", "y", "valid")
_TEXTS = ("spec", "schema_version", "checksum")


class CacheError(ValueError):
    """A file of pairs that cannot be written, cannot be trusted, or holds other pairs; one sentence."""


@dataclass(frozen=True, eq=False)
class SavedPairs:
    """What a file of pairs holds: the pairs, and `spec`, the JSON object that says where they come from."""

    pairs: Pairs
    spec: dict[str, Any]


def cached_pairs(
    folder: Path,
    process: PairProcess,
    num_pairs: int,
    seed: int,
    *,
    overwrite: bool = False,
    on_pair: Callable[[], None] = lambda: None,
) -> Pairs:
    """The pairs in `folder`/pairs.npz, drawn and saved there first if there are none.

    folder      one a kernel, such as data/rbf_const_2D; made if it does not exist
    overwrite   draw and save even if there are some
    on_pair     called after each pair that is drawn

    Raises CacheError if the file is damaged, or was drawn from another process, number or seed; nothing
    is overwritten then.
    """
    path = Path(folder) / "pairs.npz"
    spec = {**asdict(process), "num_pairs": num_pairs, "seed": seed}
    if path.exists() and not overwrite:
        saved = load_pairs(path)
        _check_same_spec(path, saved.spec, spec)
        return saved.pairs
    # A stream of its own: a caller who arranges with the same seed must not meet the numbers x came from.
    stream = np.random.SeedSequence(seed).spawn(1)[0]
    pairs = process.sample_watched(num_pairs, np.random.default_rng(stream), on_pair)
    save_pairs(path, pairs, spec)
    return pairs


def save_pairs(path: Path, pairs: Pairs, spec: dict[str, Any]) -> None:
    """Write `pairs` with `spec`, a JSON object; its folder is made if it does not exist.

    Raises CacheError if the system refuses (no space, no permission): then no new file is left behind,
    and an old one stays as it was.
    """
    arrays: dict[str, Any] = {name: getattr(pairs, name) for name in _ARRAYS}
    spec_text = json.dumps(spec, sort_keys=True)
    checksum = _checksum(arrays, spec_text)
    members: dict[str, Any] = dict(zip(_TEXTS, (spec_text, SCHEMA_VERSION, checksum), strict=True))
    try:
        with new_folder(Path(path).parent), write_whole(path) as file:
            np.savez(file, **arrays, **members)
    except OSError as error:
        raise CacheError(f"pairs could not be written to {path}: {error.strerror or error}") from error


def load_pairs(path: Path) -> SavedPairs:
    """Read what `save_pairs` wrote.

    Raises CacheError if the file does not exist, is no such file, has another schema version, or if an
    array or the spec was cut, changed or exchanged.
    """
    members = _read_members(path)
    missing = [name for name in (*_ARRAYS, *_TEXTS) if name not in members]
    if missing:
        raise CacheError(f"a file of pairs must hold {', '.join(missing)}; {path} does not")
    spec_text, version, checksum = (str(members[name]) for name in _TEXTS)
    if version != str(SCHEMA_VERSION):
        raise CacheError(f"the schema version of {path} must be {SCHEMA_VERSION}; got {version}")
    arrays = {name: members[name] for name in _ARRAYS}
    foreign = [name for name in _ARRAYS if arrays[name].dtype.kind not in "fib"]
    if foreign:
        kind = arrays[foreign[0]].dtype
        raise CacheError(f"{foreign[0]} must hold numbers or truth values; it holds {kind} in {path}")
    if checksum != _checksum(arrays, spec_text):
        raise CacheError(f"{path} is damaged: its arrays do not have the checksum that was saved with them")
    return SavedPairs(Pairs(**arrays), _parse_spec(spec_text, path))


def sha256_of(pairs: Pairs) -> str:
    """What tells pairs from all others, wherever they lie: over dtype, shape and content of the arrays."""
    return _checksum({name: getattr(pairs, name) for name in _ARRAYS}, "")


@contextmanager
def write_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` only once all of it is on the disk.

    Whatever is raised meanwhile, `path` stays as it was and nothing is left beside it.  What was left of an
    earlier attempt by a process that was killed is removed.  An OSError of the system names `path`.
    """
    path = Path(path)
    temporary = None
    try:
        remove_abandoned(path.parent, glob.escape(path.name))
        with _new_temporary(path) as file:
            temporary = Path(file.name)
            yield file
            file.flush()
            # Without this the name could reach the disk before the content does.
            os.fsync(file.fileno())
            temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and _is_ours(error.filename, path):
            error.filename = str(path)
        raise


def _is_ours(name: Any, path: Path) -> bool:
    """Whether an OSError speaks of what is written for `path`: of the open file it says no name at all."""
    return name is None or Path(str(name)).name.startswith(f".{path.name}.")


def _new_temporary(path: Path) -> BinaryIO:
    """A new file beside `path`, locked as long as it is open: one that is not locked has been abandoned."""
    while True:
        file = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp").open("xb")
        try:
            is_held = try_lock(file.fileno()) and os.fstat(file.fileno()).st_nlink > 0
        except NoLocksError:
            is_held = True
        if is_held:
            return file
        file.close()  # another process took it for abandoned before it was locked, and removes it


def remove_abandoned(folder: Path, name: str) -> None:
    """Remove what processes that are no more began for files whose name fits the pattern `name`.

    Where there are no locks, it stays.
    """
    for temporary in folder.glob(f".{name}.{'?' * 32}.tmp"):
        with suppress(OSError), temporary.open("r+b") as file:
            if try_lock(file.fileno()):
                temporary.unlink()


@contextmanager
def new_folder(path: Path) -> Iterator[None]:
    """The folder exists inside the block; if that raises, what was made for it and is empty goes again."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):  # it is not empty, or was never made
                folder.rmdir()
        raise


def _checksum(arrays: dict[str, NDArray[Any]], spec_text: str) -> str:
    """sha256 over the spec and over the name, dtype, shape and content of every array."""
    digest = hashlib.sha256(spec_text.encode())
    for name, array in arrays.items():
        digest.update(f"|{name} {array.dtype.str} {array.shape}|".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _read_members(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with open_regular(path) as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                return {}
            assert archive.zip is not None
            num_bytes = sum(member.file_size for member in archive.zip.infolist())
            require_memory(num_bytes, f"to read {path}")  # few bytes may unpack to many
            return {name: archive[name] for name in (*_ARRAYS, *_TEXTS) if name in archive.files}
    except MemoryLimitError:
        raise
    except OSError as error:
        raise CacheError(f"{path} could not be read: {error.strerror or error}") from error
    # A damaged archive shows itself in as many ways as the zip and npy readers have steps.
    except Exception as error:
        raise CacheError(f"{path} is damaged, or no file of pairs: it could not be read as npz") from error


def _parse_spec(text: str, path: Path) -> dict[str, Any]:
    try:
        spec = parse_json(text)
    except ValueError:
        spec = None
    if not isinstance(spec, dict):
        raise CacheError(f"the spec of a file of pairs must be a JSON object; that of {path} is none")
    return spec


def _check_same_spec(path: Path, saved: dict[str, Any], wanted: dict[str, Any]) -> None:
    for field in sorted(saved.keys() | wanted.keys()):
        if saved.get(field) != wanted.get(field):
            raise CacheError(
                f"{path} must hold pairs with {field} {wanted.get(field)}; it was drawn with"
                f" {saved.get(field)} (overwrite replaces it)"
            )
