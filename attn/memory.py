"""Memory that a request needs, estimated before it starts, against what is there.

Every estimate is the least that the request can do with: what is refused could not have run.  What it leaves
out (the interpreter with TensorFlow, buffers of the allocator) is small where a refusal is near.
"""

from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")
# Limit, usage, counts, and which of the counts is the cache of files: of version 2, and of version 1.
_GROUP_FILES = (
    ("memory.max", "memory.current", "memory.stat", "file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "cache"),
)


class MemoryLimitError(ValueError):
    """A request that cannot fit into memory; one sentence with the estimate."""


def require_memory(num_bytes: float, request: str, advice: str = "") -> None:
    """Raise MemoryLimitError where a request needs more than there is; `advice` says what would need less."""
    there = available_memory()
    if there is None or num_bytes <= there:
        return
    hint = f" ({advice})" if advice else ""
    raise MemoryLimitError(
        f"{request} needs about {_shown(num_bytes)} of memory; {_shown(there)} are available{hint}"
    )


def available_memory() -> int | None:
    """Bytes that can still be taken, swap included; None where the system does not say."""
    system = _of_system()
    group = _of_group()
    known = [limit for limit in (system, group) if limit is not None]
    return min(known, default=None)


def _of_system() -> int | None:
    """What Linux thinks can be taken without swapping, and the free swap."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        entries = dict(line.split(":", 1) for line in lines)
        return sum(int(entries[name].split()[0]) * 1024 for name in ("MemAvailable", "SwapFree"))
    except (OSError, KeyError, ValueError):
        return None


def _of_group() -> int | None:
    """What the limit of a control group leaves, as it is set for a container; None without a limit."""
    for limit, used, stat, cache in _GROUP_FILES:
        try:
            text = (_GROUP / limit).read_text(encoding="ascii").strip()
            if text == "max":
                return None
            held = int((_GROUP / used).read_text(encoding="ascii"))
            counts = dict(line.split() for line in (_GROUP / stat).read_text(encoding="ascii").splitlines())
            return max(0, int(text) - (held - int(counts[cache])))  # what caches files is given back
        except (OSError, KeyError, ValueError):
            continue
    return None


def _shown(num_bytes: float) -> str:
    """In the largest unit that gives a number of at least 1."""
    for power, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB")):
        if num_bytes >= 1 << power:
            return f"{num_bytes / (1 << power):.3g} {unit}"
    return f"{num_bytes / 1024:.3g} KiB"
