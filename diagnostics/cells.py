"""Cells: pieces of work that do not need one another, in processes of one thread, every result kept.

A finished cell is a line on disk: what was interrupted goes on where it stopped.  A line counts only for
the code that wrote it.
"""

import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

import attn
from attn.quiet import silence_tensorflow

ATTN, DIAGNOSTICS = Path(attn.__file__).parent, Path(__file__).parent

# TensorFlow keeps what it traced, about 80 MB a model: a process is renewed before that is more than 3 GB.
# To start one takes about as long as a cell.
CELLS_OF_A_PROCESS = 38

Cell = TypeVar("Cell")
Result = TypeVar("Result")


def run_in_processes(
    work: Callable[[Cell], Result],
    cells: Mapping[str, Cell],
    store: Path,
    result_type: type[Result],
    *,
    num_workers: int,
    on_result: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Do `work` on every cell that `store` does not hold yet; all results in the order of `cells`.

    work         a function of a module, which the processes import; what it raises is raised here
    cells        by what tells one from every other, over all that is kept in `store`
    result_type  a type that JSON can hold, such as a dataclass of numbers and texts
    on_result    is called for every cell: at once where the store holds it, else as it is done

    Raises ChildProcessError where a process is ended from outside.
    """
    form, code = TypeAdapter(result_type), fingerprint()
    done = {key: result for key, result in _read(store, form, code).items() if key in cells}
    for result in done.values():
        on_result(result)
    missing = {key: cell for key, cell in cells.items() if key not in done}
    with store.open("a", encoding="utf-8") as file:
        for key, result in _finished(work, missing, num_workers):
            line = {"key": key, "code": code, "result": form.dump_python(result, mode="json")}
            # the newline comes first: it ends a line that was cut short
            file.write(f"\n{json.dumps(line)}")
            file.flush()
            done[key] = result
            on_result(result)
    return [done[key] for key in cells]


def _finished(
    work: Callable[[Cell], Result], cells: Mapping[str, Cell], num_workers: int
) -> Iterator[tuple[str, Result]]:
    # what a process reads as it loads numpy: the cores are used by cells
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    keys = list(cells)
    # new processes for every round; the executor's own max_tasks_per_child may hang in Python 3.11
    for start in range(0, len(keys), num_workers * CELLS_OF_A_PROCESS):
        of_round = keys[start : start + num_workers * CELLS_OF_A_PROCESS]
        yield from _round(work, {key: cells[key] for key in of_round}, num_workers)


def _round(
    work: Callable[[Cell], Result], cells: Mapping[str, Cell], num_workers: int
) -> Iterator[tuple[str, Result]]:
    # spawned, not forked: a fork of a process in which TensorFlow has threads may hang
    pool = ProcessPoolExecutor(num_workers, mp_context=get_context("spawn"), initializer=_prepare)
    try:
        waiting = {pool.submit(work, cell): key for key, cell in cells.items()}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    except BrokenProcessPool as error:
        raise ChildProcessError(
            "every process must live until its work is done; one was ended from outside"
            " (the same command goes on from here)"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare() -> None:
    """One thread a process, and a silent end where the command is stopped from the keyboard."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    silence_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _read(store: Path, form: TypeAdapter[Result], code: str) -> dict[str, Result]:
    """The results that `code` wrote; a line that was cut short is passed over."""
    if not store.exists():
        return {}
    found = {}
    for text in store.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if line["code"] == code:
            found[line["key"]] = form.validate_python(line["result"])
    return found


@cache
def fingerprint(*roots: Path) -> str:
    """A digest of all code and weights under `roots`, or of both packages: what results depend on."""
    digest = hashlib.sha256()
    for root in roots or (DIAGNOSTICS, ATTN):
        for path in sorted([*root.rglob("*.py"), *root.rglob("*.safetensors")]):
            digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]
