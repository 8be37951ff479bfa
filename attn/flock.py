"""Locks that the kernel keeps: such a lock ends with its process, however that ends."""

import errno
import fcntl
import os

# What the system says where a file system has no locks, as some that are shared over a network.
_LOCKLESS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)


class NoLocksError(OSError):
    """The file system of a file has no locks."""


def try_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; False if another open file has the lock, in whatever process.

    Raises NoLocksError where the file system has no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _LOCKLESS:
            raise
        raise NoLocksError(error.errno, os.strerror(error.errno)) from error
    return True
