"""Memory that a request needs, estimated before it starts, against what is there.

Every estimate is the least that the request can do with: what is refused could not have run.  What it leaves
out (the interpreter with TensorFlow, buffers of the allocator, a compiler at work) is what makes the peak up
to four times as high; `tests/reliability/test_memory.py` compares both.
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


def of_pairs(num_pairs: int, num_points: int) -> int:
    """Bytes of B pairs of L points while they are drawn: x, series, y and one more of 8 bytes a point."""
    return 32 * num_pairs * num_points


def of_scenario(num_pairs: int, num_points: int) -> int:
    """Bytes of what checks see: pairs, 25 a point, and the same in two orders."""
    return 75 * num_pairs * num_points


def of_weights(num_weights: int, num_layers: int) -> int:
    """Bytes of a model: 4 a weight, and what Keras keeps of a layer beside them."""
    return 4 * num_weights + 50_000 * num_layers


def of_training(num_weights: int, num_maps: int, batch_size: int, num_points: int) -> int:
    """Bytes of a training: weights, gradients and one moment, 4 each; and for the gradient six maps of
    attention (logits, bias, weights, what each comes from), 4 an entry, of every pair, layer and head.

    num_maps   layers times heads
    """
    return 12 * num_weights + 24 * batch_size * num_maps * num_points**2


def of_inference(num_pairs: int, num_points: int, num_targets: int, num_samples: int) -> int:
    """Bytes of an inference: the pairs; of every target of a trajectory its noise, and sample, mean and scale
    twice, as they were written and in their places, 4 each; and one map of a pair in double precision.
    """
    written = 28 * num_pairs * num_targets * num_samples
    return of_pairs(num_pairs, num_points) + written + 8 * num_points**2


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
    container = left_by_container()
    known = [limit for limit in (system, container) if limit is not None]
    return min(known, default=None)


def left_by_container() -> int | None:
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


def _of_system() -> int | None:
    """What Linux thinks can be taken without swapping, and the free swap."""
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        entries = dict(line.split(":", 1) for line in lines)
        return sum(int(entries[name].split()[0]) * 1024 for name in ("MemAvailable", "SwapFree"))
    except (OSError, KeyError, ValueError):
        return None


def _shown(num_bytes: float) -> str:
    """In the largest unit that gives a number of at least 1."""
    for power, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB")):
        if num_bytes >= 1 << power:
            return f"{num_bytes / (1 << power):.3g} {unit}"
    return f"{num_bytes / 1024:.3g} KiB"
