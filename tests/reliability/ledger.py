"""What a test of reliability writes down: a promise, and in how many cases it was kept."""

import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

from attn.files import write_whole

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Promise:
    """A promise, and in how many cases it was kept.

    section     the heading under which it stands
    text        what is promised, one sentence
    num_kept    cases in which it was kept, of `num_cases`
    is_random   the cases were drawn at random, so that they say something of all that were not tried
    note        what was measured beside it, where the count does not say it
    """

    section: str
    text: str
    num_kept: int
    num_cases: int
    is_random: bool = False
    note: str = ""

    @property
    def is_kept(self) -> bool:
        """In every case that was tried, and one was."""
        return 0 < self.num_cases == self.num_kept

    @property
    def most_broken(self) -> float | None:
        """The largest share of broken cases that is compatible with none among the random ones, at 95 %.

        1 - 0.05^(1/n), the exact binomial bound; None where the cases are not random or some were broken.
        """
        return 1 - 0.05 ** (1 / self.num_cases) if self.is_random and self.is_kept else None


def write_promises(promises: list[Promise], folder: Path) -> None:
    """Write reliability.json and .md into `folder`; what is there and was not tried anew stays."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "reliability.json"
    by_text = {(promise.section, promise.text): promise for promise in _read(path) + promises}
    all_promises = sorted(by_text.values(), key=lambda promise: promise.section)
    content = {
        "schema_version": SCHEMA_VERSION,
        "environment": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "tensorflow": version("tensorflow"),
        },
        "promises": [asdict(promise) for promise in all_promises],
    }
    _write(path, json.dumps(content, indent=1) + "\n")
    _write(folder / "reliability.md", markdown(all_promises))


def markdown(promises: list[Promise]) -> str:
    """One table a section; `promises` stand in the order of their sections."""
    num_kept = sum(promise.is_kept for promise in promises)
    lines = [
        "# Reliability",
        "",
        f"{num_kept} of {len(promises)} promises kept (`make reliability`).",
    ]
    for section, of_section in groupby(promises, key=lambda promise: promise.section):
        lines += [
            "",
            f"## {section[:1].upper()}{section[1:]}",
            "",
            "| promise | kept | what else was seen |",
            "|---|---|---|",
        ]
        lines += [f"| {p.text} | {_count(p)} | {p.note} |" for p in of_section]
    return "\n".join(lines) + "\n"


def _count(promise: Promise) -> str:
    count = f"{promise.num_kept} of {promise.num_cases}"
    if promise.most_broken is None:
        return count
    return f"{count} (broken in at most {100 * promise.most_broken:.2g} % of all, at 95 %)"


def _read(path: Path) -> list[Promise]:
    if not path.exists():
        return []
    return [Promise(**promise) for promise in json.loads(path.read_text(encoding="utf-8"))["promises"]]


def _write(path: Path, text: str) -> None:
    with write_whole(path) as file:
        file.write(text.encode())
