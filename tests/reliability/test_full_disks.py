"""A disk that is full or read-only: one sentence, exit code 2, what was finished is there, and goes on."""

import shutil
import subprocess
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from attn.catalogue import read_summary, run_directories
from attn.files import load_pairs
from attn.tensors import load_tensors
from diagnostics.regression.baseline import read_baseline
from diagnostics.schema import ReportFile
from tests.diagnostics.sample_reports import report as sample_report
from tests.reliability import children
from tests.reliability.kills import hidden
from tests.reliability.ledger import Promise
from tests.reliability.small_training import PREPARE, TRAIN, is_same_training, resumed

SECTION = "Full and read-only disks"
PAGE = 4096
ROOMY = 1 << 26


@contextmanager
def disk(folder, num_bytes):
    """A file system of that size in the memory."""
    folder.mkdir()
    options = f"size={max(num_bytes, PAGE)}"
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"a small file system must be mounted, which root may do: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def change(folder, option):
    """Give a file system another size, or make it read-only."""
    subprocess.run(["mount", "-o", f"remount,{option}", folder], check=True)


def size_of(folder):
    """Bytes that the files of a folder take on such a file system."""
    paths = list(folder.rglob("*"))
    return sum(-(-path.stat().st_size // PAGE) * PAGE for path in paths if path.is_file())


def is_refused(folder, code, reason):
    """Exit code 2, and after what the command told of its work one sentence that ends with the reason."""
    *_, last = ["", *children.printed(folder).splitlines()]
    return code == 2 and last.startswith(("attn: ", "diagnose: ")) and reason in last


@dataclass(frozen=True)
class Command:
    """A command, as it is begun and as it is done again; `load` raises where what it leaves is not whole."""

    name: str
    arguments: list[str]
    load: Callable[[Path], object]
    again: Callable[[Path, list[str]], list[str]] = lambda folder, arguments: arguments


def _load_training(folder):
    for run in run_directories(folder / "runs"):
        read_summary(run)
        for path in run.rglob("*.safetensors"):
            load_tensors(path)


def _load_report(folder):
    if (folder / "report/report.json").exists():
        ReportFile.from_json((folder / "report/report.json").read_text())


def _load_if_there(path, load):
    return lambda folder: load(folder / path) if (folder / path).exists() else None


SUBJECT = ["--subject", "tests.reliability.swept:sound", "--num-context", "2"]
TRAINING = Command("attn train", [*TRAIN, "--epochs", "4"], _load_training, resumed)
DATA = Command(
    "attn data",
    ["attn", "data", "--kernel", "rbf", "--overwrite", "--number", "200"],
    _load_if_there("data/rbf/pairs.npz", load_pairs),
)
INFER = Command(
    "attn infer",
    [
        "attn",
        "infer",
        "--run",
        "runs/r",
        "--overwrite",
        "--number",
        "2",
        "--observed",
        "2",
        "--samples",
        "2",
        "--plots",
        "1",
    ],
    _load_training,
)
EXPORT = Command("attn runs export", ["attn", "runs", "export", "runs/r", "--out", "new.zip"], _load_training)
BASELINE = Command(
    "diagnose baseline",
    ["diagnose", "baseline", *SUBJECT, "--num-pairs", "32", "--out", "baseline.json"],
    _load_if_there("baseline.json", read_baseline),
)
REPORT = Command("diagnose report", ["diagnose", "report", *SUBJECT, "--out", "report"], _load_report)
COMMANDS = [TRAINING, DATA, INFER, EXPORT, BASELINE, REPORT]
IMPORT = Command("attn runs import", ["attn", "runs", "import", "r.zip", "--name", "s"], _load_training)
DELETE = Command("attn runs delete", ["attn", "runs", "delete", "--yes", "runs/r"], _load_training)
RESUME = Command("attn train --resume", [*TRAIN, "--epochs", "4", "--resume"], _load_training)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """What is called before every command: no time is spent on compiling, drawing and measuring."""
    path = tmp_path_factory.mktemp("reports") / "measured.json"
    path.write_text(ReportFile(command="", reports=(sample_report(num_data=1),)).model_dump_json())
    of_reports = partial(children.with_reports_of, str(path)), children.without_drawing
    return (*PREPARE, *of_reports, children.without_checks)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, prepared):
    """A folder with a finished run, and with its archive."""
    folder = tmp_path_factory.mktemp("trained") / "whole"
    assert children.finish(TRAINING.arguments, folder, *prepared) == 0, children.printed(folder)
    assert children.finish([*EXPORT.arguments[:-1], "r.zip"], folder) == 0
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_on_a_full_disk_a_command_says_so_and_is_done_when_there_is_room(
    command, trained, prepared, tmp_path, promise, is_smallest
):
    """The disk is filled up at one place after the other of what the command writes."""
    if is_smallest and command not in (TRAINING, EXPORT):
        pytest.skip("at the smallest size two commands stand for all")
    before = tmp_path / "before"
    before.mkdir()
    if command is not TRAINING:
        shutil.copytree(trained, before, dirs_exist_ok=True)
    after = shutil.copytree(before, tmp_path / "after")
    assert children.finish(command.arguments, after, *prepared) == 0, children.printed(after)
    needed = size_of(after) - size_of(before)
    num_disks = 1 if is_smallest else 8
    num_kept = num_refused = 0
    for number in range(num_disks):
        room = needed * (2 * number + 1) // (2 * num_disks)
        folder = tmp_path / f"disk-{number}"
        with disk(folder, (size_of(before) + room) // PAGE * PAGE):
            shutil.copytree(before, folder, dirs_exist_ok=True)
            code = children.finish(command.arguments, folder, *prepared)
            command.load(folder)
            is_told = code == 0 or is_refused(folder, code, "No space left on device")
            num_refused += code != 0
            num_hidden = len(hidden(folder))
            change(folder, f"size={ROOMY}")
            again = children.finish(command.again(folder, command.arguments), folder, *prepared)
            command.load(folder)
            is_same = command is not TRAINING or is_same_training(folder, trained)
            num_kept += is_told and num_hidden == 0 and again == 0 and is_same
            assert num_kept == number + 1, children.printed(folder)
    promise(
        Promise(
            SECTION,
            f"`{command.name}` on a full disk: one sentence, exit code 2, nothing half written; all that was"
            " finished loads; with more room it is done",
            num_kept if num_refused else 0,
            num_disks,
            note=f"{num_refused} refused, with room for 1/{2 * num_disks} and more of {needed >> 10} KiB",
        )
    )


def test_on_a_read_only_disk_every_command_says_so_and_nothing_changes(
    trained, prepared, tmp_path, promise, is_smallest
):
    commands = [TRAINING, DATA, EXPORT] if is_smallest else [*COMMANDS, IMPORT, DELETE, RESUME]
    commands = [command for command in commands if command is not TRAINING] + [_another_training()]
    num_kept = 0
    with disk(tmp_path / "disk", ROOMY) as folder:
        shutil.copytree(trained, folder, dirs_exist_ok=True)
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        change(folder, "ro")
        for number, command in enumerate(commands):
            code = children.finish(command.arguments, folder, *prepared)
            command.load(folder)
            is_same = before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
            num_kept += is_same and is_refused(folder, code, "Read-only file system")
            assert num_kept == number + 1, children.printed(folder)
    promise(
        Promise(
            SECTION,
            "a command that writes to a read-only disk is refused in one sentence, exit code 2",
            num_kept,
            len(commands),
            note=", ".join(f"`{command.name}`" for command in commands),
        )
    )


def _another_training():
    arguments = list(TRAINING.arguments)
    arguments[arguments.index("r")] = "another"
    return Command("attn train", arguments, _load_training)


def test_a_file_that_may_not_grow_is_a_full_disk(trained, prepared, tmp_path, promise, is_smallest):
    """Where no file system can be mounted: the size of every file is limited; TensorBoard meets it first.

    At 0 nothing that is printed into a file is there either: the exit code alone says it.
    """
    sizes = [1] if is_smallest else [0, 1, 2, 4, 8, 16]
    num_kept = num_refused = 0
    for number, kib in enumerate(sizes):
        folder = tmp_path / f"limited-{kib}"
        limit = partial(children.limit_files, kib << 10)
        code = children.finish(TRAINING.arguments, folder, *prepared, limit)
        _load_training(folder)
        is_told = code == 0 or (code == 2 if kib == 0 else is_refused(folder, code, "File too large"))
        num_refused += code != 0
        again = children.finish(resumed(folder, TRAINING.arguments), folder, *prepared)
        num_kept += is_told and again == 0 and is_same_training(folder, trained)
        assert num_kept == number + 1, children.printed(folder)
    promise(
        Promise(
            SECTION,
            "`attn train` whose files may not grow beyond a size: the same",
            num_kept if num_refused else 0,
            len(sizes),
            note=f"{num_refused} refused, at {', '.join(map(str, sizes))} KiB",
        )
    )
