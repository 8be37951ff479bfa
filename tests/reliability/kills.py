"""What the tests of kills share: where the kills fell, and every change of a file that a command makes."""

import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from tests.reliability import children

SECTION = "Kills"


def hidden(folder):
    """What is left of something that was being made: files and directories whose name begins with a dot."""
    return [path for path in folder.rglob(".*")]


@dataclass
class Moments:
    """Where the kills fell."""

    phases: Counter = field(default_factory=Counter)
    num_in_writing: int = 0

    @property
    def num(self):
        return self.phases.total()

    def add(self, phase, folder):
        self.phases[phase] += 1
        self.num_in_writing += any(path.suffix == ".tmp" for path in hidden(folder))

    def __str__(self):
        told = ", ".join(f"{count} {phase}" for phase, count in sorted(self.phases.items()))
        return f"{told}; {self.num_in_writing} left a file half written"


def watch(holds, arguments, folder, *prepare):
    """Seconds of an undisturbed command until something holds, and from there to its end."""
    begun = time.monotonic()
    child = children.start(arguments, folder, *prepare)
    wait_for(holds, child)
    first = time.monotonic()
    child.join()
    assert child.exitcode == 0, children.printed(folder)
    return first - begun, time.monotonic() - first


def wait_for(holds, child):
    """Until something holds, or the command has ended."""
    while child.is_alive() and not holds():
        time.sleep(0.001)


def kill_after(child, seconds):
    """Whether the command was still at work then."""
    child.join(seconds)
    child.kill()
    child.join()
    return child.exitcode == -signal.SIGKILL


def operations(arguments, folder, prepare, is_smallest):
    """The numbers of all changes of a file that a command makes in a folder, or of one in the middle."""
    counted = folder.with_name("counted")
    count = partial(children.count_operations, str(counted))
    assert children.finish(arguments, folder, *prepare, count) == 0, children.printed(folder)
    total = int(counted.read_text())
    return [total // 2] if is_smallest else list(range(1, total + 1))
