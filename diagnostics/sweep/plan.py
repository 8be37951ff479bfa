"""What a sweep asks: from the words of a command line to cells."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from attn.catalogue import PRETRAINED, find_run
from diagnostics.faults import find_injection

# What a subject reads of its run.
_FILES = ("spec.json", "history.json", "weights.safetensors")
_SEEDS = re.compile(r"(\d+)(?:-(\d+))?")
MOST_SEEDS = 10_000


@dataclass(frozen=True)
class Asked:
    """A subject by `spec`, or the fault `fault` at `severity`; `name` is how tables call it.

    digest   of the files of a run, so that one that was trained anew is another; empty for all else
    """

    name: str
    spec: str = ""
    digest: str = ""
    fault: str = ""
    severity: float = 1.0


@dataclass(frozen=True)
class Cell:
    """The battery, or some checks of it, over one subject under one seed."""

    asked: Asked
    seed: int
    checks: tuple[str, ...]
    num_pairs: int
    time_limit: float

    @property
    def key(self) -> str:
        """What tells it from every other cell."""
        return f"{self.asked.name}/{self.seed}/{hashlib.sha256(repr(self).encode()).hexdigest()[:16]}"


def find_subjects(words: Sequence[str]) -> list[Asked]:
    """The subjects that are meant, each once: specs of `load_subject`, or patterns of directories of runs.

    Raises ValueError (RunError) where there is no such run, or where a pattern matches none.
    """
    return [_subject(spec) for spec in dict.fromkeys(spec for word in words for spec in _expand(word))]


def _expand(word: str) -> list[str]:
    if not has_magic(word) or os.path.exists(word):
        return [word]
    found = [path for path in sorted(glob(word)) if (Path(path) / "spec.json").is_file()]
    if not found:
        raise ValueError(f"a pattern of subjects must match directories of runs; none matches {word[:200]!r}")
    return found


def _subject(spec: str) -> Asked:
    if ":" in spec and not os.path.exists(spec):
        return Asked(spec, spec)  # a factory
    directory = find_run(spec)
    digest = hashlib.sha256()
    for path in (directory / file for file in _FILES):
        digest.update(path.read_bytes() if path.exists() else b"")
    # a worker may have another working directory, and its own copy of what is shipped
    where = spec if directory.parent == PRETRAINED else str(directory.resolve())
    return Asked(spec, where, digest.hexdigest())


def find_faults(words: Sequence[str]) -> list[Asked]:
    """The faults that are meant, each once: a name, or name:severity; without it, at full severity.

    Raises ValueError where there is no such fault, or where it has no such severity.
    """
    return list(dict.fromkeys(_fault(word) for word in words))


def _fault(word: str) -> Asked:
    name, _, size = word.partition(":")
    known = find_injection(name)
    sizes = {f"{severity:g}": severity for severity in known.severities}
    severity = sizes.get(size) if size else known.severities[0]
    if severity is None:
        raise ValueError(f"severity of {name} must be one of {', '.join(sizes)}; got {size[:50]!r}")
    return Asked(f"{name} at {severity:g}", fault=name, severity=severity)


def parse_seeds(text: str) -> tuple[int, ...]:
    """`0-4,7` are 0, 1, 2, 3, 4 and 7; raises ValueError for all that is no such list."""
    seeds: dict[int, None] = {}
    for part in text.split(","):
        found = _SEEDS.fullmatch(part.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, -1)
        if not first <= last < first + MOST_SEEDS:
            raise ValueError(
                f"seeds must be numbers and ranges such as 0-4,7, {MOST_SEEDS} at most; got {text[:100]!r}"
            )
        seeds |= dict.fromkeys(range(first, last + 1))
    return tuple(seeds)


def plan(
    asked: Sequence[Asked],
    seeds: Sequence[int],
    checks: Sequence[str],
    *,
    num_pairs: int,
    time_limit: float,
) -> list[Cell]:
    """Every subject under the first seed, then under the next: what cannot be asked shows itself early."""
    return [Cell(one, seed, tuple(checks), num_pairs, time_limit) for seed in seeds for one in asked]
