"""The report on a session: a table of the modules, and every survivor in one line."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import WorkerOutcome, WorkItem, WorkResult

from attn.files import write_whole

Tested = tuple[WorkItem, WorkResult]
TOTAL = "all"


def write_report(database: WorkDB, directory: Path) -> None:
    """`table.md` and `survivors.md` in that directory; mutants that a filter left out are not counted."""
    completed = database.completed_work_items
    tested = [pair for pair in completed if pair[1].worker_outcome != WorkerOutcome.SKIPPED]
    texts = {"table.md": table(database.pending_work_items, tested), "survivors.md": survivors(tested)}
    for name, text in texts.items():
        with write_whole(directory / name) as file:
            file.write(text.encode())


def table(pending: Iterable[WorkItem], tested: list[Tested]) -> str:
    """The modules and the sum of all: mutants, of them tested, killed, survived; score = killed / tested."""
    mutants, killed, survived = Counter[str](), Counter[str](), Counter[str]()
    for item in [*pending, *(item for item, _ in tested)]:
        mutants.update((str(item.mutations[0].module_path), TOTAL))
    for item, result in tested:
        (killed if result.is_killed else survived).update((str(item.mutations[0].module_path), TOTAL))
    lines = ["| module | mutants | tested | killed | survived | score |", "|---|---|---|---|---|---|"]
    for name in sorted(mutants, key=lambda name: (name == TOTAL, name)):
        num_tested = killed[name] + survived[name]
        score = f"{killed[name] / num_tested:.0%}" if num_tested else ""
        figures = (name, mutants[name], num_tested, killed[name], survived[name], score)
        lines.append(f"| {' | '.join(map(str, figures))} |")
    return "\n".join(lines) + "\n"


def survivors(tested: list[Tested]) -> str:
    """Where it is, and the line before and after, by module and line."""
    alive = [(item.mutations[0], result) for item, result in tested if not result.is_killed]
    alive.sort(key=lambda pair: (str(pair[0].module_path), pair[0].start_pos, pair[0].operator_name))
    lines = []
    for mutation, result in alive:
        changed = [line for line in (result.diff or "").splitlines() if line[:3] not in ("---", "+++", "@@ ")]
        before, after = (" ".join(line[1:].strip() for line in changed if line[0] == sign) for sign in "-+")
        lines.append(f"- {mutation.module_path}:{mutation.start_pos[0]} `{before}` -> `{after}`\n")
    return "".join(lines)
