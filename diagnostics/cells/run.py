"""Cells done once: a finished one is a line on disk, and what was interrupted goes on where it stopped.

A line is a checksum and JSON: it counts only if it is as it was written, and for the code that wrote it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from pydantic import TypeAdapter

from diagnostics.cells.code import fingerprint
from diagnostics.cells.workers import Cell, Lost, Result, Workers


def finish_cells(
    work: Callable[[Cell], Result],
    cells: Mapping[str, Cell],
    store: Path,
    result_type: type[Result],
    *,
    workers: Workers,
    on_result: Callable[[Result], None] = lambda result: None,
    if_lost: Callable[[Cell, str], Result] | None = None,
) -> list[Result]:
    """Let `workers` do `work` on every cell that `store` does not hold; all results in the order of `cells`.

    work         a function of a module, which the processes import; what it raises is raised here
    cells        by what tells one from every other, over all that is kept in `store`
    result_type  a type that JSON can hold, such as a dataclass of numbers and texts
    on_result    is called for every cell: at once where the store holds it, else as it is done
    if_lost      what stands for a cell that ends its process again and again, and why; it is not kept

    Raises ChildProcessError, once all others are done, where cells were lost and `if_lost` is None.
    """
    form, code = TypeAdapter(result_type), fingerprint()
    done = {key: result for key, result in _read(store, form, code).items() if key in cells}
    for result in done.values():
        on_result(result)
    missing = {key: cell for key, cell in cells.items() if key not in done}
    lost: dict[str, Lost] = {}
    with store.open("a", encoding="utf-8") as file, closing(workers.do(work, missing)) as outcomes:
        for key, outcome in outcomes:
            if isinstance(outcome, Lost):
                lost[key] = outcome
                continue
            line = {"key": key, "code": code, "result": form.dump_python(outcome, mode="json")}
            # the newline comes first: it ends a line that was cut short
            file.write(f"\n{_summed(json.dumps(line))}")
            file.flush()
            done[key] = outcome
            on_result(outcome)
    if lost and if_lost is None:
        raise ChildProcessError(_in_words(lost))
    for key, found in lost.items():
        assert if_lost is not None
        done[key] = if_lost(cells[key], found.why)
        on_result(done[key])
    return [done[key] for key in cells]


def _in_words(lost: Mapping[str, Lost]) -> str:
    key, found = next(iter(lost.items()))
    others = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
    return (
        f"every cell must come to its end; {key} did not{others}: {found.why} (the same command tries again)"
    )


def _read(store: Path, form: TypeAdapter[Result], code: str) -> dict[str, Result]:
    """The results that `code` wrote; a line that was cut short or changed is passed over."""
    if not store.exists():
        return {}
    found = {}
    for kept in store.read_text(encoding="utf-8", errors="replace").splitlines():
        text = kept.partition(" ")[2]
        if kept != _summed(text):
            continue
        line = json.loads(text)
        if line["code"] == code:
            found[line["key"]] = form.validate_python(line["result"])
    return found


def _summed(text: str) -> str:
    """A line of the store: 16 hexadecimal digits of the sha256 of its text, and the text."""
    return f"{hashlib.sha256(text.encode()).hexdigest()[:16]} {text}"
