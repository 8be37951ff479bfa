"""Commands in processes of their own, which may be killed: forked from one that has imported and compiled.

So a command costs what it does and not the import, and moments drawn at random fall where it does something.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace

from attn.quiet import silence_tensorflow

silence_tensorflow()

# What the commands import when they are called; without an operation TensorFlow has started no thread yet.
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

import attn.attention_plots  # noqa: E402
import attn.cli  # noqa: E402
import attn.commands.answers  # noqa: E402
import attn.commands.training  # noqa: E402
import attn.train  # noqa: E402
import diagnostics.cli  # noqa: E402
import diagnostics.investigate  # noqa: E402
import diagnostics.regression.baseline  # noqa: E402
import diagnostics.report  # noqa: E402
from attn.processes import PairProcess  # noqa: E402
from diagnostics.schema import ReportFile  # noqa: E402

PairProcess(num_points=2).sample(1, np.random.default_rng(0))  # which compiles covariances
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGING = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}

Prepare = Callable[[], None]


def start(arguments: list[str], folder: Path, *prepare: Prepare) -> BaseProcess:
    """Begin `attn ...` or `diagnose ...` in a folder; what it prints goes to FOLDER.out.

    prepare   called there first, one after the other; each a function of a module, or a partial of one
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    folder.mkdir(parents=True, exist_ok=True)
    child = context.Process(target=_run, args=(arguments, str(folder), prepare))
    child.start()
    return child


def finish(arguments: list[str], folder: Path, *prepare: Prepare) -> int:
    """The exit code of a command, negative if a signal ended it."""
    child = start(arguments, folder, *prepare)
    child.join()
    assert child.exitcode is not None
    return child.exitcode


def printed(folder: Path) -> str:
    """All that the commands in a folder have printed."""
    return output_of(folder).read_text()


def output_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.out")


def _run(arguments: list[str], folder: str, prepare: tuple[Prepare, ...]) -> None:
    out = os.open(output_of(Path(folder)), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(folder)
    sys.dont_write_bytecode = True
    for call in prepare:
        call()
    program, *rest = arguments
    sys.exit({"attn": attn.cli.main, "diagnose": diagnostics.cli.main}[program](rest))


def without_compiling() -> None:
    """TensorFlow computes each operation as it comes: nothing is compiled for a few steps."""
    tf.config.run_functions_eagerly(True)


def without_pictures() -> None:
    """TensorBoard gets numbers only: to draw takes longer than all else in an epoch of a small model."""
    attn.train.held_out_pair = lambda config, source: None


def with_reports_of(path: str) -> None:
    """`diagnose report` takes what stands in that report.json: what is killed is drawing and writing."""
    reports = ReportFile.from_json(Path(path).read_text()).reports
    diagnostics.investigate.investigate = lambda *_, **__: list(reports)


def without_drawing() -> None:
    """The pictures of a report, and the texts around them, are a word each."""
    diagnostics.report.render_png = lambda draw, height: b"picture"
    diagnostics.report._render_html = lambda contents: "page"
    diagnostics.report._render_markdown = lambda contents: "text"


def without_checks() -> None:
    """A baseline holds the measures alone, which takes no time."""
    diagnostics.regression.baseline.run_checks = lambda subject, **_: SimpleNamespace(
        subject=subject.name, results=()
    )


def limit_files(num_bytes: int) -> None:
    """No file may grow beyond that size; what the command prints goes to a file too, and must fit."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, resource.RLIM_INFINITY))


def count_operations(target: str) -> None:
    """Write to a file how often the command was about to change a file in its folder."""
    _Watch(lambda number: Path(target).write_text(str(number)))


def kill_before(operation: int) -> None:
    """The process is killed as it is about to change a file in its folder for that time, counted from 1."""
    _Watch(partial(_kill_at, operation))


def _kill_at(operation: int, number: int) -> None:
    if number == operation:
        os.kill(os.getpid(), signal.SIGKILL)


class _Watch:
    """Calls `tell` with the number of every change of a file in the folder, before it is made."""

    def __init__(self, tell: Callable[[int], object]) -> None:
        self.tell, self.number, self.is_telling = tell, 0, False
        self.folder = os.getcwd()
        self.sync = os.fsync
        os.fsync = self._fsync  # of this Python alone raises no event; a file is half written then
        sys.addaudithook(self._event)

    def _fsync(self, descriptor: int) -> None:
        self._count()
        self.sync(descriptor)

    def _event(self, event: str, arguments: tuple) -> None:
        opens = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
        if opens or event in _CHANGING:
            self._count_in_folder(arguments[0])

    def _count_in_folder(self, path: object) -> None:
        if isinstance(path, str | os.PathLike) and (
            not os.path.isabs(path) or str(path).startswith(self.folder)
        ):
            self._count()

    def _count(self) -> None:
        if not self.is_telling:
            self.number += 1
            self.is_telling = True
            self.tell(self.number)
            self.is_telling = False
