"""The report on a session: a table of the modules, and every survivor in one line."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from cosmic_ray.work_item import WorkerOutcome, WorkItem, WorkResult

from attn.files import write_whole


def write_report(completed: Iterable[tuple[WorkItem, WorkResult]], directory: Path) -> None:
    """`table.md` and `survivors.md` in that directory; mutants that a filter left out are not counted."""
    tested = [pair for pair in completed if pair[1].worker_outcome != WorkerOutcome.SKIPPED]
    for name, text in (("table.md", table(tested)), ("survivors.md", survivors(tested))):
        with write_whole(directory / name) as file:
            file.write(text.encode())


def table(tested: list[tuple[WorkItem, WorkResult]]) -> str:
    """Module, mutants, killed, survived, score; the sum of all at the end."""
    mutants, killed = Counter[str](), Counter[str]()
    for item, result in tested:
        for name in (str(item.mutations[0].module_path), "**all**"):
            mutants[name] += 1
            killed[name] += result.is_killed
    rows = [
        f"| {name} | {mutants[name]} | {killed[name]} | {mutants[name] - killed[name]}"
        f" | {killed[name] / mutants[name]:.1%} |\n"
        for name in sorted(mutants, key=lambda name: (name == "**all**", name))
    ]
    return "| module | mutants | killed | survived | score |\n|---|---|---|---|---|\n" + "".join(rows)


def survivors(tested: list[tuple[WorkItem, WorkResult]]) -> str:
    """Where it is, and the line before and after, by module and line."""
    alive = [(item.mutations[0], result) for item, result in tested if not result.is_killed]
    alive.sort(key=lambda pair: (str(pair[0].module_path), pair[0].start_pos, pair[0].operator_name))
    lines = []
    for mutation, result in alive:
        changed = [line for line in (result.diff or "").splitlines() if line[:3] not in ("---", "+++", "@@ ")]
        before, after = (" ".join(line[1:].strip() for line in changed if line[0] == sign) for sign in "-+")
        lines.append(f"- {mutation.module_path}:{mutation.start_pos[0]} `{before}` -> `{after}`\n")
    return "".join(lines)
