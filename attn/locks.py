"""One process at a time changes a run: it is trained, deleted or imported under a lock beside its directory.

The lock is that of the kernel on the file `.NAME.lock`, so that it ends with its process, however that ends.
The file says who holds it; one that nobody has locked was left behind, and is taken over without a question.
It stands beside the directory and not in it: there may be none yet, and the copy of a run is not locked.
"""

import logging
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from attn.catalogue import RunError
from attn.files import new_folder
from attn.flock import NoLocksError, try_lock

_LOG = logging.getLogger(__name__)


@contextmanager
def locked_run(directory: Path, doing: str) -> Iterator[None]:
    """Change a run alone; first goes what a process that was killed left half-made or half-deleted of it.

    doing   what is done to the run: "trained", "deleted", "imported"

    Raises RunError if another process, or another thread of this one, has the lock, or if there can be none.
    """
    whole = directory.resolve()
    path = _lock_beside(whole)
    with ExitStack() as open_files:
        try:
            open_files.enter_context(new_folder(path.parent))
            open_files.enter_context(_lock(path, directory, doing))
        except OSError as error:
            raise RunError(f"{path} could not be locked: {error.strerror or error}") from error
        open_files.callback(path.unlink, missing_ok=True)  # while it is locked: nobody else's is removed
        for leftover in (being_made(whole), being_deleted(whole)):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


def being_made(directory: Path) -> Path:
    """Where a run is made, until it is whole and gets its name."""
    return directory.with_name(f".{directory.name}.new")


def being_deleted(directory: Path) -> Path:
    """What a run is called while its files go; it is no run any more."""
    return directory.with_name(f".{directory.name}.deleted")


def left_behind(directory: Path) -> list[Path]:
    """What a process that was killed left of a run, or what a living one is at work on."""
    found = (_lock_beside(directory), being_made(directory), being_deleted(directory))
    return [path for path in found if path.exists()]


def _lock_beside(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.lock")


def _lock(path: Path, directory: Path, doing: str) -> FileIO:
    """The open file, which is locked and is the one that has that name."""
    while True:
        file = path.open("ab+", buffering=0)
        try:
            if not try_lock(file.fileno()):
                raise RunError(
                    f"a run must be changed by one process at a time; {directory} is being {_holder(file)}"
                )
        except NoLocksError:
            _LOG.warning("%s is not locked, as its file system has no locks", directory)
            return file
        except BaseException:
            file.close()
            raise
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                _sign(file, doing)
                return file
        file.close()  # its holder removed it after it was opened here: another may have made a new one


def _sign(file: FileIO, doing: str) -> None:
    """Say who holds the lock; on a full disk it is held without a word."""
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    with suppress(OSError):
        file.truncate(0)
        file.write(f"{doing} by process {os.getpid()} on host {platform.node()} since {since}".encode())


def _holder(file: FileIO) -> str:
    file.seek(0)
    text = file.read(300).decode(errors="replace")
    return text if text and text.isprintable() else "changed by another process"
