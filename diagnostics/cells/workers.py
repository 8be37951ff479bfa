"""What does cells: the protocol, and how often a cell is tried whose process is ended."""

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

Cell = TypeVar("Cell")
Result = TypeVar("Result")

# A process may be ended by chance, for want of memory or by a restart of its machine; a cell that ends its
# process this often does so itself.
ATTEMPTS = 3


@dataclass(frozen=True)
class Lost:
    """A cell without a result: all processes that worked on it were ended; `why` is one clause."""

    why: str


class Workers(Protocol):
    """Processes of one thread, here or elsewhere."""

    def do(
        self, work: Callable[[Cell], Result], cells: Mapping[str, Cell]
    ) -> Generator[tuple[str, Result | Lost], None, None]:
        """Do `work` on every cell; each key comes back once, as its cell is done, whatever ends meanwhile.

        work    a function of a module that the processes can import; what it raises is raised here
        cells   by a key each

        Raises ChildProcessError where there is nothing that could work.
        """
        ...


class Attempts:
    """How often each cell was tried in vain."""

    def __init__(self) -> None:
        self._ended: Counter[str] = Counter()

    def count(self, key: str, why: str) -> Lost | None:
        """One more attempt has ended; None where the cell is to be tried again."""
        self._ended[key] += 1
        if self._ended[key] < ATTEMPTS:
            return None
        return Lost(f"its process was ended {ATTEMPTS} times, the last time by {why}")
