"""Commands that replace files, or move runs about, and are killed: all is whole, the old or the new."""

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from attn.catalogue import PRETRAINED, read_summary, run_directories
from attn.checksums import record_sums
from attn.files import load_pairs
from attn.tensors import load_tensors
from diagnostics.regression.baseline import read_baseline
from diagnostics.schema import ReportFile
from tests.diagnostics.sample_reports import report as sample_report
from tests.reliability import children
from tests.reliability.kills import SECTION, Moments, hidden, kill_after, operations, wait_for, watch
from tests.reliability.ledger import Promise

NUM_KILLS = 50
RUN = Path("runs/r")


@dataclass(frozen=True)
class Writing:
    """A command that replaces what it wrote before; `seed` tells one content from another.

    file    what is loaded again of all that it writes
    load    raises where that is not whole
    quick   what spares it the work before it writes
    """

    name: str
    arguments: list[str]
    file: str
    load: Callable[[Path], object]
    quick: tuple[children.Prepare, ...] = ()

    def begin(self, folder, seed, *prepare):
        return children.start([*self.arguments, "--seed", str(seed)], folder, *prepare)

    def finish(self, folder, seed, *prepare):
        child = self.begin(folder, seed, *prepare)
        child.join()
        return child.exitcode

    def content(self, folder):
        found = {path.relative_to(folder): path for path in folder.rglob("[!.]*") if path.is_file()}
        return {name: path.read_bytes() for name, path in found.items()}

    def is_whole(self, folder, *allowed):
        """Each file is one of those that it may be, and can be loaded."""
        self.load(folder / self.file)
        others = [self.content(other) for other in allowed]
        found = self.content(folder)
        return all(found[name] in [other[name] for other in others] for name in others[0])


SUBJECT = ["--subject", "tests.reliability.swept:sound", "--num-context", "2"]
WRITINGS = [
    Writing(
        "attn data",
        ["attn", "data", "--kernel", "rbf", "--overwrite", "--number", "8000"],
        "data/rbf/pairs.npz",
        load_pairs,
    ),
    Writing(
        "diagnose baseline",
        ["diagnose", "baseline", *SUBJECT, "--num-pairs", "32", "--out", "baseline.json"],
        "baseline.json",
        read_baseline,
        (children.without_checks,),
    ),
    Writing(
        "diagnose report",
        ["diagnose", "report", *SUBJECT, "--out", "report"],
        "report/report.json",
        lambda path: ReportFile.from_json(path.read_text()),
        (children.without_drawing,),
    ),
]


@pytest.fixture
def measured(tmp_path):
    """A report to write that nobody has to measure."""
    path = tmp_path / "measured.json"
    path.write_text(ReportFile(command="", reports=(sample_report(num_data=1),)).model_dump_json())
    return partial(children.with_reports_of, str(path))


def _phase(writing, folder, old):
    is_old = writing.content(folder) == writing.content(old)
    return "before the first file had its name" if is_old else "after that"


@pytest.mark.parametrize("writing", WRITINGS, ids=lambda writing: writing.name)
def test_what_is_replaced_is_whole_though_its_writing_was_killed_at_a_random_moment(
    writing, measured, tmp_path, promise, is_smallest
):
    num_kills = 1 if is_smallest else NUM_KILLS
    prepare = (measured, *(writing.quick if is_smallest else ()))
    old, new, folder = (tmp_path / name for name in ("old", "new", "killed"))
    assert writing.finish(old, 1, *prepare) == 0, children.printed(old)
    arguments = [*writing.arguments, "--seed", "2"]
    first, span = watch(lambda: hidden(new), arguments, new, *prepare)
    rng, moments, num_kept = np.random.default_rng(0), Moments(), 0
    for _ in range(num_kills):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(old, folder)
        child = writing.begin(folder, 2, *prepare)
        is_early = rng.random() < 0.3  # before there is anything to write
        if not is_early:
            wait_for(lambda: hidden(folder), child)
        was_killed = kill_after(child, rng.uniform(0, first if is_early else span))
        num_kept += writing.is_whole(folder, old, new)
        moments.add(_phase(writing, folder, old) if was_killed else "when it was done", folder)
    assert writing.finish(folder, 2, *prepare) == 0
    assert writing.is_whole(folder, new)
    assert hidden(folder) == []
    promise(
        Promise(
            SECTION,
            f"each file that `{writing.name}` replaces is the old one or the new one, whole, though it was"
            " killed at a random moment",
            num_kept,
            num_kills,
            is_random=True,
            note=str(moments),
        )
    )


@pytest.mark.parametrize("writing", WRITINGS, ids=lambda writing: writing.name)
def test_what_is_replaced_is_whole_though_its_writing_was_killed_before_any_change_of_a_file(
    writing, measured, tmp_path, promise, is_smallest
):
    prepare = (measured, *writing.quick)
    old, new, folder = (tmp_path / name for name in ("old", "new", "killed"))
    assert writing.finish(old, 1, *prepare) == 0, children.printed(old)
    shutil.copytree(old, new)
    numbers = operations([*writing.arguments, "--seed", "2"], new, prepare, is_smallest)
    moments, num_kept = Moments(), 0
    for number in numbers:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(old, folder)
        assert writing.finish(folder, 2, *prepare, partial(children.kill_before, number)) == -signal.SIGKILL
        is_kept = writing.is_whole(folder, old, new)
        moments.add(_phase(writing, folder, old), folder)
        assert writing.finish(folder, 2, *prepare) == 0
        num_kept += is_kept and writing.is_whole(folder, new) and hidden(folder) == []
    promise(
        Promise(
            SECTION,
            f"the same before every single change of a file that `{writing.name}` makes; done again it is"
            " whole, and nothing is left of what was killed",
            num_kept,
            len(numbers),
            note=str(moments),
        )
    )


@pytest.fixture
def finished_run(tmp_path):
    """A finished run in runs/, with its checksums."""
    run = tmp_path / "template" / RUN
    shutil.copytree(PRETRAINED / "historic", run)
    record_sums(run, ["spec.json", "history.json", "weights.safetensors"])
    assert children.finish(["attn", "runs", "export", "runs/r", "--out", "r.zip"], tmp_path / "template") == 0
    return tmp_path / "template"


RUNS_COMMANDS = {
    "export": ["runs/r", "--out", "r.zip", "--overwrite"],
    "import": ["r.zip", "--name", "s"],
    "delete": ["runs/r", "--yes"],
}


@pytest.mark.parametrize("command", RUNS_COMMANDS)
def test_a_run_is_there_or_not_there_whenever_a_command_on_it_is_killed(
    command, finished_run, tmp_path, promise, is_smallest
):
    arguments = ["attn", "runs", command, *RUNS_COMMANDS[command]]
    done = tmp_path / "done"
    shutil.copytree(finished_run, done)
    numbers = operations(arguments, done, (), is_smallest)
    archive, num_kept = (finished_run / "r.zip").read_bytes(), 0
    for number in numbers:
        folder = tmp_path / f"killed-{number}"
        shutil.copytree(finished_run, folder)
        assert children.finish(arguments, folder, partial(children.kill_before, number)) == -signal.SIGKILL
        for run in run_directories(folder / "runs"):
            read_summary(run)
            load_tensors(run / "weights.safetensors")
        is_kept = (folder / "r.zip").read_bytes() == archive
        again = children.finish(arguments, folder)
        is_done = again == 0 or "exists" in children.printed(folder) or not (folder / RUN).exists()
        is_same = {path.name for path in (folder / "runs").iterdir()} == {
            p.name for p in (done / "runs").iterdir()
        }
        num_kept += is_kept and is_done and is_same and hidden(folder) == []
        shutil.rmtree(folder)
    promise(
        Promise(
            SECTION,
            f"`attn runs {command}` killed before any change of a file has been done or not, and can be done"
            " again; nothing is left of what was killed",
            num_kept,
            len(numbers),
        )
    )
