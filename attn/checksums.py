"""SHA256SUMS: what the files of a run must contain, in the form that `sha256sum --check` reads.

JSON in which one bit was turned is JSON still, so that nothing in the file itself tells.  A directory without
this file, as older versions made them, is taken as it is.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from attn.files import write_whole

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *]([A-Za-z0-9][A-Za-z0-9._-]*)")


class ChecksumError(ValueError):
    """A file that is not what it was when its checksum was taken; one sentence that names it."""


def record_sums(directory: Path, names: Iterable[str], changed: Iterable[str] = ()) -> None:
    """Write the checksums of those files `names` that exist; one that stands there already is kept.

    changed   files that were written anew since: their checksum is taken anew

    Raises OSError if the disk refuses, ChecksumError if the checksums that stand there are damaged.
    """
    known = {name: digest for name, digest in read_sums(directory).items() if name not in set(changed)}
    present = [name for name in names if (directory / name).is_file()]
    sums = {name: known.get(name) or _digest(directory / name) for name in present}
    with write_whole(directory / SUMS) as file:
        file.write("".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode())


def read_sums(directory: Path) -> dict[str, str]:
    """The checksums in a directory by name, none where it holds no SHA256SUMS.

    Raises ChecksumError if the file is not of this form, OSError if it cannot be read.
    """
    path = directory / SUMS
    if not path.exists():
        return {}
    lines = path.read_bytes().decode("latin-1").split("\n")
    found = [_LINE.fullmatch(line) for line in lines[:-1]]
    if lines[-1] or not all(found):
        raise ChecksumError(
            f"{path} is damaged: a line must hold a sha256 and a name (without it nothing is checked)"
        )
    return {match[2]: match[1] for match in found if match}


def check_sum(path: Path) -> None:
    """Raise ChecksumError if the SHA256SUMS beside `path` says that it held something else."""
    try:
        said = read_sums(path.parent).get(path.name)
        if said is None or said == _digest(path):
            return
    except OSError as error:
        raise ChecksumError(f"{error.filename} could not be read: {error.strerror}") from error
    raise ChecksumError(
        f"{path} is damaged or was changed: {path.parent / SUMS} holds another checksum of it"
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
