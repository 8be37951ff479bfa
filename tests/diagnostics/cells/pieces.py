"""Work for the processes of the tests: trivial, of a module that they can import."""

import os
import signal
import sys
import time
from pathlib import Path


def square(number):
    return number**2


def where(_):
    """Process and parent."""
    return os.getpid(), os.getppid()


def waited(seconds):
    time.sleep(seconds)
    return seconds


def refuse(text):
    raise ValueError(f"a number was wanted; got {text}")


class TalkativeError(Exception):
    """Cannot be unpickled: its arguments are not those of its class."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def refuse_oddly(_):
    raise TalkativeError("one", "two")


def kill_itself(_):
    os.kill(os.getpid(), signal.SIGKILL)


def kill_itself_if_named(name):
    return os._exit(3) if name == "bad" else name


def kill_itself_once(folder):
    """The process of the first attempt is killed."""
    try:
        (Path(folder) / "begun").touch(exist_ok=False)
    except FileExistsError:
        return "done"
    return kill_itself(folder)


def modules(_):
    return sorted(name for name in ("tensorflow", "numpy") if name in sys.modules)


def threads_of_tensorflow(_):
    """Threads that TensorFlow has for one operation and for several, and what it did with them."""
    import tensorflow as tf

    tf.linalg.matmul(tf.ones((300, 300)), tf.ones((300, 300))).numpy()
    names = [task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")]
    return sum(name.startswith("tf_") for name in names)
