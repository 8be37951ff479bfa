"""Execute the pending mutants of a Cosmic Ray session, and write the table and the list of survivors.

Cosmic Ray's own distributor starts a new Python for each mutant, which here costs far more than the tests of
one module.  So one process imports what is never mutated, and each mutant is tested in a fork of it.
A session that was interrupted goes on where it stopped, and what survived is tested again, since tests may
have been added.  `cr-report` and `cr-html` read the session as any other.
"""

import difflib
import gc
import os
import pkgutil
import resource
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType

import hypothesis
import pytest
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkItem, WorkResult
from rich.progress import track
from survivors import write_report

import attn

TESTS = Path("tests/diagnostics")
# After the tests of a family of checks: those of the whole battery, as far as they concern it.
FOR_EVERY_FAMILY = (
    "test_checks.py::test_every_check_passes_on_the_oracle[{file}-const-0]",
    "test_checks.py::test_every_check_passes_on_the_oracle[{file}-rank-0]",
    "test_checks.py::test_without_a_process_those_checks_are_skipped_that_compare_with_it[{file}]",
    "test_checks.py::test_single_sequences_skip_what_needs_two_series[{file}]",
    "checks/test_learnt.py::"
    "test_the_decorator_keeps_question_and_method_and_is_on_the_statistics_of_the_model",
)
# The longest selection needs 6 s: a mutant that takes ten times as long does not end.  Of CPU, not of a clock
# that runs on while the machine is busy.
MAX_CPU_SECONDS = 60
# What was found so far can be read while the rest is tested.
REPORT_EVERY = 100


class MutatedLoader(SourceFileLoader):
    """Loads a module from other source than that of its file, and finds no other module."""

    def __init__(self, path: Path, source: str) -> None:
        super().__init__(module_name(path), str(path.resolve()))
        self.source = source

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """As a finder on `sys.meta_path`."""
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        """The code of the mutant; no cache is read or written."""
        return compile(self.source, self.path, "exec")


def module_name(path: Path) -> str:
    """As it is imported."""
    return ".".join(path.with_suffix("").parts)


def tests_of(module: Path) -> list[str]:
    """The tests that mirror the module; for a family of checks also those of the battery."""
    name = module.stem.removeprefix("_")
    mirrors = [
        path for suffix in ("", "_checks", "_figures") for path in TESTS.rglob(f"test_{name}{suffix}.py")
    ]
    if not mirrors:
        raise SystemExit(f"every module needs a test that mirrors it; {module} has none")
    is_family = any(path.stem.endswith("_checks") for path in mirrors)
    of_the_battery = [f"{TESTS}/{test.format(file=name)}" for test in FOR_EVERY_FAMILY]
    return [*map(str, mirrors), *(of_the_battery if is_family else [])]


def mutated(mutation: MutationSpec) -> str:
    """The source of the module with that mutation."""
    operator = get_operator(mutation.operator_name)(**mutation.operator_args)
    source = mutate_code(mutation.module_path.read_text(encoding="utf-8"), operator, mutation.occurrence)
    if source is None:
        raise SystemExit(f"the session is older than {mutation.module_path}; remove it and begin anew")
    return str(source)


def fork_and_test(module: Path, mutation: MutationSpec | None) -> int:
    """Begin the tests of a module in a fork, with its source or that of a mutant; returns the process id."""
    child = os.fork()
    if child:
        return child
    try:
        os._exit(_test(module, mutation))
    except BaseException:  # what escapes from a mutant must not run on as a second parent
        os._exit(1)


def _test(module: Path, mutation: MutationSpec | None) -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS))
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    if mutation is not None:
        loader = MutatedLoader(module, mutated(mutation))
        sys.meta_path.insert(0, loader)
        import_module(loader.name)  # before pytest, whose own finder comes first
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # none of them is needed
    hypothesis.settings.register_profile("mutants", derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")
    return int(pytest.main([*tests_of(module), "-x", "-q", "-p", "no:cacheprovider"]))


def warm_up(mutable: set[Path]) -> None:
    """Import what every mutant shares: `attn`, with it every library, and the floors below the mutants."""
    for found in pkgutil.walk_packages(attn.__path__, "attn."):
        import_module(found.name)
    for name in ("diagnostics.reference", "diagnostics.result", "hypothesis.strategies", "_pytest.python"):
        import_module(name)
    assert not {module_name(path) for path in mutable} & set(sys.modules)
    gc.freeze()  # a fork need not look through all that was imported


def require_green(modules: set[Path]) -> None:
    """Where a test fails without any mutation, every mutant would count as killed."""
    for module in sorted(modules):
        _, status = os.waitpid(fork_and_test(module, None), 0)
        if status:
            raise SystemExit(f"the tests of {module} must pass before it is mutated; they do not")


def alive(database: WorkDB) -> list[WorkItem]:
    """Mutants that survived, since tests may have been added; then the untested ones, in random order."""
    tested = database.completed_work_items
    survived = [item for item, result in tested if result.test_outcome == TestOutcome.SURVIVED]
    return [*survived, *database.pending_work_items]


def finished(items: list[WorkItem], num_processes: int) -> Iterator[tuple[WorkItem, bool]]:
    """Test all mutants, so many at once; yields each with whether it was killed, as they end."""
    running: dict[int, WorkItem] = {}
    for item in items:
        if len(running) == num_processes:
            child, status = os.wait()
            yield running.pop(child), status != 0
        running[fork_and_test(item.mutations[0].module_path, item.mutations[0])] = item
    while running:
        child, status = os.wait()
        yield running.pop(child), status != 0


def result_of(item: WorkItem, killed: bool) -> WorkResult:
    """As Cosmic Ray keeps it; a survivor with its difference to the module."""
    if killed:
        return WorkResult(WorkerOutcome.NORMAL, test_outcome=TestOutcome.KILLED)
    path = item.mutations[0].module_path
    before, after = path.read_text(encoding="utf-8"), mutated(item.mutations[0])
    diff = difflib.unified_diff(
        before.splitlines(), after.splitlines(), str(path), str(path), n=0, lineterm=""
    )
    return WorkResult(WorkerOutcome.NORMAL, test_outcome=TestOutcome.SURVIVED, diff="\n".join(diff))


def main(session: Path) -> None:
    """Test what is pending in the session, and write the report beside it."""
    with use_db(session, WorkDB.Mode.open) as database:
        items = alive(database)
        modules = {item.mutations[0].module_path for item in items}
        warm_up(modules)
        require_green(modules)
        results = finished(items, os.cpu_count() or 1)
        for done, (item, killed) in enumerate(track(results, "mutants", total=len(items))):
            database.set_result(item.job_id, result_of(item, killed))
            if done % REPORT_EVERY == 0:
                write_report(database, session.parent)
        write_report(database, session.parent)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
