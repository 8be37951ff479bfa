"""Files that come from outside: only regular ones are opened, and no text is read that could fill the memory.

A pipe in the place of a file would keep a command waiting for ever, and a device would feed it for ever.
"""

import errno
import json
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Any

# Far above what any configuration, history or baseline needs.
LARGEST_TEXT = 1 << 28
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def open_regular(path: Path) -> BufferedReader:
    """The file, opened to be read; raises OSError for what is none, without waiting for it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
        if kind == stat.S_IFDIR:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if kind != stat.S_IFREG:
            raise OSError(errno.EINVAL, f"it must be a regular file; got {_KINDS[kind]}", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_text(path: Path) -> str:
    """A file of UTF-8; raises OSError for no regular file or one too large, ValueError for other bytes."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > LARGEST_TEXT:
            raise OSError(errno.EFBIG, f"it must not exceed {LARGEST_TEXT >> 20} MiB", str(path))
        return file.read().decode()


def read_json(path: Path) -> Any:
    """What a file of JSON holds; raises as `read_text`, and ValueError where it is no JSON."""
    return parse_json(read_text(path))


def parse_json(text: str) -> Any:
    """What JSON says; raises ValueError where it says nothing, or nests deeper than can be followed."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it nests too deeply") from error
